package frontend

import (
	"context"
	"errors"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
)

// warnTo returns a lint callback that shows each warning in the progress of
// the build. A warning that cannot be shown does not fail the build.
func warnTo(ctx context.Context, src *dockerui.Source) linter.LintWarnFunc {
	return func(rule, description, url, msg string, ranges []parser.Range) {
		line := 0
		if len(ranges) > 0 {
			line = ranges[0].Start.Line
		}
		src.Warn(ctx, linter.LintFormatShort(rule, msg, line), client.WarnOpts{
			Level:  1,
			Detail: [][]byte{[]byte(description)},
			URL:    url,
			Range:  pbRanges(ranges),
		})
	}
}

// locate attaches the source excerpts of a located error, so that the client
// shows the lines at fault.
func locate(err error, sm *llb.SourceMap) error {
	var located *parser.LocationError
	if errors.As(err, &located) {
		for _, ranges := range located.Locations {
			err = withSource(err, sm, ranges)
		}
	}
	return err
}

func withSource(err error, sm *llb.SourceMap, ranges []parser.Range) error {
	return errdefs.WithSource(err, &errdefs.Source{
		Info: &pb.SourceInfo{
			Data:       sm.Data,
			Filename:   sm.Filename,
			Language:   sm.Language,
			Definition: sm.Definition.ToPB(),
		},
		Ranges: pbRanges(ranges),
	})
}

func pbRanges(ranges []parser.Range) []*pb.Range {
	if ranges == nil {
		return nil
	}
	out := make([]*pb.Range, 0, len(ranges))
	for _, r := range ranges {
		out = append(out, &pb.Range{Start: pbPosition(r.Start), End: pbPosition(r.End)})
	}
	return out
}

func pbPosition(p parser.Position) *pb.Position {
	return &pb.Position{Line: int32(p.Line), Character: int32(p.Character)}
}
