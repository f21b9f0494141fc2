package llbgen

import (
	"context"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/system"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// merge adds to a base what the operands of a FROM --with add to it: layers on layers, each of
// them what it is in its operand, and the ENVs and LABELs.
func (b *build) merge(ctx context.Context, of *plan.Instance, t *changedTree, res *dockerfile2llb.Result, m plan.Merge) error {
	var states []llb.State
	if !t.empty {
		states = append(states, t.State)
	}
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
		st := b.imageOf(o.Unit)
		if len(from.def.Def) > 0 {
			st = llb.Diff(b.imageOf(o.Ancestor), st, b.step(of, "what "+o.Reference.Text+" adds")...)
		}
		states = append(states, st)
	}
	if len(states) == 0 || len(states) == 1 && !t.empty {
		return nil
	}
	t.changed, t.empty = true, false
	var err error
	t.State, err = b.joined(of, m, states)
	return err
}

// imageOf is the filesystem of an instance that is a unit, before definitions are joined.
func (b *build) imageOf(inst *plan.Instance) llb.State {
	return llb.Image(b.names.Image(inst), llb.Platform(inst.Platform()))
}

// joined returns one filesystem of all: layers on layers, or copies where the engine has no
// word for that and what is added is known without a comparison.
func (b *build) joined(of *plan.Instance, m plan.Merge, states []llb.State) (llb.State, error) {
	caps := b.opt.Client.BuildOpts().LLBCaps
	step := b.step(of, "merge "+mergeTitle(of.Base, m))
	if caps.Supports(pb.CapMergeOp) == nil && caps.Supports(pb.CapDiffOp) == nil {
		return llb.Merge(states, step...), nil
	}
	for _, o := range m.Operands {
		if o.Ancestor != nil && !o.Nothing {
			return llb.State{}, diagnostic.Errorf(m.In.Place(o.Reference.Span),
				"this engine cannot tell what %s adds to %s: it merges only what is built FROM scratch. Build with docker buildx create --use, or with an engine that has the containerd image store", o.Reference.Text, plan.Edge{To: o.Ancestor}.Title())
		}
	}
	out := states[0]
	for _, st := range states[1:] {
		out = out.File(llb.Copy(st, "/", "/", &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}), step...)
	}
	return out, nil
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
