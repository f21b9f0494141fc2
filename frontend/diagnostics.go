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

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// warnIn shows a lint warning of a file, that of sm, in the progress of the build.
// A warning that cannot be shown does not fail the build.
func warnIn(ctx context.Context, bc *dockerui.Client, src *dockerui.Source, sm *llb.SourceMap, w *diagnostic.Diagnostic) {
	text := linter.LintFormatShort(w.Rule.Name, w.Message, w.Place.Line())
	opts := client.WarnOpts{
		Level:  1,
		Detail: [][]byte{[]byte(w.Rule.Description)},
		URL:    w.Rule.URL,
		Range:  pbRanges(w.Place.Ranges),
	}
	if sm == src.SourceMap {
		src.Warn(ctx, text, opts)
		return
	}
	opts.SourceInfo = sourceInfo(sm)
	if vertex, err := sm.Definition.Head(); err == nil {
		_ = bc.GatewayClient().Warn(ctx, vertex, text, opts)
	}
}

// locate attaches the source excerpts of a located error, so that the client
// shows the lines at fault. sources gives the files.
func locate(err error, sources func(*diagnostic.Text) *llb.SourceMap) error {
	var (
		at      *diagnostic.Diagnostic
		located *parser.LocationError
	)
	switch {
	case errors.As(err, &at):
		for _, place := range at.Places() {
			err = withSource(err, sources(place.Text), place.Ranges)
		}
	case errors.As(err, &located):
		for _, ranges := range located.Locations {
			err = withSource(err, sources(nil), ranges)
		}
	}
	return err
}

func withSource(err error, sm *llb.SourceMap, ranges []parser.Range) error {
	return errdefs.WithSource(err, &errdefs.Source{
		Info:   sourceInfo(sm),
		Ranges: pbRanges(ranges),
	})
}

func sourceInfo(sm *llb.SourceMap) *pb.SourceInfo {
	return &pb.SourceInfo{
		Data:       sm.Data,
		Filename:   sm.Filename,
		Language:   sm.Language,
		Definition: sm.Definition.ToPB(),
	}
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
