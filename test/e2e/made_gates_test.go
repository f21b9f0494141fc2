//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
)

// madeStep is a step of a made-up build.
var madeStep = regexp.MustCompile(`(?m)^(RUN .*?)step (\w+) \$V$`)

// TestMadeGatesOnTheEngine builds made-up files with gates: each fails when a step
// fails that has to run by the rules of the language, and only then.
func TestMadeGatesOnTheEngine(t *testing.T) {
	t.Parallel()
	built := 0
	for seed := uint64(0); built < 5; seed++ {
		made := dockerfilegen.RunnableGates(rand.New(rand.NewPCG(seed, 7)))
		if len(made.Steps) < 2 || strings.Count(made.Files["Dockerfile"], "--after") < 2 {
			continue
		}
		built++
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			for _, failing := range append([]string{"none"}, slices.Sorted(maps.Keys(made.Values))...) {
				must := slices.ContainsFunc(made.Steps, func(step string) bool { return strings.HasPrefix(step, failing+" ") })
				if got := buildMade(t, made, failing); (got.err != nil) != must {
					t.Errorf("with a failing step %s, which has to run: %t, the build ends with %v\n%s\n%s\n%s", failing, must, got.err, made.Files, made.Library, got.stderr)
				}
			}
		})
	}
}

// buildMade builds a made-up file in which one step fails.
func buildMade(t *testing.T, made dockerfilegen.Gated, failing string) command {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		writeFile(t, filepath.Join(dir, name), []byte(madeStep.ReplaceAllStringFunc(text, func(line string) string {
			step := madeStep.FindStringSubmatch(line)
			if step[2] == failing {
				return step[1] + "echo $V; false"
			}
			return step[1] + "echo " + step[2] + " $V"
		})))
	}
	for name, text := range made.Files {
		write(name, text)
	}
	args := []string{"--build-arg=BUILDKIT_SYNTAX=" + frontendImage}
	for name, text := range made.Library {
		write(filepath.Join("shared", name), text)
		args = append(args, "--build-context=shared="+filepath.Join(dir, "shared"))
	}
	if target := made.Options["target"]; target != "" {
		args = append(args, "--target="+target)
	}
	if v := made.Options["build-arg:V"]; v != "" {
		args = append(args, "--build-arg=V="+v)
	}
	return buildx(t, dir, args...)
}
