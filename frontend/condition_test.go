package frontend_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// conditional gives instructions of a plain Dockerfile conditions, in both
// spellings, and returns it with the Dockerfile in which those are left out that
// are off; empty when the file does not parse.
func conditional(seed uint64, text string) (ours, theirs string) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return "", ""
	}
	r := rand.New(rand.NewPCG(seed, 2))
	lines := strings.SplitAfter(text, "\n")
	left := slices.Clone(lines)
	stageOff := false
	for _, node := range parsed.AST.Children {
		from := strings.EqualFold(node.Value, "from")
		if from {
			stageOff = false
		}
		off := r.IntN(4) == 0
		if from && off {
			stageOff = r.IntN(2) == 0
			off = stageOff
		}
		value := `'TARGETOS != "plan9" && "yes"'`
		if off {
			value = `"TARGETOS == 'plan9'"`
		}
		if off || stageOff {
			for i := node.StartLine; i <= node.EndLine; i++ {
				left[i-1] = ""
			}
		}
		if !off && r.IntN(2) == 0 {
			continue
		}
		first := &lines[node.StartLine-1]
		if r.IntN(2) == 0 {
			*first = "#+ --if=" + value + "\n" + *first
			continue
		}
		indent := len(*first) - len(strings.TrimLeft(*first, " \t"))
		word := indent + strings.IndexAny((*first)[indent:]+" ", " \t\n")
		*first = (*first)[:word] + " --if=" + value + (*first)[word:]
	}
	return strings.Join(lines, ""), strings.Join(left, "")
}

// TestConditionsEqualFilesWithoutTheLines guards that an
// instruction whose condition is false is as if it were not there, one whose
// condition is true as if it had none.
func TestConditionsEqualFilesWithoutTheLines(t *testing.T) {
	t.Parallel()
	compareFiles(t, 600, requireSameWithoutLines)
}

func FuzzConditions(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireSameWithoutLines(t, seed) })
}

// requireSameWithoutLines reports whether there was something to compare.
func requireSameWithoutLines(t *testing.T, seed uint64) bool {
	t.Helper()
	text, opts := dockerfilegen.Generate(seed)
	delete(opts, "target")      // which may be off
	delete(opts, "attest:sbom") // requireSameWhenLowered says how its ops differ
	ours, theirs := conditional(seed, text)
	if theirs == "" {
		return false
	}
	build := func(text string, with client.BuildFunc) (string, error) {
		b := gatewaytest.Dockerfile(text)
		maps.Copy(b.Opts, opts)
		return buildResult(t, b, with)
	}
	want, err := build(theirs, builder.Build)
	if err != nil {
		return false
	}
	got, err := build(ours, frontend.Build)
	if err != nil && strings.Contains(err.Error(), "is off") {
		return false // a reference that means an image once the stage is gone
	}
	if _, mistake := build(text, builder.Build); err != nil && mistake != nil {
		return false // a line that is off has to be an instruction all the same
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s\nis not\n%s\n%v\nupstream (-) and stagecraft (+):\n%s", ours, theirs, err, diff)
	}
	return true
}

// buildResult returns the digests of the results of a build and all that it says of them.
func buildResult(t *testing.T, b gatewaytest.Build, with client.BuildFunc) (string, error) {
	t.Helper()
	c := gatewaytest.New(b)
	res, err := with(t.Context(), c)
	if err != nil {
		return "", err
	}
	var out []string
	for _, req := range c.Solved[1:] { // the first one is the Dockerfile
		out = append(out, headOf(t, req.Definition))
	}
	slices.Sort(out)
	for _, key := range slices.Sorted(maps.Keys(res.Metadata)) {
		out = append(out, key+" "+string(res.Metadata[key]))
	}
	return strings.Join(out, "\n"), nil
}
