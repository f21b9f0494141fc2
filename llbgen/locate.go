package llbgen

import (
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// locate returns where ranges of the unit's text stand in the files: an instruction is
// shown whole. index numbers the files. Callers must not change the ranges of the
// result: vertices of one instruction share them.
func (u *unit) locate(ranges []*pb.Range, index func(*diagnostic.Text) int32) []*pb.Location {
	lines := make([]int, len(ranges))
	for i, r := range ranges {
		lines[i] = int(r.Start.Line)
	}
	var out []*pb.Location
	for _, in := range u.file.Instructions(lines) {
		if u.located[in] == nil {
			u.located[in] = rangesPB(in.Location())
		}
		file := index(in.File().Text)
		if n := len(out); n > 0 && out[n-1].SourceIndex == file {
			out[n-1].Ranges = append(out[n-1].Ranges, u.located[in]...)
		} else {
			out = append(out, &pb.Location{SourceIndex: file, Ranges: slices.Clip(u.located[in])})
		}
	}
	return out
}

func rangesPB(ranges []parser.Range) []*pb.Range {
	out := make([]*pb.Range, 0, len(ranges))
	for _, r := range ranges {
		out = append(out, &pb.Range{
			Start: &pb.Position{Line: int32(r.Start.Line), Character: int32(r.Start.Character)},
			End:   &pb.Position{Line: int32(r.End.Line), Character: int32(r.End.Character)},
		})
	}
	return out
}
