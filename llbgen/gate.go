package llbgen

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// gate is a stage that another one waits for. At the end of the one that waits
// the text has a COPY from the other, of a path that is the gate's name: it
// makes an op with both as its inputs, which patch then replaces by one that
// only waits.
type gate struct {
	to  plan.Edge
	ref *syntax.Reference
}

// waits reports whether the engine has the ops with which a stage waits for
// another one and takes nothing from it.
func waits(bc *dockerui.Client) bool {
	caps := bc.BuildOpts().LLBCaps
	return caps.Supports(pb.CapPassthroughOp) == nil && caps.Supports(pb.CapDiffOp) == nil
}

// Gate is a stage to build beside an image, for an engine on which the image
// cannot wait for it.
type Gate struct {
	// Name is how a user would write it.
	Name string
	// Definition is its LLB.
	Definition *llb.Definition
}

// beside converts the gates of all instances, each by itself.
func (b *build) beside(ctx context.Context) ([]Gate, error) {
	var out []Gate
	seen := map[*plan.Instance]bool{}
	for _, u := range b.all {
		for _, inst := range u.instances {
			for _, w := range inst.Waits() {
				if seen[w.To] || w.To.Empty() { // whose own gates are among those of all
					continue
				}
				seen[w.To] = true
				def, err := b.gateDefinition(ctx, u.unit, w.Edge)
				if err != nil {
					return nil, err
				}
				out = append(out, Gate{cmp.Or(w.Call, w.To.Name), def})
			}
		}
	}
	return out, nil
}

// gateDefinition converts a gate in the text of a unit.
func (b *build) gateDefinition(ctx context.Context, u *unit, e plan.Edge) (*llb.Definition, error) {
	if e.Sealed {
		out, err := b.convert(ctx, b.units[b.names.image(e.To)])
		if err != nil {
			return nil, err
		}
		return b.link(out.def)
	}
	opt := b.options(u)
	opt.Target = u.lowered.stages[e.To]
	res, err := dockerfile2llb.Dockerfile2LLB(ctx, u.lowered.text, opt)
	if err != nil {
		return nil, b.explain(u, err)
	}
	def, err := b.marshal(ctx, u, res.State)
	if err != nil {
		return nil, err
	}
	return b.link(def)
}

// gateStages writes what stands for the gates of inst.
func (l *lowerer) gateStages(inst *plan.Instance) {
	for _, w := range inst.Waits() {
		ref, e := w.Reference, w.Edge
		if !l.waits {
			if !e.Sealed {
				l.beside[e.To] = l.name(e.To)
			}
			continue
		}
		name := l.names.add("")
		l.gates[name] = gate{e, ref}
		l.count[inst]++
		l.write("COPY --from="+l.edge(inst, e)+" /"+name+" /"+name, inst.Stage.From)
	}
}

// gateOf returns the gate that an op stands for.
func (u *unit) gateOf(op *pb.Op) (gate, bool) {
	actions := op.GetFile().GetActions()
	if len(actions) != 1 || actions[0].GetCopy() == nil {
		return gate{}, false
	}
	g, ok := u.lowered.gates[strings.TrimPrefix(actions[0].GetCopy().Src, "/")]
	return g, ok
}

// replace makes a copy into an op that gives its first input once the second
// one is there. It returns that input if both are the same.
func (g gate) replace(op *pb.Op, meta *llb.OpMetadata) (same *pb.Input) {
	action := op.GetFile().Actions[0]
	to := op.Inputs[action.SecondaryInput]
	for key, text := range meta.Description {
		meta.Description[key] = stepNumber.ReplaceAllString(text, "] after ") + cmp.Or(g.to.Call, g.ref.Text)
	}
	meta.Caps = maps.Clone(meta.Caps)
	op.Platform = nil
	switch {
	case action.Input < 0:
		// the difference of a tree to itself is what scratch is: nothing
		op.Inputs = []*pb.Input{to, to}
		op.Op = &pb.Op_Diff{Diff: &pb.DiffOp{Lower: &pb.LowerDiffInput{Input: 0}, Upper: &pb.UpperDiffInput{Input: 1}}}
		meta.Caps[pb.CapDiffOp] = true
		return nil
	case action.Input == action.SecondaryInput:
		return to
	}
	op.Inputs = []*pb.Input{op.Inputs[action.Input], to}
	op.Op = &pb.Op_Passthrough{Passthrough: &pb.PassthroughOp{Id: "stagecraft.after", Outputs: []int64{0}}}
	meta.Caps[pb.CapPassthroughOp] = true
	return nil
}

// stepNumber is the number of a step in the name of a vertex, with all that
// follows.
var stepNumber = regexp.MustCompile(` ?\d+/\d+\] COPY .*`)

// lessSteps takes the steps that stand for gates out of the number of steps in
// the name of a vertex.
func lessSteps(name string, gates int) string {
	return stepTotal.ReplaceAllStringFunc(name, func(total string) string {
		n, err := strconv.Atoi(total[1 : len(total)-1])
		if err != nil {
			return total
		}
		return "/" + strconv.Itoa(n-gates) + "]"
	})
}

var stepTotal = regexp.MustCompile(`/\d+\]`)

// forgetGates takes what stands for gates out of an image's history.
func (u *unit) forgetGates(history []ocispecs.History) []ocispecs.History {
	var out []ocispecs.History
	for _, h := range history {
		path, ok := strings.CutPrefix(h.CreatedBy, "COPY /")
		if name, _, _ := strings.Cut(path, " "); ok {
			if _, ok := u.lowered.gates[name]; ok {
				continue
			}
		}
		out = append(out, h)
	}
	return out
}
