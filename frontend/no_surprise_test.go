package frontend_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestNoSurprise changes the files of the cases as typos do. Whatever comes out is
// no panic, shows no name that the frontend made up, asks no registry for such a
// name or for a stage, says where a mistake is, and takes no more than a moment.
func TestNoSurprise(t *testing.T) {
	t.Parallel()
	builds := mutationSeeds(t)
	overSeeds(t, 4000, 5, func(t *testing.T, r *rand.Rand) {
		requireNoSurprise(t, mutated(r, builds[r.IntN(len(builds))], builds))
	})
}

func FuzzNoSurprise(f *testing.F) {
	builds := mutationSeeds(f)
	for _, seed := range builds {
		f.Add(string(txtar.Format(seed)), []byte{})
		f.Add(string(txtar.Format(seed)), []byte{255})
	}
	f.Fuzz(func(t *testing.T, text string, choices []byte) {
		archive := txtar.Parse([]byte(text))
		if len(choices) > 0 {
			archive = mutated(dockerfilegen.Random(choices[1:]), archive, builds)
		}
		requireNoSurprise(t, archive)
	})
}

// mutationSeeds returns the builds of all cases, in an order that stays.
func mutationSeeds(tb testing.TB) []*txtar.Archive {
	tb.Helper()
	var out []*txtar.Archive
	for _, folder := range []string{"cases", "plain"} {
		all := archives(tb, folder)
		for _, file := range slices.Sorted(maps.Keys(all)) {
			all[file].Files = slices.DeleteFunc(all[file].Files, func(f txtar.File) bool { return f.Name == "want" || len(f.Data) > 10_000 })
			out = append(out, all[file])
		}
	}
	return out
}

// mutated changes a file of a build.
func mutated(r *rand.Rand, archive *txtar.Archive, others []*txtar.Archive) *txtar.Archive {
	out := &txtar.Archive{Files: slices.Clone(archive.Files)}
	for i, f := range out.Files {
		if f.Name == "options" || f.Name == "images" || f.Name != "Dockerfile" && r.IntN(3) > 0 {
			continue
		}
		other := others[r.IntN(len(others))]
		out.Files[i].Data = []byte(dockerfilegen.Mutate(r, string(f.Data), string(other.Files[0].Data)))
	}
	return out
}

// mayLast is how long a build of a small file may take on a busy machine. Runs of many
// seeds go on beside other work, when no machine is theirs.
func mayLast() time.Duration {
	if *seeds > 0 {
		return 15 * time.Minute
	}
	return time.Minute
}

func requireNoSurprise(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	b, err := gatewaytest.Case(archive)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), mayLast())
	defer cancel()
	c := gatewaytest.New(b)
	var res *client.Result
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err = frontend.Build(ctx, c)
	}()
	fail := func(what string) {
		t.Helper()
		t.Errorf("%s\n%s\n%v", what, txtar.Format(&txtar.Archive{Files: archive.Files}), err)
	}
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("the build takes more than %s:\n%s", mayLast(), txtar.Format(archive))
	}
	for _, surprise := range c.Surprises(res, err) {
		fail(surprise)
	}
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "internal error"):
		fail("a panic")
	case len(errdefs.Sources(err)) == 0 && needsPlace(b, err):
		if _, theirs := builder.Build(ctx, gatewaytest.New(b)); theirs == nil || withoutSuggestion(theirs) != withoutSuggestion(err) {
			fail("the error says no place")
		}
	}
}

// withoutSuggestion leaves out what upstream suggests: of several names that are as near
// it takes any.
func withoutSuggestion(err error) string {
	text, _, _ := strings.Cut(err.Error(), " (did you mean")
	return strings.ToValidUTF8(text, "\ufffd") // gRPC takes no other
}

// needsPlace reports whether a file is at fault for an error, and no option.
func needsPlace(b gatewaytest.Build, err error) bool {
	for key := range b.Opts {
		switch {
		case key == "target", strings.HasPrefix(key, "context:"), key == "context", key == "cgroup-parent", key == "add-hosts", key == "attest:sbom", strings.HasPrefix(key, "build-arg:BUILDKIT_"), key == "filename":
			return false
		}
	}
	// about a file as a whole, or a build arg of ours
	for _, whole := range []string{
		"file with no instructions", "dockerfile contains no stages to build", "no build stage in current context", "the Dockerfile cannot be empty",
		"lint violation found for rules", "STAGECRAFT_SIZE_BASE=", "failed to parse check options", "string field contains invalid UTF-8",
	} {
		if strings.Contains(err.Error(), whole) {
			return false
		}
	}
	return true
}
