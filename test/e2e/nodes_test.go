//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// released is a file with gates, sets and a limit for several platforms.
const released = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM --platform=$BUILDPLATFORM busybox AS test
ARG RUN_ID
ARG FAIL=
RUN echo testing $RUN_ID; [ -z "$FAIL" ] || { echo the test failed; exit 3; }

FROM --platform=$BUILDPLATFORM busybox AS build
ARG RUN_ID
ARG TARGETPLATFORM
RUN echo building for $TARGETPLATFORM; echo $TARGETPLATFORM $RUN_ID > /out

FROM --platform=$BUILDPLATFORM busybox AS version
ARG RUN_ID
RUN echo making $(echo it); echo VERSION=$RUN_ID > /version.env

FROM --after=test --max-size=10MB busybox AS app
COPY --from=build /out /out
COPY --needed --from=busybox /bin/busybox /opt/busybox
LABEL --from=version --file=/version.env VERSION

FROM scratch AS release
COPY --from=build(TARGETPLATFORM=[linux/amd64,linux/arm64,darwin/arm64]) /out /$TARGETOS-$TARGETARCH

FROM scratch AS all
COPY --from=build(TARGETPLATFORM=[*]) /out /$TARGETARCH
`

// TestBuilderOfSeveralNodes builds on two daemons, of which each has platforms of its own: images with
// gates and limits, sets, and a cache that one exports and the other imports.
func TestBuilderOfSeveralNodes(t *testing.T) {
	t.Parallel()
	amd64, arm64 := startDaemon(t), startDaemon(t)
	id := strings.ReplaceAll(unique(), ".", "-")
	builder := "nodes-" + id
	run(t, "", "buildx", "create", "--name", builder, "--driver=remote", "--platform=linux/amd64", amd64).ok(t)
	t.Cleanup(func() { removeBuilder(t, builder) })
	run(t, "", "buildx", "create", "--name", builder, "--append", "--driver=remote", "--platform=linux/arm64", arm64).ok(t)
	dir := project(t, released)
	both := []string{"--builder=" + builder, "--platform=linux/amd64,linux/arm64", "--build-arg=RUN_ID=" + id}
	build := func(args ...string) command { return buildx(t, dir, append(both, args...)...) }

	tag := registry(t) + "/nodes:" + id
	build("--target=app", "--output=type=registry,name="+tag).ok(t).prints(t, "app] after test", "app] size of the tree")
	run(t, "", "buildx", "imagetools", "inspect", tag).ok(t).prints(t, "linux/amd64", "linux/arm64")
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		out := t.TempDir()
		buildx(t, project(t, "-- Dockerfile --\nFROM "+tag+"\n"), "--platform="+platform, "--output="+out).ok(t)
		if got := readText(t, out+"/out"); got != platform+" "+id+"\n" {
			t.Errorf("the image for %s was built for %q", platform, got)
		}
	}
	failed := registry(t) + "/nodes-failed:" + id
	build("--target=app", "--build-arg=FAIL=1", "--output=type=registry,name="+failed).fails(t, "the test failed")
	buildx(t, project(t, "-- Dockerfile --\nFROM "+failed+"\n")).fails(t, "not found")

	build("--target=release").ok(t).prints(t, "building for darwin/arm64")
	// neither node knows all platforms
	build("--target=all").fails(t, "the builder has several nodes", "list the platforms")

	cache := registry(t) + "/nodes-cache:" + id
	one := []string{"--target=app", "--build-arg=RUN_ID=cached-" + id, "--platform=linux/amd64"}
	buildx(t, dir, append(one, "--builder="+builder, "--cache-to=type=registry,mode=max,ref="+cache)...).ok(t).prints(t, "making it")
	other := "other-" + id
	run(t, "", "buildx", "create", "--name", other, "--driver=remote", arm64).ok(t)
	t.Cleanup(func() { removeBuilder(t, other) })
	out := buildx(t, dir, append(one, "--builder="+other, "--cache-from=type=registry,ref="+cache)...).ok(t).output()
	for _, step := range []string{"[test 2/2] RUN", "[build 2/2] RUN", "[app] what /bin/busybox needs", "[app] size of the tree"} {
		if ran(out, step) {
			t.Errorf("%s ran again:\n%s", step, out)
		}
	}
	if strings.Contains(out, "making it") { // its files are loaded, to be read
		t.Errorf("[version 2/2] ran again:\n%s", out)
	}
}

// removeBuilder takes a builder out of the client's list once the test is over.
func removeBuilder(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command("buildx", "rm", name).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
