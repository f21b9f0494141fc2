//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// expands fails unless upstream builds the plain form of a build to the same tree and
// config. It returns the plain form.
func expands(t *testing.T, dir string, args ...string) string {
	t.Helper()
	text := buildx(t, dir, append([]string{"--call=expand"}, args...)...).ok(t).stdout
	if !strings.HasPrefix(text, "# syntax="+upstreamImage+"\n") {
		t.Fatalf("the plain file is not for upstream:\n%s", text)
	}
	plain := filepath.Join(t.TempDir(), "Dockerfile")
	writeFile(t, plain, []byte(text))
	pass := []string{"--file=" + plain}
	for _, arg := range args {
		if strings.HasPrefix(arg, "--platform=") || strings.HasPrefix(arg, "--build-context=") {
			pass = append(pass, arg)
		}
	}
	want, got := buildImage(t, dir, args...), buildImage(t, dir, pass...)
	if diff := cmp.Diff(want.tree(t), got.tree(t)); diff != "" {
		t.Errorf("the trees of the build (-) and its plain form (+) differ:\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(want.Config.Config, got.Config.Config); diff != "" {
		t.Errorf("the configs of the build (-) and its plain form (+) differ:\n%s\n%s", diff, text)
	}
	if strings.Contains(text, "--target=checks .") {
		buildx(t, dir, append(pass, "--target=checks", "--output=type=cacheonly")...).ok(t)
	}
	return text
}

// TestExpandedExamples builds the plain form of every example, for every target that its
// text or its bake file names.
func TestExpandedExamples(t *testing.T) {
	t.Parallel()
	examples := map[string][][]string{
		"hello/Dockerfile":        {{"--build-arg=VERSION=2.0"}, {"--platform=linux/arm64"}},
		"hello/Dockerfile.single": {{}},
		"monorepo/Dockerfile":     {{}, {"--target=api"}, {"--target=worker"}, {"--target=build(PKG=./cmd/migrate)"}},
		"release/Dockerfile":      {{}, {"--target=release", "--build-arg=VERSION=2.0"}},
		"gates/Dockerfile":        {{}},
		"variants/Dockerfile":     {{}, {"--build-arg=DEBUG=1"}, {"--build-arg=DISTRO=alpine"}, {"--build-arg=DISTRO=debian", "--build-arg=DEBUG=1"}},
		"interpreter/Dockerfile":  {{}, {"--build-arg=VERSION=3.12", "--build-arg=VARIANT=alpine", "--build-arg=THREADS=free"}, {"--build-arg=VERSION=3.15", "--build-arg=VARIANT=full"}},
		"fleet/Dockerfile":        {{}, {"--target=service", "--build-arg=SERVICE=mail"}, {"--target=web"}},
		"matrix/Dockerfile":       {{}},
		"library/Dockerfile":      nil, // TestExpandedLibrary
		"toolbox/Dockerfile":      nil, // --with has no plain form
		"stamped/Dockerfile":      nil, // values that stages make have no plain form
		"distroless/Dockerfile":   nil, // --needed has no plain form
		"pinned/Dockerfile":       nil, // TestExamples, where it has its lock
	}
	for example, builds := range examples {
		dir, name := filepath.Split(filepath.Join("../../examples", example))
		for _, args := range builds {
			t.Run(strings.Join(append([]string{example}, args...), " "), func(t *testing.T) {
				t.Parallel()
				expands(t, dir, append(args, "--file="+filepath.Join(dir, name))...)
			})
		}
	}
	for _, service := range []string{"orders", "mail", "web"} {
		t.Run("toolchain "+service, func(t *testing.T) {
			t.Parallel()
			expands(t, "../../examples/toolchain", "--file=services/"+service+"/Dockerfile")
		})
	}
	files, err := filepath.Glob("../../examples/*/Dockerfile*")
	if err != nil || len(files) == 0 {
		t.Errorf("there are no examples: %v", err)
	}
	for _, file := range files {
		if _, known := examples[strings.TrimPrefix(file, "../../examples/")]; !known {
			t.Errorf("%s is not expanded here", file)
		}
	}
}

// TestExpandedLibrary expands a build with a library from a repository, whose
// credentials stand nowhere.
func TestExpandedLibrary(t *testing.T) {
	t.Parallel()
	stages, err := os.ReadFile("../../examples/library/stages/stages.Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, url, commit := repository(t, "-- stages.Dockerfile --\n"+string(stages))
	text := expands(t, "../../examples/library", "--build-arg=STAGES="+url+"#"+commit)
	if strings.Contains(text, "ARG STAGES") {
		t.Errorf("an ARG stands in the plain file that nothing in it reads:\n%s", text)
	}
}

// TestExpandedIfExists copies what exists and skips what does not, in folders too.
func TestExpandedIfExists(t *testing.T) {
	t.Parallel()
	dockerfile := syntaxLine + `FROM busybox AS made
RUN mkdir -p /out/deep && echo a > /out/deep/a
FROM scratch
COPY --if-exists there.txt gone.txt /top/
COPY --if-exists config/app.yml /etc/app.yml
COPY --if-exists no/such/folder/file ./conf/*.ini /etc/
COPY --if-exists --from=made /out/deep/a /no/deep/b /copied/
COPY --if-exists ["my notes", "no notes", "/notes/"]
`
	dir := project(t, "-- my notes --\nnotes\n-- there.txt --\nthere\n-- config/app.yml --\nyes\n-- conf/a.ini --\na\n-- Dockerfile --\n"+dockerfile)
	expands(t, dir)
	img := buildImage(t, dir)
	for _, name := range []string{"/top/there.txt", "/etc/app.yml", "/etc/a.ini", "/copied/a", "/notes/my notes"} {
		if !img.has(t, name) {
			t.Errorf("%s is missing", name)
		}
	}
	expands(t, project(t, "-- Dockerfile --\n"+dockerfile))
}

// TestExpandedIgnoreFile copies the ignore file of a Dockerfile beside its plain form, as the
// top of that says.
func TestExpandedIgnoreFile(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM scratch AS made\nCOPY . /\nFROM made()\n-- Dockerfile.dockerignore --\nsecret\nDockerfile*\n-- secret --\n-- keep --\n")
	text := buildx(t, dir, "--call=expand").ok(t).stdout
	_, names, ok := strings.Cut(text, "copy it beside this file under its name, cp ")
	if !ok {
		t.Fatalf("the plain file names no ignore file:\n%s", text)
	}
	from, to, _ := strings.Cut(strings.SplitN(names, "\n", 2)[0], " ")
	ignore, err := os.ReadFile(filepath.Join(dir, from))
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "Dockerfile.plain")
	writeFile(t, plain, []byte(text))
	writeFile(t, filepath.Join(dir, to), ignore)
	want, got := buildImage(t, dir), buildImage(t, dir, "--file="+plain)
	if diff := cmp.Diff(want.tree(t), got.tree(t)); diff != "" || got.has(t, "/secret") {
		t.Errorf("the trees of the build (-) and its plain form (+) differ:\n%s\n%s", diff, text)
	}
}

// TestExpandedPlatforms expands a build whose platforms differ, and its JSON form.
func TestExpandedPlatforms(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+`LET MACHINE = TARGETMACHINE
FROM --platform=$BUILDPLATFORM busybox AS made
ARG MACHINE
IF TARGETARCH == "arm64"
RUN echo arm > /kind
ELSE
RUN echo other > /kind
END
RUN echo $MACHINE >> /kind
FROM scratch
COPY --from=made /kind /kind
`)
	both := "--platform=linux/amd64,linux/arm64"
	text := buildx(t, dir, "--call=expand", both).ok(t).stdout
	plain := filepath.Join(dir, "Dockerfile.plain")
	writeFile(t, plain, []byte(text))
	for platform, want := range map[string]string{"linux/amd64": "other\nx86_64\n", "linux/arm64": "arm\naarch64\n"} {
		if got := buildImage(t, dir, "--file="+plain, "--platform="+platform).read(t, "/kind"); got != want {
			t.Errorf("%s has %q:\n%s", platform, got, text)
		}
	}
	var form struct{ Text, Target string }
	if err := json.Unmarshal([]byte(buildx(t, dir, "--call=expand,format=json", both).ok(t).stdout), &form); err != nil || form.Text != text {
		t.Errorf("the JSON form has another text: %v", err)
	}
}

// TestExpandedRefused names the line of what has no plain form.
func TestExpandedRefused(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS build\nARG A=1\nFROM build(A=2) AS app\nRUN env\n")
	buildx(t, dir, "--call=expand").fails(t, "line 4, column 6", "the ARG A of build(A=2) would be seen on line 5")
}
