package plan

import (
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// gates resolves the references of FROM --after: stages and calls, sets too.
// Their order in the file does not matter.
func (p *planner) gates(inst *Instance) error {
	for _, ref := range inst.Stage.From.References {
		if !ref.After {
			continue
		}
		edges, err := p.gate(inst, ref)
		if err != nil {
			return err
		}
		inst.set(ref, edges)
	}
	return nil
}

func (p *planner) gate(inst *Instance, ref *syntax.Reference) ([]Edge, error) {
	at := place{in: inst.Stage.From, reference: ref}
	names := newScope(inst.Env)
	name, err := p.expand(at, names, ref.TargetSpan, ref.Target)
	if err != nil {
		return nil, err
	}
	called, err := p.expanded(at, ref, name)
	if err != nil {
		return nil, err
	}
	if called != nil {
		at.reference = called
		return p.callEdges(inst, at.in, at, names)
	}
	t, err := p.find(at, inst.Env, name)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, at.error(ref.TargetSpan, suggestStage(fileOf(inst.Env), fmt.Errorf("%q is not a stage of this file: a gate is a stage", name), name))
	case t.via != nil:
		called := *ref
		called.Target = name
		return p.callEdges(inst, at.in, place{in: at.in, reference: &called}, names)
	}
	stage, err := p.pick(name, t.stages, inst.Env)
	if err == nil && stage == nil { // a named context stands for it
		stage = t.stages[0]
	}
	if err != nil {
		return nil, at.error(ref.TargetSpan, err)
	}
	to, err := p.above(at, stage, inst.Env)
	return []Edge{{To: to}}, err
}

// above plans a stage that a plain reference names.
func (p *planner) above(at place, stage *syntax.Stage, env *Environment) (*Instance, error) {
	if err := p.refuseRecursion(at, stage, stage.String()); err != nil {
		return nil, err
	}
	return p.instance(stage, env)
}

// Empty reports whether the instance has no files and nothing that makes any.
func (i *Instance) Empty() bool {
	switch {
	case i.Replaced, i.Base.To == nil && i.Base.Name != scratch, i.Base.To != nil && !i.Base.To.Empty():
		return false
	}
	return !slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool {
		switch in.Keyword {
		case command.Run, command.Copy, command.Add, command.Workdir:
			return !in.OnBuild
		}
		return false
	})
}
