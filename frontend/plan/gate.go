package plan

import (
	"cmp"
	"iter"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Gates yields the gates of the instance: the edges of its --after, each with its
// reference.
func (i *Instance) Gates() iter.Seq2[*syntax.Reference, Edge] {
	return func(yield func(*syntax.Reference, Edge) bool) {
		for _, ref := range i.From.References {
			for _, e := range i.Edges[ref] {
				if !yield(ref, e) {
					return
				}
			}
		}
	}
}

// Wait is a gate that has something to build.
type Wait struct {
	// Edge is that of an --after; that of a limit leads nowhere: what is measured is the
	// stage itself.
	Edge
	// Limit is that of a --max-size; nil for any other gate.
	Limit *Limit
	// From is the FROM of the stage, Reference what its --after names.
	From      *syntax.Instruction
	Reference *syntax.Reference
}

// Title is what users call the gate.
func (w Wait) Title() string {
	if w.Limit != nil {
		return "--max-size=" + w.Limit.Text
	}
	return cmp.Or(w.Call, w.Reference.Text)
}

// Waits returns the gates of the instance that have something to build: steps, or
// gates of their own or of what they are built FROM. A stage of gates without steps
// is there once these are.
func (i *Instance) Waits() []Wait { return i.waits }

// Limit returns how large the instance may be; nil for no limit.
func (i *Instance) Limit() *Limit { return i.limit }

// findWaits finds out what the instance builds. That of all it needs is known.
func (i *Instance) findWaits() {
	base := i.Base.To
	i.empty = !i.Replaced && i.makesNothing() && (base == nil && i.Base.Name == scratch || base != nil && base.empty)
	for ref, e := range i.Gates() {
		if e.To.builds {
			i.waits = append(i.waits, Wait{Edge: e, From: i.From, Reference: ref})
		}
	}
	if i.limit != nil && !i.Goes && !i.empty {
		i.waits = slices.Insert(i.waits, 0, Wait{Limit: i.limit, From: i.From}) // it waits for no other
	}
	for use := range i.operands() {
		if use.Kind == KindOperand {
			i.empty = i.empty && use.To.empty
			i.builds = i.builds || use.To.builds
		}
	}
	i.builds = i.builds || !i.empty || len(i.waits) > 0 || base != nil && base.builds
}

// makesNothing reports whether no instruction that runs in the stage makes files.
func (i *Instance) makesNothing() bool {
	for _, in := range i.steps() {
		switch in.Keyword {
		case command.Run, command.Copy, command.Add, command.Workdir:
			return false
		}
	}
	return true
}

// Empty reports whether the instance has no files and nothing that makes any. Its
// gates have to build all the same.
func (i *Instance) Empty() bool { return i.empty }

// RuleGateOfContext warns of a stage with gates that a named context replaces.
var RuleGateOfContext = diagnostic.NewRule("GateOfContext", "A named context replaces a stage of its name: the gates and limits of the stage do not hold then")

// warnReplacedGates warns of what a FROM asks for in vain.
func (p *planner) warnReplacedGates(inst *Instance) {
	from := inst.From
	for _, ref := range from.References {
		if ref.After {
			p.warnOnce(RuleGateOfContext, ref, from.Place(ref.Span), "the named context %s replaces the stage: nothing waits for %s", inst.Stage.Name, ref.Text)
		}
	}
	if from.MaxSize != "" {
		p.warnOnce(RuleGateOfContext, from, from.Place(from.MaxSizeFlag), "the named context %s replaces the stage: its size is not held against --max-size=%s", inst.Stage.Name, from.MaxSize)
	}
}
