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

	"github.com/stretchr/testify/require"
)

// TestRulePages holds the pages of docs/rules, and their index, to the rules in the
// code.
func TestRulePages(t *testing.T) {
	rules := rulesInCode(t)
	var index strings.Builder
	for _, rule := range rules {
		page := rule["URL"][strings.LastIndexByte(rule["URL"], '/')+1:]
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", rule["Name"], page, rule["Description"])
		text, err := os.ReadFile(filepath.Join("../docs/rules", page))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "# "+rule["Name"]+"\n"), "%s does not start with the name of its rule", page)
		require.Contains(t, string(text), "check=skip="+rule["Name"], "%s does not say how to silence the rule", page)
	}
	text, err := os.ReadFile("../docs/rules/README.md")
	require.NoError(t, err)
	require.Contains(t, string(text), index.String(), "docs/rules/README.md does not list the rules of the code; the lines are\n%s", index.String())
	pages, err := os.ReadDir("../docs/rules")
	require.NoError(t, err)
	require.Len(t, pages, len(rules)+1, "docs/rules has a page of no rule")
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
		require.NoError(t, filepath.WalkDir(dir, look))
	}
	slices.SortFunc(out, func(a, b map[string]string) int { return strings.Compare(a["Name"], b["Name"]) })
	require.NotEmpty(t, out)
	return out
}
