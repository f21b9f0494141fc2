package frontend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/source"
)

// warnIn shows a lint warning in the progress of the build: one of the main file
// as upstream does, one of an imported file with the file's name. A warning that
// cannot be shown does not fail the build.
func warnIn(ctx context.Context, bc *dockerui.Client, sources *source.Sources, w *diagnostic.Diagnostic) {
	text := linter.LintFormatShort(w.Rule.Name, w.Message, w.Place.Line())
	opts := client.WarnOpts{
		Level:  1,
		Detail: [][]byte{[]byte(w.Rule.Description)},
		URL:    w.Rule.URL,
		Range:  pbRanges(w.Place.Ranges),
	}
	if in := w.Place.Text; in == nil || in.Name == "" {
		sources.Main.Warn(ctx, text, opts)
		return
	}
	text = fmt.Sprintf("%s: %s (%s)", w.Rule.Name, w.Message, where(w.Place))
	sm := sources.SourceMap(w.Place.Text)
	opts.SourceInfo = shownInfo(sm, w.Place.Ranges)
	if vertex, err := sm.Definition.Head(); err == nil {
		_ = bc.GatewayClient().Warn(ctx, vertex, text, opts)
	}
}

// warner shows warnings. Upstream's converter gives them on goroutines of its own, so
// a panic is kept as the error of the build.
type warner struct {
	show func(*diagnostic.Diagnostic)
	mu   sync.Mutex
	err  error
}

func (w *warner) warn(d *diagnostic.Diagnostic) {
	err := guarded(func() error {
		w.show(d)
		return nil
	})
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}
}

// bug returns the panic, if there was one.
func (w *warner) bug() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// where says in which imported file, and on which of its lines, a place is.
func where(place diagnostic.Place) string {
	if line := place.Line(); line > 0 {
		return fmt.Sprintf("%s, line %d", place.Text.Name, line)
	}
	return place.Text.Name
}

// locate attaches the source excerpts of a located error, so that the client
// shows the lines at fault.
func locate(err error, sources *source.Sources) error {
	var (
		at      *diagnostic.Diagnostic
		located *parser.LocationError
	)
	switch {
	case errors.As(err, &at):
		for _, place := range at.Places() {
			err = withSource(err, sources.SourceMap(place.Text), place.Ranges)
		}
	case errors.As(err, &located):
		for _, ranges := range located.Locations {
			err = withSource(err, sources.Main.SourceMap, ranges)
		}
	}
	return err
}

// locateExtended does so for a file with extensions. There a mistake that no line
// makes, one in a target, has a source too, without lines: for an error that has none
// the daemon shows the syntax line.
func locateExtended(err error, sources *source.Sources) error {
	if err != nil {
		err = explainMessage(err)
	}
	if err = locate(worded(err), sources); err != nil && len(errdefs.Sources(err)) == 0 {
		return withSource(err, sources.Main.SourceMap, nil)
	}
	return err
}

func withSource(err error, sm *llb.SourceMap, ranges []parser.Range) error {
	return errdefs.WithSource(err, &errdefs.Source{
		Info:   shownInfo(sm, ranges),
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

// worded returns an error whose text reaches the client. Of one that wraps an error of
// the gateway package grpcerrors sends the text of the inner one, and all the details.
func worded(err error) error {
	inner, ok := grpcerrors.AsGRPCStatus(err)
	if !ok || inner == nil || inner.Code() == codes.OK || errors.Is(err, context.Canceled) {
		return err
	}
	text := err.Error()
	if inner.Code() != codes.Unknown { // the client writes the code in front of the text
		text = strings.Replace(text, inner.Code().String()+": ", "", 1)
	}
	said := inner.Proto()
	said.Message = strings.ToValidUTF8(text, "\uFFFD")
	return &wordedError{err, status.FromProto(said)}
}

// wordedError is an error with the status that says the same.
type wordedError struct {
	error
	status *status.Status
}

func (e *wordedError) Error() string              { return e.status.Message() }
func (e *wordedError) Unwrap() error              { return e.error }
func (e *wordedError) GRPCStatus() *status.Status { return e.status }

// readable returns an error whose text is UTF-8: no other text reaches the client, which
// would show an exit code in its place.
func readable(err error) error {
	if err == nil || utf8.ValidString(err.Error()) {
		return err
	}
	return &readableError{err}
}

type readableError struct{ error }

func (e *readableError) Error() string { return strings.ToValidUTF8(e.error.Error(), "\uFFFD") }
func (e *readableError) Unwrap() error { return e.error }
