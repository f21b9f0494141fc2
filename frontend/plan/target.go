package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// tryStage plans a stage that the target may not need.
func (p *planner) tryStage(stage *syntax.Stage, env *Environment) {
	before := len(p.out.Instances)
	on, err := p.on(stage, env)
	if err == nil && !on {
		return
	}
	var inst *Instance
	if err == nil {
		inst, err = p.instance(stage, env)
	}
	if err != nil {
		p.forget(before)
		p.failed[stage] = err
		return
	}
	p.out.Kept = append(p.out.Kept, inst)
}

// target finds the stage that the build asks for, by default the last one, and its
// environment. For a call, or a stage of another file, it returns the meaning and
// the place instead.
func (p *planner) target() (at place, m *meaning, stage *syntax.Stage, env *Environment, err error) {
	if p.opt.Target == "" {
		stage, env, err = p.lastStage()
		return at, nil, stage, env, err
	}
	at = place{kind: kindTarget, target: p.opt.Target}
	at.reference, err = syntax.ParseReference(p.opt.Target, p.main.Escape)
	if err != nil {
		span, mistake, _ := syntax.SpanOf(err)
		var unnamed *syntax.UnnamedError
		if errors.As(mistake, &unnamed) {
			for _, stage := range p.main.stages(unnamed.Target) {
				unnamed.Args = append(unnamed.Args, declaredArgs(stage.Instructions)...)
			}
			mistake = unnamed
		}
		return at, nil, nil, nil, at.error(span, mistake)
	}
	if env, err = p.rootEnvironment(at.reference.Target); err != nil {
		return at, nil, nil, nil, err
	}
	m, err = p.mean(at, env, at.reference.Target)
	if err != nil || at.reference.Call || m.via != nil {
		return at, m, nil, env, err
	}
	if stage, err = p.pick(m, env); err != nil {
		err = at.error(at.reference.TargetSpan, err)
	}
	return at, nil, stage, env, err
}

// lastStage returns the last stage that is on.
func (p *planner) lastStage() (*syntax.Stage, *Environment, error) {
	for _, stage := range slices.Backward(p.main.Stages) {
		env, err := p.rootEnvironment(stage.Name)
		if err != nil {
			return nil, nil, err
		}
		on, err := p.on(stage, env)
		if err != nil || on {
			return stage, env, err
		}
	}
	env, err := p.rootEnvironment("")
	if err != nil {
		return nil, nil, err
	}
	last := p.main.Stages[len(p.main.Stages)-1]
	return nil, nil, last.From.Locate(fmt.Errorf("every stage is off, so there is nothing to build: %s", describe(last.From, env)))
}

// callTarget plans a target that is a call.
func (p *planner) callTarget(at place, m *meaning, env *Environment) (*Instance, error) {
	if err := refuseSets(at); err != nil {
		return nil, err
	}
	calls, err := p.calls(at, m, p.global(env))
	if err != nil {
		return nil, err
	}
	inst, _, _, err := p.call(at, m, calls[0], false)
	return inst, err
}
