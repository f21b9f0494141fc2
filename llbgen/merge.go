package llbgen

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/system"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/internal/step"
)

// added is what an operand of a FROM --with adds: its filesystem against that of its ancestor, if
// it has one.
type added struct {
	name             string
	operand, without *llb.State
}

// merge adds to a base what the operands of a FROM --with add to it: layers on layers, each of
// them what it is in its operand, and the ENVs and LABELs.
func (b *build) merge(ctx context.Context, of *plan.Instance, t *changedTree, res *dockerfile2llb.Result, m plan.Merge) error {
	var all []added
	for _, o := range m.Operands {
		if o.Nothing {
			continue
		}
		with, err := b.convert(ctx, b.parts[b.names.Image(o.Unit)])
		if err != nil {
			return err
		}
		from := &converted{&llb.Definition{}, &dockerfile2llb.Result{Image: &dockerspec.DockerOCIImage{}}}
		if o.Ancestor != nil {
			if from, err = b.convert(ctx, b.parts[b.names.Image(o.Ancestor)]); err != nil {
				return err
			}
		}
		addConfig(&res.Image.Config, with.result.Image.Config, from.result.Image.Config, with.result.Image.OS)
		if len(with.result.Image.Config.OnBuild) > 0 {
			b.warn(plan.RuleTriggersDropped, m.In, m.In.Place(o.Reference.Span), "the triggers of %s do not run: those of the base do", o.Reference.Text)
		}
		res.Image.History = append(res.Image.History, ocispecs.History{CreatedBy: "FROM --with=" + o.Reference.Text, Comment: historyComment, Created: res.Epoch})
		if len(with.def.Def) == 0 {
			continue
		}
		operand := b.imageOf(o.Unit)
		add := added{name: o.Reference.Text, operand: &operand}
		if len(from.def.Def) > 0 {
			ancestor := b.imageOf(o.Ancestor)
			add.without = &ancestor
		}
		all = append(all, add)
	}
	if len(all) == 0 {
		return nil
	}
	caps := b.opt.Client.BuildOpts().LLBCaps
	joined := b.layered
	if caps.Supports(pb.CapMergeOp) != nil || caps.Supports(pb.CapDiffOp) != nil {
		joined = b.copied
	}
	var err error
	t.State, err = joined(of, m, t, all)
	t.changed, t.empty = true, false
	return err
}

// imageOf is the filesystem of an instance that is a unit, before definitions are joined.
func (b *build) imageOf(inst *plan.Instance) llb.State {
	return llb.Image(b.names.Image(inst), llb.Platform(inst.Platform()))
}

// layered puts what operands add on a base as layers of their own.
func (b *build) layered(of *plan.Instance, m plan.Merge, base *changedTree, all []added) (llb.State, error) {
	var states []llb.State
	if !base.empty {
		states = append(states, base.State)
	}
	for _, a := range all {
		st := *a.operand
		if a.without != nil {
			st = llb.Diff(*a.without, st, b.step(of, "what "+a.name+" adds")...)
		}
		states = append(states, st)
	}
	return llb.Merge(states, b.step(of, "merge "+mergeTitle(of.Base, m))...), nil
}

// copied makes the same tree on an engine that has no words for that: a step copies what operands
// add onto the base.
func (b *build) copied(of *plan.Instance, m plan.Merge, base *changedTree, all []added) (llb.State, error) {
	program, err := b.program()
	if err != nil {
		return llb.State{}, diagnostic.At(m.In.Place(m.Operands[0].Reference.Span), err)
	}
	args := []string{programPath, "merge"}
	var mounts []llb.RunOption
	mount := func(st *llb.State) string {
		if st == nil {
			return ""
		}
		n := strconv.Itoa(len(mounts))
		mounts = append(mounts, llb.AddMount(path.Join(step.Dir, n), *st, llb.Readonly))
		return n
	}
	for _, a := range all {
		args = append(args, mount(a.without)+":"+mount(a.operand))
	}
	onto := llb.Scratch()
	if !base.empty {
		onto = base.State
	}
	options := append([]llb.RunOption{llb.Args(args), llb.Network(llb.NetModeNone), llb.ReadonlyRootFS(), llb.Platform(b.opt.Client.BuildPlatforms[0])}, mounts...)
	for _, o := range b.step(of, "merge "+mergeTitle(of.Base, m)) {
		options = append(options, o)
	}
	return program.Run(options...).AddMount(step.OutDir, onto), nil
}

func mergeTitle(base plan.Edge, m plan.Merge) string {
	words := []string{base.Title()}
	for _, o := range m.Operands {
		if !o.Nothing {
			words = append(words, o.Reference.Text)
		}
	}
	return strings.Join(words, ", ")
}

// addConfig gives a config the ENVs and LABELs in which with differs from what it is built
// on: those that it set, and those that it took away. New entries of its PATH go in front.
func addConfig(to *dockerspec.DockerOCIImageConfig, with, from dockerspec.DockerOCIImageConfig, system string) {
	have, had := envMap(with.Env), envMap(from.Env)
	for _, kv := range with.Env {
		name, value, _ := strings.Cut(kv, "=")
		if old, ok := had[name]; ok && old == value {
			continue
		}
		if name == "PATH" && system != "windows" {
			value = joinPath(value, had[name], envMap(to.Env)[name])
		}
		setEnv(to, name, value)
	}
	for name := range had {
		if _, ok := have[name]; !ok {
			to.Env = slices.DeleteFunc(to.Env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		}
	}
	for name, value := range with.Labels {
		if old, ok := from.Labels[name]; ok && old == value {
			continue
		}
		if to.Labels == nil {
			to.Labels = map[string]string{}
		}
		to.Labels[name] = value
	}
	for name := range from.Labels {
		if _, ok := with.Labels[name]; !ok {
			delete(to.Labels, name)
		}
	}
}

// joinPath returns a PATH with the entries of another one in front that are new to what that
// was made of, each once.
func joinPath(path, before, to string) string {
	if before == "" {
		before = system.DefaultPathEnvUnix
	}
	if to == "" {
		to = system.DefaultPathEnvUnix
	}
	known, out := strings.Split(before, ":"), []string(nil)
	for entry := range strings.SplitSeq(path, ":") {
		if !slices.Contains(known, entry) && !slices.Contains(out, entry) {
			out = append(out, entry)
		}
	}
	for entry := range strings.SplitSeq(to, ":") {
		if !slices.Contains(out, entry) {
			out = append(out, entry)
		}
	}
	return strings.Join(out, ":")
}

func envMap(env []string) map[string]string {
	out := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		out[name] = value
	}
	return out
}

// setEnv sets an ENV of a config where it stands, else behind all others.
func setEnv(c *dockerspec.DockerOCIImageConfig, name, value string) {
	for i, kv := range c.Env {
		if strings.HasPrefix(kv, name+"=") {
			c.Env[i] = name + "=" + value
			return
		}
	}
	c.Env = append(c.Env, name+"="+value)
}
