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
// global ones and its text uses them: none that it, or a stage that it is built
// FROM, declares anyway.
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
			if i.Instructions[n].Uses(arg.Key) && !i.declares(arg.Key) && !i.sets(arg.Key, n) {
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

// sets reports whether the stage has an ENV of a name above its instruction number n.
func (i *Instance) sets(name string, n int) bool {
	return slices.ContainsFunc(i.Instructions[:n], func(in *syntax.Instruction) bool {
		if in.Values != nil {
			return in.Values.Sets(name)
		}
		env, ok := in.Command.(*instructions.EnvCommand)
		return ok && slices.ContainsFunc(env.Env, func(kv instructions.KeyValuePair) bool { return kv.Key == name })
	})
}

// declares reports whether the stage, or one that it is built FROM, declares an
// ARG, or computes the name.
func (i *Instance) declares(name string) bool {
	if slices.ContainsFunc(i.Globals, func(g Global) bool { return g.Name == name }) {
		return true
	}
	for _, in := range i.Instructions {
		if in.Let != nil && in.Let.Name == name {
			return true
		}
		if in.Keyword != command.Arg || in.OnBuild {
			continue
		}
		for _, word := range in.Words() {
			if declared, _, _ := strings.Cut(word, "="); declared == name {
				return true
			}
		}
	}
	return i.Base.To != nil && (!i.Base.Sealed || i.Base.Open) && i.Base.To.declares(name)
}
