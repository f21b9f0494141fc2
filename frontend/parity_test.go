package frontend_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// requireParity runs b through upstream's frontend and ours and fails on any
// difference that a daemon or a user could see, round trips included.
func requireParity(t *testing.T, b gatewaytest.Build) {
	t.Helper()
	run := func(build client.BuildFunc) gatewaytest.Record {
		rec, err := gatewaytest.Run(t.Context(), b, build)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	want, got := run(builder.Build), run(frontend.Build)
	leaveIgnoreFileOut(&want, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upstream (-) and stagecraft (+) differ:\n%s", diff)
	}
}

// leaveIgnoreFileOut takes the look for .dockerignore out of got, a run that failed, where upstream did
// not come to it: we ask beside the image configs, upstream once it has all of them.
func leaveIgnoreFileOut(want, got *gatewaytest.Record) {
	asks := func(request string) bool { return strings.Contains(request, "load .dockerignore") }
	at := slices.IndexFunc(got.Solved, asks)
	if want.Error == "" || at < 0 || slices.ContainsFunc(want.Solved, asks) {
		return
	}
	got.Solved = slices.Delete(got.Solved, at, at+1)
	got.Calls["Solve"]--
	for _, call := range []string{"StatFile", "ReadFile"} { // it may have ended before
		if got.Calls[call] == want.Calls[call]+1 {
			got.Calls[call]--
		}
	}
}

// platformSets are the platforms of each parity run.
var platformSets = map[string][]string{
	"default platform": nil,
	"one platform":     {"platform", "linux/arm64"},
	"two platforms":    {"platform", "linux/amd64,linux/arm64"},
}

func TestParityOverCorpus(t *testing.T) {
	t.Parallel()
	files := dockerfiles(t)
	if len(files) < 200 {
		t.Fatalf("only %d Dockerfiles found below testdata", len(files))
	}
	for _, file := range files {
		for name, opts := range platformSets {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				requireParity(t, gatewaytest.Dockerfile(string(text), opts...))
			})
		}
	}
}

// dockerfiles returns the Dockerfiles below testdata.
func dockerfiles(tb testing.TB) []string {
	tb.Helper()
	var files []string
	err := filepath.WalkDir("../testdata", func(path string, d fs.DirEntry, err error) error {
		if err == nil && path == "../testdata/reference" {
			return fs.SkipDir // those have extensions
		}
		if err == nil && d.Type().IsRegular() && strings.Contains(d.Name(), "Dockerfile") && !strings.HasSuffix(d.Name(), ".go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func TestParityOverGeneratedDockerfiles(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			requireParity(t, generatedBuild(seed))
		})
	}
}

func FuzzParityGenerated(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireParity(t, generatedBuild(seed)) })
}

func FuzzParityText(f *testing.F) {
	for _, file := range dockerfiles(f) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), false)
	}
	for _, archive := range cases(f) {
		f.Add(string(archive.Files[0].Data), false)
	}
	f.Fuzz(func(t *testing.T, text string, two bool) {
		opts := platformSets["default platform"]
		if two {
			opts = platformSets["two platforms"]
		}
		b := gatewaytest.Dockerfile(text, opts...)
		if file, _ := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{}); !file.Extended && len(file.Warnings) == 0 && !callInArg.MatchString(text) {
			requireParity(t, b)
			return
		}
		// there is nothing to compare with
		if rec, err := gatewaytest.Run(t.Context(), b, frontend.Build); err != nil || strings.Contains(rec.Error, "internal error") {
			t.Error(err, rec.Error)
		}
	})
}

// callInArg finds the value of an ARG that may make a FROM a call.
var callInArg = regexp.MustCompile(`(?i)ARG.*\(`)

func generatedBuild(seed uint64) gatewaytest.Build {
	text, opts := dockerfilegen.Generate(seed)
	b := gatewaytest.Dockerfile(text)
	for k, v := range opts {
		b.Opts[k] = v
	}
	return b
}
