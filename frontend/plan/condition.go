package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// sight is where conditions are looked at: the names above a line, and what the
// blocks in which it stands came to. A block is decided once, at its first line.
type sight struct {
	lookup func(string) value
	// part are the instructions among which the line stands, or that follow it.
	part    []*syntax.Instruction
	decided map[*syntax.Block]decision
}

// decision is the branch of a block that counts, nil for none, with the inputs on
// which that depends.
type decision struct {
	branch *syntax.Branch
	deps   []string
}

// on reports whether an instruction is there, and on which inputs that depends.
func (s *sight) on(in *syntax.Instruction) (bool, []string, error) {
	on, deps, err := s.within(in.Branch)
	if err != nil || !on || in.If == nil {
		return on, deps, err
	}
	on, own, err := evaluateCondition(in, s.lookup, s.part)
	return on, merge(deps, own), err
}

// within reports whether a branch counts, and those around it.
func (s *sight) within(b *syntax.Branch) (bool, []string, error) {
	if b == nil {
		return true, nil, nil
	}
	on, deps, err := s.within(b.Block.Parent)
	if err != nil || !on {
		return false, deps, err
	}
	d, err := s.decide(b.Block)
	return d.branch == b, merge(deps, d.deps), err
}

// decide returns what a block comes to.
func (s *sight) decide(block *syntax.Block) (decision, error) {
	if d, ok := s.decided[block]; ok {
		return d, nil
	}
	var d decision
	for _, branch := range block.Branches {
		on, deps, err := evaluateCondition(branch.Marker, s.lookup, s.part)
		if err != nil {
			return d, err
		}
		if d.deps = merge(d.deps, deps); on {
			d.branch = branch
			break
		}
	}
	if s.decided != nil {
		s.decided[block] = d
	}
	return d, nil
}

// lines returns the instruction with the lines that are there.
func (s *sight) lines(in *syntax.Instruction) (*syntax.Instruction, []string, error) {
	taken := map[*syntax.Block]*syntax.Branch{}
	var deps []string
	for _, block := range in.Inner() {
		on, around, err := s.within(block.Parent)
		if err != nil {
			return nil, nil, err
		}
		if deps = merge(deps, around); !on {
			continue
		}
		d, err := s.decide(block)
		if err != nil {
			return nil, nil, err
		}
		taken[block], deps = d.branch, merge(deps, d.deps)
	}
	v, err := in.Variant(taken)
	return v, deps, err
}

// holds reports whether an instruction is there, by the names of the global part.
func (p *planner) holds(in *syntax.Instruction, env *Environment, part []*syntax.Instruction) (bool, error) {
	s := &sight{lookup: p.global(env).lookup, part: part, decided: env.decided}
	on, deps, err := s.on(in)
	p.note(deps...)
	return on, err
}

// evaluateCondition evaluates the condition of an instruction and returns the
// inputs on which it depends. A name that nothing declares is empty.
func evaluateCondition(in *syntax.Instruction, lookup func(string) value, part []*syntax.Instruction) (on bool, deps []string, err error) {
	if in.If == nil {
		return true, nil, nil
	}
	values, deps, err := valuesOf(in, in.If, lookup, part)
	if err != nil {
		return false, deps, err
	}
	on, err = in.Holds(values)
	return on, deps, err
}

// valuesOf returns the values of the names in an expression, and the inputs on which
// they depend.
func valuesOf(in *syntax.Instruction, c *syntax.Condition, lookup func(string) value, part []*syntax.Instruction) (of func(string) any, deps []string, err error) {
	values := make(map[string]any, len(c.Names))
	for _, name := range c.Names {
		span := c.Span(name.Offset, name.Offset+len(name.Name))
		if c.IsData(name.Name) {
			v := lookup(dataInput + name.Name)
			deps = merge(deps, v.deps)
			if values[name.Name], err = v.dataValue(in, span, name.Name); err != nil {
				return nil, deps, err
			}
			continue
		}
		v := lookup(name.Name)
		deps = merge(deps, v.deps)
		switch {
		case v.declared && v.unknown != nil:
			return nil, deps, unknownAt(in, span, name.Name, v.unknown)
		case !v.declared && in.Let != nil && in.Let.Name == name.Name:
			return nil, deps, in.Errorf(span, "%s is what this LET gives, and has no value yet: give the ARG that it is made of another name", name.Name)
		case !v.declared, in.Keyword == syntax.ImportInstruction && !Predefined(name.Name): // IMPORTs are read behind all global ARGs
			if err := lateError(in, span, name.Name, part); err != nil {
				return nil, deps, err
			}
		}
		values[name.Name] = v.text
	}
	return func(name string) any { return values[name] }, deps, nil
}

// lateError is the mistake of a name that a line further down declares.
func lateError(in *syntax.Instruction, span syntax.Span, name string, part []*syntax.Instruction) error {
	late := lateArg(in, name, part)
	if late == nil {
		return nil
	}
	return in.Errorf(span, "%s has no value yet: %s %s stands on line %d, below this one", name, strings.ToUpper(late.Keyword), name, late.StartLine)
}

// lateArg returns the ARG or LET below an instruction that declares a name which no ARG
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
		eachName(other, func(declared string) { found = found || declared == name })
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
	if !stage.From.Conditional() {
		return true, nil
	}
	return p.holds(stage.From, env, stage.Instructions)
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
		conditional = conditional || stage.From.Conditional()
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
				if arg.Key == name && env.Off(in) && env.globals[name].unknown == nil {
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
