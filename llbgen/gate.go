package llbgen

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// waits reports whether the engine has the ops with which a stage waits for
// another one and takes nothing from it.
func waits(bc *dockerui.Client) bool {
	caps := bc.BuildOpts().LLBCaps
	return caps.Supports(pb.CapPassthroughOp) == nil && caps.Supports(pb.CapDiffOp) == nil
}

// beside returns for each unit what needs the gates of its instances, for an engine
// on which none can wait for its own.
func (b *build) beside(ctx context.Context) ([]*llb.Definition, error) {
	var out []*llb.Definition
	for _, u := range b.units {
		if u.file.Gates.Stage == "" {
			continue
		}
		opt := b.options(u)
		opt.Target = u.file.Gates.Stage
		res, err := b.toLLB(ctx, u, opt)
		if err != nil {
			return nil, b.explain(u, b.explainPlatform(u, err))
		}
		def, err := b.marshal(ctx, u, res.State)
		if err != nil {
			return nil, err
		}
		if def, err = b.link(ctx, def); err != nil {
			return nil, err
		}
		out = append(out, def)
	}
	return out, nil
}

// gateOf returns the gate for which a vertex stands; nil for any other one. The line
// that it comes from says so: a COPY of a file may have any path.
func (u *unit) gateOf(source *pb.Source, vertex digest.Digest, op *pb.Op) (*plan.Wait, error) {
	actions := op.GetFile().GetActions()
	if !u.file.Gates.Any() || len(actions) != 1 || actions[0].GetCopy() == nil {
		return nil, nil
	}
	var gate *plan.Wait
	var other *syntax.Instruction
	for _, location := range source.GetLocations()[string(vertex)].GetLocations() {
		for _, r := range location.Ranges {
			switch o, ok := u.file.Of(int(r.Start.Line)); {
			case ok && o.Gate != nil:
				gate = o.Gate
			case ok:
				other = o.In
			}
		}
	}
	if gate != nil && other != nil {
		return nil, other.Locate(fmt.Errorf("the path %s stands for a gate here: copy to another one", actions[0].GetCopy().Src))
	}
	return gate, nil
}

// joinGates makes one op of all the copies that stand for gates, if there are any. It
// takes nothing from any of them: its patterns match no file.
func (u *unit) joinGates(def *llb.Definition) (*llb.Definition, error) {
	out := &llb.Definition{Metadata: def.Metadata, Source: def.Source, Constraints: def.Constraints}
	wait := &pb.Op{}
	var meta llb.OpMetadata
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		gate, err := u.gateOf(def.Source, digest.FromBytes(dt), &op)
		switch {
		case err != nil:
			return nil, err
		case gate != nil:
			from := op.Inputs[op.GetFile().Actions[0].SecondaryInput]
			wait.Inputs = append(wait.Inputs, from)
			wait.Platform, wait.Constraints = op.Platform, op.Constraints
			dgst := digest.FromBytes(dt)
			meta.Caps = def.Metadata[dgst].Caps
			delete(def.Metadata, dgst)
		case op.Op != nil:
			out.Def = append(out.Def, dt)
		}
	}
	if len(wait.Inputs) == 0 {
		return def, nil
	}
	wait.Op = nothingOfAll(len(wait.Inputs))
	dt, err := marshalOp(wait)
	if err != nil {
		return nil, err
	}
	meta.Description = map[string]string{"llb.customname": "[internal] wait for gates"}
	dgst := digest.FromBytes(dt)
	out.Metadata[dgst] = meta
	end, err := marshalOp(&pb.Op{Inputs: []*pb.Input{{Digest: string(dgst)}}})
	out.Def = append(out.Def, dt, end)
	return out, err
}

// nothing is a pattern that matches no file.
const nothing = "/.stagecraft-gate-*"

// nothingOfAll needs a number of inputs and gives no files.
func nothingOfAll(inputs int) *pb.Op_File {
	file := &pb.FileOp{}
	for i := range inputs {
		copied := &pb.FileActionCopy{Src: nothing, Dest: "/", AllowWildcard: true, AllowEmptyWildcard: true, Mode: -1, Timestamp: -1}
		action := &pb.FileAction{Input: int64(inputs + i - 1), SecondaryInput: int64(i), Output: -1, Action: &pb.FileAction_Copy{Copy: copied}}
		if i == 0 {
			action.Input = -1
		}
		if i == inputs-1 {
			action.Output = 0
		}
		file.Actions = append(file.Actions, action)
	}
	return &pb.Op_File{File: file}
}

// waitFor makes the copy that stands for a gate into an op that gives its first
// input once the second one is there. It returns that input if both are the same.
func waitFor(g *plan.Wait, op *pb.Op, meta *llb.OpMetadata) (same *pb.Input) {
	action := op.GetFile().Actions[0]
	to := op.Inputs[action.SecondaryInput]
	for key, text := range meta.Description {
		meta.Description[key] = stepNumber().ReplaceAllString(text, "] after ") + g.Title()
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
var stepNumber = pattern.New(` ?\d+/\d+\] COPY .*`)

// lessSteps takes the steps that stand for gates out of the number of steps in
// the name of a vertex.
func lessSteps(name string, gates int) string {
	if gates == 0 {
		return name
	}
	return stepTotal().ReplaceAllStringFunc(name, func(total string) string {
		n, err := strconv.Atoi(total[1 : len(total)-1])
		if err != nil {
			return total
		}
		return "/" + strconv.Itoa(n-gates) + "]"
	})
}

var stepTotal = pattern.New(`/\d+\]`)
