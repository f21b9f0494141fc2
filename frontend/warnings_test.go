package frontend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestLoweredFilesKeepTheirWarnings guards that upstream's rules find in a file that
// goes through plan and lowering what they find in it as it is.
func TestLoweredFilesKeepTheirWarnings(t *testing.T) {
	t.Parallel()
	for _, file := range dockerfiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			requireSameWarnings(t, gatewaytest.Dockerfile(string(text)))
		})
	}
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			requireSameWarnings(t, generatedBuild(seed))
		})
	}
}

func requireSameWarnings(t *testing.T, b gatewaytest.Build) {
	t.Helper()
	want, err := gatewaytest.Run(t.Context(), b, builder.Build)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gatewaytest.Run(t.Context(), b, frontend.BuildLowered)
	if err != nil {
		t.Fatal(err)
	}
	if want.Error != "" || got.Error != "" {
		return
	}
	if diff := cmp.Diff(distinct(want.Warnings), distinct(got.Warnings)); diff != "" {
		t.Errorf("upstream (-) and the lowered file (+) differ:\n%s", diff)
	}
}

// distinct returns the warnings, each once: upstream gives some of them again for each
// stage that a line is part of.
func distinct(warnings []string) []string {
	var out []string
	for _, w := range warnings {
		out = append(out, strings.TrimSpace(w))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
