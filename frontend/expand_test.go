package frontend_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// expansions counts what became of builds that were expanded.
type expansions struct {
	mu      sync.Mutex
	equal   int
	refused map[string]string
}

// check expands a build and fails unless upstream makes of the plain file what we make
// of the build, or the answer is a mistake with a place.
func (n *expansions) check(t *testing.T, name string, b gatewaytest.Build) {
	t.Helper()
	b.Opts = maps.Clone(b.Opts)
	for key := range b.Opts {
		// what is asked, and attestations, are none of the file's
		if key == "requestid" || key == "requestversion" || strings.HasPrefix(key, "attest:") {
			delete(b.Opts, key)
		}
	}
	c := gatewaytest.New(b)
	want, err := frontend.Build(t.Context(), c)
	if err != nil {
		return
	}
	text, form, err := expanded(t, b)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if len(errdefs.Sources(err)) == 0 {
			t.Errorf("a refusal without a place: %v", err)
		}
		if strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: %v", name, err)
		}
		if n.refused == nil {
			n.refused = map[string]string{}
		}
		n.refused[name] = err.Error()
		return
	}
	plain := plainBuild(b, text)
	their := gatewaytest.New(plain)
	got, err := builder.Build(t.Context(), their)
	if err != nil {
		t.Errorf("upstream refuses\n%s\n%v", text, err)
		return
	}
	requireReadable(t, text)
	requireOrigins(t, b, text, form)
	theirs := heads(t, their.Solved)
	ours := slices.DeleteFunc(heads(t, c.Solved), func(head string) bool { return !slices.Contains(theirs, head) }) // files were read, too
	ifExists := strings.Contains(fmt.Sprint(b.Files), "--if-exists")
	if !slices.Equal(ours, theirs) && !ifExists {
		t.Errorf("the plain file has other ops:\n%s\n%s", text, gocmp.Diff(vertices(t, c.Solved), vertices(t, their.Solved)))
	}
	if diff := gocmp.Diff(configs(t, want), configs(t, got)); diff != "" {
		t.Errorf("the plain file has another config:\n%s\n%s", text, diff)
	}
	if slices.Equal(ours, theirs) {
		n.equal++
	}
	again, _, err := expanded(t, plain)
	if err != nil || again != text {
		t.Errorf("the plain file expands to another one: %v\n%s", err, gocmp.Diff(text, again))
	}
}

// expanded returns the plain file of a build in both forms.
func expanded(t *testing.T, b gatewaytest.Build) (text, form string, err error) {
	t.Helper()
	b.Opts = maps.Clone(b.Opts)
	b.Opts["requestid"] = "frontend.expand"
	res, err := frontend.Build(t.Context(), gatewaytest.New(b))
	if err != nil {
		return "", "", err
	}
	return string(res.Metadata["result.txt"]), string(res.Metadata["result.json"]), nil
}

// plainBuild is the build of the plain file that was made of a build: without target
// and build args, but for those that BuildKit itself reads.
func plainBuild(b gatewaytest.Build, text string) gatewaytest.Build {
	out := b
	out.Opts, out.Files = maps.Clone(b.Opts), maps.Clone(b.Files)
	for key := range out.Opts {
		name, arg := strings.CutPrefix(key, "build-arg:")
		proxy := strings.HasSuffix(strings.ToUpper(name), "_PROXY")
		if key == "target" || key == "filename" || arg && !proxy && !strings.HasPrefix(name, "BUILDKIT_") {
			delete(out.Opts, key)
		}
	}
	out.Files["dockerfile"] = maps.Clone(b.Files["dockerfile"])
	out.Files["dockerfile"]["Dockerfile"] = text
	if name := b.Opts["filename"]; name != "" { // its ignore file stays in force
		out.Opts["filename"] = name
		out.Files["dockerfile"][name] = text
	}
	return out
}

// requireReadable fails unless upstream's parser reads the text.
func requireReadable(t *testing.T, text string) {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{})); err != nil {
		t.Fatal(err)
	}
	if name, _, _, ok := parser.DetectSyntax([]byte(text)); !ok || !strings.HasPrefix(name, "docker/dockerfile:1") {
		t.Errorf("the syntax line names %q", name)
	}
}

// requireOrigins fails unless the JSON form says of every instruction where it comes
// from, but for those that expanding adds.
func requireOrigins(t *testing.T, b gatewaytest.Build, text, form string) {
	t.Helper()
	var e report.Expansion
	if err := json.Unmarshal([]byte(form), &e); err != nil {
		t.Fatal(err)
	}
	if e.Text != text {
		t.Error("the two forms have different texts")
	}
	if e.AsItIs {
		return
	}
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]bool{}
	for _, line := range e.Lines {
		lines[line.First] = true
	}
	var stages []string
	for _, node := range parsed.AST.Children {
		words := strings.Fields(node.Original)
		if strings.EqualFold(node.Value, "from") {
			stages = append(stages, words[len(words)-1])
		}
		epoch := len(words) > 1 && (strings.HasPrefix(words[1], "SOURCE_DATE_EPOCH=") || strings.HasPrefix(words[1], "BUILDKIT_"))
		if name, _, ok := strings.Cut(words[len(words)-1], "="); ok && b.Opts["build-arg:"+name] != "" && !strings.Contains(b.Files["dockerfile"]["Dockerfile"], name) {
			continue // for triggers of images
		}
		if !lines[node.StartLine] && stages != nil && !strings.HasPrefix(stages[len(stages)-1], cmp.Or(e.Checks, "-")) || !lines[node.StartLine] && stages == nil && !epoch {
			t.Errorf("line %d comes from nowhere:\n%s", node.StartLine, text)
		}
	}
	if stages[len(stages)-1] != e.Target {
		t.Errorf("the last stage is %s, not %s", stages[len(stages)-1], e.Target)
	}
}

// configs returns the image configs of a result, the words of their history left out.
func configs(t *testing.T, res *client.Result) map[string]dockerspec.DockerOCIImage {
	t.Helper()
	out := map[string]dockerspec.DockerOCIImage{}
	for key, dt := range res.Metadata {
		if !strings.HasPrefix(key, "containerimage.config") {
			continue
		}
		var img dockerspec.DockerOCIImage
		if err := json.NewDecoder(bytes.NewReader(dt)).Decode(&img); err != nil {
			t.Fatal(err)
		}
		for i := range img.History {
			img.History[i].CreatedBy = ""
		}
		out[key] = img
	}
	return out
}

// require fails unless enough builds were equal, and logs why others were refused.
func (n *expansions) require(t *testing.T, equal int) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(n.refused)) {
		t.Logf("%s: %s", name, n.refused[name])
	}
	t.Logf("%d equal, %d refused", n.equal, len(n.refused))
	if n.equal < equal {
		t.Errorf("only %d builds were equal to their plain file, %d were refused", n.equal, len(n.refused))
	}
}

// TestExpandedCasesBuildTheSame expands every golden case that builds.
func TestExpandedCasesBuildTheSame(t *testing.T) {
	t.Parallel()
	var n expansions
	t.Run("cases", func(t *testing.T) {
		for file, archive := range cases(t) {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			for _, platforms := range []string{"", "linux/amd64,linux/arm64"} {
				t.Run(name+" "+platforms, func(t *testing.T) {
					t.Parallel()
					b := caseOf(t, archive)
					if platforms != "" {
						b.Opts["platform"] = platforms
					}
					n.check(t, name+" "+platforms, b)
				})
			}
		}
	})
	n.require(t, 370)
}

// TestExpandedCorpusBuildsTheSame expands plain Dockerfiles, each stage as a target.
func TestExpandedCorpusBuildsTheSame(t *testing.T) {
	t.Parallel()
	var n expansions
	t.Run("files", func(t *testing.T) {
		for _, file := range dockerfiles(t) {
			for name, opts := range platformSets {
				t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
					t.Parallel()
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					n.check(t, filepath.Base(file)+"/"+name, gatewaytest.Dockerfile(string(text), opts...))
				})
			}
		}
		for seed := range madeUp(400) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				n.check(t, fmt.Sprint(seed), generatedBuild(seed))
			})
		}
	})
	n.require(t, least(1000))
}

// TestExpandedGatesBuildTheSame expands made-up files with calls, gates and imports.
func TestExpandedGatesBuildTheSame(t *testing.T) {
	t.Parallel()
	var n expansions
	t.Run("seeds", func(t *testing.T) {
		for seed := range madeUp(400) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				made := dockerfilegen.Gates(rand.New(rand.NewPCG(seed, 3)))
				for _, files := range []map[string]string{made.Files, made.Library} {
					for name, text := range files { // a line that takes values has no plain form
						files[name] = valuesLine.ReplaceAllString(text, "")
					}
				}
				n.check(t, fmt.Sprint(seed), gatedBuild(made))
			})
		}
	})
	n.require(t, least(280))
}

// valuesLine is one of a made-up file that takes values, and of which nothing else hangs.
var valuesLine = regexp.MustCompile(`(?m)^LABEL --from=.*\n`)

func FuzzExpanded(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) {
		var n expansions
		n.check(t, fmt.Sprint(seed), generatedBuild(seed))
		n.check(t, fmt.Sprint(seed), gatedBuild(dockerfilegen.Gates(rand.New(rand.NewPCG(seed, 3)))))
	})
}

func gatedBuild(made dockerfilegen.Gated) gatewaytest.Build {
	b := gatewaytest.Dockerfile("")
	b.Files = map[string]map[string]string{"dockerfile": made.Files, "context": made.Files, "shared": made.Library}
	maps.Copy(b.Opts, made.Options)
	return b
}
