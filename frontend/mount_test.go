package frontend_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestNamedMountsAreMountsWrittenOut compares the ops and the config.
func TestNamedMountsAreMountsWrittenOut(t *testing.T) {
	t.Parallel()
	named := `MOUNT cache type=cache,target=/c,id=$ID
MOUNT tool from=tool,target=/tool
FROM alpine AS tool
RUN tool
FROM --mount=cache alpine
ARG ID=x
MOUNT token type=secret,id=token,target=/t
RUN --mount=tool,token --network=none one
RUN two
`
	written := `FROM alpine AS tool
RUN tool
FROM alpine
ARG ID=x
RUN --mount=type=cache,target=/c,id=$ID --mount=from=tool,target=/tool --mount=type=secret,id=token,target=/t --network=none one
RUN --mount=type=cache,target=/c,id=$ID two
`
	want, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(written), builder.Build)
	if err != nil || want.Error != "" {
		t.Fatal(err, want.Error)
	}
	got, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(named), frontend.Build)
	if err != nil || got.Error != "" {
		t.Fatal(err, got.Error)
	}
	digests := regexp.MustCompile(`(?m)^sha256:\w+`)
	last := len(want.Solved) - 1
	if diff := cmp.Diff(digests.FindAllString(want.Solved[last], -1), digests.FindAllString(got.Solved[last], -1)); diff != "" {
		t.Errorf("ops of mounts written out (-) and named (+):\n%s\n%s", diff, cmp.Diff(want.Solved[last], got.Solved[last]))
	}
	if want.Metadata["containerimage.config"] != got.Metadata["containerimage.config"] {
		t.Error(cmp.Diff(want.Metadata["containerimage.config"], got.Metadata["containerimage.config"]))
	}
}
