package frontend

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// TestRulePages holds the pages of docs/rules, and their index, to the rules in the
// code.
func TestRulePages(t *testing.T) {
	rules := rulesInCode(t)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../docs/rules", name))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	var index strings.Builder
	for _, rule := range rules {
		page := path.Base(rule.URL)
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", rule.Name, page, rule.Description)
		text := read(page)
		if !strings.HasPrefix(text, "# "+rule.Name+"\n") {
			t.Errorf("%s does not start with the name of its rule", page)
		}
		if !strings.Contains(text, "check=skip="+rule.Name) {
			t.Errorf("%s does not say how to silence its rule", page)
		}
	}
	if !strings.Contains(read("README.md"), index.String()) {
		t.Errorf("docs/rules/README.md does not list the rules of the code; the lines are\n%s", index.String())
	}
	pages, err := os.ReadDir("../docs/rules")
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != len(rules)+1 {
		t.Errorf("docs/rules has %d files for %d rules and the index", len(pages), len(rules))
	}
}

// rulesInCode returns all rules, by name.
func rulesInCode(t *testing.T) []*diagnostic.Rule {
	t.Helper()
	var out []*diagnostic.Rule
	look := func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if called, ok := call.Fun.(*ast.SelectorExpr); !ok || called.Sel.Name != "NewRule" {
				return true
			}
			var words []string
			for _, arg := range call.Args {
				word, unquoteErr := strconv.Unquote(arg.(*ast.BasicLit).Value)
				words, err = append(words, word), errors.Join(err, unquoteErr)
			}
			out = append(out, diagnostic.NewRule(words[0], words[1]))
			return true
		})
		return err
	}
	for _, dir := range []string{".", "../llbgen"} {
		if err := filepath.WalkDir(dir, look); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(out, func(a, b *diagnostic.Rule) int { return strings.Compare(a.Name, b.Name) })
	return out
}
