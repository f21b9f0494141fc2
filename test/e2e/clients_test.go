//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"github.com/stagecraft-build/stagecraft/frontend"
)

// epoch makes what two clients build comparable to the byte.
const epoch = "1700000000"

// twoStages has a bit of everything that a client passes to a frontend.
const twoStages = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
ARG BASE=alpine:3.22
FROM ${BASE} AS build
ARG GREETING=hello
RUN --mount=type=secret,id=who,env=WHO echo "$GREETING $WHO" > /greeting
FROM build AS test
RUN grep -q . /greeting
FROM scratch AS app
COPY --from=build /greeting /greeting
COPY data.txt ignored.txt* /
LABEL stage=app
CMD ["/greeting"]
-- Dockerfile.dockerignore --
ignored.txt
-- data.txt --
data
-- ignored.txt --
never in an image
-- who.txt --
world
-- docker-bake.hcl --
target "app" {
  target = "app"
  args   = { GREETING = "good day", SOURCE_DATE_EPOCH = "1700000000" }
  labels = { built = "yes" }
  secret = ["id=who,src=who.txt"]
}
`

// TestEveryClientGetsTheSameImage guards that options, secrets and ignore
// files reach the frontend from each stock client, and from a client that runs
// the frontend in its own process.
func TestEveryClientGetsTheSameImage(t *testing.T) {
	t.Parallel()
	dir := project(t, twoStages)
	layout := func(name string) string { return filepath.Join(t.TempDir(), name) }

	images := map[string]image{}
	load := func(client, layout string) {
		img := image{layout: layout}
		img.load(t)
		images[client] = img
	}

	out := layout("buildx")
	buildx(t, dir, "--provenance=false", "--target=app", "--build-arg=GREETING=good day", "--build-arg=SOURCE_DATE_EPOCH="+epoch,
		"--label=built=yes", "--secret=id=who,src=who.txt", "--output=type=oci,tar=false,dest="+out).ok(t)
	load("buildx build", out)

	out = layout("bake")
	run(t, dir, "buildx", "bake", "--progress=plain", "--allow=fs.write=*", "--provenance=false", "app", "--set=app.output=type=oci,tar=false,dest="+out).ok(t)
	load("buildx bake", out)

	out = layout("buildctl")
	run(t, dir, "buildctl", "build", "--progress=plain", "--frontend=gateway.v0", "--opt=source="+frontendImage,
		"--local=context=.", "--local=dockerfile=.", "--opt=target=app", "--opt=build-arg:GREETING=good day",
		"--opt=build-arg:SOURCE_DATE_EPOCH="+epoch, "--opt=label:built=yes", "--secret=id=who,src=who.txt",
		"--output=type=oci,tar=false,dest="+out).ok(t)
	load("buildctl", out)

	out = layout("inprocess")
	buildInProcess(t, dir, out, map[string]string{
		"target": "app", "build-arg:GREETING": "good day", "build-arg:SOURCE_DATE_EPOCH": epoch, "label:built": "yes",
	})
	load("client.Build", out)

	want := images["buildx build"]
	for name, img := range images {
		if img.Manifest.Config.Digest != want.Manifest.Config.Digest {
			t.Errorf("%s gives config %+v, buildx build gives %+v", name, img.Config, want.Config)
		}
		if !slices.EqualFunc(img.Manifest.Layers, want.Manifest.Layers, equalDigest) {
			t.Errorf("%s gives layers %v, buildx build gives %v", name, img.Manifest.Layers, want.Manifest.Layers)
		}
	}
	if got := want.Config.Config.Labels; got["stage"] != "app" || got["built"] != "yes" {
		t.Errorf("labels are %v", got)
	}
	img := buildImage(t, dir, "--target=app", "--build-arg=GREETING=good day", "--secret=id=who,src=who.txt")
	if got := img.read(t, "/greeting"); got != "good day world\n\n" { // the secret ends in a newline too
		t.Errorf("the greeting is %q", got)
	}
	if tree := img.tree(t); len(tree) != 2 {
		t.Errorf("the image holds %v, not two files", tree)
	}
}

// buildInProcess builds dir with frontend.Build in this process and writes an
// OCI layout. The secret who is world.
func buildInProcess(t *testing.T, dir, layout string, opts map[string]string) {
	t.Helper()
	c, err := client.New(t.Context(), env(t, "BUILDKIT_HOST"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	local, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan *client.SolveStatus)
	go func() {
		for range status { // the client waits for a reader
		}
	}()
	_, err = c.Build(t.Context(), client.SolveOpt{
		FrontendAttrs: opts,
		LocalMounts:   map[string]fsutil.FS{"context": local, "dockerfile": local},
		Session:       secrets(map[string][]byte{"who": []byte("world\n")}),
		Exports: []client.ExportEntry{{
			Type: client.ExporterOCI, Attrs: map[string]string{"tar": "false"}, OutputDir: layout,
		}},
	}, "", frontend.Build, status)
	if err != nil {
		t.Fatal(err)
	}
}

// TestContextsFromElsewhere builds from git, from HTTP and from stdin.
func TestContextsFromElsewhere(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- sub/Dockerfile --\n"+syntaxLine+"FROM scratch\nCOPY file.txt /\n-- sub/file.txt --\ncontent\n")
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x"},
		{"update-server-info"},
	} {
		run(t, dir, append([]string{"git"}, args...)...).ok(t)
	}
	repo := serve(t, filepath.Join(dir, ".git")) + "/repo.git"
	run(t, dir, "tar", "czf", "context.tar.gz", "-C", "sub", ".").ok(t)
	archive := serve(t, dir) + "/context.tar.gz"

	for name, build := range map[string]func(out string) command{
		"git": func(out string) command {
			return run(t, "", "buildx", "build", "--output=type=local,dest="+out, repo+"#main:sub")
		},
		"HTTP": func(out string) command {
			return run(t, "", "buildx", "build", "--output=type=local,dest="+out, archive)
		},
		"named git context": func(out string) command {
			named := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM scratch\nCOPY --from=repo /sub/file.txt /\n")
			return run(t, named, "buildx", "build", "--output=type=local,dest="+out, "--build-context=repo="+repo, ".")
		},
		"Dockerfile from stdin": func(out string) command {
			return pipe(t, filepath.Join(dir, "sub"), syntaxLine+"FROM scratch\nCOPY file.txt /\n", "buildx", "build", "--output=type=local,dest="+out, "-f-", ".")
		},
		"tar from stdin": func(out string) command {
			tar := run(t, filepath.Join(dir, "sub"), "tar", "c", ".").ok(t)
			return pipe(t, "", tar.stdout, "buildx", "build", "--output=type=local,dest="+out, "-")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			build(out).ok(t)
			dt, err := os.ReadFile(filepath.Join(out, "file.txt"))
			if err != nil || string(dt) != "content\n" {
				t.Errorf("file.txt is %q, %v", dt, err)
			}
		})
	}
}

// TestNamedContexts has every kind of named context that needs no network.
func TestNamedContexts(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM scratch AS replaced
COPY nosuchfile /
FROM scratch
COPY --from=replaced /etc/alpine-release /from-image
COPY --from=folder /f.txt /from-folder
COPY --from=layout /etc/passwd /from-layout
COPY --from=linked /made /from-target
-- folder/f.txt --
folder
-- made.Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM scratch
COPY folder/f.txt /made
-- docker-bake.hcl --
variable "LAYOUT" {}
target "default" {
  contexts = {
    replaced = "docker-image://alpine:3.22"
    folder   = "./folder"
    layout   = "oci-layout://${LAYOUT}"
    linked   = "target:made"
  }
}
target "made" {
  dockerfile = "made.Dockerfile"
}
`)
	busybox := buildImage(t, project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\n"))
	out := t.TempDir()
	runWith(t, dir, []string{"LAYOUT=" + busybox.layout}, "buildx", "bake", "--progress=plain", "--allow=fs=*",
		"--set=default.output=type=local,dest="+out).ok(t)
	for name, want := range map[string]string{"from-image": "3.", "from-folder": "folder", "from-layout": "root:", "from-target": "folder"} {
		dt, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || !strings.Contains(string(dt), want) {
			t.Errorf("%s is %q, %v", name, dt, err)
		}
	}
}

// pipe is run with text on stdin.
func pipe(tb testing.TB, dir, text string, args ...string) command {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "stdin")
	writeFile(tb, file, []byte(text))
	return run(tb, dir, append([]string{"sh", "-c", `exec "$@" < "$0"`, file}, args...)...)
}
