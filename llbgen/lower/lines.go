package lower

import (
	"sort"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// Lines say which instruction of a file each line of a text comes from.
type Lines struct{ origins []Origin }

// Origin is where some lines of a text come from.
type Origin struct {
	text.Span
	// In is nil for what comes from no instruction, Instance for what belongs to
	// none.
	In       *syntax.Instruction
	Instance *plan.Instance
	// Platform is set for a FROM to which lowering added a platform.
	Platform bool
	// Shown is the reference of a COPY as users see it, From what stands for it in the
	// text; empty where that is the name of the instance.
	From, Shown string
	// Arguments are those of a COPY as users see them; nil for those of the text.
	Arguments []string
	// Part is the stage of an expansion, without the suffix of its platform.
	Part string
	// Gate is the gate for which a COPY stands; nil for any other line.
	Gate *plan.Wait
}

// add notes the origin of lines behind all others.
func (l *Lines) add(o Origin) {
	if o.In != nil {
		l.origins = append(l.origins, o)
	}
}

// Of returns the origin of a line of the text.
func (l *Lines) Of(line int) (Origin, bool) {
	i := sort.Search(len(l.origins), func(i int) bool { return l.origins[i].Last >= line })
	if i < len(l.origins) && l.origins[i].First <= line {
		return l.origins[i], true
	}
	return Origin{}, false
}

// Instructions returns those from which lines of the text come, the ones that follow
// another from the same instruction left out.
func (l *Lines) Instructions(lines []int) []*syntax.Instruction {
	var out []*syntax.Instruction
	for _, line := range lines {
		if o, ok := l.Of(line); ok && (len(out) == 0 || out[len(out)-1] != o.In) {
			out = append(out, o.In)
		}
	}
	return out
}

// Locate returns where ranges of the text stand in the files, those in one file
// after another together. An instruction is shown whole.
func (l *Lines) Locate(ranges []parser.Range) []diagnostic.Place {
	lines := make([]int, len(ranges))
	for i, r := range ranges {
		lines[i] = r.Start.Line
	}
	var out []diagnostic.Place
	for _, in := range l.Instructions(lines) {
		if n := len(out); n > 0 && out[n-1].Text == in.File().Text {
			out[n-1].Ranges = append(out[n-1].Ranges, in.Location()...)
		} else {
			out = append(out, in.Lines())
		}
	}
	return out
}
