package pattern_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryPatternCompiles guards what regexp.MustCompile of a package's variable does when the program
// starts: all arguments of New in this module are expressions.
func TestEveryPatternCompiles(t *testing.T) {
	t.Parallel()
	found := 0
	for _, dir := range []string{"cmd", "frontend", "internal", "llbgen"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				found += compile(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no pattern was found")
	}
}

// compile compiles the patterns of the package in dir, and returns their number.
func compile(t *testing.T, dir string) (found int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var trees []*ast.File
	constants := map[string]ast.Expr{}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, name := range spec.Names {
					constants[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	for _, file := range trees {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "New" || !isPattern(f.X) {
				return true
			}
			found++
			if _, err := regexp.Compile(value(t, set, constants, call.Args[0])); err != nil {
				t.Errorf("%s: %v", set.Position(call.Pos()), err)
			}
			return true
		})
	}
	return found
}

func isPattern(x ast.Expr) bool {
	name, ok := x.(*ast.Ident)
	return ok && name.Name == "pattern"
}

// value returns the value of a string: a literal, a constant, or several of them.
func value(t *testing.T, set *token.FileSet, constants map[string]ast.Expr, x ast.Expr) string {
	t.Helper()
	switch x := x.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return value(t, set, constants, x.X) + value(t, set, constants, x.Y)
	case *ast.Ident:
		if of := constants[x.Name]; of != nil {
			return value(t, set, constants, of)
		}
	}
	t.Fatalf("%s: the value of this is not known here", set.Position(x.Pos()))
	return ""
}
