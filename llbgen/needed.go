package llbgen

import (
	"context"
	"errors"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/system"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/internal/needed"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// addNeeded makes a COPY --needed copy, in the same layer, what a step has found that its sources need.
// The step looks at the tree of the sources, and at the destination as it is before. sources are the
// parts that source ops stand for, by digest.
func (b *build) addNeeded(ctx context.Context, from lower.Origin, op *pb.Op, sources map[string]part, out *llb.Definition, before digest.Digest, noCache bool) error {
	in := from.In
	t, err := b.useTool(ctx)
	if err != nil {
		return in.Error(in.NeededFlag, err)
	}
	actions := op.GetFile().Actions
	number := actions[0].SecondaryInput
	args := []string{"needed", actions[0].GetCopy().GetDest()}
	for _, action := range actions {
		if action.GetCopy() == nil || action.SecondaryInput != number || number < 0 {
			return in.Locate(errors.New("COPY --needed takes files of one stage or image alone: leave heredocs out"))
		}
		args = append(args, action.GetCopy().Src)
	}
	path, err := b.searchPath(ctx, sources[op.Inputs[number].Digest])
	if err != nil {
		return err
	}
	needs := " needs"
	if len(args) > 3 {
		needs = " need"
	}
	trees := []*pb.Input{op.Inputs[number]}
	if into := actions[0].Input; into >= 0 {
		trees = append(trees, op.Inputs[into])
	}
	step, meta := t.step(args, []string{needed.EnvPath + "=" + path}, trees)
	meta.IgnoreCache = noCache || b.noCache(from.Instance)
	dgst, err := b.addStep(t, from.Instance, step, meta, "what "+strings.Join(args[2:], ", ")+needs, out, before)
	if err != nil {
		return err
	}
	added := int64(len(op.Inputs))
	op.Inputs = append(op.Inputs, &pb.Input{Digest: string(dgst)})
	for _, action := range actions {
		if action.Input >= added { // what another action gave
			action.Input++
		}
	}
	last := len(actions) - 1
	copied := &pb.FileAction{
		Input: added + 1 + int64(last), SecondaryInput: added,
		Action: &pb.FileAction_Copy{Copy: &pb.FileActionCopy{Src: "/", Dest: "/", Mode: -1, Timestamp: -1, DirCopyContents: true, CreateDestPath: true}},
	}
	actions[last].Output, copied.Output = int64(pb.SkipOutput), actions[last].Output
	op.GetFile().Actions = append(op.GetFile().Actions, copied)
	return nil
}

// searchPath returns the PATH of the config of a part.
func (b *build) searchPath(ctx context.Context, p part) (string, error) {
	if p == nil {
		return system.DefaultPathEnvUnix, nil
	}
	from, err := b.convert(ctx, p)
	if err != nil {
		return "", err
	}
	if path, ok := envMap(from.result.Image.Config.Env)["PATH"]; ok {
		return path, nil
	}
	return system.DefaultPathEnvUnix, nil
}
