package syntax

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/internal/pages"
)

// TestCheatSheetListsTheSyntax holds the instructions, flags and ARGs of docs/cheatsheet.md to
// those of the package.
func TestCheatSheetListsTheSyntax(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cheatsheet.md")
	if err != nil {
		t.Fatal(err)
	}
	compare := func(heading string, want []string, names func(row []string) []string) {
		t.Helper()
		found := map[string]bool{}
		for _, row := range pages.Rows(pages.Section(string(text), heading)) {
			for _, name := range names(row) {
				found[name] = true
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
			t.Errorf("the cheat sheet has the %s\n%q, the package\n%q", heading, got, want)
		}
	}
	compare("Instructions", slices.Clone(extensionInstructions), func(row []string) []string {
		var out []string
		for _, written := range pages.Code(row[0]) {
			word, _, _ := strings.Cut(written, " ")
			out = append(out, word)
		}
		return out
	})
	flags := []string{"any --if"}
	for keyword, list := range ours {
		for _, flag := range list {
			if flag != "--if" {
				flags = append(flags, strings.ToUpper(keyword)+" "+flag)
			}
		}
	}
	compare("Flags", flags, func(row []string) []string {
		var out []string
		for _, written := range pages.Code(row[1]) {
			flag, _, _ := strings.Cut(written, "=")
			out = append(out, strings.Trim(row[0], "`")+" "+flag)
		}
		return out
	})
	compare("ARGs", slices.Clone(machineArgs[:]), func(row []string) []string { return pages.Code(row[0]) })
}

// TestStockBuildersAreDescribed looks for each instruction and flag in the table that says what
// other builders do with it.
func TestStockBuildersAreDescribed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/reference/spelling.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, row := range pages.Rows(pages.Section(string(text), "On stock builders")) {
		for _, written := range pages.Code(row[0]) {
			for word := range strings.FieldsSeq(written) {
				word, _, _ = strings.Cut(word, "=")
				described[word] = true
			}
		}
	}
	words := slices.Clone(extensionInstructions)
	for keyword, list := range ours {
		if keyword != ImportInstruction { // its flags come with the instruction
			words = append(words, list...)
		}
	}
	for _, word := range words {
		if !described[word] && word != "--file" { // which comes with --from
			t.Errorf("docs/reference/spelling.md does not say what a stock builder does with %s", word)
		}
	}
}
