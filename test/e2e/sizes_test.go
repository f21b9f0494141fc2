//go:build e2e

package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/report"
)

// limited is a file with a limit that its build arg sets.
const limited = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
ARG LIMIT=100
FROM --platform=$BUILDPLATFORM busybox AS tool
ARG RUN_ID
RUN mkdir -p /opt/sdk && head -c 5000000 /dev/zero > /opt/sdk/big && echo $RUN_ID > /opt/id

FROM --max-size=${LIMIT}MB busybox AS app
COPY --from=tool /opt/id /id
CMD ["cat", "/id"]

FROM busybox AS plain
COPY --from=tool /opt/id /id
CMD ["cat", "/id"]

FROM --max-size=${LIMIT}MB tool AS large
RUN rm /opt/sdk/big && echo done > /done

FROM scratch AS other
COPY --from=large /done /done
-- .dockerignore --
size.json
`

// TestLimitChangesNothingInTheImage compares manifests with and without a limit.
func TestLimitChangesNothingInTheImage(t *testing.T) {
	t.Parallel()
	dir := project(t, limited)
	args := []string{"--build-arg=SOURCE_DATE_EPOCH=0", "--build-arg=RUN_ID=1"}
	with := buildImage(t, dir, append(args, "--target=app")...)
	without := buildImage(t, dir, append(args, "--target=plain")...)
	if !equalDigest(with.Manifest.Config, without.Manifest.Config) || len(with.Manifest.Layers) != len(without.Manifest.Layers) {
		t.Fatalf("manifests differ:\n%+v\n%+v", with.Manifest, without.Manifest)
	}
	for i, layer := range with.Manifest.Layers {
		if !equalDigest(layer, without.Manifest.Layers[i]) {
			t.Errorf("layer %d differs", i)
		}
	}
}

// TestLimitThatIsExceeded guards that nothing comes out, for any platform, that the error says where
// the bytes are, and that what uses the stage waits.
func TestLimitThatIsExceeded(t *testing.T) {
	t.Parallel()
	dir := project(t, limited)
	id := "--build-arg=RUN_ID=" + unique()
	tag := registry(t) + "/limited:" + strings.ReplaceAll(unique(), ".", "-")
	buildx(t, dir, "--target=app", id, "--build-arg=LIMIT=1", "--output=type=registry,name="+tag).fails(t,
		"[app] size of the tree", "more than --max-size=1MB", "largest directories:", "MB   /bin", "most was added here:", "FROM docker.io/library/busybox:latest", ">>> FROM --max-size=${LIMIT}MB busybox AS app")
	buildx(t, project(t, "-- Dockerfile --\nFROM "+tag+"\n")).fails(t, "not found")
	// the tree counts, not what its layers hide
	buildx(t, dir, "--target=other", id, "--build-arg=LIMIT=3").ok(t)
	buildx(t, dir, "--target=other", id, "--build-arg=LIMIT=1").fails(t, "[large] size of the tree", "more than --max-size=1MB")
	// each platform has its own tree: that of another one is read here
	buildx(t, dir, "--target=app", id, "--platform=linux/amd64,linux/arm64", "--build-arg=LIMIT=1").fails(t, "app] size of the tree", "linux/")
	foreign := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM --max-size=100kB busybox\n")
	buildx(t, foreign, "--platform=linux/arm64").fails(t, "more than --max-size=100kB", "/bin")
}

// TestLimitOnEngines builds on engines of which some lack the op for gates, or do not say what image
// the frontend has.
func TestLimitOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, limited)
	onEngines(t, func(t *testing.T, on target) {
		id := unique()
		args := []string{"--target=app", "--build-arg=RUN_ID=" + id}
		on.build(t, dir, args...).ok(t).prints(t, "[app] size of the tree")
		on.refuses(t, dir, append(args, "--build-arg=LIMIT=1"), "more than --max-size=1MB", "most was added here:")
		if got := on.prints(t, dir, args, "cat", "/id"); got != id+"\n" {
			t.Errorf("it prints %q", got)
		}
	})
}

// TestSizes guards what --call=size tells of an image on two platforms, against what is in it, and
// against saved sizes.
func TestSizes(t *testing.T) {
	t.Parallel()
	dir := project(t, limited)
	args := []string{"--target=app", "--build-arg=RUN_ID=3", "--build-arg=LIMIT=1"}
	call := func(args ...string) *report.Size {
		t.Helper()
		c := buildx(t, dir, append(args, "--call=size,format=json")...).ok(t)
		writeFile(t, filepath.Join(dir, "size.json"), []byte(c.stdout))
		var s report.Size
		if err := json.Unmarshal([]byte(c.stdout), &s); err != nil {
			t.Fatalf("%v: %s", err, c.stdout)
		}
		return &s
	}
	s := call(append(args, "--platform=linux/amd64,linux/arm64")...)
	if len(s.Builds) != 2 || s.Builds[1].Platform != "linux/arm64" || s.Builds[0].Size == s.Builds[1].Size {
		t.Fatalf("got %+v", s)
	}
	b := s.Builds[0]
	img := buildImage(t, dir, "--target=app", "--build-arg=RUN_ID=3")
	if want := img.size(t); b.Size != want {
		t.Errorf("the size is %d, and the image has %d", b.Size, want)
	}
	if len(b.Lines) != 2 || b.Lines[1].Text != "COPY --from=tool /opt/id /id" || b.Lines[1].Line != 8 || b.Lines[1].Adds != 2 {
		t.Errorf("lines %+v", b.Lines)
	}
	if b.LeftBehind != 5000002 || len(b.Stages) != 2 || b.Stages[0].InImage || !b.Stages[1].InImage {
		t.Errorf("left behind %d, stages %+v", b.LeftBehind, b.Stages)
	}
	// a line that hides, and a target that is a call
	if b = call("--target=large", "--build-arg=RUN_ID=3").Builds[0]; b.Hidden != 5000000 || b.Lines[len(b.Lines)-1].Hides != 5000000 {
		t.Errorf("hidden %d, lines %+v", b.Hidden, b.Lines)
	}
	out := buildx(t, dir, "--target=large", "--build-arg=RUN_ID=34567", "--call=size", "--build-arg=STAGECRAFT_SIZE_BASE=size.json").ok(t).stdout
	for _, want := range []string{"(+4B)", "5MB more in its layers is hidden by later lines"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
	// an image that is no stage is left behind, what a merge adds is not
	more := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS base\nFROM base AS tool\nRUN echo tool > /tool\nFROM --with=tool base AS dev\nCOPY --from=alpine /etc/passwd /x\n")
	c := buildx(t, more, "--call=size,format=json").ok(t)
	var s2 report.Size
	if err := json.Unmarshal([]byte(c.stdout), &s2); err != nil {
		t.Fatalf("%v: %s", err, c.stdout)
	}
	for _, stage := range s2.Builds[0].Stages {
		if stage.InImage != (stage.Name != "alpine") || stage.Size == 0 {
			t.Errorf("stage %+v", stage)
		}
	}
	if b := s2.Builds[0]; len(b.Stages) != 4 || b.LeftBehind != b.Stages[slices.IndexFunc(b.Stages, func(s report.SizeStage) bool { return s.Name == "alpine" })].Size {
		t.Errorf("left behind %d, stages %+v", b.LeftBehind, b.Stages)
	}
	buildx(t, project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nRUN echo the step failed; exit 7\n"), "--call=size").fails(t, "the step failed", "exit code: 7", ">>> RUN echo")
}
