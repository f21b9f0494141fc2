package plan

import (
	"iter"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Use is an edge with the instruction and the reference that make it.
type Use struct {
	Edge
	In        *syntax.Instruction
	Reference *syntax.Reference
}

// Uses yields what the instance needs: what it is built FROM, its gates, and what the
// instructions name that run in it.
func (i *Instance) Uses() iter.Seq[Use] {
	return func(yield func(Use) bool) {
		from := i.From
		if !yield(Use{i.Base, from, from.References[len(from.References)-1]}) {
			return
		}
		for ref, e := range i.Gates() {
			if !yield(Use{e, from, ref}) {
				return
			}
		}
		for use := range i.operands() {
			if !yield(use) {
				return
			}
		}
		for holder, in := range i.steps() {
			for _, ref := range in.References {
				for _, e := range holder.Edges[ref] {
					if !yield(Use{e, in, ref}) {
						return
					}
				}
			}
		}
	}
}

// operands yields what is merged into the base, what that is compared with, and what values
// come from.
func (i *Instance) operands() iter.Seq[Use] {
	return func(yield func(Use) bool) {
		for _, c := range i.Base.Changes {
			if t, ok := c.(Take); ok && !yield(Use{t.From, t.In, t.In.Values.From}) {
				return
			}
			m, ok := c.(Merge)
			if !ok {
				continue
			}
			for _, o := range m.Operands {
				e := o.Edge
				e.To, e.Sealed = o.Unit, true
				if !yield(Use{e, m.In, o.Reference}) {
					return
				}
				if o.Ancestor != nil && !yield(Use{Edge{Kind: KindAncestor, To: o.Ancestor, Sealed: true}, m.In, o.Reference}) {
					return
				}
			}
		}
	}
}

// StageUses yields what the stage needs of which the instance is the last part: what its
// parts need but for each other.
func (i *Instance) StageUses() iter.Seq[Use] {
	return func(yield func(Use) bool) {
		for _, part := range i.Parts() {
			for use := range part.Uses() {
				if !use.Within && !yield(use) {
					return
				}
			}
		}
	}
}

// Parts returns the instances that the stage up to this one is cut into, the first one first.
func (i *Instance) Parts() []*Instance {
	out := []*Instance{i}
	for i.Base.Within {
		i = i.Base.To
		out = append(out, i)
	}
	slices.Reverse(out)
	return out
}

// KnowsWorkdir reports whether the working directory at the top of the instance hangs on no
// base image: the stage, or one that it is built FROM, sets it above or takes it away.
func (i *Instance) KnowsWorkdir() bool {
	if i.Base.Resets("WORKDIR") {
		return true
	}
	return i.Base.To != nil && (i.Base.Open || !i.Base.Sealed) && (i.Base.To.KnowsWorkdir() || slices.ContainsFunc(i.Base.To.Instructions, func(in *syntax.Instruction) bool {
		return in.Keyword == command.Workdir && !in.OnBuild
	}))
}

// All yields the edges of Uses.
func (i *Instance) All() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		for use := range i.Uses() {
			if !yield(use.Edge) {
				return
			}
		}
	}
}

// HasTriggers reports whether the instance leaves instructions to those that are built
// FROM it.
func (i *Instance) HasTriggers() bool {
	return slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool { return in.OnBuild })
}

// Steps returns how many steps the instance has that make a layer, in upstream's count.
func (i *Instance) Steps() int {
	n := 0
	for holder, in := range i.steps() {
		switch in.Keyword {
		case command.Run, command.Copy, command.Add, command.Workdir:
			for range holder.Variants(in) {
				n++
			}
		}
	}
	return n
}

// steps yields the instructions that run in the instance, each with the one that holds
// it: the triggers of what it is built FROM, and its own, which but for these run
// where they stand.
func (i *Instance) steps() iter.Seq2[*Instance, *syntax.Instruction] {
	return func(yield func(*Instance, *syntax.Instruction) bool) {
		if i.Replaced {
			return
		}
		for _, in := range i.Base.Triggers() {
			if !yield(i.Base.To, in) {
				return
			}
		}
		for _, in := range i.Instructions {
			if !in.OnBuild && !yield(i, in) {
				return
			}
		}
	}
}
