package source

import (
	"context"
	"fmt"
	"maps"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// Client returns the client of a build in which a source is the build context;
// all else is as in this build.
func (s *Sources) Client(src *module.Source) (*dockerui.Client, error) {
	if src.Kind != module.Library {
		return s.bc, nil
	}
	t := s.tree(src)
	t.clientOnce.Do(func() {
		defer guard.Recover(&t.clientErr)
		opts := maps.Clone(s.bc.BuildOpts().Opts)
		for _, key := range []string{"contextkey", "contextsubdir", "dockerfilekey", dockerui.DefaultLocalNameContext} {
			delete(opts, key)
		}
		st := t.state
		if src.File != "" { // which is no tree of files; upstream cannot copy from scratch
			st = llb.Scratch().File(llb.Mkdir("/", 0o755, llb.WithParents(true)), dockerui.WithInternalName("empty build context of "+src.Name))
		}
		t.client, t.clientErr = dockerui.NewClient(&optsClient{Client: s.bc.GatewayClient(), opts: opts, context: &st})
		if t.clientErr == nil {
			t.client.LinterConfig = nil
		}
	})
	if t.clientErr != nil {
		return nil, fmt.Errorf("failed to use %s as a build context: %w", src.Name, t.clientErr)
	}
	return t.client, nil
}

// optsClient is a gateway client under other options, and with a build context
// of its own when that is set.
type optsClient struct {
	client.Client
	opts    map[string]string
	context *llb.State
}

// BuildOpts returns the options.
func (c *optsClient) BuildOpts() client.BuildOpts {
	opts := c.Client.BuildOpts()
	opts.Opts = c.opts
	if c.context != nil { // Inputs answers by itself
		opts.Caps = gwpb.Caps.CapSet(gwpb.Caps.All())
	}
	return opts
}

// Inputs returns the inputs of the build, with the context among them.
func (c *optsClient) Inputs(ctx context.Context) (_ map[string]llb.State, err error) {
	defer guard.Recover(&err)
	if c.context == nil {
		return c.Client.Inputs(ctx)
	}
	out := map[string]llb.State{}
	caps := c.Client.BuildOpts().Caps
	if caps.Supports(gwpb.CapFrontendInputs) == nil {
		inputs, err := c.Client.Inputs(ctx)
		if err != nil {
			return nil, fmt.Errorf("failed to get frontend inputs: %w", err)
		}
		maps.Copy(out, inputs)
	}
	delete(out, dockerui.DefaultLocalNameDockerfile)
	out[dockerui.DefaultLocalNameContext] = *c.context
	return out, nil
}
