package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// holds evaluates the condition of an instruction with the static names above
// it, and returns the inputs on which that depends.
func holds(in *syntax.Instruction, names *scope) (on bool, deps []string, err error) {
	if in.If == nil {
		return true, nil, nil
	}
	for _, name := range in.If.Names {
		deps = merge(deps, names.lookup(name.Name).deps)
	}
	on, err = in.Holds(func(name string) string { return names.lookup(name).text })
	return on, deps, err
}

// on reports whether a stage is there under env: on FROM the condition has the
// names of the global part.
func (p *planner) on(stage *syntax.Stage, env *Environment) (bool, error) {
	on, deps, err := holds(stage.From, newScope(env))
	p.readAll(deps)
	return on, err
}

// numbered are the stages that are on, which numbers count, with the inputs on
// which that depends.
type numbered struct {
	stages []*syntax.Stage
	deps   []string
}

// stagesOn returns the stages that are on in env.
func (p *planner) stagesOn(env *Environment) ([]*syntax.Stage, error) {
	file := fileOf(env)
	if !file.conditional {
		return file.Stages, nil
	}
	known, ok := p.numbered[env]
	if !ok {
		for _, stage := range file.Stages {
			on, deps, err := holds(stage.From, newScope(env))
			if err != nil {
				return nil, err
			}
			if on {
				known.stages = append(known.stages, stage)
			}
			known.deps = merge(known.deps, deps)
		}
		p.numbered[env] = known
	}
	p.readAll(known.deps)
	return known.stages, nil
}

// pick returns the stage that a name means among the stages of that name: the
// last one, of those with a condition the one that is on.
func (p *planner) pick(name string, list []*syntax.Stage, env *Environment) (*syntax.Stage, error) {
	var (
		found       *syntax.Stage
		conditional bool
	)
	for _, stage := range list {
		conditional = conditional || stage.From.If != nil
		on, err := p.on(stage, env)
		switch {
		case err != nil:
			return nil, err
		case !on:
		case found != nil && conditional:
			return nil, fmt.Errorf("two stages %s are on at once: %s and %s", name, describe(found, env), describe(stage, env))
		default:
			found = stage
		}
	}
	if found == nil && len(list) > 0 && !p.replaced(name, env) {
		return nil, &offError{name, list, env}
	}
	return found, nil
}

// replaced reports whether a named context stands for the stages of a name: in the
// file that the build names, as upstream has it.
func (p *planner) replaced(name string, env *Environment) bool {
	return p.opt.HasContext != nil && fileOf(env).Main && p.opt.HasContext(name, env.Platform)
}

// offError says that a name means stages that are all off.
type offError struct {
	name   string
	stages []*syntax.Stage
	env    *Environment
}

// Error prints the conditions.
func (e *offError) Error() string {
	var list []string
	for _, stage := range e.stages {
		list = append(list, describe(stage, e.env))
	}
	if len(list) == 1 {
		return fmt.Sprintf("stage %s is off: %s", e.name, list[0])
	}
	return fmt.Sprintf("all stages %s are off: %s", e.name, strings.Join(list, "; "))
}

// IsOff reports whether a reference to stages that are off made an error.
func IsOff(err error) bool {
	var off *offError
	return errors.As(err, &off)
}

// describe says on which line a stage stands and what its condition sees.
func describe(stage *syntax.Stage, env *Environment) string {
	from := stage.From
	out := fmt.Sprintf("line %d", from.StartLine)
	if from.If == nil {
		return out + " has no --if"
	}
	out += " has --if='" + from.If.Text + "'"
	names := newScope(env)
	for i, name := range from.If.Names {
		word := ", "
		if i == 0 {
			word = ", where "
		}
		out += fmt.Sprintf("%s%s is %q", word, name.Name, names.lookup(name.Name).text)
	}
	return out
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
	for _, name := range inst.Globals {
		p.read(name)
		p.readAll(inst.Env.globals[name].deps)
	}
	return nil
}

// skipInstructions leaves out the instructions whose condition does not hold.
func (p *planner) skipInstructions(inst *Instance) error {
	inst.Instructions = nil
	for _, in := range inst.Stage.Instructions {
		if in.If != nil {
			names, err := inst.Env.eval.scopeBefore(inst, len(inst.Instructions))
			if err != nil {
				return err
			}
			on, deps, err := holds(in, names)
			p.readAll(deps)
			if err != nil {
				return err
			}
			if !on {
				continue
			}
		}
		inst.Instructions = append(inst.Instructions, in)
	}
	inst.Globals, inst.scope = nil, nil
	p.declareGlobals(inst)
	return nil
}
