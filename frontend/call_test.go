package frontend_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

var (
	stageNames = regexp.MustCompile(`(?mi)^FROM .* AS (\S+)$`)
	argLines   = regexp.MustCompile(`(?m)^ARG (.*)$`)
)

// boundCall is a call of a stage of a generated file, with the same build as
// upstream's options say it.
type boundCall struct {
	dockerfile string
	opts       map[string]string // of the build
	stage      string
	values     map[string]string
	platform   string // "" for none
}

// generatedCall makes up a call; false when the file of the seed has no name to
// call.
func generatedCall(seed uint64) (boundCall, bool) {
	text, opts := dockerfilegen.Generate(seed)
	r := rand.New(rand.NewPCG(seed, 1))
	names := stageNames.FindAllStringSubmatch(text, -1)
	if len(names) == 0 {
		return boundCall{}, false
	}
	for _, key := range []string{"target", "platform", "attest:sbom", "no-cache", "build-arg:BUILDKIT_MULTI_PLATFORM"} {
		delete(opts, key) // which stand for other tests
	}
	c := boundCall{dockerfile: text, opts: opts, stage: names[r.IntN(len(names))][1], values: map[string]string{}}
	var args []string
	for _, line := range argLines.FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Fields(line[1]) {
			name, _, _ := strings.Cut(word, "=")
			if regexp.MustCompile(`^[A-Z_]+$`).MatchString(name) && !strings.HasPrefix(name, "TARGET") && !strings.HasPrefix(name, "BUILDPLATFORM") {
				args = append(args, name)
			}
		}
	}
	for _, name := range args {
		if r.IntN(2) == 0 {
			values := []string{"1", "", "a b", `q"uo'te`, "$VERSION", `back\slash`, "x,y)", "ünï", "tab\there", "# no comment", "--flag=1", "`"}
			switch name {
			case "BASE":
				values = []string{"alpine", "busybox:latest", "scratch", c.stage}
			case "SOURCE_DATE_EPOCH":
				values = []string{"1", "1700000000", ""}
			}
			c.values[name] = values[r.IntN(len(values))]
		}
	}
	if r.IntN(3) == 0 {
		c.platform = []string{"linux/arm64", "linux/arm/v7", "windows/amd64", "darwin/arm64"}[r.IntN(4)]
	}
	return c, true
}

// text returns the call as a user would write it.
func (c boundCall) text(escape string) string {
	quote := strings.NewReplacer(escape, escape+escape, `"`, escape+`"`, "$", escape+"$")
	var bindings []string
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		bindings = append(bindings, name+`="`+quote.Replace(c.values[name])+`"`)
	}
	if c.platform != "" {
		bindings = append(bindings, "TARGETPLATFORM="+c.platform)
	}
	return c.stage + "(" + strings.Join(bindings, ",") + ")"
}

// upstream returns the build of the stage as upstream's clients ask for it.
func (c boundCall) upstream() gatewaytest.Build {
	b := gatewaytest.Dockerfile(c.dockerfile, "target", c.stage)
	maps.Copy(b.Opts, c.opts)
	for name, v := range c.values {
		b.Opts["build-arg:"+name] = v
	}
	if c.platform != "" {
		b.Opts["platform"] = c.platform
	}
	return b
}

func (c boundCall) ours(text string, opts ...string) gatewaytest.Build {
	b := gatewaytest.Dockerfile(text, opts...)
	maps.Copy(b.Opts, c.opts)
	return b
}

// unused drops the bindings of names that the call's sub-build does not declare,
// which is an error of ours and nothing to upstream.
func (c boundCall) unused(t *testing.T, err error) bool {
	t.Helper()
	match := regexp.MustCompile(`has no ARG (\w+),`).FindStringSubmatch(err.Error())
	if match == nil {
		return false
	}
	delete(c.values, match[1])
	return true
}

// TestCallEqualsItsDefinition guards that stage(A=x) is what
// upstream builds for the target stage under the build arg A=x. In COPY --from
// it has the same ops, as a target the same config.
func TestCallEqualsItsDefinition(t *testing.T) {
	t.Parallel()
	var compared atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range madeUp(1500) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				if requireDefinition(t, seed) {
					compared.Add(1)
				}
			})
		}
	})
	if n := compared.Load(); n < least[int64](800) {
		t.Errorf("only %d calls were compared", n)
	}
}

func FuzzCall(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireDefinition(t, seed) })
}

// requireDefinition reports whether there was something to compare.
func requireDefinition(t *testing.T, seed uint64) bool {
	t.Helper()
	c, ok := generatedCall(seed)
	if !ok {
		return false
	}
	escape := `\`
	if strings.HasPrefix(c.dockerfile, "# escape=`") {
		escape = "`"
	}
	theirs, theirErr := gatewaytest.Run(t.Context(), c.upstream(), builder.Build)
	if theirErr != nil {
		t.Fatal(theirErr)
	}
	if theirs.Error != "" {
		return false
	}
	for standsAlone(t, c) {
		text := c.dockerfile + "\nFROM scratch\nCOPY --from=" + c.text(escape) + " / /\n"
		client := gatewaytest.New(c.ours(text))
		_, err := frontend.Build(t.Context(), client)
		if err != nil && c.unused(t, err) {
			continue
		}
		if err != nil {
			t.Fatalf("%s\n%s: %v", c.dockerfile, c.text(escape), err)
		}
		requireHead(t, c, client.Solved)
		break
	}
	requireImported(t, c)
	ours, err := gatewaytest.Run(t.Context(), c.ours(c.dockerfile, "target", c.text(escape)), frontend.Build)
	for err == nil && ours.Error != "" && c.unused(t, errors.New(ours.Error)) {
		ours, err = gatewaytest.Run(t.Context(), c.ours(c.dockerfile, "target", c.text(escape)), frontend.Build)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs.Metadata["containerimage.config"], ours.Metadata["containerimage.config"]); diff != "" || ours.Error != "" {
		t.Errorf("%s\n%s: %s\nconfigs of upstream (-) and stagecraft (+):\n%s", c.dockerfile, c.text(escape), ours.Error, diff)
	}
	return true
}

// requireImported fails unless the stage is the same to a file that imports it.
func requireImported(t *testing.T, c boundCall) {
	t.Helper()
	for {
		b := c.ours("IMPORT ./lib.Dockerfile AS lib\nFROM scratch\nCOPY --from=lib." + c.text(`\`) + " / /\n")
		b.Files["dockerfile"]["lib.Dockerfile"] = c.dockerfile
		client := gatewaytest.New(b)
		_, err := frontend.Build(t.Context(), client)
		if err != nil && c.unused(t, err) {
			continue
		}
		if err != nil {
			t.Fatalf("%s\nlib.%s: %v", c.dockerfile, c.text(`\`), err)
		}
		requireHead(t, c, client.Solved)
		return
	}
}

// standsAlone reports whether the file is valid without the values of the call,
// which the file around the call has to be.
func standsAlone(t *testing.T, c boundCall) bool {
	t.Helper()
	rec, err := gatewaytest.Run(t.Context(), c.ours(c.dockerfile), builder.Build)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Error == ""
}

// requireHead fails unless the last op copies from what upstream builds for the
// call.
func requireHead(t *testing.T, c boundCall, solved []client.SolveRequest) {
	t.Helper()
	upstream := gatewaytest.New(c.upstream())
	if _, err := builder.Build(t.Context(), upstream); err != nil {
		t.Fatal(err)
	}
	want := headOf(t, upstream.Solved[len(upstream.Solved)-1].Definition)
	def := solved[len(solved)-1].Definition
	head := headOf(t, def)
	if want == "" {
		return // nothing to copy: an empty stage
	}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			t.Fatal(err)
		}
		if digest.FromBytes(dt).String() != head {
			continue
		}
		for _, in := range op.Inputs {
			if in.Digest == want {
				return
			}
		}
	}
	theirs, err := gatewaytest.Vertices(upstream.Solved[len(upstream.Solved)-1].Definition)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := gatewaytest.Vertices(def)
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("%s\nCOPY --from=%s\nof upstream (-) and stagecraft (+):\n%s", c.dockerfile, c.text(`\`), cmp.Diff(theirs, ours))
}

// headOf returns the digest of the op that def gives.
func headOf(t *testing.T, def *pb.Definition) string {
	t.Helper()
	if def == nil || len(def.Def) == 0 {
		return ""
	}
	var op pb.Op
	if err := op.UnmarshalVT(def.Def[len(def.Def)-1]); err != nil {
		t.Fatal(err)
	}
	return op.Inputs[0].Digest
}
