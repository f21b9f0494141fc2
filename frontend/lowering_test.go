package frontend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// requireSameWhenLowered fails when a plain Dockerfile that goes through plan
// and lowering gives anything else than upstream: ops with their names and
// lines, image configs, metadata, round trips. Of an error only that there is
// one counts, and warnings do not count.
func requireSameWhenLowered(t *testing.T, b gatewaytest.Build) {
	t.Helper()
	want, err := gatewaytest.Run(t.Context(), b, builder.Build)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gatewaytest.Run(t.Context(), b, frontend.BuildLowered)
	if err != nil {
		t.Fatal(err)
	}
	if want.Error != "" {
		// in a file with extensions a variable there is one of them
		if got.Error == "" && !strings.Contains(want.Error, "variable expansion") {
			t.Errorf("upstream says %s, the lowered file builds", want.Error)
		}
		return
	}
	for _, rec := range []*gatewaytest.Record{&want, &got} {
		rec.Warnings = nil
		delete(rec.Calls, "Warn")
		if b.Opts["attest:sbom"] != "" {
			// upstream encodes the image once more for the scanner: ops that have no
			// platform of their own then get the engine's, other digests, and places once more
			for i, req := range rec.Solved {
				if strings.Contains(req, "scanner:1") {
					rec.Solved[i] = digestsAndPlatforms.ReplaceAllString(req, "")
				}
			}
			slices.Sort(rec.Solved)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upstream (-) and the lowered file (+) differ:\n%s", diff)
	}
}

var digestsAndPlatforms = regexp.MustCompile(`(?m)sha256:\w+| platform:{[^}]*}|^  locations .*\n`)

func TestLoweredCorpusKeepsItsDigests(t *testing.T) {
	t.Parallel()
	for _, file := range dockerfiles(t) {
		for name, opts := range platformSets {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				requireSameWhenLowered(t, gatewaytest.Dockerfile(string(text), opts...))
			})
		}
	}
}

func TestLoweredGeneratedDockerfilesKeepTheirDigests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			requireSameWhenLowered(t, generatedBuild(seed))
		})
	}
}

func FuzzLowered(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireSameWhenLowered(t, generatedBuild(seed)) })
}
