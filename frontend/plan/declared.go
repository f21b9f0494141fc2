package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// requireDeclared refuses bindings of names that the sub-build of a call, which has env,
// does not declare under its values: they would do nothing.
func (p *planner) requireDeclared(at place, m *meaning, inst *Instance, env *Environment) error {
	var global, names []string // found when needed: a binding that is read is declared
	for _, b := range at.reference.Bindings {
		if err := refuseComputed(at, computed(env, b.Name), b); err != nil {
			return err
		}
		if b.Name == targetPlatform || slices.Contains(inst.Reads, b.Name) {
			continue
		}
		if names == nil {
			global = append([]string{targetPlatform}, env.declared()...)
			names = inst.declared(map[*Instance]bool{})
		}
		switch {
		case slices.Contains(names, b.Name):
		case slices.Contains(global, b.Name):
			p.warnUnused(at, m, b)
		case p.declaredOff(m, inst, env, b.Name) != "":
			return at.errorf(b.NameSpan, "no ARG of %s declares %s under these values, so the binding would do nothing: %s", at.reference.Target, b.Name, p.declaredOff(m, inst, env, b.Name))
		default:
			return at.error(b.NameSpan, suggestArg(fmt.Errorf("%s has no ARG %s, nor has a stage that it uses", at.reference.Target, b.Name), b.Name, slices.Concat(global, names)))
		}
	}
	return nil
}

// declared returns the names of the ARGs of the global part that are on.
func (e *Environment) declared() []string {
	var names []string
	for _, in := range e.eval.file.Args {
		if !e.Off(in) {
			names = append(names, declaredArgs([]*syntax.Instruction{e.Line(in)})...)
		}
	}
	return names
}

// declared returns the ARGs of the instance and of all it needs.
func (i *Instance) declared(seen map[*Instance]bool) []string {
	if seen[i] {
		return nil
	}
	seen[i] = true
	names := declaredArgs(i.Instructions)
	for e := range i.All() {
		if e.To != nil {
			names = append(names, e.To.declared(seen)...)
		}
	}
	return names
}

// declaredArgs returns the names of the ARGs among instructions, those of triggers
// included: a binding reaches them where they run.
func declaredArgs(list []*syntax.Instruction) []string {
	var names []string
	for _, in := range list {
		eachArg(in, func(arg instructions.KeyValuePairOptional) { names = append(names, arg.Key) })
		if cmd, ok := trigger(in).(*instructions.ArgCommand); ok {
			for _, arg := range cmd.Args {
				names = append(names, arg.Key)
			}
		}
	}
	return names
}

// declaredOff says which conditions take the ARGs of a name out of a sub-build; empty
// when it has none, on or off.
func (p *planner) declaredOff(m *meaning, inst *Instance, env *Environment, name string) string {
	declares := func(in *syntax.Instruction) bool {
		return slices.Contains(declaredArgs([]*syntax.Instruction{in}), name)
	}
	var list []string
	for _, in := range env.eval.file.Args {
		if declares(in) {
			list = append(list, describe(in, env))
		}
	}
	all := []*Instance{inst}
	inst.reach(map[*Instance]bool{inst: true}, &all)
	for _, i := range all {
		for _, in := range i.Stage.Instructions {
			if declares(in) && !i.Replaced {
				if text := i.describe(in); !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
		}
	}
	if len(list) == 0 && slices.Contains(p.reaches(m, false).names, name) {
		return "the lines that lead to it are off"
	}
	return strings.Join(list, "; ")
}

// describe says on which line an instruction of the stage stands and what its
// condition sees.
func (i *Instance) describe(in *syntax.Instruction) string {
	n := 0
	for n < len(i.Instructions) && i.Instructions[n].StartLine < in.StartLine {
		n++
	}
	fresh := *i
	fresh.scope = nil
	names, err := fresh.scopeBefore(nil, n)
	if err != nil {
		return describe(in, i.Env)
	}
	return describeIn(in, i.Env, func(name string) string { return names.lookup(name).text })
}

// describe says on which line a FROM or a global ARG stands and what its condition
// sees.
func describe(in *syntax.Instruction, env *Environment) string {
	return describeIn(in, env, func(name string) string { return env.globals[name].text })
}

func describeIn(in *syntax.Instruction, env *Environment, value func(name string) string) string {
	out := fmt.Sprintf("line %d", in.StartLine)
	if f := env.File(); !f.Main {
		out = f.Name + ": " + out
	}
	if !in.Conditional() && in.Inner() == nil {
		return out + " has no --if"
	}
	var names []condition.Name
	for _, c := range in.Conditions() {
		out += c.Text
		names = append(names, c.Names...)
	}
	if !in.Conditional() {
		for _, block := range in.Inner() {
			branch := block.Branches[0]
			out += fmt.Sprintf(" has %s (line %d)", branch, branch.Marker.StartLine)
			names = append(names, branch.Marker.If.Names...)
		}
	}
	word := ", where "
	for i, name := range names {
		if fileOf(env).DataOf(name.Name) != nil || slices.ContainsFunc(names[:i], func(other condition.Name) bool { return other.Name == name.Name }) {
			continue
		}
		out += fmt.Sprintf("%s%s is %q", word, name.Name, value(name.Name))
		word = ", "
	}
	return out
}
