package frontend

import (
	"context"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/solver/result"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// guarded calls run; a panic of it is its error.
func guarded(run func() error) (err error) {
	defer guard.Recover(&err)
	return run()
}

// guardedClient is a gateway client whose calls recover, and whose references
// do.
type guardedClient struct {
	client.Client
}

func (c *guardedClient) Solve(ctx context.Context, req client.SolveRequest) (_ *client.Result, err error) {
	defer guard.Recover(&err)
	res, err := c.Client.Solve(ctx, req)
	if err != nil {
		return nil, err
	}
	return result.ConvertResult(res, func(ref client.Reference) (client.Reference, error) {
		return &guardedRef{ref}, nil
	})
}

func (c *guardedClient) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (_ string, _ digest.Digest, _ []byte, err error) {
	defer guard.Recover(&err)
	return c.Client.ResolveImageConfig(ctx, ref, opt)
}

func (c *guardedClient) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (_ *sourceresolver.MetaResponse, err error) {
	defer guard.Recover(&err)
	return c.Client.ResolveSourceMetadata(ctx, op, opt)
}

func (c *guardedClient) Inputs(ctx context.Context) (_ map[string]llb.State, err error) {
	defer guard.Recover(&err)
	return c.Client.Inputs(ctx)
}

// unguard gives the gateway its own references back, the only ones that it
// takes in a final result.
func unguard(res *client.Result) (*client.Result, error) {
	return result.ConvertResult(res, func(ref client.Reference) (client.Reference, error) {
		if g, ok := ref.(*guardedRef); ok {
			return g.Reference, nil
		}
		return ref, nil
	})
}

type guardedRef struct {
	client.Reference
}

func (r *guardedRef) Evaluate(ctx context.Context) (err error) {
	defer guard.Recover(&err)
	return r.Reference.Evaluate(ctx)
}

func (r *guardedRef) ReadFile(ctx context.Context, req client.ReadRequest) (_ []byte, err error) {
	defer guard.Recover(&err)
	return r.Reference.ReadFile(ctx, req)
}

func (r *guardedRef) StatFile(ctx context.Context, req client.StatRequest) (_ *fstypes.Stat, err error) {
	defer guard.Recover(&err)
	return r.Reference.StatFile(ctx, req)
}

func (r *guardedRef) ReadDir(ctx context.Context, req client.ReadDirRequest) (_ []*fstypes.Stat, err error) {
	defer guard.Recover(&err)
	return r.Reference.ReadDir(ctx, req)
}
