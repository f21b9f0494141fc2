package frontend

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/subrequests"

	"github.com/stagecraft-build/stagecraft/internal/pages"
)

// cheatSheet returns the rows of a table of docs/cheatsheet.md.
func cheatSheet(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/cheatsheet.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := pages.Rows(pages.Section(string(text), heading))
	if len(rows) == 0 {
		t.Fatalf("docs/cheatsheet.md has no table %q", heading)
	}
	return rows
}

// first returns what stands in backquotes in the first cells of rows, in order.
func first(rows [][]string) []string {
	var out []string
	for _, row := range rows {
		out = append(out, pages.Code(row[0])...)
	}
	slices.Sort(out)
	return out
}

// TestCheatSheetListsCalls holds the calls of the cheat sheet to those that Build answers.
func TestCheatSheetListsCalls(t *testing.T) {
	t.Parallel()
	res, err := describe()
	if err != nil {
		t.Fatal(err)
	}
	var all []subrequests.Request
	if err := json.Unmarshal(res.Metadata["result.json"], &all); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range all {
		name := strings.TrimPrefix(r.Name, "frontend.")
		if name == "lint" { // clients call it so
			name = "check"
		}
		want = append(want, name)
	}
	slices.Sort(want)
	if got := first(cheatSheet(t, "Calls of docker build")); !slices.Equal(got, want) {
		t.Errorf("the cheat sheet has the calls\n%q, the code\n%q", got, want)
	}
}

var ownArg = regexp.MustCompile(`^STAGECRAFT_[A-Z_]+$`)

// TestCheatSheetListsBuildArgs holds the build args of the cheat sheet to those of the code.
func TestCheatSheetListsBuildArgs(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	eachFile(t, func(_ string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && ownArg.MatchString(text) {
					found[text] = true
				}
			}
			return true
		})
	})
	want := slices.Sorted(maps.Keys(found))
	if got := first(cheatSheet(t, "Build args")); !slices.Equal(got, want) {
		t.Errorf("the cheat sheet has the build args %q, the code %q", got, want)
	}
}

// TestCheatSheetListsRules holds the rules of the cheat sheet to those of the code.
func TestCheatSheetListsRules(t *testing.T) {
	t.Parallel()
	var want [][]string
	for _, rule := range rulesInCode(t) {
		page := path.Base(rule.URL)
		want = append(want, []string{"[" + rule.Name + "](rules/" + page + ")", rule.Description})
	}
	if got := cheatSheet(t, "Rules"); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the cheat sheet has the rules\n%q, the code\n%q", got, want)
	}
}

// documented are the constants that are limits of the language, by package and name, with
// their rows in docs/reference/limits.md.
var documented = map[string]string{
	"module.MaxDepth":       "files that lead to a file by import",
	"module.MaxFiles":       "files of a build, data included",
	"syntax.maxImports":     "imports of a file",
	"plan.MaxDepth":         "calls nested in each other",
	"plan.MaxCalls":         "calls of a build, and of one set",
	"plan.MaxInstances":     "stage instances of a build, the parts between `UNSET`, `ENV --from` and `LABEL --from` included",
	"plan.MaxParts":         "parts of a stage between these",
	"condition.MaxLength":   "an expression",
	"condition.MaxValue":    "a value that an expression looks at",
	"condition.maxList":     "elements of the lists of one expression",
	"condition.maxText":     "a text that `join`, or a list, makes",
	"condition.maxVersion":  "a version, and a constraint of `semver`",
	"condition.maxSteps":    "patterns of `matches` in one expression",
	"condition.maxCutset":   "letters that `trim` takes away",
	"plan.maxLet":           "the value of a LET",
	"data.MaxSize":          "a data file",
	"llbgen.maxValues":      "a file of `ENV --file` and `LABEL --file`",
	"data.MaxDepth":         "objects and lists of a data file in each other",
	"needed.maxFiles":       "`COPY --needed`: files of the sources",
	"needed.maxNodes":       "`COPY --needed`: paths that are looked at",
	"needed.maxSteps":       "`COPY --needed`: look-ups in a tree",
	"needed.maxObjects":     "`COPY --needed`: libraries of a program",
	"needed.maxDependences": "`COPY --needed`: libraries that one file names",
	"needed.maxElements":    "`COPY --needed`: directories in which a library is looked for",
	"needed.maxLoader":      "`COPY --needed`: a loader",
	"needed.maxCache":       "`COPY --needed`: a loader's cache",
}

// undocumented are the constants of such a name that are none, with what they bound.
var undocumented = map[string]string{
	"frontend.maxMessage":  "BuildKit's: docs/reference/limits.md says it below the table",
	"llbgen.maxShown":      "the files that the error of a step shows",
	"plan.maxNames":        "the names in a message",
	"condition.maxKnown":   "the keys among which a message looks",
	"condition.maxMessage": "a message of the library",
	"condition.maxWork":    "time: docs/reference/expressions.md says how much that is",
	"syntax.maxLine":       "where a long line is broken",
	"syntax.maxVariants":   "the variants of a line that a check looks at",
	"lower.maxName":        "the names that expand makes",
	"llbgen.maxName":       "the names that the step of a limit shows",
	"text.maxValue":        "what stands in a line: a longer value comes as a build arg",
	"text.maxReadable":     "where a long line is broken",
	"text.maxPath":         "a path with a value: upstream takes no more in a line",
	"needed.maxSegments":   "the program headers of a file, as the kernel does",
	"needed.maxDynamic":    "the parts of a file that no linker makes so large",
	"needed.maxString":     "the parts of a file that no linker makes so large",
	"needed.maxStrings":    "the parts of a file that no linker makes so large",
	"needed.maxTexts":      "memory, of which what has limits of its own takes less",
	"needed.maxDepth":      "a path, which the kernel does first",
	"needed.maxEntries":    "directories of variants, of which a distribution has some",
	"needed.maxLinks":      "links behind each other, as the kernel does",
}

// TestLimitsAreDocumented holds the limits in the code to docs/reference/limits.md, and that to
// the cheat sheet.
func TestLimitsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/reference/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := pages.Rows(string(text))
	if sheet := cheatSheet(t, "Limits"); !slices.EqualFunc(sheet, rows, slices.Equal) {
		t.Errorf("docs/cheatsheet.md has the limits\n%q, docs/reference/limits.md\n%q", sheet, rows)
	}
	missing := map[string]string{}
	for _, row := range rows {
		missing[row[0]] = row[1]
	}
	named := regexp.MustCompile(`^[mM]ax[A-Z]`)
	found := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		for _, decl := range file.Decls {
			consts, ok := decl.(*ast.GenDecl)
			if !ok || consts.Tok != token.CONST {
				continue
			}
			for _, spec := range consts.Specs {
				spec := spec.(*ast.ValueSpec)
				name := file.Name.Name + "." + spec.Names[0].Name
				if !named.MatchString(spec.Names[0].Name) {
					continue
				}
				found[name] = true
				row, ok := documented[name]
				if !ok {
					if undocumented[name] == "" {
						t.Errorf("%s: nothing says whether %s is a limit of the language", path, name)
					}
					continue
				}
				want := missing[row]
				delete(missing, row)
				value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(spec.Values[0]))
				if err != nil {
					t.Fatal(err)
				}
				if n, _ := constant.Int64Val(value.Value); n != number(t, want) {
					t.Errorf("%s is %d, docs/reference/limits.md says %q for %q", name, n, want, row)
				}
			}
		}
	})
	for row := range missing {
		t.Errorf("docs/reference/limits.md has %q, which no constant is", row)
	}
	for _, names := range []map[string]string{documented, undocumented} {
		for name := range names {
			if !found[name] {
				t.Errorf("there is no constant %s", name)
			}
		}
	}
}

// number reads a limit: "1,000", "256 bytes", "1 MiB".
func number(t *testing.T, text string) int64 {
	t.Helper()
	text, unit, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	if err != nil {
		t.Errorf("%q is no number", text)
	}
	return n << map[string]int{"KiB": 10, "MiB": 20}[unit]
}

// eachFile parses the files of the frontend's packages that are no tests.
func eachFile(t *testing.T, do func(path string, file *ast.File)) {
	t.Helper()
	for _, dir := range []string{".", "../llbgen", "../internal"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				do(path, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
