package frontend_test

import (
	"errors"
	"strings"
	"testing"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestErrorKeepsDetails guards that an error of the daemon keeps its code and its details
// on the way to the client, and gets the words that were added to it, once.
func TestErrorKeepsDetails(t *testing.T) {
	t.Parallel()
	sent := func(err error) error { return grpcerrors.FromGRPC(grpcerrors.ToGRPC(t.Context(), err)) }
	inner := sent(errdefs.WrapVertex(grpcerrors.WrapCode(&gatewaypb.ExitError{ExitCode: 7, Err: errors.New("boom")}, codes.ResourceExhausted), "sha256:abc"))
	c := gatewaytest.New(gatewaytest.Dockerfile("FROM alpine AS b\nARG V\nRUN echo $V\nFROM b(V=1)\n"))
	c.Fail = func(call string) error {
		if strings.HasPrefix(call, "ResolveImageConfig") {
			return inner
		}
		return nil
	}
	_, err := frontend.Build(t.Context(), c)
	err = sent(err)
	const want = "ResourceExhausted: alpine: boom\nin b(V=1), called on line 4"
	if err == nil || err.Error() != want {
		t.Errorf("the text is\n%v\nand not\n%s", err, want)
	}
	var (
		exit   *gatewaypb.ExitError
		vertex *errdefs.VertexError
	)
	if !errors.As(err, &exit) || exit.ExitCode != 7 {
		t.Errorf("the exit code is lost: %v", exit)
	}
	if !errors.As(err, &vertex) || vertex.Digest != "sha256:abc" {
		t.Errorf("the vertex is lost: %v", vertex)
	}
	if code := grpcerrors.Code(err); code != codes.ResourceExhausted {
		t.Errorf("the code is %s", code)
	}
	if len(errdefs.Sources(err)) != 2 {
		t.Errorf("the places are lost: %v", errdefs.Sources(err))
	}
}
