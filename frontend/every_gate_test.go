package frontend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestEveryGateHolds builds made-up files with gates, by way of every instruction
// that uses a stage: the steps behind the result are those of the stages that the
// file names and that the graph draws, neither more nor fewer. A step that fails
// is among them, so it fails the build.
func TestEveryGateHolds(t *testing.T) {
	t.Parallel()
	overSeeds(t, 2000, 3, requireGates)
}

func FuzzEveryGateHolds(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a stage of gates without steps of its own"))
	f.Fuzz(func(t *testing.T, data []byte) { requireGates(t, dockerfilegen.Random(data)) })
}

func requireGates(t *testing.T, r *rand.Rand) {
	t.Helper()
	made := dockerfilegen.Gates(r)
	b := gatewaytest.Dockerfile("")
	b.Files = map[string]map[string]string{"dockerfile": made.Files, "context": made.Files, "shared": made.Library}
	maps.Copy(b.Opts, made.Options)
	b.Old = r.IntN(4) == 0
	c := gatewaytest.New(b)
	res, err := frontend.Build(t.Context(), c)
	steps := map[string]bool{}
	for _, req := range c.Solved {
		maps.Copy(steps, stepsOf(t, req.Definition))
	}
	got := slices.Sorted(maps.Keys(steps))
	diff := cmp.Diff(made.Steps, got)
	surprises := c.Surprises(res, err)
	if err == nil && diff == "" && len(surprises) == 0 {
		if r.IntN(4) > 0 { // the graph is another build
			return
		}
		graph := stepsInGraph(t, b, made.Values)
		want := slices.DeleteFunc(slices.Clone(made.Steps), func(step string) bool { return step[0] == 't' || strings.HasPrefix(step, "limit ") })
		if slices.Equal(want, graph) {
			return
		}
		diff = "in the graph: " + cmp.Diff(want, graph)
	}
	t.Errorf("%s\n# lib.Dockerfile\n%s\n# shared\n%s\n%v old %t\n%v\n%s\nsteps that the file names (-) and that are built (+):\n%s",
		made.Files["Dockerfile"], made.Files["lib.Dockerfile"], made.Library["lib.Dockerfile"], made.Options, b.Old, err, strings.Join(surprises, "\n"), diff)
}

// stepsOf returns the steps that the result of def needs.
func stepsOf(tb testing.TB, def *pb.Definition) map[string]bool {
	tb.Helper()
	out := map[string]bool{}
	if def == nil || len(def.Def) == 0 {
		return out
	}
	ops := map[string]*pb.Op{}
	var last *pb.Op
	for _, dt := range def.Def {
		last = &pb.Op{}
		if err := last.UnmarshalVT(dt); err != nil {
			tb.Fatal(err)
		}
		ops[digest.FromBytes(dt).String()] = last
	}
	var visit func(op *pb.Op)
	visit = func(op *pb.Op) {
		if exec := op.GetExec(); exec != nil && exec.Meta.Args[1] == "max-size" {
			out["limit "+exec.Meta.Args[2]] = true
		} else if exec != nil {
			if name, ok := strings.CutPrefix(exec.Meta.Args[len(exec.Meta.Args)-1], "step "); ok {
				v := "-"
				for _, env := range exec.Meta.Env {
					if value, ok := strings.CutPrefix(env, "V="); ok {
						v = value
					}
				}
				name, _, _ = strings.Cut(name, " ")
				platform := ocispecs.Platform{OS: op.Platform.OS, Architecture: op.Platform.Architecture, Variant: op.Platform.Variant}
				out[fmt.Sprintf("%s %s %s", name, v, platforms.Format(platform))] = true
			}
		}
		for _, in := range op.Inputs {
			if next := ops[in.Digest]; next != nil {
				delete(ops, in.Digest) // once is enough
				visit(next)
			}
		}
	}
	visit(last)
	return out
}

// stepsInGraph returns the steps of the stages that the graph draws. values are
// those of V where no call binds it.
func stepsInGraph(t *testing.T, b gatewaytest.Build, values map[string]string) []string {
	t.Helper()
	b.Opts = maps.Clone(b.Opts)
	b.Opts["requestid"] = "frontend.graph"
	res, err := frontend.Build(t.Context(), gatewaytest.New(b))
	if err != nil {
		t.Fatal(err)
	}
	var graph report.Graph
	if err := json.Unmarshal(res.Metadata["result.json"], &graph); err != nil {
		t.Fatal(err)
	}
	built := map[int]bool{}
	for _, b := range graph.Builds {
		built[b.Root] = true
	}
	for _, node := range slices.Backward(graph.Nodes) { // each is behind those that it needs
		for _, need := range node.Needs {
			built[need.Node] = built[need.Node] || built[node.ID] && need.Relation != report.Label
		}
	}
	steps := map[string]bool{}
	for _, node := range graph.Nodes {
		if !built[node.ID] {
			continue // whose config alone is wanted
		}
		v, runs := values[node.Stage]
		if !runs || node.Kind != report.Stage {
			continue
		}
		if bound, ok := node.Bindings["V"]; ok && v != "-" {
			v = bound
		}
		steps[fmt.Sprintf("%s %s %s", node.Stage, v, node.Platform)] = true
	}
	return slices.Sorted(maps.Keys(steps))
}
