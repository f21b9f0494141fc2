//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestLongMessages guards builds that need more than the 16 MiB of a message to the builder: the
// user is told which limit it is, or sees the error with its lines.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	padding := func(bytes int) string { return strings.Repeat("# sixteen bytes\n", bytes/16) }
	var values []string
	for i := range 100 {
		values = append(values, fmt.Sprint(i))
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"operations":                       {"FROM busybox AS build\nARG V\nRUN echo $V " + strings.Repeat("x", 60_000) + "\nFROM scratch\nCOPY --from=build(V=[" + strings.Join(values, ",") + "]) / /$V/\n", []string{"the operations of this build have ", " bytes, and a message to the builder 16777216 at most: build fewer targets, calls"}},
		"an error in a long file":          {"FROM busybox AS build\nARG V\nFROM scratch\nCOPY --from=biuld(V=1) / /\n" + padding(16<<20-200), []string{"Dockerfile:5", ">>> COPY --from=biuld(V=1) / /", `line 5, column 13: "biuld" is not a stage of this file`, "did you mean build?"}},
		"an error in a long plain file":    {"FROM busybox AS build\nCOPY --from=biuld/x:1 / /\n" + padding(16<<20-200), []string{"Dockerfile:3", ">>> COPY --from=biuld/x:1 / /", "biuld/x:1: not found"}},
		"a step that fails in a long file": {"FROM busybox AS build\nARG V\nRUN echo $V && false\nFROM scratch\nCOPY --from=build(V=1) / /\n" + padding(5<<20), []string{"Dockerfile:4", ">>> RUN echo $V && false", "exit code: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, "-- Dockerfile --\n"+syntaxLine+c.text)
			buildx(t, dir, "--output=type=cacheonly").fails(t, c.want...)
			buildx(t, project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\n"), "--output=type=cacheonly").ok(t)
		})
	}
}
