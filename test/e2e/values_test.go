//go:build e2e

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestValues takes a version out of a file that a step makes, and the values of a config, into
// variables, labels and steps.
func TestValues(t *testing.T) {
	t.Parallel()
	version := unique()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+`FROM busybox AS version
ENV CHANNEL=stable
ARG STAMP
COPY version /in
RUN echo "VERSION=$(cat /in)" > /version.env; echo 'ODD= "$HOME" `+"`x`"+` # no comment' >> /version.env; echo "$STAMP" > /stamp

FROM busybox AS app
ENV --from=version --file=/version.env VERSION ODD
ENV --from=version TAG=$CHANNEL
LABEL --from=version --file=/version.env org.opencontainers.image.version=$VERSION
RUN echo "$VERSION $ODD $TAG" > /seen

FROM app AS more
RUN head -c 16 /dev/urandom | base64 > /random
-- version --
`+version+"\n")
	img := buildImage(t, dir, "--build-arg=STAMP=1")
	odd := ` "$HOME" ` + "`x`" + ` # no comment`
	if got, want := img.read(t, "/seen"), version+" "+odd+" stable\n"; got != want {
		t.Errorf("the step sees %q, not %q", got, want)
	}
	config := img.Config.Config
	for _, want := range []string{"VERSION=" + version, "ODD=" + odd, "TAG=stable"} {
		if !slices.Contains(config.Env, want) {
			t.Errorf("the image lacks %s: %v", want, config.Env)
		}
	}
	if config.Labels["org.opencontainers.image.version"] != version {
		t.Errorf("the labels are %v", config.Labels)
	}
	// what has the file is built anew and says the same: no step below it runs again
	again := buildImage(t, dir, "--build-arg=STAMP=2")
	if a, b := img.read(t, "/random"), again.read(t, "/random"); a != b {
		t.Error("a step below ran again though the values are the same")
	}
	for _, call := range []string{"check", "outline", "graph", "targets"} {
		if out := buildx(t, dir, "--call="+call, "--no-cache").ok(t).output(); strings.Contains(out, "RUN echo") {
			t.Errorf("--call=%s runs a step:\n%s", call, out)
		}
	}
	buildx(t, dir, "--call=expand").fails(t, "ENV --from has no plain form")
	writeFile(t, filepath.Join(dir, "version"), []byte("1\nNO KEY=2\n"))
	buildx(t, dir).fails(t, "Dockerfile:9", "/version.env of version, line 2: variable 'NO KEY' contains whitespaces")
	buildx(t, dir, "--build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=all", "--target=app", "--no-cache-filter=version").fails(t, "line 2")
}

// TestValuesOfAFailingStage shows the error and the log of the step that should make the file.
func TestValuesOfAFailingStage(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS version\nRUN echo no version; exit 3\nFROM busybox\nENV --from=version --file=/v VERSION\n")
	buildx(t, dir, "--no-cache").fails(t, "no version", "exit code: 3", "Dockerfile:3")
	missing := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nENV --from=busybox --file=/none VERSION\n")
	buildx(t, missing).fails(t, "busybox has no file /none that could be read", "Dockerfile:3")
	if out := buildx(t, missing).output(); strings.Contains(out, "/var/lib") || strings.Contains(out, "/tmp/containerd") {
		t.Errorf("the error shows a path of the engine:\n%s", out)
	}
}

// TestValuesOutOfNoFile guards that what is no regular file is an error on every engine: an old one
// would wait at a pipe.
func TestValuesOutOfNoFile(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS v\nRUN mkfifo /f\nFROM busybox\nENV --from=v --file=/f A\n")
	buildx(t, dir).fails(t, "line 5, column 14: /f of v is no regular file")
	onEngines(t, func(t *testing.T, on target) {
		on.build(t, dir).fails(t, "line 5, column 14: /f of v is no regular file")
	})
}
