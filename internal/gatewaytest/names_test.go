package gatewaytest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestSurprisesAreFound shows a user what must not be seen, in each way there is.
func TestSurprisesAreFound(t *testing.T) {
	t.Parallel()
	const file = "FROM alpine AS alpine\nFROM alpine AS tool\n# other is a stage\nFROM alpine AS other\nCOPY --from=tool / /\n"
	ask := func(ref string) func(*gatewaytest.Client) (*client.Result, error) {
		return func(c *gatewaytest.Client) (*client.Result, error) {
			_, _, _, err := c.ResolveImageConfig(t.Context(), ref, sourceresolver.Opt{})
			return nil, err
		}
	}
	solve := func(st llb.State) func(*gatewaytest.Client) (*client.Result, error) {
		return func(c *gatewaytest.Client) (*client.Result, error) {
			def, err := st.Marshal(t.Context())
			if err != nil {
				return nil, err
			}
			return c.Solve(t.Context(), client.SolveRequest{Definition: def.ToPB()})
		}
	}
	for want, run := range map[string]func(*gatewaytest.Client) (*client.Result, error){
		"":                                  ask("docker.io/library/alpine:latest"),
		"docker.io/library/tool:latest is":  ask("docker.io/library/tool:latest"),
		"docker.io/library/other:latest is": solve(llb.Image("other")),
		"a look-up holds":                   ask("stagecraft.invalid/s__0_i"),
		"an op holds":                       solve(llb.Scratch().File(llb.Mkdir("/s__0_i", 0o755))),
		"a vertex holds":                    solve(llb.Scratch().File(llb.Mkdir("/x", 0o755), llb.WithCustomName("[s__0_i 1/1]"))),
		"the error holds":                   func(*gatewaytest.Client) (*client.Result, error) { return nil, errors.New("no s__0_i") },
		"metadata holds a made-up name: …FROM s": func(*gatewaytest.Client) (*client.Result, error) { return withMetadata("FROM s__0_i"), nil },
		"a warning holds": func(c *gatewaytest.Client) (*client.Result, error) {
			return nil, c.Warn(t.Context(), "", "s__0_i", client.WarnOpts{})
		},
	} {
		c := gatewaytest.New(gatewaytest.Dockerfile(file))
		got := c.Surprises(run(c))
		switch {
		case want == "" && len(got) > 0:
			t.Errorf("%q is none", got)
		case want != "" && !slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, want) }):
			t.Errorf("%q is not found: %q", want, got)
		}
	}
}

func withMetadata(text string) *client.Result {
	res := client.NewResult()
	res.AddMeta("containerimage.config", []byte(text))
	return res
}

func TestCaseReadsImagesAndOptions(t *testing.T) {
	t.Parallel()
	b, err := gatewaytest.Case(txtar.Parse([]byte(`-- options --
build-arg:A="one\ntwo"
OLD=1
context:x=input:y
-- images --
gone
tool linux/arm64 MACHINE=aarch64
-- other!dir/file --
text
`)))
	if err != nil {
		t.Fatal(err)
	}
	if b.Opts["build-arg:A"] != "one\ntwo" || !b.Old || len(b.Inputs) != 1 || b.Files["other"]["dir/file"] != "text\n" {
		t.Errorf("got %+v", b)
	}
	c := gatewaytest.New(b)
	for platform, want := range map[string]string{"amd64": "no match for platform in manifest: not found", "arm64": ""} {
		_, _, config, err := c.ResolveImageConfig(t.Context(), "tool", sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &ocispecs.Platform{OS: "linux", Architecture: platform}}})
		if want == "" && (err != nil || !strings.Contains(string(config), "MACHINE=aarch64")) || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: %v %s", platform, err, config)
		}
	}
	if _, _, _, err := c.ResolveImageConfig(t.Context(), "gone", sourceresolver.Opt{}); err == nil {
		t.Error("an image that the registry lacks is there")
	}
}
