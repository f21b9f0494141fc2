package plan

import (
	"iter"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// checkArg holds the value of an ARG to the flags of the ARG. A request shows what
// a build needs, so it may lack a value; a check says what no build arg can give.
func (p *planner) checkArg(env *Environment, in *syntax.Instruction, name string, v value) error {
	closed := env != nil && env.via != nil && !env.via.flows(name) && !slices.Contains(env.via.passed, name)
	switch {
	case v.unknown != nil && in.Arg.OneOf != nil:
		return unknownAt(in, in.Arg.Flags, name, v.unknown)
	case !v.set && in.Arg.Required && closed && (!p.opt.Request || p.opt.Branches):
		return in.Errorf(in.Arg.Flags, "ARG %s is required and has no value, and no build arg reaches a library: bind it in the call, as in %s(%s=…), or pass it with IMPORT --arg=%s=…", name, env.prefix+env.Stage, name, name)
	case !v.set && in.Arg.Required && !p.opt.Request:
		return in.Errorf(in.Arg.Flags, "ARG %s is required and has no value: pass --build-arg %s=…, or bind it in the call", name, name)
	case v.set && in.Arg.OneOf != nil && !slices.Contains(in.Arg.OneOf, v.text):
		return in.Errorf(in.Arg.Flags, "ARG %s is %q: it has to be one of %s", name, v.text, strings.Join(in.Arg.OneOf, ", "))
	}
	return nil
}

// checkGlobals checks the global ARGs that env gives a value.
func (p *planner) checkGlobals(env *Environment) error {
	for _, in := range env.eval.file.Args {
		if !in.Arg.Required && in.Arg.OneOf == nil || env.Off(in) {
			continue
		}
		for _, arg := range env.Line(in).Command.(*instructions.ArgCommand).Args {
			if err := p.checkArg(env, in, arg.Key, p.global(env).lookup(arg.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkArgs checks the ARG number n of an instance.
func (p *planner) checkArgs(inst *Instance, n int, in *syntax.Instruction) error {
	if in.OnBuild || !in.Arg.Required && in.Arg.OneOf == nil {
		return nil
	}
	names, err := inst.scopeBefore(p, n+1)
	if err != nil {
		return err
	}
	for _, arg := range in.Command.(*instructions.ArgCommand).Args {
		if err := p.checkArg(inst.Env, in, arg.Key, names.lookup(arg.Key)); err != nil {
			return err
		}
	}
	return nil
}

// Global is a global ARG that a stage declares by itself.
type Global struct {
	Name string
	// Before is the number of the instruction right above which it does.
	Before int
}

// declareGlobals finds the ARGs that the stage declares by itself, since they are
// global ones and its text uses them: none that it declares anyway, or that something
// above sets.
func (p *planner) declareGlobals(inst *Instance) {
	inst.Globals = nil
	for n := range inst.Instructions {
		inst.declareGlobals(n)
	}
}

// declareGlobals finds those that instruction number n is the first to use.
func (i *Instance) declareGlobals(n int) {
	if i.Instructions[n].Values != nil {
		return // whose words see what another stage has
	}
	for _, in := range i.Env.eval.file.Args {
		if !in.Arg.Global || i.Env.Off(in) {
			continue
		}
		for _, arg := range i.Env.Line(in).Command.(*instructions.ArgCommand).Args {
			if i.Instructions[n].Uses(arg.Key) && !i.declares(arg.Key) && !i.sets(arg.Key, n) && i.setBy(arg.Key, n) == byNothing {
				i.Globals = append(i.Globals, Global{arg.Key, n})
			}
		}
	}
}

// GlobalsBefore yields the names of the ARGs that the stage declares by itself right
// above instruction number n.
func (i *Instance) GlobalsBefore(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, g := range i.Globals {
			if g.Before == n && !yield(g.Name) {
				return
			}
		}
	}
}

// declares reports whether the stage declares an ARG, or computes the name.
func (i *Instance) declares(name string) bool {
	return slices.ContainsFunc(i.Globals, func(g Global) bool { return g.Name == name }) ||
		slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool { return setBy(in, name) == byArg })
}

// sets reports whether the stage has an ENV of a name above its instruction number n, whatever became of it.
func (i *Instance) sets(name string, n int) bool {
	return slices.ContainsFunc(i.Instructions[:n], func(in *syntax.Instruction) bool { return setBy(in, name) == byEnv })
}

// setter is what gives a name the value that it has at some place.
type setter int

const (
	byNothing setter = iota
	byArg            // or LET
	byEnv
)

// setBy returns what sets a name above instruction number n of the stage: there, or in a stage that
// it is built FROM, of whose names ARGs alone count.
func (i *Instance) setBy(name string, n int) setter {
	for k, in := range slices.Backward(i.Instructions[:n]) {
		switch s := setBy(in, name); {
		case s != byNothing:
			return s
		case in.Unset != nil && takesName(*in.Unset, name):
			return byNothing
		case slices.Contains(i.Globals, Global{name, k}):
			return byArg
		}
	}
	return i.Base.setBy(name)
}

// setBy returns what sets a name in a stage, above all that is built FROM it.
func (e Edge) setBy(name string) setter {
	for _, c := range slices.Backward(e.Changes) {
		switch c := c.(type) {
		case Take: // which only a part of the same stage has below it
			if c.In.Values.Sets(name) {
				return byEnv
			}
		case Reset:
			if c.In.WholeReset() || slices.ContainsFunc(c.Parts, func(u syntax.Unset) bool { return takesName(u, name) }) {
				return byNothing
			}
		}
	}
	if e.To == nil || e.Sealed && !e.Open {
		return byNothing
	}
	if s := e.To.setBy(name, len(e.To.Instructions)); s == byArg || e.Within {
		return s
	}
	return byNothing
}

// setBy returns as what an instruction sets a name.
func setBy(in *syntax.Instruction, name string) setter {
	if in.Values != nil && in.Values.Sets(name) {
		return byEnv
	}
	if in.Let != nil && in.Let.Name == name {
		return byArg
	}
	if in.Keyword == command.Arg && !in.OnBuild && slices.ContainsFunc(in.Words(), func(word string) bool {
		declared, _, _ := strings.Cut(word, "=")
		return declared == name
	}) {
		return byArg
	}
	env, ok := in.Command.(*instructions.EnvCommand)
	if ok && slices.ContainsFunc(env.Env, func(kv instructions.KeyValuePair) bool { return kv.Key == name }) {
		return byEnv
	}
	return byNothing
}

// takesName reports whether an UNSET takes an ENV or ARG of a name away.
func takesName(u syntax.Unset, name string) bool { return u.Of == "ENV" && u.Takes(name) }
