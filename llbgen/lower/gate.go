package lower

import (
	"iter"
	"slices"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// Gates are those that a text has. At the end of a stage that waits the text has a
// COPY from each gate, of a path that is the gate's name: it makes an op with both
// as its inputs, which llbgen then replaces by one that only waits.
type Gates struct {
	// Stage is the stage at the end of the text that has the gates of all others,
	// for an engine on which a stage cannot wait; empty for none.
	Stage string
	any   bool
	steps map[*plan.Instance]int
}

// Any reports whether the text has gates.
func (g *Gates) Any() bool { return g.any }

// Steps returns how many steps of an instance stand for gates.
func (g *Gates) Steps(inst *plan.Instance) int { return g.steps[inst] }

// nothing writes a stage without files, from which stages that are measured copy.
func (l *lowerer) nothing() error {
	measured := func(inst *plan.Instance) bool {
		return slices.ContainsFunc(inst.Waits(), func(w plan.Wait) bool { return w.Limit != nil })
	}
	if !l.opt.Wait || !slices.ContainsFunc(l.unit.Instances, measured) {
		return nil
	}
	return l.from(nil, newFrom("FROM", scratch, l.names().other("nothing", "")))
}

// gates writes what stands for the gates of inst.
func (l *lowerer) gates(inst *plan.Instance) error {
	if !l.opt.Wait {
		return nil
	}
	for _, w := range inst.Waits() {
		if err := l.gate(inst, w); err != nil {
			return err
		}
		l.file.Gates.steps[inst]++
	}
	return nil
}

// gate writes what stands for a gate of inst.
func (l *lowerer) gate(inst *plan.Instance, gate plan.Wait) error {
	in := gate.From
	source := ""
	switch {
	case gate.Limit == nil:
		source = l.edge(inst, gate.Edge)
	case l.opt.Wait:
		source = l.names().other("nothing", "") // a stage cannot copy from itself
	default:
		source = l.nameOf(inst)
	}
	from, err := text.Image(source)
	if err != nil {
		return in.Locate(err)
	}
	name, err := text.Stage(l.names().add(""))
	if err != nil {
		return in.Locate(err)
	}
	l.file.Gates.any = true
	l.file.add(Origin{Span: l.out.Copy(in, from, text.Path(name)), In: in, Instance: l.current, Gate: &gate})
	return nil
}

// gateStage writes the stage that needs the gates of all others of which the result
// is made.
func (l *lowerer) gateStage() error {
	if l.opt.Wait {
		return nil
	}
	for inst, w := range l.allWaits() {
		if l.file.Gates.Stage == "" {
			l.file.Gates.Stage = l.names().other("gates", "gates")
			if err := l.from(nil, newFrom("FROM", scratch, l.file.Gates.Stage)); err != nil {
				return err
			}
		}
		if err := l.gate(inst, w); err != nil {
			return err
		}
	}
	return nil
}

// allWaits yields the gates of all instances of which the result is made, each once and with
// the first one that waits for it.
func (l *lowerer) allWaits() iter.Seq2[*plan.Instance, plan.Wait] {
	return func(yield func(*plan.Instance, plan.Wait) bool) {
		seen := map[*plan.Instance]bool{}
		for _, inst := range l.unit.Instances {
			if !l.unit.needed[inst] {
				continue
			}
			for _, w := range inst.Waits() {
				if w.Limit == nil {
					if seen[w.To] || w.To.Empty() { // whose own gates are among those of all
						continue
					}
					seen[w.To] = true
				}
				if !yield(inst, w) {
					return
				}
			}
		}
	}
}
