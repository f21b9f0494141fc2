package llbgen

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Outline describes the args, secrets, sockets and caches that the target uses.
// Args that a call within the target binds are none of the target's.
func (g *Generator) Outline(ctx context.Context) (*outline.Outline, error) {
	opt := g.options(g.FirstPlatform(), false)
	if g.file == nil {
		return dockerfile2llb.Dockerfile2Outline(ctx, g.text, opt)
	}
	b, err := g.build(ctx, opt, false)
	if err != nil {
		return nil, err
	}
	defer b.textRules()
	out := &outline.Outline{Name: b.main.Root.Name, Sources: [][]byte{g.text}}
	if doc := b.main.Root.Stage.From.Description(); doc != "" {
		out.Description = doc
	}
	index := func(file *diagnostic.Text) int32 {
		i := slices.IndexFunc(out.Sources, func(data []byte) bool { return &data[0] == &file.Data[0] })
		if i < 0 {
			i = len(out.Sources)
			out.Sources = append(out.Sources, file.Data)
		}
		return int32(i)
	}
	for _, p := range plan.Parameters(b.main.Root) {
		out.Args = append(out.Args, outline.Arg{
			Name: p.Name, Description: p.Describe(), Value: p.Value,
			Location: &pb.Location{SourceIndex: index(p.In.File().Text), Ranges: rangesPB(p.In.Location())},
		})
	}
	for _, u := range b.units {
		var part *outline.Outline
		err := u.file.Use(func(text []byte) (err error) {
			part, err = dockerfile2llb.Dockerfile2Outline(ctx, text, b.options(u))
			return err
		})
		if err != nil {
			return nil, b.explain(u, err)
		}
		u.addTo(out, part, index)
	}
	return out, nil
}

// FirstPlatform is the platform for which a request without one of its own
// looks at an extended file: the first that the build asks for, else the
// worker's. To upstream's requests the platform means nothing.
func (g *Generator) FirstPlatform() *ocispecs.Platform {
	if list := g.opt.TargetPlatforms; g.file != nil && len(list) > 0 {
		return &list[0]
	}
	return nil
}

// addTo adds the secrets, sockets and caches of the unit to an outline, each
// once.
func (u *unit) addTo(out, part *outline.Outline, index func(*diagnostic.Text) int32) {
	for _, s := range part.Secrets {
		if !slices.ContainsFunc(out.Secrets, func(o outline.Secret) bool { return o.Name == s.Name }) {
			s.Location = u.location(s.Location, index)
			out.Secrets = append(out.Secrets, s)
		}
	}
	for _, s := range part.SSH {
		if !slices.ContainsFunc(out.SSH, func(o outline.SSH) bool { return o.Name == s.Name }) {
			s.Location = u.location(s.Location, index)
			out.SSH = append(out.SSH, s)
		}
	}
	for _, c := range part.Cache {
		if !slices.ContainsFunc(out.Cache, func(o outline.CacheMount) bool { return o.ID == c.ID }) {
			c.Location = u.location(c.Location, index)
			out.Cache = append(out.Cache, c)
		}
	}
}

func (u *unit) location(l *pb.Location, index func(*diagnostic.Text) int32) *pb.Location {
	if l == nil {
		return nil
	}
	if found := u.locate(l.Ranges, index); len(found) > 0 {
		return found[0]
	}
	return &pb.Location{}
}

// Targets lists the stages of a plain Dockerfile as upstream does.
func (g *Generator) Targets(ctx context.Context) (*targets.List, error) {
	list, err := dockerfile2llb.ListTargets(ctx, withoutChecks(g.text))
	if err != nil {
		return nil, err
	}
	list.Sources = [][]byte{g.text}
	return list, nil
}

// check finds the comments that set the rules for one instruction.
var check = pattern.New(`(?im)^(\s*#\s*check\s*)=`)

// withoutChecks takes their meaning from the comments above instructions: upstream's list of targets, which
// has no use for rules, panics at them (BuildKit v0.34.2).
func withoutChecks(text []byte) []byte {
	var directives parser.DirectiveParser
	head, err := directives.ParseAll(text)
	if err != nil {
		return text // ListTargets finds the mistake, and comes no further
	}
	rest := text
	for range head {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	return slices.Concat(text[:len(text)-len(rest)], check().ReplaceAll(rest, []byte("${1}:")))
}

// File returns the extended file; nil when it is a plain Dockerfile.
func (g *Generator) File() *syntax.File {
	if g.file == nil {
		return nil
	}
	return g.file.File
}

// Plan plans the build for platform, of a plain Dockerfile too. all plans every
// stage, not only what the target needs.
func (g *Generator) Plan(ctx context.Context, platform *ocispecs.Platform, all bool) (*plan.Plan, error) {
	return g.PlanTarget(ctx, g.opt.Target, platform, all)
}

// PlanTarget plans as Plan does, for another target than that of the build; for the
// default one when it is empty.
func (g *Generator) PlanTarget(ctx context.Context, target string, platform *ocispecs.Platform, all bool) (*plan.Plan, error) {
	file := g.file
	if file == nil {
		if g.plain == nil {
			parsed, err := g.sources.Files.Parse(ctx, g.sources.MainText)
			if err != nil {
				return nil, parsed.Locate(err)
			}
			g.plain = parsed
		}
		file = g.plain
	}
	opt := g.options(platform, true)
	opt.Target, opt.AllStages = target, all
	return g.planFile(ctx, file, opt)
}

// EachDefinition is called with something that is built, and the sources in it of which only
// a build knows the names, by their identifiers.
type EachDefinition func(def *llb.Definition, guessed map[string]bool) error

// Definitions converts every stage that no other one uses, and calls each with what there is
// to build: the stages and their gates.
func (g *Generator) Definitions(ctx context.Context, platform *ocispecs.Platform, each EachDefinition) error {
	if g.file == nil { // what upstream says is wrong with it
		_, err := g.Image(ctx, platform, true)
		return err
	}
	opt := g.options(platform, true)
	opt.AllStages = true
	p, err := g.planFile(ctx, g.file, opt)
	if err != nil {
		return err
	}
	used := map[*plan.Instance]bool{}
	for _, inst := range p.Instances {
		for e := range inst.All() {
			used[e.To] = true
		}
	}
	all := []string{""}
	for _, inst := range append([]*plan.Instance{p.Root}, p.Kept...) {
		if name := inst.Stage.Name; inst.Stage != p.Default && !used[inst] && name != "" { // no build gives one without a name
			all = append(all, name)
		}
	}
	for _, name := range all {
		if err := g.DefinitionsOf(ctx, platform, name, each); err != nil {
			return err
		}
	}
	return nil
}

// guesses stand for values that only a build knows. What comes out of both is no guess.
var guesses = [...]string{"1", "2"}

// DefinitionsOf is Definitions of one target; of the default one when it is empty.
func (g *Generator) DefinitionsOf(ctx context.Context, platform *ocispecs.Platform, target string, each EachDefinition) error {
	var lists [len(guesses)][]*llb.Definition
	for i, guess := range guesses {
		opt := g.options(platform, true)
		opt.Target = target
		b, err := g.build(ctx, opt, true)
		if err != nil {
			return err
		}
		b.asks, b.unknown = true, guess
		img, err := b.image(ctx)
		if err != nil {
			return err
		}
		lists[i] = append([]*llb.Definition{img.Definition}, img.Gates...)
		if !b.guessed.Load() {
			break
		}
	}
	known := map[string]bool{}
	if lists[1] != nil {
		for _, def := range lists[1] {
			if err := identifiers(def, known); err != nil {
				return err
			}
		}
	}
	for _, def := range lists[0] {
		guessed := map[string]bool{}
		if lists[1] != nil {
			if err := identifiers(def, guessed); err != nil {
				return err
			}
			maps.DeleteFunc(guessed, func(id string, _ bool) bool { return known[id] })
		}
		if err := each(def, guessed); err != nil {
			return err
		}
	}
	return nil
}

// identifiers notes those of the sources of a definition.
func identifiers(def *llb.Definition, out map[string]bool) error {
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return fmt.Errorf("failed to read LLB: %w", err)
		}
		if src := op.GetSource(); src != nil {
			out[src.Identifier] = true
		}
	}
	return nil
}

// With returns a Generator that looks image configs up through another resolver.
func (g *Generator) With(resolver llb.ImageMetaResolver) *Generator {
	out := *g
	out.opt.MetaResolver = resolver
	return &out
}

// Warn gives the warnings of a plan that are of a rule, for a request that shows no
// others.
func (g *Generator) Warn(p *plan.Plan, rule *diagnostic.Rule) error {
	configs, err := g.lintConfigs(p)
	for _, w := range p.Warnings {
		if err == nil && w.Rule == rule {
			err = runRule(p, configs[w.Place.Text], w, g.warn).Error()
		}
	}
	return err
}

// ConvertLLB gives the LLB of the target with its metadata.
func (g *Generator) ConvertLLB(ctx context.Context) (*convertllb.Result, error) {
	opt := g.options(nil, false)
	if g.file == nil {
		return dockerfile2llb.DockerfileConvertLLB(ctx, g.text, opt)
	}
	b, err := g.build(ctx, opt, false)
	if err != nil {
		return nil, err
	}
	img, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	def := img.Definition
	res := &convertllb.Result{Def: make(map[digest.Digest]*pb.Op, len(def.Def)), Metadata: def.Metadata, Source: def.Source}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		res.Def[digest.FromBytes(dt)] = &op
	}
	return res, nil
}
