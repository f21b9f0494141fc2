//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repository makes a git repository of an archive, with the tag v1 and the branch
// main, and returns its folder, its URL and its commit.
func repository(tb testing.TB, archive string) (dir, url, commit string) {
	tb.Helper()
	dir = project(tb, archive)
	commit = commitAll(tb, dir)
	return dir, serve(tb, filepath.Join(dir, ".git")) + "/repo.git", commit
}

// commitAll makes a git repository of a folder, and returns the commit.
func commitAll(tb testing.TB, dir string) string {
	tb.Helper()
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x"},
		{"tag", "v1"}, {"update-server-info"},
	} {
		run(tb, dir, append([]string{"git"}, args...)...).ok(tb)
	}
	return strings.TrimSpace(run(tb, dir, "git", "rev-parse", "HEAD").ok(tb).stdout)
}

// importing is a project of files that import each other. What .dockerignore
// lists is no part of the build context, and is imported all the same.
const importing = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
# a comment above
ARG GREETING=hello
# another one
IMPORT ./build/text.Dockerfile AS text
FROM scratch
COPY --from=text.greet(NAME=[world,you]) /out /$NAME
COPY --from=./build/text.Dockerfile#greet /out /nobody
COPY --from=/build/deep/more.Dockerfile#more /more /more
-- build/text.Dockerfile --
# syntax=docker/dockerfile:1
# escape=` + "`" + `
ARG GREETING=unset
FROM ./deep/more.Dockerfile#base AS greet
ARG NAME=nobody
ARG GREETING
COPY file.txt /file.txt
RUN <<EOF
echo "$GREETING $NAME, $(cat /file.txt) \ build(PKG=x)" > /out
EOF
RUN ls /build 2>/dev/null; ` + "`" + `
  true
-- build/deep/more.Dockerfile --
FROM busybox AS base
FROM base AS more
RUN echo more > /more
-- .dockerignore --
build
-- file.txt --
content
`

// wantImporting is what the image of the project holds.
var wantImporting = map[string]string{
	"/world": "hello world, content \\ build(PKG=x)\n", "/you": "hello you, content \\ build(PKG=x)\n",
	"/nobody": "hello nobody, content \\ build(PKG=x)\n", "/more": "more\n",
}

func TestImports(t *testing.T) {
	t.Parallel()
	dir := project(t, importing)
	_, url, _ := repository(t, importing)
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "docker-bake.hcl"), []byte("target \"default\" {\n  dockerfile-inline = <<EOT\n"+strings.NewReplacer("${", "$${").Replace(string(text))+"EOT\n}\n"))
	for name, build := range map[string]func(output string) command{
		"the file of a project": func(output string) command {
			return run(t, dir, "buildx", "build", "--build-arg=GREETING=hello", "--output="+output, ".")
		},
		"standard input": func(output string) command {
			return pipe(t, dir, string(text), "buildx", "build", "--build-arg=GREETING=hello", "--output="+output, "-f-", ".")
		},
		"git": func(output string) command {
			return run(t, "", "buildx", "build", "--build-arg=GREETING=hello", "--output="+output, url+"#main")
		},
		"bake inline": func(output string) command {
			return run(t, dir, "buildx", "bake", "--allow=fs=*", "--set=*.args.GREETING=hello", "--set=*.output="+output)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			build("type=local,dest=" + out).ok(t)
			for file, want := range wantImporting {
				dt, err := os.ReadFile(filepath.Join(out, file))
				if err != nil || string(dt) != want {
					t.Errorf("%s is %q, %v", file, dt, err)
				}
			}
		})
	}
}

// TestImportOfAPattern imports files whose names are patterns: not those that the patterns find.
func TestImportOfAPattern(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
IMPORT ./[x].Dockerfile AS x
IMPORT ./*a?\\.json AS data
LET V = data.v
FROM scratch
COPY --from=x.made(V=$V) /v /
-- [x].Dockerfile --
FROM busybox AS made
ARG V
RUN echo "$V" > /v
-- *a?\.json --
{"v": "right"}
-- x.Dockerfile --
FROM scratch AS made
-- bab.json --
{"v": "wrong"}
`)
	out := t.TempDir()
	buildx(t, dir, "--build-arg=BUILDKIT_SYNTAX="+frontendImage, "--output=type=local,dest="+out).ok(t)
	if got := readText(t, filepath.Join(out, "v")); got != "right\n" {
		t.Errorf("the build gives %q", got)
	}
}

// library is a project whose stages others import: what it copies is its own,
// and of build args it sees what is passed.
const library = `
-- stages.Dockerfile --
ARG LEVEL=unset
FROM busybox AS show
ARG LEVEL
ARG GIVEN=unset
COPY data* /data
RUN echo "$LEVEL $GIVEN $(cat /data)" > /out
FROM ./inner/more.Dockerfile#more
COPY --from=show /out /last
-- inner/more.Dockerfile --
FROM busybox AS more
-- data --
of the library
`

// TestLibraries imports the same stages from every kind of source.
func TestLibraries(t *testing.T) {
	t.Parallel()
	repo, url, commit := repository(t, library)
	// what a folder ignores is no part of its context, and is imported all the same
	ignoring := project(t, library+"-- .dockerignore --\n*.Dockerfile\ninner\n")
	_, below, _ := repository(t, strings.ReplaceAll(library, "\n-- ", "\n-- lib/"))
	archives := t.TempDir()
	run(t, repo, "tar", "czf", filepath.Join(archives, "lib.tar.gz"), "stages.Dockerfile", "inner", "data").ok(t)
	files, packed := serve(t, repo), serve(t, archives)+"/lib.tar.gz"
	imageName := registry(t) + "/stages/lib:1"
	source := project(t, "-- Dockerfile --\nFROM scratch\nCOPY . /\n"+library)
	image := buildImage(t, source)
	buildx(t, source, "--output=type=registry,name="+imageName).ok(t)
	const rest = ` --arg=LEVEL /stages.Dockerfile AS lib
FROM scratch
COPY --from=lib.show /out /out
COPY --from=lib.show(GIVEN=bound) /out /bound
`
	for name, build := range map[string]struct {
		from string
		args []string
	}{
		"git tag":         {from: url + "#v1"},
		"git branch":      {from: url + "#main"},
		"git commit":      {from: url + "#" + commit},
		"git query":       {from: url + "?ref=v1&checksum=" + commit},
		"HTTP archive":    {from: packed},
		"image":           {from: "docker-image://" + imageName},
		"named folder":    {"shared", []string{"--build-context=shared=" + ignoring}},
		"named git":       {"shared", []string{"--build-context=shared=" + url + "#v1"}},
		"named archive":   {"shared", []string{"--build-context=shared=" + packed}},
		"named image":     {"shared", []string{"--build-context=shared=docker-image://" + imageName}},
		"named OCI image": {"shared", []string{"--build-context=shared=oci-layout://" + image.layout}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, "-- Dockerfile --\n"+syntaxLine+"ARG LEVEL=5\nIMPORT --from="+build.from+rest+"-- data --\nof the importer\n")
			img := buildImage(t, dir, append(build.args, "--build-arg=GIVEN=outside")...)
			if got := img.read(t, "/out"); got != "5 unset of the library\n" {
				t.Errorf("/out is %q", got)
			}
			if got := img.read(t, "/bound"); got != "5 bound of the library\n" {
				t.Errorf("/bound is %q", got)
			}
		})
	}
	t.Run("subdirectory", func(t *testing.T) {
		t.Parallel()
		img := buildImage(t, project(t, "-- Dockerfile --\n"+syntaxLine+"ARG LIB="+below+`#v1:lib
IMPORT --from=$LIB stages.Dockerfile AS lib
IMPORT --from=$LIB --context=. stages.Dockerfile AS own
FROM scratch
COPY --from=lib.show /out /lib
COPY --from=own.show /out /own
COPY --from=lib.show(GIVEN=x) /out /x
-- data --
of the importer
`))
		for file, want := range map[string]string{"/lib": "unset unset of the library\n", "/own": "unset unset of the importer\n", "/x": "unset x of the library\n"} {
			if got := img.read(t, file); got != want {
				t.Errorf("%s is %q", file, got)
			}
		}
	})
	t.Run("HTTP file", func(t *testing.T) {
		t.Parallel()
		img := buildImage(t, project(t, "-- Dockerfile --\n"+syntaxLine+"IMPORT --from="+files+"/inner/more.Dockerfile AS more\nFROM more.more AS x\nFROM scratch\nCOPY --from=x /bin/busybox /busybox\n"))
		if !img.has(t, "/busybox") {
			t.Error("the file's stage is not there")
		}
	})
}

// TestLibrarySeesWhatItAsksFor guards that a library gets secrets by the ids of
// its own lines, and no others.
func TestLibrarySeesWhatItAsksFor(t *testing.T) {
	t.Parallel()
	_, url, _ := repository(t, "-- s.Dockerfile --\nFROM busybox AS s\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size; ls /run/secrets > /list\n")
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"IMPORT --from="+url+"#v1 s.Dockerfile AS lib\nFROM scratch\nCOPY --from=lib.s /size /list /\n-- token --\nhush\n-- other --\nsecret\n")
	img := buildImage(t, dir, "--secret=id=token,src=token", "--secret=id=other,src=other")
	if got := img.read(t, "/list"); got != "token\n" {
		t.Errorf("the library sees %q", got)
	}
	if got := img.read(t, "/size"); got != "5\n" {
		t.Errorf("the secret has %q bytes", got)
	}
}

func TestImportFaults(t *testing.T) {
	t.Parallel()
	private := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(private.Close)
	dir := project(t, `
-- plain/x --
x
-- failing.Dockerfile --
# the first line
FROM busybox AS failing
ARG WHAT=nothing
RUN echo "about to fail: $WHAT" && \
  false
-- empty.Dockerfile --

`)
	if err := os.Symlink("../outside/file", filepath.Join(dir, "link.Dockerfile")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "large.Dockerfile"), []byte("FROM scratch\n"+strings.Repeat("# "+strings.Repeat("x", 1021)+"\n", 17*1024)))
	for i, fault := range []struct {
		line string
		want []string
	}{
		{"IMPORT ./nope.Dockerfile AS a", []string{"line 2, column 8: there is no file nope.Dockerfile", ">>> IMPORT ./nope.Dockerfile AS a"}},
		{"IMPORT ./plain AS a", []string{"line 2, column 8: plain is a directory"}},
		{"IMPORT ./link.Dockerfile AS a", []string{"line 2, column 8: link.Dockerfile is a symbolic link to ../outside/file, which is not in"}},
		{"IMPORT ./large.Dockerfile AS a", []string{"line 2, column 8: failed to read large.Dockerfile", "16"}},
		{"IMPORT ./empty.Dockerfile AS a", []string{"empty.Dockerfile", "imported on line 2"}},
		{"IMPORT ../up.Dockerfile AS a", []string{"leaves the directory of the Dockerfile", "as in /up.Dockerfile"}},
		{"IMPORT --from=http://127.0.0.1:1/repo.git x AS a", []string{"line 2, column 15: failed to fetch http://127.0.0.1:1/repo.git: the builder does not reach it"}},
		{"IMPORT --from=" + private.URL + "/repo.git x AS a", []string{"line 2, column 15: failed to fetch", "pass a token with --secret id=GIT_AUTH_TOKEN"}},
		{"IMPORT --from=" + private.URL + "/file.Dockerfile AS a", []string{"line 2, column 15: failed to fetch", "401"}},
		{"IMPORT --from=docker-image://" + registry(t) + "/no/such:1 x AS a", []string{"line 2, column 15: failed to fetch", "not found"}},
		{"IMPORT --from=nothing x AS a", []string{`line 2, column 15: "nothing" is no named context`}},
		{"IMPORT ./failing.Dockerfile AS bad\nFROM bad.failing(WHAT=this)", []string{
			"[bad.failing(WHAT=this) 2/2] RUN echo \"about to fail: this\"", "failing.Dockerfile:4", `>>> RUN echo "about to fail: $WHAT" && \`, ">>>   false", "exit code: 1"}},
	} {
		t.Run(fault.line, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("Dockerfile.%d", i)
			writeFile(t, filepath.Join(dir, name), []byte(syntaxLine+fault.line+"\nFROM scratch AS last\nCOPY "+name+" /\n"))
			args := []string{"--file=" + name}
			if strings.Contains(fault.line, "bad.failing") {
				writeFile(t, filepath.Join(dir, name), []byte(syntaxLine+fault.line+"\n"))
			}
			c := buildx(t, dir, args...).fails(t, fault.want...)
			if strings.Contains(c.output(), "internal error") {
				t.Error(c.output())
			}
		})
	}
}

// TestImportsOnEngines builds a project and a library on other engines.
func TestImportsOnEngines(t *testing.T) {
	t.Parallel()
	_, url, _ := repository(t, library)
	dir := project(t, importing+"-- lib.Dockerfile --\n"+syntaxLine+"IMPORT --from="+url+"#v1 stages.Dockerfile AS lib\nFROM lib.show\n")
	onEngines(t, func(t *testing.T, on target) {
		on.build(t, dir).ok(t)
		if got := on.prints(t, dir, []string{"-f", "lib.Dockerfile"}, "cat", "/out"); got != "unset unset of the library\n" {
			t.Errorf("it prints %q", got)
		}
	})
}
