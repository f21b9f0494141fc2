package plan

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// checkArg holds the value of an ARG to the flags of the ARG. A request shows what
// a build needs, so it may lack a value.
func (p *planner) checkArg(in *syntax.Instruction, name string, v value) error {
	switch {
	case v.unknown != nil && in.Arg.OneOf != nil:
		return in.Error(in.Arg.Flags, unknownError(name, v.unknown))
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
		for _, arg := range in.Command.(*instructions.ArgCommand).Args {
			if err := p.checkArg(in, arg.Key, p.global(env).lookup(arg.Key)); err != nil {
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
		if err := p.checkArg(in, arg.Key, names.lookup(arg.Key)); err != nil {
			return err
		}
	}
	return nil
}

// declareGlobals finds the ARGs that the stage declares by itself, since they are
// global ones and its text uses them: none that it, or a stage that it is built
// FROM, declares anyway.
func (p *planner) declareGlobals(inst *Instance) {
	for _, in := range inst.Env.eval.file.Args {
		if !in.Arg.Global || inst.Env.Off(in) {
			continue
		}
		for _, arg := range in.Command.(*instructions.ArgCommand).Args {
			uses := func(in *syntax.Instruction) bool { return in.Uses(arg.Key) }
			if slices.ContainsFunc(inst.Instructions, uses) && !inst.declares(arg.Key) {
				inst.Globals = append(inst.Globals, arg.Key)
			}
		}
	}
}

// declares reports whether the stage, or one that it is built FROM, declares an
// ARG.
func (i *Instance) declares(name string) bool {
	if slices.Contains(i.Globals, name) {
		return true
	}
	for _, in := range i.Instructions {
		if in.Keyword != command.Arg || in.OnBuild {
			continue
		}
		for _, word := range in.Words() {
			if declared, _, _ := strings.Cut(word, "="); declared == name {
				return true
			}
		}
	}
	return i.Base.To != nil && !i.Base.Sealed && i.Base.To.declares(name)
}
