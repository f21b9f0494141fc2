package llbgen

import (
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// origin says that lines first to last of a lowered text are an instruction.
type origin struct {
	first, last int
	in          *syntax.Instruction
	inst        *plan.Instance // nil for what belongs to none
	// platform is set for a FROM to which lowering added a platform.
	platform bool
}

// original returns the origin of a line of the text.
func (l *lowered) original(line int) (origin, bool) {
	lo, hi := 0, len(l.lines)
	for lo < hi {
		if mid := (lo + hi) / 2; l.lines[mid].last < line {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(l.lines) && l.lines[lo].first <= line {
		return l.lines[lo], true
	}
	return origin{}, false
}

// locatePB returns where ranges of the text stand in the files: an instruction is
// shown whole. index numbers the files. Callers must not change the ranges of the
// result: vertices of one instruction share them.
func (l *lowered) locatePB(ranges []*pb.Range, index func(*diagnostic.Text) int32) []*pb.Location {
	var out []*pb.Location
	var last *syntax.Instruction
	for _, r := range ranges {
		o, ok := l.original(int(r.Start.Line))
		if !ok || o.in == last {
			continue
		}
		last = o.in
		if l.located[o.in] == nil {
			l.located[o.in] = rangesPB(o.in.Location())
		}
		file := index(o.in.File().Text)
		if n := len(out); n > 0 && out[n-1].SourceIndex == file {
			out[n-1].Ranges = append(out[n-1].Ranges, l.located[o.in]...)
		} else {
			out = append(out, &pb.Location{SourceIndex: file, Ranges: slices.Clip(l.located[o.in])})
		}
	}
	return out
}

// locate returns where ranges of the text stand in the files, those in one file
// after another together.
func (l *lowered) locate(ranges []parser.Range) []diagnostic.Place {
	var out []diagnostic.Place
	var last *syntax.Instruction
	for _, r := range ranges {
		o, ok := l.original(r.Start.Line)
		if !ok || o.in == last {
			continue
		}
		last = o.in
		if n := len(out); n > 0 && out[n-1].Text == o.in.File().Text {
			out[n-1].Ranges = append(out[n-1].Ranges, o.in.Location()...)
		} else {
			out = append(out, o.in.Lines())
		}
	}
	return out
}
