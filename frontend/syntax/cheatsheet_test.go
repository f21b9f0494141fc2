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
