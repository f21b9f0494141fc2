package plan

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// maxLet is how many bytes the value of a LET has: it stands in a line.
const maxLet = 50_000

// letValue evaluates a LET.
func letValue(in *syntax.Instruction, lookup func(string) value, part []*syntax.Instruction) (value, error) {
	v := value{set: true, declared: true}
	of, deps, err := valuesOf(in, in.Let.Condition, lookup, part)
	v.deps = deps
	if err == nil {
		v.text, err = in.Value(of)
	}
	switch {
	case err != nil:
	case len(v.text) > maxLet:
		err = in.Errorf(in.Let.NameSpan, "the value of %s is %d bytes long, the limit is %d", in.Let.Name, len(v.text), maxLet)
	case !isText(v.text):
		err = in.Error(in.Let.NameSpan, notText(v.text))
	case strings.ContainsAny(v.text, "\r\n\x00"):
		err = in.Errorf(in.Let.NameSpan, "the value of %s is %s, which is not one line of text: write trim(…) for a line end at its end, join(split(…, \"\\n\"), \" \") for one inside, or take an ARG, which holds any text", in.Let.Name, shortened(v.text))
	}
	return v, err
}

// globalLet evaluates a LET of the global part. A mistake is one of whatever reads
// the name.
func (p *evaluator) globalLet(e *Environment, in *syntax.Instruction, on bool, deps []string, s *sight) {
	name := in.Let.Name
	if !on {
		v := e.globals[name]
		v.declared, v.deps = true, merge(v.deps, deps)
		e.globals[name] = v
		return
	}
	v, err := letValue(in, s.lookup, s.part)
	v.deps = merge(v.deps, deps)
	if err != nil {
		v.text, v.unknown = "", &unknown{name: name, err: err}
	}
	e.globals[name], e.lets[name] = v, in
}

// let evaluates a LET of a stage, instruction number n.
func (p *planner) let(inst *Instance, n int, in *syntax.Instruction) error {
	names, err := inst.scopeBefore(p, n+1)
	if err != nil {
		return err
	}
	if inst.lets == nil {
		inst.lets = map[*syntax.Instruction]string{}
	}
	inst.lets[in] = names.lookup(in.Let.Name).text
	return nil
}

// Let returns the value of a LET of the stage.
func (i *Instance) Let(in *syntax.Instruction) string { return i.lets[in] }

// Computes yields the names to which LETs give their value in the stage.
func (i *Instance) Computes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range i.Env.lets {
			if !yield(name) {
				return
			}
		}
		for in := range i.lets {
			if !yield(in.Let.Name) {
				return
			}
		}
	}
}

// names are those that the ARGs and LETs of one part declare, where they are on.
type names map[string]*syntax.Instruction

// add refuses a LET of a name that the part has, and any other of the name of a LET.
func (n names) add(in *syntax.Instruction) error {
	if in.OnBuild {
		return nil
	}
	var err error
	eachName(in, func(name string) {
		first := n[name]
		switch {
		case first == nil || first == in:
			n[name] = in
		case err != nil || first.Let == nil && in.Let == nil:
		case in.Let != nil:
			err = in.Errorf(in.Let.NameSpan, "%s is declared on line %d already: a computed value takes another name", name, first.StartLine)
		default:
			err = in.Locate(fmt.Errorf("%s is computed on line %d already: an ARG takes another name", name, first.StartLine))
		}
	})
	return err
}

// globalLets returns the names that the global part of a file only computes.
func globalLets(f *syntax.File) map[string]struct{} {
	out := map[string]struct{}{}
	for _, in := range f.Args {
		if in.Let != nil {
			out[in.Let.Name] = struct{}{}
		}
	}
	for _, in := range f.Args {
		eachArg(in, func(arg instructions.KeyValuePairOptional) { delete(out, arg.Key) })
	}
	return out
}

// reads reports whether an instruction may read a LET of the global part.
func (d *dockerfile) reads(in *syntax.Instruction) bool {
	if in.Let != nil {
		return true
	}
	for _, let := range d.Args {
		if let.Let == nil {
			continue
		}
		found := in.Uses(let.Let.Name)
		eachArg(in, func(arg instructions.KeyValuePairOptional) { found = found || arg.Key == let.Let.Name })
		if found {
			return true
		}
	}
	return false
}

// computed returns the LET that gives a name its value in a sub-build, whatever is
// bound; nil when an ARG takes what is bound, and when nothing declares the name.
func computed(env *Environment, name string) *syntax.Instruction {
	if in := env.lets[name]; in != nil {
		return in
	}
	return fileOf(env).computed(name)
}

// computed returns the LET of a name that no ARG of the file takes; nil for none.
func (d *dockerfile) computed(name string) *syntax.Instruction {
	if _, ok := d.declared[name]; ok {
		return nil
	}
	return d.lets[name]
}

func computedError(let *syntax.Instruction, name string) error {
	return fmt.Errorf("%s is computed (line %d%s): it cannot be bound", name, let.StartLine, inFile(let))
}

func inFile(in *syntax.Instruction) string {
	if name := in.File().Name; name != "" {
		return " of " + name
	}
	return ""
}

// refuseComputed refuses a binding of a name that a LET computes.
func refuseComputed(at place, let *syntax.Instruction, b syntax.Binding) error {
	if let == nil {
		return nil
	}
	return at.error(b.NameSpan, computedError(let, b.Name))
}

// warnComputed warns of build args that do nothing, since the name is computed.
func (p *planner) warnComputed(env *Environment) {
	for _, name := range slices.Sorted(maps.Keys(p.opt.BuildArgs)) {
		var let *syntax.Instruction
		taken := false
		for _, f := range p.out.files {
			d := p.of(f)
			_, ok := d.declared[name]
			taken = taken || ok
			if f.Source.Kind != module.Library && let == nil {
				let = d.lets[name]
			}
		}
		if in := env.lets[name]; in != nil {
			let, taken = in, false
		}
		if let != nil && !taken {
			p.out.Computed = append(p.out.Computed, name)
			p.warn(RuleComputedArg, let.Place(let.Let.NameSpan), "%s is computed here: the build arg of the name does nothing", name)
		}
	}
}

// RuleComputedArg warns of a build arg of a name that a LET computes.
var RuleComputedArg = diagnostic.NewRule("ComputedArg", "A build arg of a name that LET computes does nothing")
