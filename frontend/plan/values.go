package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Take sets ENVs or LABELs out of the config of another image, or out of a file in it: an
// ENV --from or a LABEL --from.
type Take struct {
	// In is the instruction that asks for it.
	In *syntax.Instruction
	// From is what the values come from, a build of its own.
	From Edge
	// Declared are the names that the stage has from ARGs there: a file of which all lines are
	// taken may set none of them, for what reads them is planned already.
	Declared []string
}

// Refuse implements Change.
func (t Take) Refuse() error {
	return t.In.Errorf(t.In.Values.From.Span, "%s --from has no plain form: a Dockerfile cannot take what another stage sets", t.In.Values.Of)
}

// take makes the change of an instruction of an instance, number n.
func (p *planner) take(inst *Instance, n int, in *syntax.Instruction) (Take, error) {
	t := Take{In: in, From: inst.Edges[in.Values.From][0]}
	if !in.Values.Env() || len(in.Values.Names) > 0 {
		return t, nil
	}
	names, err := inst.scopeBefore(p, n)
	if err != nil {
		return t, err
	}
	for name, v := range names.local {
		if v.arg {
			t.Declared = append(t.Declared, name)
		}
	}
	for _, g := range inst.Globals { // by itself, further down
		t.Declared = append(t.Declared, g.Name)
	}
	slices.Sort(t.Declared)
	return t, nil
}

// take makes the names that an ENV --from sets unknown to a scope.
func (s *scope) take(in *syntax.Instruction) {
	v := in.Values
	if !v.Env() {
		return
	}
	source := v.From.Text
	if v.File != "" {
		source = v.File + " of " + source
	}
	if len(v.Names) == 0 { // any name may be among them
		s.open(&opening{source, in})
		return
	}
	for _, n := range v.Names {
		value := value{set: true, declared: true, unknown: &unknown{name: n.Name, base: fmt.Sprintf("what line %d takes", in.StartLine), taken: source, line: in.StartLine}}
		s.local[n.Name] = value
		s.setConfig(n.Name, value)
	}
}

// open makes any name one that a file may set.
func (s *scope) open(o *opening) {
	s.opened = o
	s.gone = nil
	for name, old := range s.local {
		if !old.arg {
			delete(s.local, name)
			delete(s.config, name)
		}
	}
}

// waitForFiles makes what the build reads files of as values a gate of its result, which is
// made of them too. Nothing else waits for them: a step hangs on the values alone, and finds its
// cache where these are what they were.
func (i *Instance) waitForFiles() {
	all := []*Instance{i}
	i.reach(map[*Instance]bool{i: true}, &all)
	slices.SortFunc(all, func(a, b *Instance) int { return a.ID - b.ID })
	for _, inst := range all {
		for use := range inst.operands() {
			if use.Kind != KindValues || use.In.Values.File == "" || !use.To.builds {
				continue
			}
			if !slices.ContainsFunc(i.waits, func(w Wait) bool { return w.To == use.To }) {
				i.waits = append(i.waits, Wait{Edge: use.Edge, From: use.In, Reference: use.Reference})
			}
		}
	}
}

// opening is an ENV --from of all lines of a file, which may set any name.
type opening struct {
	source string
	in     *syntax.Instruction
}

// maySet returns why a name is not known: a file above may set it; nil if none does.
func (s *scope) maySet(name string) *unknown {
	if s.opened == nil || Predefined(name) || strings.HasPrefix(name, dataInput) || s.takenBy(name) != nil {
		return nil
	}
	return &unknown{name: name, base: fmt.Sprintf("what line %d takes", s.opened.in.StartLine), taken: s.opened.source, line: s.opened.in.StartLine, open: true}
}

// Opens reports whether ENVs, or LABELs, that no line names may come from a file of which the
// instance, or one that it is built FROM, takes all lines.
func (i *Instance) Opens(part string) bool {
	for ; i != nil; i = i.Base.To {
		if slices.ContainsFunc(i.Base.Changes, func(c Change) bool {
			t, ok := c.(Take)
			return ok && t.In.Values.Of == part && len(t.In.Values.Names) == 0
		}) {
			return true
		}
	}
	return false
}

// TakesUnbuilt reports whether an instruction of the instance uses a name whose value comes out of
// a file of another stage.
func (i *Instance) TakesUnbuilt(in *syntax.Instruction) bool {
	if i.Opens("ENV") {
		return true
	}
	for ; i != nil; i = i.Base.To {
		for _, c := range i.Base.Changes {
			t, ok := c.(Take)
			if ok && t.In.Values.File != "" && slices.ContainsFunc(t.In.Values.Names, func(n syntax.TakenValue) bool { return t.In.Values.Env() && in.Uses(n.Name) }) {
				return true
			}
		}
	}
	return false
}
