package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// build converts the units of one plan.
type build struct {
	opt  dockerfile2llb.ConvertOpt
	lint map[*diagnostic.Text]linter.Config
	// sourceMap shows a file in errors; nil for the main one.
	sourceMap func(*diagnostic.Text) *llb.SourceMap
	names     *lower.Names
	units     []*unit
	main      *unit // the first one
	// parts are the units and contexts by the image that stands for each.
	parts map[string]part
	seen  warnings
	calls *callSites
	// below are the parts below those of which stages go on, counted the steps of the
	// first parts.
	below   map[*plan.Instance]*plan.Instance
	mu      sync.Mutex
	counted map[*plan.Instance]counted
	// files are those of stages that were read for values; asks is set where nothing is built.
	files map[readKey]*reading
	asks  bool
	// unknown stands for a value that only a build knows, where nothing is built; guessed is
	// set once it does.
	unknown string
	guessed atomic.Bool
	// textRules waits for the rules about the texts of files, and says what they
	// found.
	textRules func()
	// program gives the filesystem of the image of this frontend, which toolOf runs.
	program  func() (llb.State, error)
	toolOnce sync.Once
	toolOf   *tool
	toolErr  error
	// sizes are the steps that measure stages, in a build that asks for it.
	sizes map[*plan.Instance]measuredSize
	plan  *plan.Plan
}

// newBuild lowers all units of p.
func (g *Generator) newBuild(opt dockerfile2llb.ConvertOpt, p *plan.Plan, warn Warn) (*build, error) {
	return g.newBuildWith(opt, p, warn, lower.Options{Wait: waits(opt.Client)})
}

// newBuildWith lowers all units of p in the way of how.
func (g *Generator) newBuildWith(opt dockerfile2llb.ConvertOpt, p *plan.Plan, warn Warn, how lower.Options) (*build, error) {
	configs, err := g.lintConfigs(p)
	if err != nil {
		return nil, err
	}
	b := &build{opt: opt, lint: configs, sourceMap: g.SourceMap, names: lower.NewNames(p), parts: map[string]part{}, calls: newCallSites(p), textRules: func() {}, program: g.program, plan: p, below: map[*plan.Instance]*plan.Instance{}, counted: map[*plan.Instance]counted{}, files: map[readKey]*reading{}, asks: g.asks, unknown: guesses[0], sizes: map[*plan.Instance]measuredSize{}}
	for _, inst := range p.Instances {
		if inst.Base.Within {
			b.below[inst.Base.To] = inst
		}
	}
	b.seen.warn = warn
	units, err := lower.Units(p, opt.TargetPlatform, b.names, g.bake)
	if err != nil {
		return nil, err
	}
	for _, lowered := range units {
		u := &unit{Unit: lowered, located: map[*syntax.Instruction][]*pb.Range{}}
		if u.client, err = g.sources.Client(u.Root.Env.File().BuildContext); err != nil {
			return nil, err
		}
		how.Check = lintDirective(unitLint(lowered, configs))
		if u.file, err = u.Lower(how); err != nil {
			return nil, err
		}
		u.adds = u.Has((*syntax.Instruction).AddsFrom)
		u.skips = !how.Plain && u.Has(func(in *syntax.Instruction) bool { return in.IfExists })
		u.needs = u.Has(func(in *syntax.Instruction) bool { return in.Needed })
		u.reruns = u.Has(func(in *syntax.Instruction) bool { return in.NoCache })
		b.units = append(b.units, u)
		b.parts[b.names.Image(u.Root)] = u
		for ref, what := range u.file.StandIns {
			if b.parts[ref] != nil {
				continue
			}
			switch what := what.(type) {
			case lower.Context:
				b.parts[ref] = &namedContext{Context: what}
			case lower.Changed:
				b.parts[ref] = &changedBase{Changed: what}
			}
		}
	}
	b.main = b.units[0]
	return b, nil
}

// unitLint returns the rules for the text of a unit: those of its file, or all
// where files differ.
func unitLint(u *lower.Unit, configs map[*diagnostic.Text]linter.Config) linter.Config {
	file := u.Root.Env.File()
	own := configs[file.Text]
	for _, inst := range u.Instances {
		f := inst.Env.File()
		if f != file && lintDirective(configs[f.Text]) != lintDirective(own) {
			own.SkipAll, own.SkipRules = false, nil
		}
	}
	return own
}

// options returns the converter's options for a unit.
func (b *build) options(u *unit) dockerfile2llb.ConvertOpt {
	opt := b.opt
	opt.BuildArgs = maps.Clone(u.file.Args) // the converter writes to it
	b.scanInstances(u, opt.BuildArgs)
	opt.Client = u.client
	opt.Target = u.file.Target
	if u.Root.Goes { // the labels of the build are those of what it ends in
		opt.Labels = nil
	}
	opt.TargetPlatform = u.Platform
	opt.MetaResolver = standInResolver{b, u, b.opt.MetaResolver}
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
			list, ok = u.Root.Env.Global(name)
		}
		if !ok {
			continue
		}
		for _, inst := range u.Instances {
			token, named := b.names.Given(inst)
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
	b.textRules()
	if err == nil {
		err = b.seen.error(b.lint)
	}
	if err != nil {
		return nil, err
	}
	img := &Image{Definition: out.def, Result: out.result}
	img.Result.IsIgnoreCache = img.Result.IsIgnoreCache || b.noCache(b.main.Root)
	img.Result.BaseImage = b.baseOf(b.main)
	if img.Gates, err = b.beside(ctx); err != nil {
		return nil, err
	}
	if len(b.parts) > 1 || b.main.patched() {
		if img.Definition, err = b.link(ctx, out.def); err != nil {
			return nil, err
		}
	}
	if b.opt.Client.SBOM == nil {
		return img, nil
	}
	return img, b.scans(ctx, img)
}

// scans replaces the states to scan for an SBOM by those of the joined
// definition, which has the names and lines of the files, and adds what other units
// scan.
func (b *build) scans(ctx context.Context, img *Image) error {
	core, err := stateOf(img.Definition)
	if err != nil {
		return err
	}
	platform := b.opt.Client.BuildPlatforms[0]
	if b.main.Platform != nil {
		platform = *b.main.Platform
	}
	core = core.SetMarshalDefaults(llb.Platform(platform), llb.WithCaps(b.opt.Client.BuildOpts().LLBCaps))
	all := &dockerfile2llb.SBOMTargets{Core: core, Extras: map[string]llb.State{}}
	for _, u := range b.units {
		if u.out == nil {
			continue
		}
		for name, st := range u.out.result.SBOM.Extras {
			if u.Root.Goes && name == u.file.Target {
				continue // the last part stands for the stage
			}
			def, err := b.marshal(ctx, u, st)
			if err != nil {
				return err
			}
			if def, err = b.link(ctx, def); err != nil {
				return err
			}
			img.Result.IsIgnoreCache = img.Result.IsIgnoreCache || b.noCache(b.names.Find(name))
			if all.Extras[b.names.Show(name)], err = stateOf(def); err != nil {
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
func (b *build) baseOf(u *unit) *dockerspec.DockerOCIImage {
	inst := u.Root
	for inst.Base.To != nil && !u.Sealed(inst.Base) {
		inst = inst.Base.To
	}
	if inst.Base.To != nil && !inst.Replaced {
		if next, ok := b.parts[b.names.Image(inst.Base.To)].(*unit); ok && next.out != nil {
			return b.baseOf(next)
		}
	}
	return u.out.result.BaseImage
}

// marshal returns the LLB of a state that the converter made of a unit.
func (b *build) marshal(ctx context.Context, u *unit, st llb.State) (*llb.Definition, error) {
	def, err := st.Marshal(ctx)
	if err != nil {
		return nil, u.unmarshalable(fmt.Errorf("failed to marshal LLB definition: %w", err))
	}
	if def, err = b.patch(ctx, u, def); err != nil {
		return nil, err
	}
	b.describe(u, def)
	return def, nil
}

// unmarshalable places the mistake of a unit of which the converter makes no LLB, which
// is UTF-8: in a line that is not, else in the FROM of the unit's root.
func (u *unit) unmarshalable(err error) error {
	for _, inst := range u.Instances {
		for _, in := range inst.Instructions {
			if !utf8.ValidString(in.Text()) {
				return diagnostic.At(in.Lines(), fmt.Errorf("the line is not UTF-8, and BuildKit takes no other text: %w", err))
			}
		}
	}
	return diagnostic.At(u.Root.From.Lines(), err)
}
