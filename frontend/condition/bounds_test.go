package condition_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/builtin"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
	"github.com/stagecraft-build/stagecraft/frontend/data"
)

// large is as much data as a file has: d.text is one value, d.list and d.table are
// 100,000, d.deep nests, d.lines are 100 values of 1,000 bytes with one start.
func large() map[string]any {
	table, list, lines := map[string]any{}, []any{}, []any{}
	for i := range 100_000 {
		list = append(list, fmt.Sprint(i))
		table[fmt.Sprint(i)] = "x"
	}
	for i := range 1000 {
		lines = append(lines, strings.Repeat("x", 1000)+fmt.Sprint(i))
	}
	var deep any = list
	for range data.MaxDepth {
		deep = []any{deep}
	}
	return map[string]any{"text": strings.Repeat("x", data.MaxSize), "list": list, "table": table, "deep": deep, "lines": lines}
}

// worst are the expressions that would take longest if nothing were counted.
func worst() map[string]string {
	over := func(body string) string { return "any(d.list, " + body + ")" }
	return map[string]string{
		"one look":     `d.table["7"]`,
		"any":          over(`# == "nothing"`),
		"any equal":    over(`d == d`),
		"any list":     over(`d.list == d.list`),
		"any text":     over(`d.text == d.text`),
		"any contains": over(`d.text contains "y"`),
		"any in":       over(`# in d.list and false`),
		"any keys":     over(`len(keys(d.table)) == 0`),
		"any key":      over(`(d.table[d.text] ?? "") == "y"`),
		"any member":   over(`d.text in d.table`),
		"any map":      over(`len({(d.text): 1}) == 0`),
		"any truth":    over(`not d.text`),
		"any matches":  over(`d.text matches "^(a|b|c)*y$"`),
		"any semver":   over(`semver("1.2.3-a.b.c", ">=1.2 <3 || ~4 || ^5.6")`),
		"any split":    over(`len(split(d.text, "")) == 1`),
		"any sort":     over(`len(sort(d.lines)) == 1`),
		"any join":     over(`join(d.lines, "x") == ""`),
		"any json":     over(`fromJSON("[[[[1,2,3]]]]") == 1`),
		"any range":    over(`len(1..9000) == 1`),
		"any lower":    over(`lower(d.text) == "y"`),
		"any plus":     over(`d.text + d.text == "y"`),
		"any flatten":  over(`len(flatten(d.deep)) == 0`),
		"any slice":    over(`d.text[1:] == "y"`),
		"any index":    over(`indexOf(d.text, "y") == 1`),
		"any trim":     over(`trim(d.text, d.text) == "y"`),
		"trim":         `trim(d.text, d.text)`,
		"filter":       `filter(d.list, # == "7")`,
		"map":          `map(d.list, #)`,
		"map texts":    `len(map(1..5000, d.text + "x"))`,
		"sortBy":       `sortBy(d.list, #)[0]`,
		"sort":         `sort(d.lines)[0]`,
		"keys":         `keys(d.table)`,
		"equal":        `d == d`,
		"plus":         strings.Repeat(`d.text + `, 400) + `""`,
		"matches":      `d.text matches "^(a|b|c|x)*y$"`,
		"matches many": strings.Repeat(`d.text matches "x{9}y" || `, 100) + `d.text`,
		"split":        `len(split(d.text, ""))`,
		"splits":       strings.Repeat(`len(split(d.text, "")) + `, 100) + `1`,
		"join":         `join(d.list, d.text)`,
		"concat":       `len(concat(` + strings.Repeat("d.list,", 500) + `d.list))`,
		"string":       `string(d)`,
		"flatten":      `len(flatten(d.deep))`,
		"from json":    `len(fromJSON(d.text))`,
		"missing":      `d.table["x"]`,
		"missing long": `d.table[d.text]`,
		"chain":        `d` + strings.Repeat("?.x", 1300) + ` ?? ""`,
		"nested":       strings.Repeat("[", 1500) + `d` + strings.Repeat("]", 1500) + ` == [d]`,
		"least range":  `len(-9223372036854775807..9223372036854775807)`,
	}
}

func compile(tb testing.TB, text string) *condition.Condition {
	tb.Helper()
	c, err := condition.New(text, condition.Options{Value: true, Data: func(name string) bool { return name == "d" }})
	if err != nil {
		tb.Fatalf("%.100s: %v", text, err)
	}
	return c
}

// TestEvaluationIsBounded guards how much work and memory an evaluation takes, by
// count: it ends with an error soon behind the limit.
func TestEvaluationIsBounded(t *testing.T) {
	d := large()
	for name, text := range worst() {
		c := compile(t, text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		work, err := c.Work(func(string) any { return d })
		runtime.ReadMemStats(&after)
		if err == nil && work > condition.MaxWork {
			t.Errorf("%s: %d units of work and no error", name, work)
		}
		// -short is for the race detector, which takes memory of its own
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 && !testing.Short() {
			t.Errorf("%s: %d MiB", name, mib)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}

// TestEveryFunctionIsCounted guards that no function of the library goes over a large
// value without counting it, one that a later release brings included.
func TestEveryFunctionIsCounted(t *testing.T) {
	t.Parallel()
	d := large()
	for _, name := range builtin.Names {
		if slices.Contains(strings.Fields(condition.Growing+condition.Shallow), name) {
			continue
		}
		for _, args := range []string{"d.text", "d.list", "d.table", "d.deep", "d.text, d.text", "d.text, \"\"", "d.list, \"x\"", "d.list, 1", "d.list, d.list", "d.list, true"} {
			c, err := condition.New(name+"("+args+")", condition.Options{Value: true, Data: func(name string) bool { return name == "d" }})
			if err != nil {
				continue
			}
			if work, err := c.Work(func(string) any { return d }); err == nil && work < 5000 {
				t.Errorf("%s: %d units of work", c.Text, work)
			}
		}
	}
}

// TestFunctionsAreDocumented guards that docs/reference names each function, and those
// that are left out as such.
func TestFunctionsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	functions, out, ok := strings.Cut(string(page), "\n## Left out\n")
	if !ok {
		t.Fatal("the page has no section of what is left out")
	}
	for _, name := range append([]string{"semver"}, builtin.Names...) {
		section := functions
		if slices.Contains(strings.Fields(condition.Growing), name) {
			section, _, _ = strings.Cut(out, "\n## ")
		}
		if !regexp.MustCompile("`" + name + "[`(]").MatchString(section) {
			t.Errorf("%s is not where it belongs", name)
		}
		if !condition.Reserved(name) {
			t.Errorf("%s can be the name of data", name)
		}
	}
}

func BenchmarkWorst(b *testing.B) {
	d := large()
	for name, text := range worst() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			c := compile(b, text)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Work(func(string) any { return d })
			}
		})
	}
}
