package llbgen

import (
	"context"
	"fmt"
	"path"
	"strconv"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/internal/step"
)

// programPath is where the image of this frontend has its program, which reads trees inside the build.
const programPath = "/bin/stagecraft-frontend"

// tool is the program as what a step of a build runs.
type tool struct {
	// def is the image that has it, head where that is.
	def  *llb.Definition
	head *pb.Input
	caps apicaps.CapSet
	// platform is that of the builder, whatever the trees are for.
	platform *pb.Platform
}

// useTool returns the program, looked for once.
func (b *build) useTool(ctx context.Context) (*tool, error) {
	b.toolOnce.Do(func() { b.toolOf, b.toolErr = b.newTool(ctx) })
	return b.toolOf, b.toolErr
}

func (b *build) newTool(ctx context.Context) (*tool, error) {
	st, err := b.program()
	if err != nil {
		return nil, err
	}
	host := b.opt.Client.BuildPlatforms[0]
	def, err := st.Marshal(ctx, llb.Platform(host), llb.WithCaps(b.opt.Client.BuildOpts().LLBCaps))
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	var end pb.Op
	if err := end.UnmarshalVT(def.Def[len(def.Def)-1]); err != nil {
		return nil, fmt.Errorf("failed to read LLB: %w", err)
	}
	return &tool{def, end.Inputs[0], b.opt.Client.BuildOpts().LLBCaps, &pb.Platform{Architecture: host.Architecture, OS: host.OS, Variant: host.Variant}}, nil
}

// add appends a step of the program to a definition, behind the image that has it.
func (t *tool) add(out *llb.Definition, step *pb.Op, meta llb.OpMetadata) (digest.Digest, error) {
	for _, dt := range t.def.Def[:len(t.def.Def)-1] {
		dgst := digest.FromBytes(dt)
		if _, known := out.Metadata[dgst]; !known {
			out.Def = append(out.Def, dt)
			out.Metadata[dgst] = t.def.Metadata[dgst]
		}
	}
	dt, err := marshalOp(step)
	if err != nil {
		return "", err
	}
	dgst := digest.FromBytes(dt)
	out.Def = append(out.Def, dt)
	out.Metadata[dgst] = meta
	return dgst, nil
}

// addStep appends a step that an instance has beside its lines, placed as the vertex that it comes
// from.
func (b *build) addStep(t *tool, inst *plan.Instance, op *pb.Op, meta llb.OpMetadata, what string, out *llb.Definition, of digest.Digest) (digest.Digest, error) {
	meta.Description = map[string]string{"llb.customname": "[" + b.stepTitle(inst) + "] " + what}
	dgst, err := t.add(out, op, meta)
	if locations, ok := out.Source.GetLocations()[string(of)]; ok && err == nil {
		out.Source.Locations[string(dgst)] = locations.CloneVT()
	}
	return dgst, err
}

// step returns an op that runs the program on trees, read-only and without network: each has its
// number below step.Dir. The op gives step.OutDir. What made the trees says whether the step is in the
// cache: to compare what is in them takes the engine longer than to read them.
func (t *tool) step(args, env []string, trees []*pb.Input) (*pb.Op, llb.OpMetadata) {
	op := &pb.Op{Inputs: []*pb.Input{t.head}, Platform: t.platform, Constraints: &pb.WorkerConstraints{}}
	mounts := []*pb.Mount{{Input: 0, Dest: pb.RootMount, Output: int64(pb.SkipOutput), Readonly: true}}
	caps := map[apicaps.CapID]bool{pb.CapExecMetaBase: true, pb.CapExecMetaNetwork: true, pb.CapExecMountBind: true, pb.CapMetaDescription: true}
	for i, input := range trees {
		m := &pb.Mount{Input: int64(len(op.Inputs)), Dest: path.Join(step.Dir, strconv.Itoa(i)), Output: int64(pb.SkipOutput), Readonly: true}
		if t.caps.Supports(pb.CapExecMountContentCache) == nil {
			m.ContentCache = pb.MountContentCache_OFF
			caps[pb.CapExecMountContentCache] = true
		}
		mounts = append(mounts, m)
		op.Inputs = append(op.Inputs, input)
	}
	mounts = append(mounts, &pb.Mount{Input: int64(pb.Empty), Dest: step.OutDir, Output: 0})
	op.Op = &pb.Op_Exec{Exec: &pb.ExecOp{
		Meta:    &pb.Meta{Args: append([]string{programPath}, args...), Env: env, Cwd: "/"},
		Mounts:  mounts,
		Network: pb.NetMode_NONE,
	}}
	return op, llb.OpMetadata{Caps: caps}
}
