package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stagecraft-build/stagecraft/internal/version"
)

// rowOfReadme is a row of the table: what was measured, upstream, ours and the ratio.
var rowOfReadme = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| [0-9.]+ \|$`)

// measuredOn is the line that says on what.
var measuredOn = regexp.MustCompile(`(?m)^Measured on .*$`)

// writeReadme fills the table of a page with what was measured: its rows say which. A row of which
// nothing was measured is an error.
func writeReadme(path string, rows []row) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("failed to read the page: %w", err)
	}
	client, err := exec.Command("buildx", "version").Output()
	if err != nil {
		return fmt.Errorf("failed to ask for the version of buildx: %w", err)
	}
	fields := strings.Fields(string(client)) // github.com/docker/buildx VERSION REVISION
	if len(fields) < 2 {
		return fmt.Errorf("buildx says its version is %q", client)
	}
	var missing []string
	out := rowOfReadme.ReplaceAllStringFunc(string(text), func(line string) string {
		what := rowOfReadme.FindStringSubmatch(line)[1]
		at := slices.IndexFunc(rows, func(r row) bool { return r.what == what })
		if at < 0 {
			missing = append(missing, what)
			return line
		}
		return fmt.Sprintf("| %s | %s | %s | %.2f |", what, rows[at].upstream, rows[at].ours, rows[at].median)
	})
	if len(missing) > 0 {
		return fmt.Errorf("%s has rows that were not measured: %s", path, strings.Join(missing, "; "))
	}
	on := fmt.Sprintf("Measured on %s with %d cores, BuildKit %s and buildx %s:", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), version.Get().BuildKit, fields[1])
	out = measuredOn.ReplaceAllLiteralString(out, on)
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		return fmt.Errorf("failed to write the page: %w", err)
	}
	return nil
}
