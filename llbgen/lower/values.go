package lower

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// values says which ARGs of a text get their value from a build arg, as those on
// which all instances agree do, and which from their line.
type values struct {
	// varying are the build args that are none of the text.
	varying map[string]struct{}
	// env is what the converter makes of the text.
	env *plan.Environment
	// passed says which build args are passed to the text whatever it is, in one that is
	// written for builds without any; nil for any other text.
	passed func(name string) bool
}

// settle finds the instances of the unit and the values of its text, and returns
// the roots of the other units that it needs.
//
// A value that cannot stand in a line stays a build arg of the text, and so do all
// that it is made of: the names are fixed. An instance for which a fixed name has
// another value, or which has such a value of its own, is unfit: it comes out of a
// unit of its own, cut off at the call that leads to it. Only calls change values,
// so there is one. Both sets grow until nothing is left to write that cannot be.
func (u *Unit) settle(n *Names, bake bool) ([]*plan.Instance, error) {
	fixed := map[string]bool{}
	unfit := map[*plan.Instance]bool{}
	for {
		others := u.collect(unfit)
		if u.findOtherPlatform(unfit) {
			u.findUnfit(fixed, unfit)
			continue
		}
		u.naming = newNaming(u, n)
		varying := u.varying(fixed, bake)
		env, err := u.Root.Env.Without(varying, u.offSomewhere(fixed), u.naming.name(u.Root))
		if err != nil {
			if len(varying) == 0 {
				return nil, err
			}
			for name := range varying { // without them the global ARGs make no sense
				fixed[name] = true
			}
			u.findUnfit(fixed, unfit)
			continue
		}
		u.values = &values{varying: varying, env: env}
		changed, err := u.findUnwritable(fixed, unfit)
		if err != nil {
			return nil, err
		}
		if !changed {
			return others, nil
		}
		u.findUnfit(fixed, unfit)
	}
}

// findUnwritable looks for values that would have to stand in the text and cannot.
// It fixes their names where an instance has the values of the root; others are
// unfit.
func (u *Unit) findUnwritable(fixed map[string]bool, unfit map[*plan.Instance]bool) (bool, error) {
	changed := false
	var refused error
	for _, inst := range u.Instances {
		for d := range u.declarations(inst) {
			name, in := d.name, d.in
			v, ok := u.values.arg(inst, name, hasDefault(in, name))
			if !ok || text.Writable(v) && !d.ofImage {
				continue
			}
			names := append([]string{name}, inst.Env.MadeOf(name)...)
			if inst.Env.File() != u.file() || slices.ContainsFunc(names, func(name string) bool { return !u.Root.Env.Same(inst.Env, name) }) {
				unfit[inst], changed = true, true
				continue
			}
			before := len(fixed)
			for _, name := range names {
				fixed[name] = true
			}
			changed = changed || len(fixed) > before
			refused = in.Locate(fmt.Errorf("the value of %s holds a line end, or more than a line has room for, and depends on the stage that is built", name))
			if d.ofImage {
				refused = inst.From.Locate(fmt.Errorf("a trigger of %s declares %s (line %d), and its value here cannot reach the trigger: declare the ARG in the stage", inst.Base.Call, name, in.StartLine))
			}
		}
	}
	if changed {
		return true, nil
	}
	return false, refused
}

// findOtherPlatform adds the instances for another platform than the unit's whose steps
// would run for the unit's all the same: the converter knows no platform of a base without
// files, nor of what the triggers of a base that is an image copy from.
func (u *Unit) findOtherPlatform(unfit map[*plan.Instance]bool) bool {
	before := len(unfit)
	for _, inst := range u.Instances {
		// one that reads nothing of the platform may have been met under another one
		if base := inst.Base; base.Sealed && !inst.Replaced && u.foreign(inst) && !u.like(inst) && (base.To.Empty() || base.To.HasTriggers()) {
			unfit[inst] = true
		}
	}
	return len(unfit) > before
}

// findUnfit adds the instances for which a fixed name has another value, and those
// that need an unfit one under their own values.
func (u *Unit) findUnfit(fixed map[string]bool, unfit map[*plan.Instance]bool) {
	for _, inst := range u.Instances { // each behind those it needs
		if inst == u.Root || inst == u.epoch {
			continue
		}
		differs := func(name string) bool {
			if !fixed[name] {
				return false
			}
			mine, has := inst.Env.Global(name)
			theirs, given := u.Root.Env.Global(name)
			return !inst.Env.Same(u.Root.Env, name) || has != given || mine != theirs
		}
		if slices.ContainsFunc(inst.Reads, differs) {
			unfit[inst] = true
		}
		for e := range sameValues(inst) {
			if unfit[e.To] {
				unfit[inst] = true
			}
		}
	}
}

// sameValues yields the edges of an instance that lead to instances under its own
// values: those that are no calls.
func sameValues(inst *plan.Instance) iter.Seq[plan.Edge] {
	return func(yield func(plan.Edge) bool) {
		for e := range inst.All() {
			if e.Call == "" && e.To != nil && !yield(e) {
				return
			}
		}
	}
}

// varying finds the build args on which instances differ: those that calls bind,
// and those that a file does not get.
func (u *Unit) varying(fixed map[string]bool, bake bool) map[string]struct{} {
	out := map[string]struct{}{}
	add := func(name string) {
		// a call that binds what acts on a whole build is a unit of its own
		if !fixed[name] && !plan.BuildWide(name) {
			out[name] = struct{}{}
		}
	}
	root := u.Root.Env
	for _, inst := range u.Instances {
		for name := range inst.Computes() {
			if _, given := root.Args[name]; given {
				out[name] = struct{}{} // which must not take the place of the value
			}
		}
		for name := range inst.Env.Bound {
			if !root.Same(inst.Env, name) && slices.Contains(inst.Reads, name) {
				add(name)
			}
		}
		if inst.Env.File() == u.file() && !bake {
			continue
		}
		for _, name := range inst.Reads {
			mine, has := inst.Env.Args[name]
			theirs, given := root.Args[name]
			if has != given || mine != theirs || bake && given {
				add(name)
			}
		}
	}
	return out
}

// offSomewhere returns the global ARGs that some instance does not have: a
// condition takes them away, or its stage is one of another file. An instance that
// has one gets its value written out. One that is fixed, all have that are left.
// The converter knows no LET, and so none of what is made of one.
func (u *Unit) offSomewhere(fixed map[string]bool) map[*syntax.Instruction]bool {
	out := map[*syntax.Instruction]bool{}
	made := map[string]bool{}
	for _, in := range u.file().Args {
		if in.Let != nil {
			out[in], made[in.Let.Name] = true, true
			continue
		}
		cmd, ok := in.Command.(*instructions.ArgCommand)
		if !ok || slices.ContainsFunc(cmd.Args, func(arg instructions.KeyValuePairOptional) bool { return fixed[arg.Key] }) && !u.Root.Env.Off(in) {
			continue
		}
		lacks := func(inst *plan.Instance) bool {
			if inst.Env.File() == u.file() && in.Inner() == nil {
				return in.Conditional() && inst.Env.Off(in)
			}
			return slices.ContainsFunc(cmd.Args, func(arg instructions.KeyValuePairOptional) bool {
				_, set := inst.Env.Global(arg.Key)
				return !set && slices.Contains(inst.Reads, arg.Key)
			})
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(made)), in.Uses) {
			out[in] = true
			for _, arg := range cmd.Args {
				made[arg.Key] = true
			}
			continue
		}
		if slices.ContainsFunc(u.Instances, lacks) {
			out[in] = true
		}
	}
	return out
}

// declaration is an ARG that an instance declares, and the instruction that does.
type declaration struct {
	name string
	in   *syntax.Instruction
	// ofImage is set for a trigger of a base that is an image in the text, which has
	// no line for it.
	ofImage bool
}

// declarations yields those of an instance.
func (u *Unit) declarations(inst *plan.Instance) iter.Seq[declaration] {
	return func(yield func(declaration) bool) {
		if inst.Replaced {
			return
		}
		for _, c := range inst.Carried {
			if c.Value == nil && c.Word < 0 && !yield(declaration{name: c.Name, in: c.In}) {
				return
			}
		}
		for _, g := range inst.Globals {
			if !yield(declaration{name: g.Name, in: inst.Instructions[g.Before]}) {
				return
			}
		}
		each := func(in *syntax.Instruction, ofImage bool) bool {
			if in.Keyword != command.Arg {
				return true
			}
			for _, word := range in.Words() {
				name, _, _ := strings.Cut(word, "=")
				if !yield(declaration{name, in, ofImage}) {
					return false
				}
			}
			return true
		}
		for _, in := range inst.Instructions {
			if !each(in, false) {
				return
			}
		}
		if !u.Sealed(inst.Base) {
			return
		}
		for _, in := range inst.Base.Triggers() {
			if !each(in, true) {
				return
			}
		}
	}
}

func hasDefault(in *syntax.Instruction, name string) bool {
	return in.Keyword == command.Arg && slices.ContainsFunc(in.Words(), func(word string) bool { return strings.HasPrefix(word, name+"=") })
}

// arg returns the value that an ARG has in inst when the converter would come to
// another one.
func (v *values) arg(inst *plan.Instance, name string, hasDefault bool) (string, bool) {
	if value, ok := inst.Env.Computed(name); ok {
		return value, true
	}
	if v.passed != nil {
		return v.frozen(inst, name, hasDefault)
	}
	if value, ok := inst.Env.Args[name]; ok {
		_, varies := v.varying[name]
		return value, varies
	}
	if hasDefault {
		return "", false
	}
	value, ok := inst.Env.Global(name)
	theirs, set := v.env.Global(name)
	return value, ok && (!set || theirs != value)
}

// expand returns what a word of inst's FROM means, and whether it means the same in
// the text.
func (v *values) expand(inst *plan.Instance, word string) (meaning string, same bool, err error) {
	if meaning, err = inst.Env.Expand(word); err != nil {
		return "", false, inst.From.Locate(err)
	}
	if v.passed != nil && slices.ContainsFunc(syntax.Variables(word), func(name string) bool { return fixesName(inst, name) }) {
		return meaning, meaning == word, nil
	}
	theirs, err := v.env.Expand(word)
	return meaning, err == nil && theirs == meaning, nil
}

// args returns the build args of the text.
func (v *values) args(root *plan.Instance) map[string]string {
	out := maps.Clone(root.Env.Args)
	for name := range v.varying {
		delete(out, name)
	}
	return out
}
