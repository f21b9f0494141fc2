package frontend

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
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
		page := rule["URL"][strings.LastIndexByte(rule["URL"], '/')+1:]
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", rule["Name"], page, rule["Description"])
		text := read(page)
		if !strings.HasPrefix(text, "# "+rule["Name"]+"\n") {
			t.Errorf("%s does not start with the name of its rule", page)
		}
		if !strings.Contains(text, "check=skip="+rule["Name"]) {
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

// rulesInCode returns the fields of all rules, by name.
func rulesInCode(t *testing.T) []map[string]string {
	t.Helper()
	var out []map[string]string
	look := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if of, ok := literal.Type.(*ast.SelectorExpr); !ok || of.Sel.Name != "Rule" {
				return true
			}
			rule := map[string]string{}
			for _, element := range literal.Elts {
				field, _ := element.(*ast.KeyValueExpr)
				if text, ok := field.Value.(*ast.BasicLit); ok {
					rule[field.Key.(*ast.Ident).Name], err = strconv.Unquote(text.Value)
				}
			}
			if rule["Name"] != "" { // not one of upstream's, passed on
				out = append(out, rule)
			}
			return true
		})
		return err
	}
	for _, dir := range []string{".", "../llbgen"} {
		if err := filepath.WalkDir(dir, look); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(out, func(a, b map[string]string) int { return strings.Compare(a["Name"], b["Name"]) })
	return out
}
