//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unique is a value that no earlier build has seen.
func unique() string { return time.Now().Format("150405.000000000") }

// gated is a file with a gate that fails when FAIL is set.
const gated = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
ARG RUN_ID=0
FROM busybox AS test
ARG RUN_ID
ARG FAIL=
RUN echo testing $RUN_ID; [ -z "$FAIL" ] || { echo the test failed; exit 3; }

FROM --after=test busybox AS app
RUN echo hello > /hello
CMD ["cat", "/hello"]

FROM busybox AS deploy
COPY --from=app /hello /hello
ARG RUN_ID
RUN echo deploying $RUN_ID

FROM busybox AS plain
RUN echo hello > /hello
CMD ["cat", "/hello"]

FROM --after=test scratch AS ci
`

// TestGateChangesNothingInTheImage compares manifests with and without a gate.
func TestGateChangesNothingInTheImage(t *testing.T) {
	t.Parallel()
	dir := project(t, gated)
	with := buildImage(t, dir, "--build-arg=SOURCE_DATE_EPOCH=0", "--target=app")
	without := buildImage(t, dir, "--build-arg=SOURCE_DATE_EPOCH=0", "--target=plain")
	if !equalDigest(with.Manifest.Config, without.Manifest.Config) || len(with.Manifest.Layers) != len(without.Manifest.Layers) {
		t.Fatalf("manifests differ:\n%+v\n%+v", with.Manifest, without.Manifest)
	}
	for i, layer := range with.Manifest.Layers {
		if !equalDigest(layer, without.Manifest.Layers[i]) {
			t.Errorf("layer %d differs", i)
		}
	}
	if got := with.run(t).ok(t).stdout; got != "hello\n" {
		t.Errorf("it prints %q", got)
	}
}

// TestFailingGate guards that nothing comes out, that what needs the gated stage
// does not run, and that the error says whose it is and who asked.
func TestFailingGate(t *testing.T) {
	t.Parallel()
	dir := project(t, gated)
	for _, target := range []string{"app", "deploy", "ci"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			tag := registry(t) + "/gated/" + target + ":" + strings.ReplaceAll(unique(), ".", "-")
			c := buildx(t, dir, "--target="+target, "--build-arg=FAIL=1", "--build-arg=RUN_ID="+unique(), "--output=type=registry,name="+tag).fails(t,
				"the test failed", "[test 2/2] RUN", "exit code: 3", ">>> RUN echo testing", "--after=test")
			if strings.Contains(c.output(), "[deploy 3/3]") {
				t.Errorf("the stage behind the gate ran:\n%s", c.output())
			}
			buildx(t, project(t, "-- Dockerfile --\nFROM "+tag+"\n")).fails(t, "not found")
		})
	}
	buildx(t, dir, "--target=ci", "--build-arg=RUN_ID="+unique()).ok(t).prints(t, "[test 2/2] RUN", "[ci] after test")
}

// TestGatesRunBesideTheBuild has a gate and a step that meet in a cache mount:
// neither ends before the other has started.
func TestGatesRunBesideTheBuild(t *testing.T) {
	t.Parallel()
	const meet = "RUN --mount=type=cache,id=gate-$RUN_ID,target=/m touch /m/$ME && for i in $(seq 100); do [ -e /m/$OTHER ] && exit 0; sleep 0.2; done; echo $OTHER never came; exit 1\n"
	buildx(t, project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox AS test
ARG RUN_ID
ENV ME=gate OTHER=build
`+meet+`
FROM --after=test busybox
ARG RUN_ID
ENV ME=build OTHER=gate
`+meet), "--build-arg=RUN_ID="+unique()).ok(t)
}

// TestGateResultsAreCached exports the cache of a gated build and builds on a
// daemon that has nothing.
func TestGateResultsAreCached(t *testing.T) {
	t.Parallel()
	dir := project(t, gated)
	cache := filepath.Join(t.TempDir(), "cache")
	id := "RUN_ID=" + unique()
	buildx(t, dir, "--target=app", "--build-arg="+id, "--cache-to=type=local,mode=max,dest="+cache).ok(t)
	out := run(t, dir, "buildctl", "--addr="+startDaemon(t), "build", "--progress=plain", "--frontend=gateway.v0", "--opt=source="+frontendImage,
		"--opt=target=app", "--opt=build-arg:"+id, "--local=context=.", "--local=dockerfile=.", "--import-cache=type=local,src="+cache,
		"--output=type=oci,dest="+filepath.Join(t.TempDir(), "image.tar")).ok(t).output()
	if ran(out, "[test 2/2] RUN") {
		t.Errorf("the gate ran again:\n%s", out)
	}
}

// TestGatesOnEngines builds on engines of which some lack the ops for gates: what uses a gated stage
// waits on the others alone.
func TestGatesOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, gated)
	onEngines(t, func(t *testing.T, on target) {
		for _, target := range []string{"app", "ci", "deploy"} {
			c := on.build(t, dir, "--target="+target, "--build-arg=RUN_ID="+unique()).ok(t).prints(t, "[test 2/2] RUN")
			if waits := strings.Contains(c.output(), "] after test"); waits != (on.name == "containerd") {
				t.Errorf("%s waits for its gate: %v", target, waits)
			}
			c = on.refuses(t, dir, []string{"--target=" + target, "--build-arg=FAIL=1", "--build-arg=RUN_ID=" + unique()}, "the test failed", "[test 2/2] RUN")
			if on.name == "containerd" && strings.Contains(c.output(), "[deploy 3/3]") {
				t.Errorf("the stage behind the gate ran:\n%s", c.output())
			}
		}
		if got := on.prints(t, dir, []string{"--target=app"}, "cat", "/hello"); got != "hello\n" {
			t.Errorf("it prints %q", got)
		}
	})
}
