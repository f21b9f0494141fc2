package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerui"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/source"
)

// build converts the units of one plan. A unit that another one is built FROM
// is converted when upstream's converter asks for its image config.
type build struct {
	opt  dockerfile2llb.ConvertOpt
	lint map[*diagnostic.Text]linter.Config
	// sourceMap shows a file in errors; nil for the main one.
	sourceMap func(*diagnostic.Text) *llb.SourceMap
	sources   *source.Sources
	names     *names
	units     map[string]*pending // by the image that stands for the unit
	all       []*pending
	main      *pending // the first one
	seen      warnings
	// asked says where a gate is asked for.
	asked map[*plan.Instance][]diagnostic.Place
}

// pending is a unit, or a named context for a platform other than that of the
// unit that uses it, and what became of it.
type pending struct {
	*unit
	context foreignContext // when unit is nil
	once    sync.Once
	out     *converted
	err     error
}

// converted is a unit as LLB.
type converted struct {
	def    *llb.Definition
	result *dockerfile2llb.Result
}

// newBuild lowers all units of p.
func (g *Generator) newBuild(opt dockerfile2llb.ConvertOpt, p *plan.Plan, warn Warn) (*build, error) {
	configs, err := g.lintConfigs(p)
	if err != nil {
		return nil, err
	}
	b := &build{opt: opt, lint: configs, sourceMap: g.SourceMap, sources: g.sources, names: newNames(p), units: map[string]*pending{}, asked: map[*plan.Instance][]diagnostic.Place{}}
	b.seen.warn = warn
	for _, u := range units(p, opt.TargetPlatform) {
		if u.client, err = g.sources.Client(u.root.Env.File().BuildContext); err != nil {
			return nil, err
		}
		if u.lowered, err = u.lower(p, b.names, configs, waits(opt.Client), g.bake); err != nil {
			return nil, err
		}
		unit := &pending{unit: u}
		b.all = append(b.all, unit)
		b.units[b.names.image(u.root)] = unit
		for _, inst := range u.instances {
			for _, w := range inst.Waits() {
				b.asked[w.To] = append(b.asked[w.To], w.From.Place(w.Reference.Span))
			}
		}
		for token, context := range u.lowered.contexts {
			b.units[token] = &pending{context: context}
		}
	}
	b.main = b.all[0]
	return b, nil
}

// options returns the converter's options for a unit.
func (b *build) options(u *unit) dockerfile2llb.ConvertOpt {
	opt := b.opt
	opt.BuildArgs = maps.Clone(u.lowered.args) // the converter writes to it
	b.scanInstances(u, opt.BuildArgs)
	opt.Client = u.client
	opt.Target = u.lowered.target
	opt.TargetPlatform = u.platform
	opt.MetaResolver = standInResolver{b, u.lowered.images, b.opt.MetaResolver}
	opt.Warn = nil
	if b.seen.warn != nil {
		opt.Warn = b.warnFor(u)
	}
	return opt
}

// scanInstances lets a list of stages to scan for an SBOM name their instances
// too.
func (b *build) scanInstances(u *unit, args map[string]string) {
	for _, name := range []string{"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"} {
		list, ok := args[name]
		if !ok {
			list, ok = u.root.Env.Global(name)
		}
		if !ok {
			continue
		}
		for _, inst := range u.instances {
			token, named := b.names.given(inst)
			if named && inst.Stage.Name != "" && slices.Contains(strings.Split(list, ","), inst.Stage.Name) {
				list += "," + token
				args[name] = list
			}
		}
	}
}

// image converts the build's target and joins it with all that it needs.
func (b *build) image(ctx context.Context) (*Image, error) {
	out, err := b.convert(ctx, b.main)
	if err == nil {
		err = b.seen.error(b.lint)
	}
	if err != nil {
		return nil, err
	}
	img := &Image{Definition: out.def, Result: out.result}
	img.Result.BaseImage = b.baseOf(b.main)
	if !waits(b.opt.Client) {
		if img.Gates, err = b.beside(ctx); err != nil {
			return nil, err
		}
	}
	if len(b.units) == 1 && !b.main.patched() {
		img.Result.SBOM.Extras = b.shownKeys(img.Result.SBOM.Extras)
		return img, nil
	}
	if img.Definition, err = b.link(out.def); err != nil || b.opt.Client.SBOM == nil {
		return img, err
	}
	return img, b.scans(ctx, img)
}

// shownKeys gives the stages to scan for an SBOM the names of the file.
func (b *build) shownKeys(extras map[string]llb.State) map[string]llb.State {
	out := make(map[string]llb.State, len(extras))
	for name, st := range extras {
		out[b.names.show(name)] = st
	}
	return out
}

// scans replaces the states to scan for an SBOM by those of the joined
// definition, and adds what other units scan.
func (b *build) scans(ctx context.Context, img *Image) error {
	core, err := stateOf(img.Definition)
	if err != nil {
		return err
	}
	all := &dockerfile2llb.SBOMTargets{Core: core, Extras: map[string]llb.State{}}
	for _, u := range b.all {
		if u.out == nil {
			continue
		}
		for name, st := range u.out.result.SBOM.Extras {
			def, err := b.marshal(ctx, u.unit, st)
			if err != nil {
				return err
			}
			if def, err = b.link(def); err != nil {
				return err
			}
			if all.Extras[b.names.show(name)], err = stateOf(def); err != nil {
				return err
			}
		}
		img.Result.IsIgnoreCache = img.Result.IsIgnoreCache || u.out.result.IsIgnoreCache
	}
	img.Result.SBOM = all
	return nil
}

func stateOf(def *llb.Definition) (llb.State, error) {
	if len(def.Def) == 0 {
		return llb.Scratch(), nil
	}
	op, err := llb.NewDefinitionOp(def.ToPB())
	if err != nil {
		return llb.State{}, fmt.Errorf("failed to read LLB: %w", err)
	}
	return llb.NewState(op), nil
}

// baseOf returns the config of the image that a unit is built FROM in the end:
// to upstream's converter the unit below looks like one.
func (b *build) baseOf(u *pending) *dockerspec.DockerOCIImage {
	inst := u.root
	for inst.Base.To != nil && !inst.Base.Sealed {
		inst = inst.Base.To
	}
	if inst.Base.Sealed && !inst.Replaced {
		if next := b.units[b.names.image(inst.Base.To)]; next.out != nil {
			return b.baseOf(next)
		}
	}
	return u.out.result.BaseImage
}

// convert converts a unit, once.
func (b *build) convert(ctx context.Context, u *pending) (*converted, error) {
	u.once.Do(func() {
		if u.unit == nil {
			u.out, u.err = b.loadContext(ctx, u.context)
		} else {
			u.out, u.err = b.convertUnit(ctx, u.unit)
		}
	})
	return u.out, u.err
}

func (b *build) convertUnit(ctx context.Context, u *unit) (*converted, error) {
	res, err := dockerfile2llb.Dockerfile2LLB(ctx, u.lowered.text, b.options(u))
	if err != nil {
		return nil, b.explain(u, err)
	}
	def, err := b.marshal(ctx, u, res.State)
	if err != nil {
		return nil, err
	}
	res.Image.History = u.forgetGates(res.Image.History)
	if u.lowered.adds {
		u.addHistory(res.Image.History)
	}
	b.showTriggers(u, res.Image.Config.OnBuild)
	res.Image.RootFS.DiffIDs = slices.DeleteFunc(res.Image.RootFS.DiffIDs, func(layer digest.Digest) bool { return layer == standInLayer })
	return &converted{def, res}, nil
}

// loadContext loads a named context.
func (b *build) loadContext(ctx context.Context, c foreignContext) (*converted, error) {
	nc, err := b.opt.Client.NamedContext(c.name, dockerui.ContextOpt{Platform: &c.platform, ResolveMode: b.opt.ImageResolveMode.String()})
	if err != nil {
		return nil, err
	}
	st, img, err := nc.Load(ctx)
	if err != nil {
		return nil, err
	}
	if img == nil {
		img = &dockerspec.DockerOCIImage{}
	}
	def, err := st.Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	return &converted{def, &dockerfile2llb.Result{Image: img}}, nil
}

// marshal returns the LLB of a state that the converter made of a unit.
func (b *build) marshal(ctx context.Context, u *unit, st llb.State) (*llb.Definition, error) {
	def, err := st.Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	if def, err = u.patch(def); err != nil {
		return nil, err
	}
	b.describe(u, def)
	return def, nil
}
