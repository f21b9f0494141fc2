//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"
)

// seed is one image of a post: see testdata/seeds/README.md.
type seed struct {
	name string
	// dir and file say which Dockerfile; args are further arguments of
	// buildx build.
	dir, file string
	args      []string
	// program is what it is about, which the fourth column has alone with what it needs.
	program string
	// has and lacks are paths that are, and are not, in the image.
	has, lacks []string
	// smallerThan names the image that the post compares with, which is
	// at least factor times as large. The factors are what the stand-ins
	// of the development engine allow: their golang holds about 330 MB, their
	// alpine 5 MB, so that a program of 8 MB on alpine comes to a 25th.
	smallerThan string
	factor      float64
	// check runs the image.
	check func(t *testing.T, img image)
}

var (
	sdk     = []string{"/usr/local/go/bin/go"}
	multi   = func(program string) []string { return []string{program, "/bin/busybox"} }
	answers = func(path, want string) func(*testing.T, image) {
		return func(t *testing.T, img image) { requireAnswer(t, img, path, want) }
	}
	helloRun = func(want string, argv ...string) func(*testing.T, image) {
		return func(t *testing.T, img image) {
			t.Helper()
			if got := img.run(t, argv...).ok(t).stdout; got != want {
				t.Errorf("the image prints %q, not %q", got, want)
			}
		}
	}
)

func seeds() []seed {
	return []seed{
		{
			name: "lesson6 dev", dir: "lesson6", file: "Dockerfile", args: []string{"--target=builder"},
			program: "/go/bin/hello",
			has:     append(sdk, "/usr/bin/git", "/go/bin/hello", "/go/src/integratnio/go-rest-api/main.go"),
		}, {
			name: "lesson6 prod", dir: "lesson6", file: "Dockerfile",
			program: "/go/bin/hello",
			has:     append(sdk, "/go/bin/hello"), lacks: []string{"/usr/bin/git", "/go/src/integratnio"},
			smallerThan: "lesson6 dev", factor: 1.01,
			check: answers("/hello", `{"message":"hello from the rest api"}`+"\n"),
		}, {
			name: "alpine-runtime build", dir: "alpine-runtime", file: "Dockerfile", args: []string{"--target=builder"},
			program: "/main",
			has:     append(sdk, "/main", "/main.go", "/go.mod"),
		}, {
			name: "alpine-runtime", dir: "alpine-runtime", file: "Dockerfile",
			program: "/main",
			has:     multi("/main"), lacks: append(sdk, "/main.go", "/go.mod", "/go"),
			smallerThan: "alpine-runtime build", factor: 15,
			check: func(t *testing.T, img image) {
				requireAnswer(t, img, "/", "day 6\n")
				if _, ok := img.Config.Config.ExposedPorts["8080/tcp"]; !ok {
					t.Errorf("the exposed ports are %v", img.Config.Config.ExposedPorts)
				}
			},
		}, {
			name: "dockercon2017 single", dir: "dockercon2017", file: "Dockerfile.single",
			program: "/webservice",
			has:     append(sdk, "/webservice"),
			check:   answers("/", "Hello, DockerCon!\n"),
		}, {
			name: "dockercon2017 alpine", dir: "dockercon2017", file: "Dockerfile",
			program: "/webservice",
			has:     append(multi("/webservice"), "/etc/ssl/certs/ca-certificates.crt"), lacks: append(sdk, "/go"),
			smallerThan: "dockercon2017 single", factor: 15,
			check: answers("/", "Hello, DockerCon!\n"),
		}, {
			name: "dockercon2017 scratch", dir: "dockercon2017", file: "Dockerfile", args: []string{"--build-arg=RUNTIME_IMAGE=scratch"},
			program: "/webservice",
			has:     []string{"/webservice", "/etc/ssl/certs/ca-certificates.crt"}, lacks: append(sdk, "/bin"),
			smallerThan: "dockercon2017 alpine", factor: 1.1,
			check: answers("/", "Hello, DockerCon!\n"),
		}, {
			name: "href-counter sdk", dir: "href-counter", file: "Dockerfile.build",
			program: "/go/src/github.com/alexellis/href-counter/app",
			has:     append(sdk, "/go/src/github.com/alexellis/href-counter/app"),
		}, {
			name: "href-counter multi", dir: "href-counter", file: "Dockerfile.multi",
			program: "/root/app",
			has:     multi("/root/app"), lacks: append(sdk, "/go"),
			smallerThan: "href-counter sdk", factor: 15,
			check: requireLinkCount,
		}, {
			name: "hello-lab", dir: "hello-lab", file: "Dockerfile",
			program: "/app",
			has:     []string{"/app"}, lacks: append(sdk, "/bin", "/app.go"),
			smallerThan: "href-counter sdk", factor: 50,
			check: helloRun("Hello world!\n"),
		}, {
			name: "hola traditional", dir: "hola", file: "Dockerfile.traditional",
			program: "/go/hello",
			has:     append(sdk, "/go/hello", "/bin/ls"),
			check:   helloRun("hello world\n", "/go/hello"),
		}, {
			name: "hola", dir: "hola", file: "Dockerfile",
			program: "/usr/local/bin/hello",
			has:     multi("/usr/local/bin/hello"), lacks: append(sdk, "/go"),
			smallerThan: "hola traditional", factor: 30,
			check: helloRun("hello world\n", "hello"),
		},
	}
}

// seedContext copies a post's folder and puts the syntax line in front of its
// Dockerfiles.
func seedContext(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../testdata/seeds", name))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "Dockerfile*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Dockerfile in %s: %v", name, err)
	}
	for _, file := range files {
		dt, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, append([]byte(syntaxLine), dt...))
	}
	return dir
}

// TestSeeds builds the images of the posts, holds their sizes against what the posts claim, and
// prints them: the image, what it leaves behind, and its program alone with what it needs.
func TestSeeds(t *testing.T) {
	t.Parallel()
	sizes, rows := map[string]int64{}, map[string][]int64{}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "IMAGE\tSIZE\tLEFT BEHIND\t--needed ON SCRATCH\t")
	for _, s := range seeds() {
		t.Run(s.name, func(t *testing.T) { // in turn: an image is compared with an earlier one
			dir, args := seedContext(t, s.dir), append([]string{"--file=" + s.file}, s.args...)
			img := buildImage(t, dir, args...)
			for _, path := range s.has {
				if !img.has(t, path) {
					t.Errorf("%s is missing", path)
				}
			}
			for _, path := range s.lacks {
				if img.has(t, path) {
					t.Errorf("%s is in the image", path)
				}
			}
			built := callSize(t, dir, args...)
			sizes[s.name] = built.Size
			if s.smallerThan != "" {
				factor := float64(sizes[s.smallerThan]) / float64(built.Size)
				t.Logf("%d bytes, %s %d: a factor of %.1f", built.Size, s.smallerThan, sizes[s.smallerThan], factor)
				if factor < s.factor {
					t.Errorf("smaller than %s by a factor of %.2f, not %.2f", s.smallerThan, factor, s.factor)
				}
			}
			alone, size := neededAlone(t, dir, s, args)
			if size > built.Size {
				t.Errorf("the program alone has %d bytes, more than the image of %d", size, built.Size)
			}
			rows[s.name] = []int64{built.Size, built.LeftBehind, size}
			fmt.Fprintf(w, "%s\t%.2f MB\t%.2f MB\t%.2f MB\t\n", s.name, float64(built.Size)/1e6, float64(built.LeftBehind)/1e6, float64(size)/1e6)
			if s.check != nil {
				s.check(t, img)
				alone.Config = img.Config
				// an engine makes the working directory
				if err := os.MkdirAll(filepath.Join(alone.rootfs, alone.Config.Config.WorkingDir), 0o755); err != nil {
					t.Fatal(err)
				}
				s.check(t, alone)
			}
		})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	requireWritten(t, "../../docs/guides/from-424-to-6.md", rows)
}

// neededAlone builds a stage more, from scratch, with the program of a seed at its path, and what
// it needs; it returns the size of that, too.
func neededAlone(t *testing.T, dir string, s seed, args []string) (image, int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, s.file))
	if err != nil {
		t.Fatal(err)
	}
	stage := 0
	if !slices.Contains(s.args, "--target=builder") {
		stage = strings.Count(string(text), "\nFROM ") - 1
	}
	text = fmt.Appendf(text, "\nFROM scratch AS needed\nCOPY --needed --from=%d %s %[2]s\n", stage, s.program)
	writeFile(t, filepath.Join(dir, s.file), text)
	args = append(slices.Clone(args), "--target=needed")
	return buildImage(t, dir, args...), callSize(t, dir, args...).Size
}

// TestSeedBuilderPattern follows the script of the builder pattern and guards
// that the multi-stage file gives the same tree, file by file.
func TestSeedBuilderPattern(t *testing.T) {
	t.Parallel()
	dir := seedContext(t, "href-counter")
	build := buildImage(t, dir, "--file=Dockerfile.build")
	app := build.read(t, "/go/src/github.com/alexellis/href-counter/app")
	if err := os.WriteFile(filepath.Join(dir, "app"), []byte(app), 0o755); err != nil {
		t.Fatal(err)
	}
	twoFiles := buildImage(t, dir)
	oneFile := buildImage(t, dir, "--file=Dockerfile.multi")
	if diff := cmp.Diff(twoFiles.tree(t), oneFile.tree(t)); diff != "" {
		t.Errorf("the builder pattern (-) and the multi-stage build (+) differ:\n%s", diff)
	}
	if diff := cmp.Diff(twoFiles.Config.Config, oneFile.Config.Config); diff != "" {
		t.Errorf("the builder pattern (-) and the multi-stage build (+) differ in config:\n%s", diff)
	}
	requireLinkCount(t, twoFiles)
}

// TestSeedBinaryFromOutside builds the first Dockerfile of the post of 2017,
// for which a build tool made the program, and compares it with the build that
// makes it inside.
func TestSeedBinaryFromOutside(t *testing.T) {
	t.Parallel()
	dir := seedContext(t, "dockercon2017")
	runWith(t, dir, []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "-o", "webservice", ".").ok(t)
	certs, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "ca-certificates.crt"), certs)
	outside := buildImage(t, dir, "--file=Dockerfile.binary")
	requireAnswer(t, outside, "/", "Hello, DockerCon!\n")
	inside := buildImage(t, dir, "--build-arg=RUNTIME_IMAGE=scratch")
	for path := range outside.tree(t) {
		if !inside.has(t, path) {
			t.Errorf("%s is missing in the multi-stage build", path)
		}
	}
}

// TestSeedTestsGateTheBuild guards the claim of 2017 that a failing test means
// no image.
func TestSeedTestsGateTheBuild(t *testing.T) {
	t.Parallel()
	dir := seedContext(t, "dockercon2017")
	file := filepath.Join(dir, "main.go")
	dt, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, []byte(strings.ReplaceAll(string(dt), "Hello", "Bye")))
	buildx(t, dir).fails(t, "--- FAIL: TestGreet", "Dockerfile:8", ">>> RUN go test ./...")
}

// TestSeedPrintedWithAFault: one post prints a COPY without a destination.
func TestSeedPrintedWithAFault(t *testing.T) {
	t.Parallel()
	buildx(t, seedContext(t, "hola"), "--file=Dockerfile.printed").fails(t,
		"Dockerfile.printed:3", ">>> COPY hello.go", "COPY requires at least two arguments")
}

// requireAnswer starts the image's server and asks it for path.
func requireAnswer(t *testing.T, img image, path, want string) {
	t.Helper()
	port := freePort(t)
	server := img.start(t, []string{"PORT=" + port})
	var got string
	ok := waitFor(t.Context(), func() bool {
		res, err := http.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			return server.ended()
		}
		defer res.Body.Close()
		dt, err := io.ReadAll(res.Body)
		got = string(dt)
		return err == nil
	})
	if !ok || got != want {
		t.Errorf("GET %s gives %q, not %q; the server printed:\n%s", path, got, want, server.output())
	}
}

// requireLinkCount has the image count the links of a page.
func requireLinkCount(t *testing.T, img image) {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<a href="/one">1</a><p><a href="two">2</a></p><a href="https://example.com/">3</a><a name="four">4</a>`)
	}))
	defer page.Close()
	got := img.exec(t, []string{"url=" + page.URL}, img.Config.Config.Cmd...).ok(t).stdout
	if want := `{"internal":2,"external":1}` + "\n"; got != want {
		t.Errorf("the image counts %q, not %q", got, want)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
