package frontend_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// linuxOnly has images for Linux alone.
type linuxOnly struct{ *gatewaytest.Client }

func (c linuxOnly) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil && opt.ImageOpt.Platform.OS != "linux" {
		return "", "", nil, errors.New("no match for platform in manifest: not found")
	}
	return c.Client.ResolveImageConfig(ctx, ref, opt)
}

// TestImageWithoutThePlatformOfACall calls a stage for a platform that its image
// lacks, which the call asks for and not the stage.
func TestImageWithoutThePlatformOfACall(t *testing.T) {
	t.Parallel()
	text := "FROM busybox AS web\nRUN make\nFROM alpine AS app\nARG TARGETARCH\n# the binaries\nCOPY --from=web(TARGETPLATFORM=[linux/amd64,darwin/arm64]) /web /web-$TARGETARCH\n"
	_, err := frontend.Build(t.Context(), linuxOnly{gatewaytest.New(gatewaytest.Dockerfile(text))})
	const want = "busybox has no darwin/arm64; stage web is built for it by the call on line 6. Write FROM --platform=$BUILDPLATFORM, or correct the platform"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("the error is %v", err)
	}
	var lines []int32
	for _, source := range errdefs.Sources(err) {
		lines = append(lines, source.Ranges[0].Start.Line)
	}
	if len(lines) != 2 || lines[0]+lines[1] != 7 {
		t.Errorf("lines %v are shown, not 1 and 6", lines)
	}
}

// TestStepsOfCallsShowWhereTheyAreCalled looks at the lines of a step that two nested
// calls lead to: BuildKit shows them when it fails.
func TestStepsOfCallsShowWhereTheyAreCalled(t *testing.T) {
	t.Parallel()
	text := "FROM alpine AS tool\nARG V\nRUN make $V\nFROM alpine AS build\nARG V\nCOPY --from=tool(V=x$V) /tool /tool\nFROM alpine\nCOPY --from=build(V=1) / /\n"
	c := gatewaytest.New(gatewaytest.Dockerfile(text))
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := gatewaytest.Vertices(c.Solved[len(c.Solved)-1].Definition)
	if err != nil {
		t.Fatal(err)
	}
	if want := "(Dockerfile:3, Dockerfile:6, Dockerfile:8)"; !strings.Contains(got, want) {
		t.Errorf("no step has the lines %s:\n%s", want, got)
	}
}

// TestTriggerThatCountsStages builds FROM an image whose trigger names a stage by its
// number, in a file where stages are called and so are more than the file has.
func TestTriggerThatCountsStages(t *testing.T) {
	t.Parallel()
	for text, fails := range map[string]bool{
		"FROM alpine AS zero\nFROM alpine AS one\nFROM --if='1 == 1' triggers\nRUN true\n":                                             false,
		"FROM alpine AS zero\nARG V\nRUN make $V\nFROM alpine AS one\nCOPY --from=zero(V=1) / /\nFROM triggers\nCOPY --from=one / /\n": false,
		"ARG OFF\nFROM --if=OFF alpine AS zero\nFROM alpine AS one\nFROM triggers\nCOPY --from=one() / /\n":                            true,
	} {
		_, err := frontend.Build(t.Context(), triggers{gatewaytest.New(gatewaytest.Dockerfile(text))})
		if fails != (err != nil && strings.Contains(err.Error(), "stage number 0")) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// triggers has an image that copies from the stage number 0.
type triggers struct{ *gatewaytest.Client }

func (c triggers) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	if !strings.Contains(ref, "triggers") {
		return c.Client.ResolveImageConfig(ctx, ref, opt)
	}
	return ref, digest.FromString(ref), []byte(`{"os":"linux","architecture":"amd64","config":{"OnBuild":["COPY --from=0 /x /x"]},"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000001"]}}`), nil
}
