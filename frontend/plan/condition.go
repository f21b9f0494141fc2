package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// holds evaluates the condition of an instruction with the static names above it.
// part are the instructions among which it stands, or that follow it.
func holds(in *syntax.Instruction, names *scope, part []*syntax.Instruction) (bool, error) {
	if in.If == nil {
		return true, nil
	}
	on, _, err := evaluateCondition(in, names.lookup, part)
	return on, err
}

// evaluateCondition evaluates the condition of an instruction and returns the
// inputs on which it depends. A name that nothing declares is empty.
func evaluateCondition(in *syntax.Instruction, lookup func(string) value, part []*syntax.Instruction) (on bool, deps []string, err error) {
	if in.If == nil {
		return true, nil, nil
	}
	values := make(map[string]string, len(in.If.Names))
	for _, name := range in.If.Names {
		v := lookup(name.Name)
		span := in.If.Span(name.Offset, name.Offset+len(name.Name))
		switch {
		case v.declared && v.unknown != nil:
			return false, nil, in.Error(span, unknownError(name.Name, v.unknown))
		case !v.declared:
			if late := lateArg(in, name.Name, part); late != nil {
				return false, nil, in.Errorf(span, "%s has no value yet: ARG %s stands on line %d, below this one", name.Name, name.Name, late.StartLine)
			}
		}
		values[name.Name], deps = v.text, merge(deps, v.deps)
	}
	on, err = in.Holds(func(name string) string { return values[name] })
	return on, deps, err
}

// lateArg returns the ARG below an instruction that declares a name which no ARG
// or ENV above it does; nil for none.
func lateArg(in *syntax.Instruction, name string, part []*syntax.Instruction) *syntax.Instruction {
	for _, other := range part {
		if other == in || other.OnBuild {
			continue
		}
		if env, ok := other.Command.(*instructions.EnvCommand); ok && other.StartLine < in.StartLine &&
			slices.ContainsFunc(env.Env, func(kv instructions.KeyValuePair) bool { return kv.Key == name }) {
			return nil
		}
		found := false
		eachArg(other, func(arg instructions.KeyValuePairOptional) { found = found || arg.Key == name })
		switch {
		case found && other.StartLine < in.StartLine:
			return nil
		case found:
			return other
		}
	}
	return nil
}

// on reports whether a stage is there under env: on FROM the condition has the
// names of the global part.
func (p *planner) on(stage *syntax.Stage, env *Environment) (bool, error) {
	if stage.From.If == nil {
		return true, nil
	}
	return holds(stage.From, p.global(env), stage.Instructions)
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
		var err error
		known.deps, err = p.record(nil, func() error {
			for _, stage := range file.Stages {
				on, err := p.on(stage, env)
				if err != nil {
					return err
				}
				if on {
					known.stages = append(known.stages, stage)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		p.numbered[env] = known
	}
	p.note(known.deps...)
	return known.stages, nil
}

// pick returns the stage that is meant under env: the last one of those with the
// name; of those with a condition the one that is on.
func (p *planner) pick(m *meaning, env *Environment) (*syntax.Stage, error) {
	var (
		found       *syntax.Stage
		conditional bool
	)
	for _, stage := range m.stages {
		conditional = conditional || stage.From.If != nil
		on, err := p.on(stage, env)
		switch {
		case err != nil:
			return nil, err
		case !on:
		case found != nil && conditional:
			return nil, fmt.Errorf("two stages %s are on at once: %s and %s", m.name, describe(found.From, env), describe(stage.From, env))
		default:
			found = stage
		}
	}
	if found != nil {
		return found, nil
	}
	for _, stage := range m.stages {
		// a named context stands for the stage that is off
		platform, err := p.platformOf(stage, env)
		if err != nil {
			return nil, err
		}
		if p.replaced(stage, env, platform) {
			return stage, nil
		}
	}
	return nil, &offError{m.name, m.stages, env}
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
		list = append(list, describe(stage.From, e.env))
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

// describe says on which line a FROM or a global ARG stands and what its condition
// sees.
func describe(in *syntax.Instruction, env *Environment) string {
	out := fmt.Sprintf("line %d", in.StartLine)
	if f := env.File(); !f.Main {
		out = f.Name + ": " + out
	}
	if in.If == nil {
		return out + " has no --if"
	}
	out += " has --if='" + in.If.Text + "'"
	for i, name := range in.If.Names {
		word := ", "
		if i == 0 {
			word = ", where "
		}
		out += fmt.Sprintf("%s%s is %q", word, name.Name, env.globals[name.Name].text)
	}
	return out
}

// offArgs says which names in a word have no value since all the global ARGs of
// the name are off; empty for none.
func offArgs(env *Environment, word string) string {
	for _, name := range syntax.Variables(word) {
		if env.globals[name].set {
			continue
		}
		var list []string
		for _, in := range env.eval.file.Args {
			eachArg(in, func(arg instructions.KeyValuePairOptional) {
				if arg.Key == name && env.Off(in) {
					list = append(list, describe(in, env))
				}
			})
		}
		if len(list) > 0 {
			return fmt.Sprintf("%s has no value here: its ARG is off in all its lines: %s", name, strings.Join(list, "; "))
		}
	}
	return ""
}
