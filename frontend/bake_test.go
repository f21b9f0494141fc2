package frontend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// bakeFile is what a test reads of a bake file.
type bakeFile struct {
	Group  map[string]struct{ Targets []string }
	Target map[string]struct {
		Target     string
		Dockerfile string
		Args       map[string]string
		Platforms  []string
	}
}

// fromBake gives what bake reads for a text of a bake file.
var fromBake = strings.NewReplacer(`${"$"}`, "$", "$${", "${", "%%{", "%{")

// opDigests finds the digests of a definition.
var opDigests = regexp.MustCompile(`(?m)^sha256:\S+`)

func bakeOf(tb testing.TB, b gatewaytest.Build) (*bakeFile, gatewaytest.Record) {
	tb.Helper()
	b.Opts = maps.Clone(b.Opts)
	b.Opts["requestid"] = "frontend.bake"
	rec, err := gatewaytest.Run(tb.Context(), b, frontend.Build)
	if err != nil {
		tb.Fatal(err)
	}
	if rec.Error != "" {
		return nil, rec
	}
	var file bakeFile
	if err := json.Unmarshal([]byte(rec.Metadata["result.txt"]), &file); err != nil {
		tb.Fatalf("%v:\n%s", err, rec.Metadata["result.txt"])
	}
	return &file, rec
}

// TestBakeBuildsTheSame builds each target of the bake file of every golden case with
// what the file says of it, and with docker build --target and all that the case gives:
// the results are the same. That of the default group is what the case builds. A random
// half of the build args that a case lacks is added.
func TestBakeBuildsTheSame(t *testing.T) {
	t.Parallel()
	compared := 0
	for file, archive := range cases(t) {
		if strings.HasSuffix(file, "expand-trigger-arg.txtar") {
			continue // the bake file cannot know what triggers of images declare, as bake.md says
		}
		r := rand.New(rand.NewPCG(uint64(len(file)), 9))
		b := caseOf(t, archive)
		delete(b.Opts, "requestid")
		for _, match := range argLines.FindAllStringSubmatch(b.Files["dockerfile"]["Dockerfile"], -1) {
			name, _, _ := strings.Cut(match[1], "=")
			if _, given := b.Opts["build-arg:"+name]; !given && r.IntN(2) == 0 && !strings.ContainsAny(name, " -") {
				b.Opts["build-arg:"+name] = "1"
			}
		}
		baked, _ := bakeOf(t, b)
		if baked == nil {
			continue
		}
		for name, target := range baked.Target {
			build := func(to string, keep func(arg string) bool) []string {
				c := b
				c.Opts = maps.Clone(b.Opts)
				maps.DeleteFunc(c.Opts, func(key, _ string) bool {
					arg, ok := strings.CutPrefix(key, "build-arg:")
					return ok && !keep(arg)
				})
				c.Opts["target"] = to
				if target.Platforms != nil {
					c.Opts["platform"] = strings.Join(target.Platforms, ",")
				}
				rec, err := gatewaytest.Run(t.Context(), c, frontend.Build)
				if err != nil {
					t.Fatal(err)
				}
				// a step may have another name where another call is equal
				return append(opDigests.FindAllString(strings.Join(rec.Solved, "\n"), -1), fmt.Sprint("fails: ", rec.Error != ""), rec.Metadata["containerimage.config"])
			}
			given := func(string) bool { return true }
			all := build(target.Target, given)
			if name == baked.Group["default"].Targets[0] {
				all = build(b.Opts["target"], given)
			}
			some := build(target.Target, func(arg string) bool {
				v, ok := target.Args[arg]
				if value := fromBake.Replace(v); ok && value != b.Opts["build-arg:"+arg] && !strings.HasPrefix(v, "${ARG_") {
					t.Errorf("%s: target %s has %s=%q", file, name, arg, v)
				}
				// clients add their proxies to every build
				return ok || strings.HasSuffix(strings.ToUpper(arg), "_PROXY")
			})
			compared++
			if diff := cmp.Diff(all, some); diff != "" {
				t.Errorf("%s: target %s: all options (-) and those of the bake file (+):\n%s", file, name, diff)
			}
		}
	}
	if compared < 300 {
		t.Errorf("%d targets were compared only", compared)
	}
}

// TestBakeFindsTheDockerfile looks for a Dockerfile of a subfolder in the build context:
// the client says its name alone.
func TestBakeFindsTheDockerfile(t *testing.T) {
	t.Parallel()
	const text, other = "FROM alpine AS app\n", "FROM alpine\nRUN x\n"
	for name, tc := range map[string]struct {
		context map[string]string
		want    string
		fails   string
	}{
		"root":    {context: map[string]string{"a.Dockerfile": text, "sub/a.Dockerfile": text}, want: "a.Dockerfile"},
		"below":   {context: map[string]string{"a.Dockerfile": other, "sub/deep/a.Dockerfile": text, "x/a.Dockerfile": other, "x/b": text}, want: "sub/deep/a.Dockerfile"},
		"twice":   {context: map[string]string{"a.Dockerfile": other, "x/a.Dockerfile": text, "y/a.Dockerfile": text}, fails: "x/a.Dockerfile, y/a.Dockerfile"},
		"nowhere": {context: map[string]string{"a.Dockerfile": other}, fails: "is not in the build context"},
	} {
		b := gatewaytest.Build{
			Files: map[string]map[string]string{"dockerfile": {"a.Dockerfile": text}, "context": tc.context},
			Opts:  map[string]string{"cmdline": "stagecraft/dockerfile:1", "filename": "a.Dockerfile"},
		}
		file, rec := bakeOf(t, b)
		switch {
		case tc.fails != "":
			if !strings.Contains(rec.Error, tc.fails) {
				t.Errorf("%s: the error is %q", name, rec.Error)
			}
		case file == nil:
			t.Errorf("%s: %s", name, rec.Error)
		case file.Target["app"].Dockerfile != tc.want:
			t.Errorf("%s: the Dockerfile is %q", name, file.Target["app"].Dockerfile)
		}
	}
}

// TestBakeHidesSecrets looks for passwords of URLs and for build args that open an import
// in the bake file and in its errors.
func TestBakeHidesSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, imports := range []string{
		"ARG TOKEN\nIMPORT --from=https://me:$TOKEN@example.com/x.git#v1 x.Dockerfile AS x\n",
		"ARG TOKEN\nLET A = \"https://\" + TOKEN + \"@example.com/x.git#v1\"\nIMPORT --from=$A x.Dockerfile AS x\n",
		"ARG TOKEN\nARG LOGIN=me:$TOKEN\nIMPORT --from=https://${LOGIN}@example.com/x.git#v1 x.Dockerfile AS x\n",
	} {
		for _, rest := range []string{"FROM x.a AS app\nARG TOKEN\nRUN x\n", "FROM --bake=labels.a=$TOKEN x.a AS app\n", "FROM --bake=tags=$TOKEN@x x.a AS app\n"} {
			b := gatewaytest.Dockerfile(imports+rest, "build-arg:TOKEN", secret, "context:lib", "https://me:"+secret+"@example.com/lib.git", "build-arg:HTTP_PROXY", "http://me:"+secret+"@proxy")
			b.Files["git://example.com/x.git#v1"] = map[string]string{"x.Dockerfile": "FROM alpine AS a\n"}
			_, rec := bakeOf(t, b)
			texts := append([]string{rec.Error, rec.Metadata["result.json"]}, rec.Warnings...)
			if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, secret) }) {
				t.Errorf("%s%s\nshows the secret: %v", imports, rest, texts)
			}
			if rec.Error == "" && !strings.Contains(rec.Metadata["result.txt"], `"TOKEN": "${ARG_TOKEN}"`) {
				t.Errorf("%s%s\nhas no TOKEN: %s", imports, rest, rec.Metadata["result.txt"])
			}
		}
	}
}
