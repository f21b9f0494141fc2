package frontend_test

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestLockedBuildsAreTheSame locks the builds of all cases: each is the build that it was
// but for the pins of repositories and files, and looks no image up by its tag.
func TestLockedBuildsAreTheSame(t *testing.T) {
	t.Parallel()
	var locked, pins atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, folder := range []string{"cases", "plain"} {
			for name, archive := range archives(t, folder) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					n, ok := requireLocked(t, archive)
					if ok {
						locked.Add(1)
						pins.Add(int64(n))
					}
				})
			}
		}
	})
	if locked.Load() < 180 || pins.Load() < 200 {
		t.Errorf("only %d builds were locked, with %d pins", locked.Load(), pins.Load())
	}
}

// lockedBuild returns the build of a case with its lock, and how it is without; ok is false for
// one that is no build, or has a lock of its own.
func lockedBuild(t *testing.T, archive *txtar.Archive) (after gatewaytest.Build, before *gatewaytest.Client, lock string, ok bool) {
	t.Helper()
	b, err := gatewaytest.Case(archive)
	if err != nil || b.Opts["requestid"] != "" || b.Opts["target"] == ":lock" {
		return after, nil, "", false
	}
	text := b.Files["dockerfile"]["Dockerfile"]
	if strings.HasPrefix(text, "\ufeff") {
		return after, nil, "", false
	}
	for _, f := range archive.Files {
		if strings.Contains(string(f.Data), "LOCK") { // an image that two locks pin is no longer one
			return after, nil, "", false
		}
	}
	before = gatewaytest.New(b)
	if _, err := frontend.Build(t.Context(), before); err != nil {
		return after, nil, "", false
	}
	call := withOption(b, "requestid", "frontend.lock")
	res, err := frontend.Build(t.Context(), gatewaytest.New(call))
	if err != nil {
		return after, nil, "", false // another stage of it cannot be built
	}
	name := "Dockerfile.lock"
	if file := b.Opts["filename"]; file != "" {
		name = file + ".lock"
	}
	after = withOption(b, "", "")
	lock = string(res.Metadata["result.txt"])
	directives, rest := "", text
	for strings.HasPrefix(rest, "# ") { // and comments, which may stand there
		line, more, _ := strings.Cut(rest, "\n")
		directives, rest = directives+line+"\n", more
	}
	after.Files["dockerfile"]["Dockerfile"] = directives + "#+ LOCK\n" + rest
	after.Files["dockerfile"][name] = lock
	return after, before, lock, true
}

// requireLocked reports how many pins the lock of a case has, and whether the case is a
// build without one.
func requireLocked(t *testing.T, archive *txtar.Archive) (pins int, ok bool) {
	t.Helper()
	after, before, lock, ok := lockedBuild(t, archive)
	if !ok {
		return 0, false
	}
	text := after.Files["dockerfile"]["Dockerfile"]
	c := gatewaytest.New(after)
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Errorf("%v\n%s\n%s", err, text, lock)
		return 0, true
	}
	for call := range c.Calls {
		ref, isImage := strings.CutPrefix(call, "ResolveImageConfig ")
		if isImage && !strings.Contains(ref, "@sha256:") && !given(after, ref) {
			t.Errorf("%s is looked up by its tag\n%s\n%s", ref, text, lock)
		}
	}
	if got, want := unpinned(t, c), unpinned(t, before); got != want {
		t.Errorf("%s\n%s\nunlocked (-) and locked (+):\n%s", text, lock, cmp.Diff(want, got))
	}
	return strings.Count(lock, "sha256:") + strings.Count(lock, "fetch-by-commit"), true
}

func withOption(b gatewaytest.Build, key, value string) gatewaytest.Build {
	b.Opts = maps.Clone(b.Opts)
	if key != "" {
		b.Opts[key] = value
	}
	files := maps.Clone(b.Files)
	for source := range files {
		files[source] = maps.Clone(files[source])
	}
	b.Files = files
	return b
}

// given reports whether the client gave an image as a context.
func given(b gatewaytest.Build, ref string) bool {
	ref, _, _ = strings.Cut(ref, " ")
	return slices.ContainsFunc(slices.Collect(maps.Values(b.Opts)), func(value string) bool {
		image, ok := strings.CutPrefix(value, "docker-image://")
		return ok && strings.Contains(ref, image)
	})
}

// unpinned shows the ops of all that a build solves without what a lock adds, in the order
// of their text: platforms go on side by side.
func unpinned(t *testing.T, c *gatewaytest.Client) string {
	t.Helper()
	var all []string
	for _, req := range c.Solved {
		if req.Definition == nil {
			continue
		}
		text, err := gatewaytest.Vertices(&pb.Definition{Def: req.Definition.Def, Metadata: req.Definition.Metadata})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "load ") && strings.Contains(text, ".lock\n") {
			continue
		}
		var out strings.Builder
		for line := range strings.Lines(text) {
			if !strings.Contains(line, ".checksum=") && !strings.Contains(line, "git.fetchbycommit=") {
				out.WriteString(line)
			}
		}
		all = append(all, out.String())
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestExpandedLocksBuildTheSame expands the locked builds of all cases: the pins stand in the
// plain file.
func TestExpandedLocksBuildTheSame(t *testing.T) {
	t.Parallel()
	var n expansions
	t.Run("cases", func(t *testing.T) {
		for name, archive := range archives(t, "cases") {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if b, _, _, ok := lockedBuild(t, archive); ok {
					n.check(t, name, b)
				}
			})
		}
	})
	n.require(t, 150)
}
