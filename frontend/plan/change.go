package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Change is what becomes of the image of a base before the steps of a stage run on it.
type Change interface {
	// Refuse returns the mistake of a change where only plain Dockerfiles can stand.
	Refuse() error
}

// Reset takes parts of its config away: an UNSET, or a FROM --reset.
type Reset struct {
	// In is the instruction that asks for it.
	In *syntax.Instruction
	// Parts are what goes.
	Parts []syntax.Unset
}

// Squash makes one layer of it.
type Squash struct{ In *syntax.Instruction }

// KeepCommand gives it the CMD that it had before the part above: an ENTRYPOINT there keeps a
// CMD of its own stage, whatever stands between both.
type KeepCommand struct{}

// Refuse implements Change.
func (r Reset) Refuse() error {
	if r.In.Unset != nil {
		return r.In.ErrorOfLine(errors.New("UNSET has no plain form: a Dockerfile cannot take away what is set"))
	}
	return r.In.Errorf(r.In.ResetFlag, "--reset has no plain form: a Dockerfile cannot take away what is set")
}

// Refuse implements Change.
func (s Squash) Refuse() error {
	return s.In.Errorf(s.In.SquashFlag, "--squash has no plain form")
}

// Refuse implements Change; the change behind which it stands comes first.
func (KeepCommand) Refuse() error { return nil }

// changesOf returns what a FROM does to its base.
func changesOf(from *syntax.Instruction) []Change {
	var out []Change
	if len(from.Reset) > 0 {
		out = append(out, Reset{from, from.Reset})
	}
	if from.Squash {
		out = append(out, Squash{from})
	}
	return out
}

// changeBase makes the changes of a FROM those of its base, which then is a build of its own.
func (p *planner) changeBase(inst *Instance, at place) error {
	base := &inst.Base
	base.Changes = changesOf(inst.From)
	merge, ok, err := p.merge(inst, at)
	if err != nil {
		return err
	}
	if ok { // before it becomes one layer
		n := len(base.Changes)
		if inst.From.Squash {
			n--
		}
		base.Changes = slices.Insert(base.Changes, n, Change(merge))
	} else if from := inst.From; from.Squash && (base.To == nil && base.Name == scratch || base.To != nil && base.To.empty) { // there is no layer
		base.Changes = base.Changes[:len(base.Changes)-1]
		p.warnOnce(RuleNothingToSquash, from, from.Place(from.SquashFlag), "%s has no files: there is nothing to squash", base.Title())
	}
	if len(base.Changes) == 0 || base.To == nil || base.Sealed {
		return nil
	}
	if err := refuseTriggers(at, *base); err != nil {
		return err
	}
	platform := base.To.Platform()
	base.Sealed, base.Platform = true, &platform
	if inst.From.WholeReset() {
		return nil
	}
	base.Open = true
	inst.Carried, err = p.carried(base.To, len(base.To.Instructions), *base, inst.From)
	return err
}

// RuleNothingToSquash warns of a squash of nothing.
var RuleNothingToSquash = diagnostic.NewRule("NothingToSquash", "What has no files has no layers that FROM --squash could make one of")

// warnOnce warns of something that more than one instance has.
func (p *planner) warnOnce(rule *diagnostic.Rule, of any, at diagnostic.Place, format string, args ...any) {
	if !p.warned[of] {
		p.warned[of] = true
		p.out.Warnings = append(p.out.Warnings, diagnostic.Warnf(rule, at, format, args...))
	}
}

// Title is what users call a base: for the part of a FROM alone, what that names.
func (e Edge) Title() string {
	for e.To != nil && (e.To.Bare || e.Within && len(e.To.Instructions) == 0) {
		e = e.To.Base
	}
	if e.To == nil {
		return e.Name
	}
	return e.To.Name
}

// Resets reports whether a change takes a whole part of the config away.
func (e Edge) Resets(part string) bool {
	return slices.ContainsFunc(e.Changes, func(c Change) bool {
		r, ok := c.(Reset)
		return ok && slices.ContainsFunc(r.Parts, func(u syntax.Unset) bool { return u.Of == part && len(u.Names) == 0 })
	})
}

// Triggers returns the instructions that a base leaves for the stage that is built FROM it.
func (e Edge) Triggers() []*syntax.Instruction {
	if e.To == nil || e.Within || e.Resets("ONBUILD") {
		return nil
	}
	var out []*syntax.Instruction
	for _, in := range e.To.Instructions {
		if in.OnBuild {
			out = append(out, in)
		}
	}
	return out
}

// taken is what an instruction takes away of the names of a base, which are not known, and of
// those that were.
type taken struct {
	syntax.Unset
	by    *syntax.Instruction
	known []string
}

// unset makes names of ENV unknown to a scope until something sets them again.
func (s *scope) unset(u syntax.Unset, by *syntax.Instruction) {
	if u.Of != "ENV" {
		return
	}
	gone := taken{Unset: u, by: by}
	for name := range s.local {
		if u.Takes(name) {
			delete(s.local, name)
			delete(s.config, name)
			gone.known = append(gone.known, name)
		}
	}
	s.gone = append(slices.Clip(s.gone), gone)
}

// place tells a reader of a file where that stands.
func (t *taken) place(reader *syntax.File) string {
	if file := t.by.File(); file.Text != reader.Text {
		return fmt.Sprintf("line %d of %s", t.by.StartLine, file.Name)
	}
	return fmt.Sprintf("line %d", t.by.StartLine)
}

// takenBy returns what took a name away that nothing has set since; nil if nothing did.
func (s *scope) takenBy(name string) *taken {
	if _, set := s.local[name]; !set {
		for _, gone := range slices.Backward(s.gone) {
			if gone.Takes(name) {
				return &gone
			}
		}
	}
	return nil
}

// hides reports whether an UNSET above took a name away that was set there, and that nothing
// has set since. A global ARG that the stage does not declare is none that it takes.
func (s *scope) hides(name string) bool {
	_, set := s.local[name]
	return !set && slices.ContainsFunc(s.gone, func(t taken) bool { return slices.Contains(t.known, name) })
}

// apply makes a change of the base one of its names.
func (s *scope) apply(c Change) {
	switch c := c.(type) {
	case Take:
		s.take(c.In)
	case Merge:
		s.merge(c)
	case Reset:
		s.reset(c)
	}
}

func (s *scope) reset(r Reset) {
	for _, u := range r.Parts {
		s.unset(u, r.In)
	}
	if r.In.WholeReset() { // no ARG comes along, and the file system has no environment
		clear(s.local)
		clear(s.config)
		s.opened = nil
	}
}
