package frontend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestUnsetOfNothingChangesNothing guards what a stage keeps where an UNSET cuts it: its ARGs, ENVs,
// triggers, CMD, shell, user and steps. An UNSET of what is not there gives the same steps,
// under the same names, the same warnings and the same image; only the order of the variables of a step and
// the history may differ.
func TestUnsetOfNothingChangesNothing(t *testing.T) {
	t.Parallel()
	compareFiles(t, 800, requireUnsetChangesNothing)
}

// TestUnsetLimit ends a build whose stage is cut into more parts than can be converted in a
// moment, and only that.
func TestUnsetLimit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		100:           "",
		plan.MaxParts: fmt.Sprintf("the stage is cut into more than %d parts by UNSET and ENV --from", plan.MaxParts),
	} {
		b := gatewaytest.Dockerfile("FROM scratch\n" + strings.Repeat("ENV A=1\nUNSET ENV A\n", n))
		_, err := frontend.Build(t.Context(), gatewaytest.New(b))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d times UNSET: %v", n, err)
		}
	}
}

func FuzzUnset(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireUnsetChangesNothing(t, seed) })
}

func requireUnsetChangesNothing(t *testing.T, seed uint64) bool {
	t.Helper()
	text, opts := dockerfilegen.Generate(seed)
	delete(opts, "attest:sbom") // requireSameWhenLowered says how its ops differ
	if strings.HasPrefix(opts["platform"], "windows") {
		return false // the system of an image changes the shell once it is converted
	}
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return false
	}
	r := rand.New(rand.NewPCG(seed, 13))
	ours, theirs := strings.SplitAfter(text, "\n"), strings.SplitAfter(text, "\n")
	inStage := false
	for _, node := range parsed.AST.Children {
		inStage = inStage || strings.EqualFold(node.Value, "from")
		if !inStage || r.IntN(3) > 0 {
			continue
		}
		line := []string{"UNSET ENV none*", "#+ UNSET LABEL none", "UNSET VOLUME /none", "UNSET EXPOSE 9"}[r.IntN(4)]
		last := node.EndLine - 1
		if !strings.HasSuffix(ours[last], "\n") {
			continue
		}
		ours[last] += line + "\n"
		theirs[last] += "# nothing\n"
	}
	build := func(lines []string, with client.BuildFunc) ([]string, error) {
		b := gatewaytest.Dockerfile(strings.Join(lines, ""))
		maps.Copy(b.Opts, opts)
		return canonicalResult(t, b, with)
	}
	want, err := build(theirs, builder.Build)
	if err != nil {
		return false
	}
	got, err := build(ours, frontend.Build)
	if err != nil || !slices.Equal(want, got) {
		only := func(a, b []string) string {
			return strings.Join(slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) }), "\n")
		}
		t.Errorf("%s\n%v\n%v\nupstream alone:\n%s\nstagecraft alone:\n%s", strings.Join(ours, ""), opts, err, only(want, got), only(got, want))
	}
	return true
}

// otherwise are the rules that find other things, or say them in other words, in a file with
// extensions: of stages that no target needs nothing is known there.
var otherwise = []string{
	"NothingToUnset", "MisspelledExtension", linter.RuleUndefinedVar.Name, linter.RuleUndefinedArgInFrom.Name,
	linter.RuleRedundantTargetPlatform.Name, linter.RuleFromPlatformFlagConstDisallowed.Name,
}

// canonicalResult returns the vertices of the results of a build, whatever the order of
// variables and vertices, the warnings, and the configs without what an UNSET adds to their history.
func canonicalResult(t *testing.T, b gatewaytest.Build, with client.BuildFunc) ([]string, error) {
	t.Helper()
	c := gatewaytest.New(b)
	res, err := with(t.Context(), c)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, req := range c.Solved[1:] {
		out = append(out, canonicalVertices(t, req.Definition)...)
	}
	for _, w := range c.Warnings {
		if rule, _, _ := strings.Cut(w.Message, ":"); !slices.Contains(otherwise, rule) {
			out = append(out, goldenWarning(w))
		}
	}
	slices.Sort(out)
	for _, key := range slices.Sorted(maps.Keys(res.Metadata)) {
		var img dockerspec.DockerOCIImage
		if !strings.HasPrefix(key, "containerimage.config") || json.Unmarshal(res.Metadata[key], &img) != nil {
			continue
		}
		history := img.History[:0]
		for _, h := range img.History {
			if !strings.HasPrefix(h.CreatedBy, "UNSET ") {
				history = append(history, h)
			}
		}
		if img.History = history; len(history) == 0 {
			img.History = nil
		}
		dt, err := json.Marshal(img)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, key+" "+string(dt))
	}
	return out, nil
}

// mergeInputs makes one input of equal ones, as package llb does: a part of a stage may be
// another vertex until definitions are joined.
func mergeInputs(op *pb.Op) {
	var inputs []*pb.Input
	to := map[int64]int64{}
	for i, in := range op.Inputs {
		at := slices.IndexFunc(inputs, in.EqualVT)
		if at < 0 {
			at = len(inputs)
			inputs = append(inputs, in)
		}
		to[int64(i)] = int64(at)
	}
	less := int64(len(op.Inputs) - len(inputs))
	moved := func(n int64) int64 {
		switch {
		case n < 0:
			return n
		case n >= int64(len(op.Inputs)):
			return n - less
		}
		return to[n]
	}
	for _, a := range op.GetFile().GetActions() {
		a.Input, a.SecondaryInput = moved(a.Input), moved(a.SecondaryInput)
	}
	for _, m := range op.GetExec().GetMounts() {
		m.Input = moved(m.Input)
	}
	op.Inputs = inputs
}

var stepPrefix = regexp.MustCompile(`^\[(\S+ +)*\d+/\d+\] `)

func canonicalVertices(t *testing.T, def *pb.Definition) []string {
	t.Helper()
	var out []string
	seen := map[string]string{}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			t.Fatal(err)
		}
		for _, in := range op.Inputs {
			in.Digest = seen[in.Digest]
		}
		if meta := op.GetExec().GetMeta(); meta != nil {
			slices.Sort(meta.Env)
		}
		mergeInputs(&op)
		delete(op.GetSource().GetAttrs(), pb.AttrFollowPaths) // each conversion names those that it needs
		canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(&op)
		if err != nil {
			t.Fatal(err)
		}
		dgst := digest.FromBytes(dt).String()
		seen[dgst] = digest.FromBytes(canonical).String()
		// how the steps of a stage are counted hangs on what else the text has
		name := stepPrefix.ReplaceAllString(def.Metadata[dgst].GetDescription()["llb.customname"], "")
		name = strings.Replace(name, " --link ", " ", 1) // of equal ops one gives the name: on scratch a link is a copy
		out = append(out, fmt.Sprint(name, " ", seen[dgst], " ", &op))
	}
	return out
}
