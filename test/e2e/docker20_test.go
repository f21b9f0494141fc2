//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// docker20 runs the stock client of Docker Engine 20.10 against that engine.
func docker20(tb testing.TB, dir string, args ...string) command {
	tb.Helper()
	return runWith(tb, dir, []string{
		"DOCKER_HOST=" + env(tb, "DOCKER20_HOST"), "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain", "DOCKER_CONFIG=" + tb.TempDir(),
	}, append([]string{env(tb, "DOCKER20_CLI")}, args...)...)
}

// docker20Frontend gives that engine the image under test.
func docker20Frontend(tb testing.TB) {
	tb.Helper()
	pulled := registry(tb) + "/" + frontendImage
	docker20(tb, "", "pull", pulled).ok(tb)
	docker20(tb, "", "tag", pulled, frontendImage).ok(tb)
}

// TestDocker20 guards the image on the gateway API of 2020: builds, their
// options and errors, and running what was built.
func TestDocker20(t *testing.T) {
	t.Parallel()
	docker20Frontend(t)
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
ARG BASE=alpine:3.22
FROM ${BASE} AS build
ARG GREETING=hello
COPY . /src
RUN --mount=type=cache,target=/c --mount=type=secret,id=who echo "$GREETING $(cat /run/secrets/who)" > /greeting && ls /src
FROM busybox AS app
COPY --from=build /greeting /greeting
CMD ["cat", "/greeting"]
FROM app AS broken
RUN echo about to fail; exit 9
FROM app
-- who.txt --
world
-- .dockerignore --
who.txt
`)
	t.Run("build and run", func(t *testing.T) {
		t.Parallel()
		docker20(t, dir, "build", "-t", "sc-greeting", "--build-arg=GREETING=good day", "--secret=id=who,src=who.txt", "--label=a=b", ".").ok(t)
		if got := docker20(t, "", "run", "--rm", "--network=none", "sc-greeting").ok(t).stdout; got != "good day world\n" {
			t.Errorf("the container prints %q", got)
		}
		if got := docker20(t, "", "inspect", "--format={{.Config.Labels.a}}", "sc-greeting").ok(t).stdout; strings.TrimSpace(got) != "b" {
			t.Errorf("the label is %q", got)
		}
	})
	t.Run("same as the engine's frontend", func(t *testing.T) {
		t.Parallel()
		// the old frontend in the engine differs from today's, but not in what this gives
		plain := project(t, "-- Dockerfile --\nFROM busybox\nCOPY f /f\n-- f --\nf\n")
		layers := func(args ...string) string {
			docker20(t, plain, append(append([]string{"build", "-t", "sc-same"}, args...), ".")...).ok(t)
			return docker20(t, "", "inspect", "--format={{json .RootFS.Layers}}", "sc-same").ok(t).stdout
		}
		own := layers("--no-cache")
		if got := layers("--build-arg=BUILDKIT_SYNTAX=" + frontendImage); got != own {
			t.Errorf("layers %s, with the engine's frontend %s", got, own)
		}
	})
	t.Run("failing step", func(t *testing.T) {
		t.Parallel()
		docker20(t, dir, "build", "--target=broken", "--secret=id=who,src=who.txt", ".").fails(t,
			"about to fail", "[broken 1/1] RUN echo about to fail; exit 9", "exit code: 9")
	})
	t.Run("typo", func(t *testing.T) {
		t.Parallel()
		typo := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nCOPYY a b\n")
		docker20(t, typo, "build", ".").fails(t, "unknown instruction: COPYY (did you mean COPY?)")
	})
}
