package frontend

import (
	"context"

	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/llbgen"
)

// BuildLowered is Build with plain Dockerfiles sent the way of extended ones.
func BuildLowered(ctx context.Context, c client.Client) (*client.Result, error) {
	return buildWith(ctx, c, llbgen.Options{Lower: true})
}

// ShownLines is shownLines.
var ShownLines = shownLines
