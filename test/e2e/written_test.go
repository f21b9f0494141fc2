//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the sizes of the documentation as they are now")

// requireWritten holds sizes in bytes against those that rows of a table in a file tell, by the
// first cell: a quarter more or less is allowed, for the images that they are of change. With
// -update it writes them.
func requireWritten(t *testing.T, file string, sizes map[string][]int64) {
	t.Helper()
	page := readText(t, file)
	for name, row := range sizes {
		cells := regexp.MustCompile("(?m)^\\| " + regexp.QuoteMeta(name) + " \\|((?: [0-9.]+ MB \\|)+)$").FindStringSubmatchIndex(page)
		if cells == nil {
			t.Errorf("%s has no row with sizes for %s", file, name)
			continue
		}
		was := strings.Split(page[cells[2]:cells[3]-1], "|")
		if len(was) != len(row) {
			t.Errorf("%s has %d sizes of %s, not %d", file, len(was), name, len(row))
			continue
		}
		var now strings.Builder
		for i, size := range row {
			mb := float64(size) / 1e6
			fmt.Fprintf(&now, " %.1f MB |", mb)
			var written float64
			if _, err := fmt.Sscan(was[i], &written); err != nil {
				t.Errorf("%s: %s: %v", file, name, err)
			}
			if !*update && (mb < 0.75*written-0.1 || mb > 1.25*written+0.1) {
				t.Errorf("%s says %g MB of %s, and it has %.1f MB: run this test with -update", file, written, name, mb)
			}
		}
		page = page[:cells[2]] + now.String() + page[cells[3]:]
	}
	if *update {
		writeFile(t, file, []byte(page))
	}
}
