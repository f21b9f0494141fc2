// Command panicfrontend is the frontend with a fault: a look-up of an image
// config, which BuildKit's converter makes in a goroutine of its own, panics.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/util/appcontext"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
)

type faulty struct {
	client.Client
}

func (faulty) ResolveImageConfig(context.Context, string, sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	panic("on purpose")
}

func main() {
	err := grpcclient.RunFromEnvironment(appcontext.Context(), func(ctx context.Context, c client.Client) (*client.Result, error) {
		return frontend.Build(ctx, faulty{c})
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
