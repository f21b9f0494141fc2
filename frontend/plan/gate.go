package plan

import (
	"iter"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Gates yields the gates of the instance: the edges of its --after, each with its
// reference.
func (i *Instance) Gates() iter.Seq2[*syntax.Reference, Edge] {
	return func(yield func(*syntax.Reference, Edge) bool) {
		for _, ref := range i.Stage.From.References {
			for _, e := range i.Edges[ref] {
				if !yield(ref, e) {
					return
				}
			}
		}
	}
}

// Wait is a stage that has to build for another one to be there.
type Wait struct {
	// Edge leads to the stage. It is sealed when the way there leads through a
	// sealed one.
	Edge
	// From is the FROM whose --after names the stage, Reference that name: of the
	// instance that waits, or of a gate that has nothing to build but gates.
	From      *syntax.Instruction
	Reference *syntax.Reference
}

// Waits returns what has to build for the gates of the instance. A gate without
// steps stands for the gates of its own and of what it is built FROM.
func (i *Instance) Waits() []Wait { return i.waits }

func (i *Instance) findWaits() {
	var seen map[*Instance]bool
	for ref, e := range i.Gates() {
		if seen == nil {
			seen = map[*Instance]bool{}
		}
		switch {
		case seen[e.To]:
		case !e.To.Empty():
			seen[e.To] = true
			i.waits = append(i.waits, Wait{e, i.Stage.From, ref})
		default:
			seen[e.To] = true
			for _, w := range e.To.gated() {
				if !seen[w.To] {
					seen[w.To] = true
					w.Sealed = w.Sealed || e.Sealed
					i.waits = append(i.waits, w)
				}
			}
		}
	}
}

// gated returns what has to build for an instance without steps.
func (i *Instance) gated() []Wait {
	if i.Base.To == nil {
		return i.waits
	}
	out := slices.Clip(i.waits)
	for _, w := range i.Base.To.gated() {
		w.Sealed = w.Sealed || i.Base.Sealed
		out = append(out, w)
	}
	return out
}

// All yields the edges of the instance, that of its FROM first, and those to what
// its gates stand for.
func (i *Instance) All() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		if !yield(i.Base) {
			return
		}
		for _, e := range i.Gates() {
			if !yield(e) {
				return
			}
		}
		for _, w := range i.waits {
			if !yield(w.Edge) {
				return
			}
		}
		for _, in := range i.Instructions {
			for _, ref := range in.References {
				for _, e := range i.Edges[ref] {
					if !yield(e) {
						return
					}
				}
			}
		}
	}
}

// Empty reports whether the instance has no files and nothing that makes any. Its
// gates have to build all the same.
func (i *Instance) Empty() bool {
	switch {
	case i.Replaced, i.Base.To == nil && i.Base.Name != scratch, i.Base.To != nil && !i.Base.To.Empty():
		return false
	}
	return !slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool {
		switch in.Keyword {
		case command.Run, command.Copy, command.Add, command.Workdir:
			return !in.OnBuild
		}
		return false
	})
}
