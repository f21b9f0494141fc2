//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestDockerEngines guards the image on Docker Engine: builds, their options and errors, and running
// what was built.
func TestDockerEngines(t *testing.T) {
	t.Parallel()
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
	plain := project(t, "-- Dockerfile --\nFROM busybox\nCOPY f /f\n-- f --\nf\n")
	typo := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nCOPYY a b\n")
	onDockerEngines(t, func(t *testing.T, on target) {
		tag := on.tag(t)
		on.build(t, dir, "-t", tag, "--build-arg=GREETING=good day", "--secret=id=who,src=who.txt", "--label=a=b").ok(t)
		if got := on.run(t, "run", "--rm", "--network=none", tag).ok(t).stdout; got != "good day world\n" {
			t.Errorf("the container prints %q", got)
		}
		if got := on.run(t, "inspect", "--format={{.Config.Labels.a}}", tag).ok(t).stdout; strings.TrimSpace(got) != "b" {
			t.Errorf("the label is %q", got)
		}
		// an old frontend in the engine differs from today's, but not in what this gives
		layers := func(args ...string) string {
			tag := on.tag(t)
			on.build(t, plain, append(args, "-t", tag)...).ok(t)
			return on.run(t, "inspect", "--format={{json .RootFS.Layers}}", tag).ok(t).stdout
		}
		own := layers("--no-cache")
		if got := layers("--build-arg=BUILDKIT_SYNTAX=" + frontendImage); got != own {
			t.Errorf("layers %s, with the engine's frontend %s", got, own)
		}
		on.refuses(t, dir, []string{"--target=broken", "--secret=id=who,src=who.txt"}, "about to fail", "[broken 1/1] RUN echo about to fail; exit 9", "exit code: 9")
		// an image of the frontend that no registry has
		local := "127.0.0.1:1/" + frontendImage
		on.run(t, "tag", frontendImage, local).ok(t)
		on.build(t, plain, "--build-arg=BUILDKIT_SYNTAX="+local).ok(t)
		on.refuses(t, typo, nil, "unknown instruction: COPYY (did you mean COPY?)")
	})
}

// TestPlatformsOfDockerEngine guards images for several platforms, which the containerd image store
// alone holds.
func TestPlatformsOfDockerEngine(t *testing.T) {
	t.Parallel()
	dir := project(t, released)
	onDockerEngines(t, func(t *testing.T, on target) {
		id := unique()
		args := []string{"--target=app", "--platform=linux/amd64,linux/arm64", "--build-arg=RUN_ID=" + id}
		if on.name != "containerd" {
			on.call(t, dir, args...).fails(t, "Multi-platform build is not supported")
			return
		}
		if got := on.prints(t, dir, args, "cat", "/out"); got != "linux/amd64 "+id+"\n" {
			t.Errorf("the container prints %q", got)
		}
		on.refuses(t, dir, append(args, "--build-arg=FAIL=1"), "the test failed")
		on.build(t, dir, "--target=release", "--build-arg=RUN_ID="+id).ok(t).prints(t, "building for darwin/arm64")
	})
}
