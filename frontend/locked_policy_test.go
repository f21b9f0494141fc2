package frontend_test

import (
	"context"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// other answers for another image than the one that was asked for; as names that.
type other struct {
	*gatewaytest.Client
	as func(ref string) string
}

func (o *other) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	_, _, config, err := o.Client.ResolveImageConfig(ctx, ref, opt)
	return o.as(ref), digest.FromString("another image"), config, err
}

// TestAnotherImageThanTheLocks guards that what a registry gives in the place of a pinned image
// is refused, and that what the client's policy puts there is taken.
func TestAnotherImageThanTheLocks(t *testing.T) {
	t.Parallel()
	b := gatewaytest.Dockerfile("LOCK\nFROM alpine\n")
	b.Files["dockerfile"]["Dockerfile.lock"] = "FROM alpine:latest@sha256:" + strings.Repeat("1", 64) + "\n"
	_, err := frontend.Build(t.Context(), &other{gatewaytest.New(b), func(ref string) string { return ref }})
	if err == nil || !strings.Contains(err.Error(), "and the registry gives sha256:") {
		t.Errorf("a registry that lies: %v", err)
	}
	c := gatewaytest.New(b)
	if _, err = frontend.Build(t.Context(), &other{c, func(string) string { return "docker.io/library/busybox:latest" }}); err != nil {
		t.Fatal(err)
	}
	if text := vertices(t, c.Solved); !strings.Contains(text, "busybox:latest@"+digest.FromString("another image").String()) {
		t.Errorf("the policy's image is not built on:\n%s", text)
	}
}
