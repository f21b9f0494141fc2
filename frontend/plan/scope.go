package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// scope is the static names at a line: the global ARGs, and in a stage the ARGs
// and ENVs above the line, there and in the stages that it is built FROM. Looking
// a name up notes what its value was made of as inputs of the instance that is
// being planned: there is no other way to a value.
type scope struct {
	p   *planner // nil when nothing is planned
	env *Environment
	// local are the names that the stage sees as the build does, config the ENVs
	// of its image config; local is nil in the global part.
	local, config map[string]value
	// gone are the names that an UNSET took away.
	gone []taken
	// opened is set below an ENV --from that may set any name.
	opened *opening
	// base is what may set names that nothing declares; empty when nothing may.
	base string
	done int // instructions of the stage that are in local
	// part are all instructions of the stage.
	part []*syntax.Instruction
}

// global is the scope before the first FROM.
func (p *planner) global(env *Environment) *scope { return &scope{p: p, env: env} }

// pathName is the ENV that every image has: the converter sets it where the base
// does not.
const pathName = "PATH"

// lookup returns what a static name stands for.
func (s *scope) lookup(name string) value {
	v, ok := s.local[name]
	switch why := s.maySet(name); {
	case ok:
	case strings.HasPrefix(name, dataInput): // no instruction sets or hides it
		v = s.env.globals[name]
	case why != nil:
		v = value{declared: true, unknown: why}
	case !s.hides(name):
		v = s.env.globals[name]
	}
	if !v.declared && s.local != nil {
		v = s.undeclared(name)
	}
	s.p.note(v.deps...)
	return v
}

// undeclared is the value of a name in a stage that nothing declares.
func (s *scope) undeclared(name string) value {
	if why := s.maySet(name); why != nil {
		return value{declared: true, unknown: why}
	}
	gone := s.takenBy(name) != nil
	switch {
	case gone && name != pathName:
		return value{}
	case s.base != "" && !gone:
		return value{unknown: &unknown{name: name, base: s.base, global: s.env.globals[name].set}}
	case name == pathName:
		return value{unknown: &unknown{name: name, base: "the builder"}}
	}
	return value{}
}

// visible returns what a name stands for in the values of a stage: global ARGs
// that it does not declare are not seen there.
func (s *scope) visible(name string) value {
	if v, ok := s.local[name]; ok {
		return v
	}
	return s.undeclared(name)
}

// scopeBefore returns the static names of the instance above its instruction
// number n.
func (i *Instance) scopeBefore(p *planner, n int) (*scope, error) {
	if i.scope == nil {
		s := &scope{p: p, env: i.Env, local: map[string]value{}}
		if err := s.inherit(i.Base, nil); err != nil {
			return nil, err
		}
		i.scope = s
	}
	s := i.scope
	s.p, s.part = p, i.Stage.Instructions
	for ; ; s.done++ {
		for name := range i.GlobalsBefore(s.done) {
			v := i.Env.globals[name]
			v.arg = true
			s.local[name] = v
		}
		if s.done >= n {
			return s, nil
		}
		if in := i.Instructions[s.done]; !in.OnBuild {
			if err := s.declare(in, in.Command); err != nil {
				return nil, err
			}
		}
	}
}

// Sees reports whether the stage, or one that it is built FROM, declares a name above an
// instruction.
func (i *Instance) Sees(in *syntax.Instruction, name string) bool {
	fresh := *i
	fresh.scope = nil
	names, err := fresh.scopeBefore(nil, max(slices.Index(i.Instructions, in), 0))
	if err != nil {
		return true
	}
	return names.local[name].declared
}

// triggerScope returns the static names at a trigger of base where that runs: in a
// stage of env that is built FROM base.
func (p *planner) triggerScope(env *Environment, base Edge, trigger *syntax.Instruction) (*scope, error) {
	s := &scope{p: p, env: env, local: map[string]value{}}
	return s, s.inherit(base, trigger)
}

// inherit takes the names over that a base sets, its triggers included, up to one of
// them; nil for all.
func (s *scope) inherit(base Edge, until *syntax.Instruction) error {
	switch {
	case base.To == nil && base.Context:
		s.base = "the named context " + base.Name
	case base.To == nil && base.Name != scratch:
		s.base = "the base image " + base.Name
	}
	if base.To == nil {
		for _, c := range base.Changes {
			s.apply(c)
		}
		return nil
	}
	below, err := base.To.scopeBefore(s.p, len(base.To.Instructions))
	if err != nil {
		return err
	}
	s.base, s.gone, s.opened = below.base, below.gone, below.opened
	if base.Sealed && !base.Open { // names that are no ENV do not come along
		s.gone = slices.Clone(s.gone)
		for i := range s.gone {
			s.gone[i].known = nil
		}
	}
	for name, v := range below.config {
		if base.Sealed && !base.Open {
			// all that the call reads is noted where it is planned
			v.deps = nil
			s.local[name] = v
		}
		s.setConfig(name, v)
	}
	if !base.Sealed || base.Open {
		for name, v := range below.local {
			s.local[name] = v
		}
		if !base.Within {
			s.begin()
		}
	}
	return s.change(base, until)
}

// change makes the changes of a base, and runs its triggers up to one of them; nil for all.
func (s *scope) change(base Edge, until *syntax.Instruction) error {
	for _, c := range base.Changes {
		s.apply(c)
	}
	for _, in := range base.Triggers() {
		if in == until {
			break
		}
		if cmd := trigger(in); cmd != nil {
			if err := s.declare(in, cmd); err != nil {
				return err
			}
		}
	}
	return nil
}

// trigger returns the ARG or ENV that an ONBUILD holds; nil for anything else.
func trigger(in *syntax.Instruction) any {
	if !in.OnBuild || in.Keyword != command.Arg && in.Keyword != command.Env {
		return nil
	}
	node := in.Node
	for node.Next != nil && len(node.Next.Children) > 0 {
		node = node.Next.Children[0]
	}
	cmd, err := instructions.ParseCommand(node)
	if err != nil {
		return nil // the converter says so where it runs
	}
	return cmd
}

// declare adds what one instruction declares.
func (s *scope) declare(in *syntax.Instruction, cmd any) error {
	expand := func(word string) (value, error) {
		seen := tracker{lookup: s.visible}
		text, err := s.env.eval.expand(word, &seen)
		if err != nil {
			return value{}, in.Locate(err)
		}
		return seen.value(text), nil
	}
	if in.Let != nil {
		v, err := letValue(in, s.lookup, s.part)
		if err != nil {
			return err
		}
		v.arg, v.own = true, true
		s.local[in.Let.Name] = v
		return nil
	}
	if in.Unset != nil {
		s.unset(*in.Unset, in)
		return nil
	}
	if in.Values != nil {
		s.take(in)
		return nil
	}
	switch cmd := cmd.(type) {
	case *instructions.ArgCommand:
		for _, arg := range cmd.Args {
			v, err := s.arg(arg, expand)
			if err != nil {
				return err
			}
			if v.unknown != nil && v.unknown.err != nil {
				return diagnostic.Relate(v.unknown.err, in.Lines(), "read by ARG %s on line %d", arg.Key, in.StartLine)
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
			s.setConfig(kv.Key, values[i])
		}
	}
	return nil
}

// begin makes the names those of a stage that begins: there the ENVs of the image count again,
// whatever ARG stood below them. Which these are is not known where a file may set any name.
func (s *scope) begin() {
	maps.Copy(s.local, s.config)
	for name := range s.local {
		if _, known := s.config[name]; known {
			continue
		}
		if why := s.maySet(name); why != nil {
			s.local[name] = value{declared: true, set: true, arg: true, unknown: why}
		}
	}
}

// clone returns a scope that changes without s.
func (s *scope) clone() *scope {
	out := *s
	out.local, out.config = maps.Clone(s.local), maps.Clone(s.config)
	return &out
}

func (s *scope) setConfig(name string, v value) {
	if s.config == nil { // most stages have none
		s.config = map[string]value{}
	}
	s.config[name] = v
}

// arg evaluates an ARG of a stage as upstream does: a build arg wins over the
// default, that over the global ARG, and a name without any of them keeps what an
// ARG or ENV above gave it.
func (s *scope) arg(arg instructions.KeyValuePairOptional, expand func(string) (value, error)) (value, error) {
	inputs, given := s.env.inputsOf(arg.Key, arg.Value != nil)
	if given {
		return value{text: s.env.Args[arg.Key], set: true, declared: true, arg: true, deps: inputs}, nil
	}
	var v value
	var err error
	switch _, computed := s.env.lets[arg.Key]; {
	case computed:
		v = s.env.globals[arg.Key]
		v.arg, v.own = true, false
	case arg.Value != nil:
		v, err = expand(*arg.Value)
		v.arg, v.own = true, true
	case s.env.globals[arg.Key].set:
		v = s.env.globals[arg.Key]
		v.arg, v.own = true, false
	default:
		var ok bool
		if v, ok = s.local[arg.Key]; !ok {
			v.unknown = s.maySet(arg.Key)
		}
		v.arg = v.arg || !v.set
	}
	v.declared, v.deps = true, merge(v.deps, inputs)
	return v, err
}

// inputsOf returns the inputs on which an ARG line of a stage depends, beside the
// names in its default; given is set when a build arg decides.
func (e *Environment) inputsOf(name string, hasDefault bool) (inputs []string, given bool) {
	if _, computed := e.lets[name]; computed {
		return e.globals[name].deps, false
	}
	inputs = []string{name}
	if e.eval.in.lets[name] != nil { // what made it none that is computed
		inputs = merge(e.globals[name].deps, inputs)
	}
	if _, ok := e.Args[name]; ok {
		return inputs, true
	}
	if !hasDefault {
		inputs = merge(e.globals[name].deps, inputs)
	}
	return inputs, false
}
