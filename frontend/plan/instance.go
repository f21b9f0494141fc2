package plan

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// resolve finds what the references of inst stand for.
func (p *planner) resolve(inst *Instance) error {
	env := inst.Env
	from, err := p.from(inst.Stage, env)
	if err != nil {
		return err
	}
	inst.From = from
	platform, err := p.platformOf(inst.Stage, env)
	if err != nil {
		return err
	}
	if p.replaced(inst.Stage, env, platform) {
		inst.Replaced = true
		p.warnReplacedGates(inst)
		inst.Base = p.outside(KindBase, inst.Stage.Name, env, platform)
		return nil
	}
	if inst.limit, err = p.limitOf(inst); err != nil {
		return err
	}
	p.note(fileOf(env).wide...)
	for _, ref := range from.References {
		at := place{kind: kindOf(from, ref), in: from, inst: inst, reference: ref, platform: platform}
		if ref.With || ref.After && p.opt.Limits == Measure { // what an operand adds hangs on the base
			continue
		}
		edges, err := p.edges(at)
		if err != nil {
			return err
		}
		if ref.After {
			inst.set(ref, edges)
			continue
		}
		inst.Base = edges[0]
		if err := p.changeBase(inst, at); err != nil {
			return err
		}
		if err := p.noteTriggers(inst, at); err != nil {
			return err
		}
	}
	if err := p.selectInstructions(inst); err != nil {
		return err
	}
	declared := names{}
	for n, in := range inst.Instructions {
		if err := declared.add(in); err != nil {
			return err
		}
		if in.Let != nil {
			if err := p.let(inst, n, in); err != nil {
				return err
			}
		}
		if in.Keyword == command.Arg {
			if err := p.noteArg(env, in); err != nil {
				return err
			}
			if err := p.checkArgs(inst, n, in); err != nil {
				return err
			}
		}
		for _, ref := range in.References {
			at := place{kind: kindOf(in, ref), in: in, inst: inst, n: n, reference: ref}
			edges, err := p.edges(at)
			if err != nil {
				return err
			}
			if err := p.sealAll(at, edges); err != nil {
				return err
			}
			inst.set(ref, edges)
		}
	}
	return nil
}

// sealAll makes builds of their own of what a COPY --needed copies from, or an ENV --from takes from:
// their config is asked for. Images are that too where they are measured, but for those of triggers,
// which mean what they mean where the trigger runs.
func (p *planner) sealAll(at place, edges []Edge) error {
	config := at.in.Needed || at.kind == KindValues
	for i := range edges {
		e := &edges[i]
		switch image := e.To == nil && e.Name != scratch; {
		case e.To == nil && !image && config:
			return at.errorf(at.reference.Span, "scratch has nothing to take: name a stage or an image")
		case image && (config || p.opt.Limits == Measure && !at.in.OnBuild):
			bare, err := p.bare(at, *e)
			if err != nil {
				return err
			}
			*e = Edge{Kind: e.Kind, To: bare, Sealed: true}
		case config:
			e.Sealed = true
		}
	}
	return nil
}

func (i *Instance) set(ref *syntax.Reference, edges []Edge) {
	if i.Edges == nil {
		i.Edges = map[*syntax.Reference][]Edge{}
	}
	i.Edges[ref] = edges
}

// noteArg looks an ARG line of a stage up: its text is what may have to change,
// that of a trigger too.
func (p *planner) noteArg(env *Environment, in *syntax.Instruction) error {
	for _, word := range in.Words() {
		name, _, hasDefault := strings.Cut(word, "=")
		inputs, given := env.inputsOf(name, hasDefault)
		p.note(inputs...)
		_, computed := env.lets[name]
		if why := env.globals[name].unknown; why != nil && (computed || !given && !hasDefault) {
			return diagnostic.Relate(why.err, in.Lines(), "read by ARG %s on line %d", name, in.StartLine)
		}
	}
	return nil
}

// noteTriggers looks up what the base of inst, a build of its own, leaves for the
// stage to run: ARGs, and the names in references, which have to mean here what the
// base made of them.
func (p *planner) noteTriggers(inst *Instance, from place) error {
	base := inst.Base
	if !base.Sealed {
		return nil
	}
	for _, in := range base.Triggers() {
		if in.Keyword == command.Arg {
			if err := p.noteArg(inst.Env, in); err != nil {
				return err
			}
		}
		for _, ref := range in.References {
			if !strings.Contains(ref.Target, "$") {
				continue
			}
			names, err := p.triggerScope(inst.Env, base, in)
			if err != nil {
				return err
			}
			name, err := p.expand(place{in: in}, names, ref.TargetSpan, ref.Target)
			if err != nil {
				return diagnostic.Relate(err, inst.From.Place(from.reference.Span), "run by %s on line %d", from.reference.Text, inst.From.StartLine)
			}
			there := ref.Target // without a value
			if edges := base.To.Edges[ref]; len(edges) > 0 {
				there = edges[0].Name
			}
			if there != name {
				return from.errorf(from.reference.Span, "%s has a trigger that names %s (line %d), which is %s there and %s here: it cannot run here",
					from.reference.Text, ref.Text, in.StartLine, shortened(there), shortened(name))
			}
		}
	}
	return nil
}

// selectInstructions finds the instructions of the stage that are there, and the
// global ARGs that these use. A name that only lines use that are off changes
// nothing in the others.
func (p *planner) selectInstructions(inst *Instance) error {
	inst.Instructions = inst.Stage.Instructions
	p.declareGlobals(inst)
	if inst.Stage.Conditional() {
		if err := p.skipInstructions(inst); err != nil {
			return err
		}
	}
	s := p.global(inst.Env)
	for _, g := range inst.Globals {
		p.note(g.Name)
		if v := s.lookup(g.Name); v.unknown != nil {
			in := inst.Instructions[g.Before]
			return diagnostic.Relate(v.unknown.err, in.Lines(), "read as %s on line %d", g.Name, in.StartLine)
		}
	}
	return nil
}

// skipInstructions leaves out the instructions whose condition does not hold.
func (p *planner) skipInstructions(inst *Instance) error {
	inst.Instructions, inst.Globals = nil, nil
	add := func(in *syntax.Instruction) {
		inst.Instructions = append(inst.Instructions, in)
		inst.declareGlobals(len(inst.Instructions) - 1)
	}
	s := &sight{part: inst.Stage.Instructions, decided: map[*syntax.Block]decision{}}
	for branch := inst.Stage.From.Branch; branch != nil; branch = branch.Block.Parent {
		s.decided[branch.Block] = decision{branch: branch} // it is why the stage is there
	}
	for _, in := range inst.Stage.Instructions {
		if !in.Conditional() && in.Inner() == nil {
			add(in)
			continue
		}
		names, err := inst.scopeBefore(p, len(inst.Instructions))
		if err != nil {
			return err
		}
		s.lookup = names.lookup
		on, deps, err := s.on(in)
		if err == nil && on && in.Inner() != nil {
			var more []string
			in, more, err = s.lines(in)
			deps = merge(deps, more)
		}
		p.note(deps...)
		if err != nil {
			return err
		}
		if on {
			add(in)
		}
	}
	inst.scope = nil
	p.declareGlobals(inst)
	return nil
}

// replaced reports whether a named context stands for a stage of the file that
// the build names. Upstream asks for it with the platform of the FROM, and never
// for these two names.
func (p *planner) replaced(stage *syntax.Stage, env *Environment, platform *ocispecs.Platform) bool {
	if stage.Name == "" || stage.Name == scratch || stage.Name == "context" || !fileOf(env).Main {
		return false
	}
	return p.hasContext(stage.Name, env, platform)
}

// platformOf returns the platform that a FROM gives; nil for none.
func (p *planner) platformOf(stage *syntax.Stage, env *Environment) (*ocispecs.Platform, error) {
	from, err := p.from(stage, env)
	if err != nil {
		return nil, err
	}
	expr := from.Stage().Platform
	if expr == "" {
		return nil, nil
	}
	text, err := p.fromWord(from, env, expr)
	if err != nil {
		return nil, err
	}
	platform, err := ParsePlatform(text)
	if err != nil {
		return nil, from.Error(platformFlag(from), platformError(expr, text, err))
	}
	return &platform, nil
}

// fromWord expands a word of a FROM as upstream does: with the names of the global
// part, and nothing for others.
func (p *planner) fromWord(in *syntax.Instruction, env *Environment, word string) (string, error) {
	seen := tracker{lookup: p.global(env).lookup}
	text, err := env.eval.expand(word, &seen)
	if err != nil {
		if open := unclosed(word, err); open != nil && in.File().Extended {
			err = open
		}
		return "", in.Locate(err)
	}
	if seen.unknown != nil {
		return "", diagnostic.Relate(seen.unknown.err, in.Lines(), "read as %s on line %d", seen.blamed, in.StartLine)
	}
	return text, nil
}

// from returns the FROM of a stage with the lines that are there.
func (p *planner) from(stage *syntax.Stage, env *Environment) (*syntax.Instruction, error) {
	if stage.From.Inner() == nil {
		return stage.From, nil
	}
	s := &sight{lookup: p.global(env).lookup, part: stage.Instructions, decided: env.decided}
	from, deps, err := s.lines(stage.From)
	p.note(deps...)
	return from, err
}

// plain reports whether the stage and all it reaches has no extension.
func (p *planner) plain(stage *syntax.Stage) bool {
	if v, ok := p.isPlain[stage]; ok {
		return v
	}
	p.isPlain[stage] = false // while it is open: a cycle is not plain
	ok := true
	for _, in := range append([]*syntax.Instruction{stage.From}, stage.Instructions...) {
		ok = ok && !in.Changed() && in.Unset == nil && in.Values == nil && !in.Conditional() && in.Inner() == nil && !p.main.reads(in)
		for _, ref := range in.References {
			kind := kindOf(in, ref)
			n, numbered := number(kind, in, ref.Target)
			if numbered && p.main.conditional || p.main.imported(ref.Target) {
				return false // a number counts the stages that are on
			}
			list := p.main.visible(kind, stage, ref.Target)
			if numbered && n >= 0 && n < len(p.main.Stages) {
				list = p.main.Stages[n : n+1]
			}
			ok = ok && !slices.ContainsFunc(list, func(to *syntax.Stage) bool { return to.Index >= stage.Index || !p.plain(to) })
		}
	}
	p.isPlain[stage] = ok
	return ok
}
