package plan

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// scope is the static names at a line of a stage: the global ARGs, and the ARGs
// and ENVs above the line, in this stage and in those that it is built FROM.
// The environment of a base image is not static.
type scope struct {
	env   *Environment
	local map[string]value
	done  int // instructions of the stage that are in local
}

func newScope(env *Environment) *scope { return &scope{env: env} }

// lookup returns a static name's value. A name that nothing declares has
// neither value nor deps.
func (s *scope) lookup(name string) value {
	if v, ok := s.local[name]; ok {
		return v
	}
	return s.env.globals[name]
}

// scopeBefore returns the static names of inst above its instruction number n.
func (p *evaluator) scopeBefore(inst *Instance, n int) (*scope, error) {
	if inst.scope == nil {
		inst.scope = newScope(inst.Env)
		inst.scope.local = map[string]value{}
		if base := inst.Base; base.To != nil && !base.Sealed {
			above, err := p.scopeBefore(base.To, len(base.To.Instructions))
			if err != nil {
				return nil, err
			}
			for name, v := range above.local {
				inst.scope.local[name] = v
			}
		}
	}
	s := inst.scope
	if s.done == 0 {
		for _, name := range inst.Globals {
			s.local[name] = inst.Env.globals[name]
		}
	}
	for ; s.done < n; s.done++ {
		if err := p.declare(s, inst.Instructions[s.done]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// declare adds what one instruction declares. In a value only names of the
// stage count, as in a Dockerfile: global ARGs are not inherited.
func (p *evaluator) declare(s *scope, in *syntax.Instruction) error {
	expand := func(word string) (value, error) {
		seen := tracker{lookup: func(name string) value { return s.local[name] }}
		text, err := p.expand(word, &seen)
		if err != nil {
			return value{}, in.Locate(err)
		}
		return value{text, true, merge([]string{}, seen.deps)}, nil
	}
	switch cmd := in.Command.(type) {
	case *instructions.ArgCommand:
		for _, arg := range cmd.Args {
			v, err := p.stageArg(s.env, arg, expand)
			if err != nil {
				return err
			}
			s.local[arg.Key] = v
		}
	case *instructions.EnvCommand:
		values := make([]value, len(cmd.Env))
		for i, kv := range cmd.Env {
			v, err := expand(kv.Value)
			if err != nil {
				return err
			}
			values[i] = v
		}
		for i, kv := range cmd.Env {
			s.local[kv.Key] = values[i]
		}
	}
	return nil
}

// stageArg evaluates an ARG of a stage: a build arg wins over the default, and
// that over the global ARG.
func (p *evaluator) stageArg(env *Environment, arg instructions.KeyValuePairOptional, expand func(string) (value, error)) (value, error) {
	deps := []string{arg.Key}
	if v, ok := env.Args[arg.Key]; ok {
		return value{v, true, deps}, nil
	}
	if arg.Value != nil {
		v, err := expand(*arg.Value)
		v.deps = merge(v.deps, deps)
		return v, err
	}
	v := env.globals[arg.Key]
	v.deps = merge(v.deps, deps)
	return v, nil
}
