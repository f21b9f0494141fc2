package plan

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// resolve finds what the references of inst stand for.
func (p *planner) resolve(inst *Instance) error {
	env, from := inst.Env, inst.Stage.From
	platform, err := p.platformOf(inst.Stage, env)
	if err != nil {
		return err
	}
	if p.replaced(inst.Stage, env, platform) {
		inst.Replaced = true
		inst.Base = p.outside(KindBase, inst.Stage.Name, env, platform)
		return nil
	}
	p.note(fileOf(env).wide...)
	for _, ref := range from.References {
		at := place{kind: KindGate, in: from, inst: inst, reference: ref, platform: platform}
		if !ref.After {
			at.kind = KindBase
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
		p.noteTriggers(inst)
	}
	if err := p.selectInstructions(inst); err != nil {
		return err
	}
	for n, in := range inst.Instructions {
		if in.Keyword == command.Arg {
			p.noteArg(env, in)
			if err := p.checkArgs(inst, n, in); err != nil {
				return err
			}
		}
		for _, ref := range in.References {
			at := place{kind: KindMount, in: in, inst: inst, n: n, reference: ref}
			if !ref.Mount {
				at.kind = KindCopy
			}
			edges, err := p.edges(at)
			if err != nil {
				return err
			}
			inst.set(ref, edges)
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
func (p *planner) noteArg(env *Environment, in *syntax.Instruction) {
	for _, word := range in.Words() {
		name, _, hasDefault := strings.Cut(word, "=")
		inputs, _ := env.inputsOf(name, hasDefault)
		p.note(inputs...)
	}
}

// noteTriggers looks the ARGs up that the base of inst, a build of its own, leaves
// for the stage to run.
func (p *planner) noteTriggers(inst *Instance) {
	if !inst.Base.Sealed {
		return
	}
	for _, in := range inst.Base.To.Instructions {
		if in.OnBuild && in.Keyword == command.Arg {
			p.noteArg(inst.Env, in)
		}
	}
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
	for _, name := range inst.Globals {
		p.note(name)
		s.lookup(name)
	}
	return nil
}

// skipInstructions leaves out the instructions whose condition does not hold.
func (p *planner) skipInstructions(inst *Instance) error {
	inst.Instructions = nil
	s := &sight{part: inst.Stage.Instructions, decided: map[*syntax.Block]decision{}}
	for branch := inst.Stage.From.Branch; branch != nil; branch = branch.Block.Parent {
		s.decided[branch.Block] = decision{branch: branch} // it is why the stage is there
	}
	for _, in := range inst.Stage.Instructions {
		if !in.Conditional() && in.Inner() == nil {
			inst.Instructions = append(inst.Instructions, in)
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
			inst.Instructions = append(inst.Instructions, in)
		}
	}
	inst.Globals, inst.scope = nil, nil
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
	expr := stage.From.Stage().Platform
	if expr == "" {
		return nil, nil
	}
	text, err := p.fromWord(stage.From, env, expr)
	if err != nil {
		return nil, err
	}
	platform, err := parsePlatform(text)
	if err != nil {
		return nil, stage.From.Error(platformFlag(stage.From), platformError(expr, text, err))
	}
	return &platform, nil
}

// fromWord expands a word of a FROM as upstream does: with the names of the global
// part, and nothing for others.
func (p *planner) fromWord(in *syntax.Instruction, env *Environment, word string) (string, error) {
	seen := tracker{lookup: p.global(env).lookup}
	text, err := env.eval.expand(word, &seen)
	if err != nil {
		return "", in.Locate(err)
	}
	return text, nil
}

// plain reports whether the stage and all it reaches has no extension.
func (p *planner) plain(stage *syntax.Stage) bool {
	if v, ok := p.isPlain[stage]; ok {
		return v
	}
	p.isPlain[stage] = false // while it is open: a cycle is not plain
	ok := true
	for _, in := range append([]*syntax.Instruction{stage.From}, stage.Instructions...) {
		ok = ok && !in.Changed() && !in.Conditional() && in.Inner() == nil
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
