package frontend_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestParityOverPlainCases runs the cases of testdata/plain, which are plain
// Dockerfiles that look as if they were not: they are what upstream makes of
// them, also when they are lowered.
func TestParityOverPlainCases(t *testing.T) {
	t.Parallel()
	for file, archive := range archives(t, "plain") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			b := caseOf(t, archive)
			t.Run("plain", func(t *testing.T) { requireParity(t, b) })
			t.Run("lowered", func(t *testing.T) { requireSameWhenLowered(t, b) })
		})
	}
}

// archives returns the archives of a folder of testdata by file.
func archives(tb testing.TB, folder string) map[string]*txtar.Archive {
	tb.Helper()
	files, err := filepath.Glob("../testdata/" + folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatal("no cases found", err)
	}
	out := map[string]*txtar.Archive{}
	for _, file := range files {
		if out[file], err = txtar.ParseFile(file); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func caseOf(tb testing.TB, archive *txtar.Archive) gatewaytest.Build {
	tb.Helper()
	b, err := gatewaytest.Case(archive)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
