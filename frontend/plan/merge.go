package plan

import (
	"slices"

	"github.com/containerd/platforms"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Merge adds to a base what each operand of a FROM --with has changed.
type Merge struct {
	In       *syntax.Instruction
	Operands []Operand
}

// Operand is one of a FROM --with.
type Operand struct {
	// Edge is the operand as it is written.
	Edge      Edge
	Reference *syntax.Reference
	// Unit is what is built, Ancestor what it shares with the base and adds to; nil where it
	// is built FROM scratch, and all of it is added.
	Unit, Ancestor *Instance
	// Nothing says that the base is built on it.
	Nothing bool
}

// Refuse implements Change.
func (m Merge) Refuse() error {
	return m.In.Errorf(m.Operands[0].Reference.Span, "--with has no plain form: COPY --from=%s what is needed of it", m.Operands[0].Reference.Text)
}

// Empty reports whether no operand has files.
func (m Merge) Empty() bool {
	return !slices.ContainsFunc(m.Operands, func(o Operand) bool { return !o.Unit.empty })
}

// merge resolves the operands of a FROM; ok is false where it has none. What changes the base
// before is made already.
func (p *planner) merge(inst *Instance, at place) (m Merge, ok bool, err error) {
	m.In = inst.From
	below := inst.Base
	below.Changes = nil
	base := p.lineage(below)
	for _, ref := range inst.From.References {
		if !ref.With {
			continue
		}
		at.kind, at.reference = KindOperand, ref
		edges, err := p.edges(at)
		if err != nil {
			return m, false, err
		}
		o := Operand{Edge: edges[0], Reference: ref}
		if o.Edge.To == nil && o.Edge.Name == scratch {
			return m, false, at.errorf(ref.Span, "scratch has nothing to add")
		}
		if o.Unit = o.Edge.To; o.Unit == nil {
			o.Unit = p.bare(inst, o.Edge)
		}
		if mine, theirs := o.Unit.Platform(), inst.Platform(); !o.Unit.empty && platforms.FormatAll(platforms.Normalize(mine)) != platforms.FormatAll(platforms.Normalize(theirs)) && inst.Base.Title() != scratch {
			return m, false, at.errorf(ref.Span, "%s is for %s and the base for %s: all that is merged has one platform", ref.Text, platforms.FormatAll(mine), platforms.FormatAll(theirs))
		}
		if err := p.ancestor(inst, at, &o, base); err != nil {
			return m, false, err
		}
		m.Operands = append(m.Operands, o)
	}
	p.warnDatabases(inst, m)
	return m, len(m.Operands) > 0, nil
}

// bare returns an instance that is an image or a named context and nothing more, so that it
// can be a unit: its triggers do not run.
func (p *planner) bare(inst *Instance, e Edge) *Instance {
	e.Kind, e.Changes = KindBase, nil
	part := &Instance{Stage: inst.Stage, Env: inst.Env, From: inst.From, Base: e, Bare: true}
	p.add(part)
	return part
}

// link is a step on the way from a stage down to what it is built FROM in the end: an
// instance, or an image or context by name and platform.
type link struct {
	inst *Instance
	name string
	edge Edge
}

func (l link) same(other link) bool {
	return l.inst != nil && l.inst == other.inst || l.name != "" && l.name == other.name
}

// lineage returns the way down of a base. Nothing is below what a squash made, nor below
// scratch.
func (p *planner) lineage(e Edge) []link {
	var out []link
	for {
		if slices.ContainsFunc(e.Changes, func(c Change) bool { _, ok := c.(Squash); return ok }) {
			return out
		}
		if e.To != nil {
			if !e.To.Bare { // which is its image
				out = append(out, link{inst: e.To})
			}
			if e.To.Replaced {
				out = append(out, link{name: "context " + e.To.Base.Name + " " + platforms.FormatAll(*e.To.Base.Platform), edge: e.To.Base})
				return out
			}
			e = e.To.Base
			continue
		}
		if e.Name == scratch {
			return append(out, link{name: scratch})
		}
		kind := "image "
		if e.Context {
			kind = "context "
		}
		return append(out, link{name: kind + e.Image() + " " + platforms.FormatAll(*e.Platform), edge: e})
	}
}

// ancestor finds the nearest of what an operand shares with the base: there need be none where
// it is built FROM scratch.
func (p *planner) ancestor(inst *Instance, at place, o *Operand, base []link) error {
	own := p.lineage(Edge{To: o.Unit})
	if o.Edge.To == nil {
		own = p.lineage(o.Edge)
	}
	for n, l := range own {
		if l.name == scratch {
			return nil
		}
		if !slices.ContainsFunc(base, l.same) {
			continue
		}
		if o.Nothing = n == 0; o.Nothing && !p.warned[o.Reference] {
			p.warned[o.Reference] = true
			p.out.Warnings = append(p.out.Warnings, diagnostic.Warnf(RuleNothingToAdd, inst.From.Place(o.Reference.Span), "%s adds nothing: the base is built on it", o.Reference.Text))
		}
		if o.Ancestor = l.inst; l.inst == nil {
			o.Ancestor = p.bare(inst, l.edge)
		}
		return nil
	}
	return at.errorf(o.Reference.Span, "%s and %s share nothing that both are built FROM: what of %s is to be added cannot be told. Take it whole: COPY --from=%s / /",
		o.Reference.Text, inst.Base.Title(), o.Reference.Text, o.Reference.Text)
}

// RuleNothingToAdd warns of an operand that adds nothing.
var RuleNothingToAdd = &diagnostic.Rule{
	Name:        "NothingToAdd",
	Description: "A stage that the base of a FROM --with is built on already adds nothing to it",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/nothing-to-add.md",
}

// RuleTriggersDropped warns of an operand with triggers.
var RuleTriggersDropped = &diagnostic.Rule{
	Name:        "TriggersDropped",
	Description: "The triggers of what FROM --with adds do not run, and are not in the image",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/triggers-dropped.md",
}
