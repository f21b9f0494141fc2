package frontend_test

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestRightLinesAreNotBroken guards that a check finds no mistake in a line that is off
// when the build that has the line succeeds.
func TestRightLinesAreNotBroken(t *testing.T) {
	t.Parallel()
	var cases atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for name, archive := range archives(t, "cases") {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if b, err := gatewaytest.Case(archive); err == nil && requireNotBroken(t, b) {
					cases.Add(1)
				}
			})
		}
	})
	if n := cases.Load(); n < 100 {
		t.Errorf("only %d cases have lines that can be off", n)
	}
	t.Run("seeds", func(t *testing.T) {
		overSeeds(t, 1000, 8, func(t *testing.T, r *rand.Rand) {
			made := dockerfilegen.Gates(r)
			b := gatewaytest.Dockerfile("")
			b.Files = map[string]map[string]string{"dockerfile": made.Files, "context": made.Files, "shared": made.Library}
			maps.Copy(b.Opts, made.Options)
			requireNotBroken(t, b)
		})
	})
}

// users are the lines of stages that use other stages.
var users = regexp.MustCompile(`(?m)^(COPY|ADD|RUN) (.*from=)`)

// requireNotBroken puts a condition on lines of a build that use other stages, and
// reports whether there are such and the build succeeds.
func requireNotBroken(t *testing.T, b gatewaytest.Build) bool {
	t.Helper()
	if b.Opts["requestid"] != "" {
		return false
	}
	text := b.Files["dockerfile"]["Dockerfile"]
	head := ""
	if strings.HasPrefix(text, "# ") { // directives stay in front
		line, rest, _ := strings.Cut(text, "\n")
		head, text = line+"\n", rest
	}
	changed := head + "ARG ON\n" + users.ReplaceAllString(text, "$1 --if=ON $2")
	if !strings.Contains(changed, "--if=ON") {
		return false
	}
	with := func(key, value string) gatewaytest.Build {
		out := b
		out.Opts = maps.Clone(b.Opts)
		out.Opts[key] = value
		out.Files = maps.Clone(b.Files)
		out.Files["dockerfile"] = maps.Clone(b.Files["dockerfile"])
		out.Files["dockerfile"]["Dockerfile"] = changed
		return out
	}
	if _, err := frontend.Build(t.Context(), gatewaytest.New(with("build-arg:ON", "1"))); err != nil {
		return false
	}
	results, _ := checked(t, with("requestid", ""), frontend.Build)
	lines := strings.Split(changed, "\n")
	for _, w := range results.Warnings {
		line := int(w.Location.Ranges[0].Start.Line)
		if w.RuleName == "BrokenBranch" && w.Location.SourceIndex == 0 && strings.Contains(lines[line-1], "--if=ON") {
			t.Errorf("%s\nline %d: %s", changed, line, w.Detail)
		}
	}
	return true
}
