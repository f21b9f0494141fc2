package plan

import (
	"slices"

	"github.com/containerd/platforms"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
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
	// names are those of Unit, below those of Ancestor.
	names, below *scope
}

// Refuse implements Change.
func (m Merge) Refuse() error {
	return m.In.Errorf(m.Operands[0].Reference.Span, "--with has no plain form: COPY --from=%s what is needed of it", m.Operands[0].Reference.Text)
}

// merge resolves the operands of a FROM; ok is false where it has none. What changes the base
// before is made already.
func (p *planner) merge(inst *Instance, at place) (m Merge, ok bool, err error) {
	m.In = inst.From
	below := inst.Base
	below.Changes = nil
	base, _ := lineage(below)
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
			if o.Unit, err = p.bare(at, o.Edge); err != nil {
				return m, false, err
			}
		}
		if mine, theirs := o.Unit.Platform(), inst.Platform(); !o.Unit.empty && platforms.FormatAll(platforms.Normalize(mine)) != platforms.FormatAll(platforms.Normalize(theirs)) && inst.Base.Title() != scratch {
			return m, false, at.errorf(ref.Span, "%s is for %s and the base for %s: all that is merged has one platform", ref.Text, platforms.FormatAll(mine), platforms.FormatAll(theirs))
		}
		if err := p.ancestor(inst, at, &o, base); err != nil {
			return m, false, err
		}
		if o.names, err = o.Unit.scopeBefore(p, len(o.Unit.Instructions)); err != nil {
			return m, false, err
		}
		if o.Ancestor != nil {
			if o.below, err = o.Ancestor.scopeBefore(p, len(o.Ancestor.Instructions)); err != nil {
				return m, false, err
			}
		}
		m.Operands = append(m.Operands, o)
	}
	p.warnDatabases(inst, m)
	return m, len(m.Operands) > 0, nil
}

// newBare returns an instance that is an image or a named context and nothing more, so that it
// can be a unit: its triggers do not run.
func newBare(inst *Instance, e Edge) *Instance {
	e.Kind, e.Changes = KindBase, nil
	return &Instance{Stage: inst.Stage, Env: inst.Env, From: inst.From, Base: e, Bare: true}
}

// bare returns such an instance for a place, one for all of a file.
func (p *planner) bare(at place, e Edge) (*Instance, error) {
	inst := at.inst
	key := bareKey{inst.Env.File(), outer(e).name}
	if known, ok := p.bares[key]; ok {
		return known, nil
	}
	if len(p.out.Instances) >= MaxInstances {
		return nil, inst.From.Locate(tooManyInstances())
	}
	part := newBare(inst, e)
	part.Asked, part.limit = at.in.Place(at.reference.Span), p.measured(part)
	p.add(part)
	p.bares[key] = part
	return part, nil
}

type bareKey struct {
	file *module.File
	name string
}

// link is a step on the way from a stage down to what it is built FROM in the end: an
// instance, or an image or context by name and platform.
type link struct {
	inst *Instance
	name string
}

// outer returns the link that an image, a context or scratch is.
func outer(e Edge) link {
	switch platform := " " + platforms.FormatAll(*e.Platform); {
	case e.Context:
		return link{name: "context " + e.Name + platform}
	case e.Name != scratch:
		return link{name: "image " + e.Image() + platform}
	}
	return link{name: scratch}
}

// lineage returns the way down of a base, and what is outside of the files at its end. Nothing
// is below what a squash made, nor below scratch.
func lineage(e Edge) (way []link, end Edge) {
	for !slices.ContainsFunc(e.Changes, func(c Change) bool { _, ok := c.(Squash); return ok }) {
		if e.To == nil {
			return append(way, outer(e)), e
		}
		if !e.To.Bare { // which is its image
			way = append(way, link{inst: e.To})
		}
		e = e.To.Base
	}
	return way, Edge{}
}

// ancestor finds the nearest of what an operand shares with the base: there need be none where
// it is built FROM scratch.
func (p *planner) ancestor(inst *Instance, at place, o *Operand, base []link) (err error) {
	own, end := lineage(Edge{To: o.Unit})
	for n, l := range own {
		if l.name == scratch {
			return nil
		}
		if !slices.Contains(base, l) {
			continue
		}
		if o.Nothing = !slices.ContainsFunc(own[:n], func(l link) bool { return l.inst.adds() }); o.Nothing {
			p.warnOnce(RuleNothingToAdd, o.Reference, inst.From.Place(o.Reference.Span), "%s adds nothing: the base is built on all that it has", o.Reference.Text)
		}
		if o.Ancestor = l.inst; l.inst == nil {
			o.Ancestor, err = p.bare(at, end)
		}
		return err
	}
	if err := refuseOperand(at, o.Edge); err != nil {
		return err
	}
	return at.errorf(o.Reference.Span, "%s and %s share nothing that both are built FROM: what of %s is to be added cannot be told. Take it whole: COPY --from=%s / /",
		o.Reference.Text, inst.Base.Title(), o.Reference.Text, o.Reference.Text)
}

// adds reports whether an instance may be more than its base.
func (i *Instance) adds() bool {
	return len(i.Instructions) > 0 || len(i.Base.Changes) > 0 || len(i.Base.Triggers()) > 0 || len(i.waits) > 0 || i.Replaced
}

// RuleNothingToAdd warns of an operand that adds nothing.
var RuleNothingToAdd = diagnostic.NewRule("NothingToAdd", "A stage that the base of a FROM --with is built on already adds nothing to it")

// RuleTriggersDropped warns of an operand with triggers.
var RuleTriggersDropped = diagnostic.NewRule("TriggersDropped", "The triggers of what FROM --with adds do not run, and are not in the image")
