package frontend

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/solver/result"
	"github.com/moby/buildkit/util/stack"
	"github.com/opencontainers/go-digest"
	"github.com/pkg/errors"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/stagecraft-build/stagecraft/internal/version"
)

// A panic that ends the process of the frontend reaches the user as "exit
// code: 2" and nothing else. So every goroutine that runs our code recovers,
// and so does every gateway call: BuildKit's packages make those from
// goroutines of their own.

// recoverTo turns a panic of the deferring function into an error.
func recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = panicError(v)
	}
}

// panicError says what panicked and where. The whole stack travels with the
// error: docker build --debug prints it.
func panicError(v any) error {
	return stack.Enable(errors.Errorf("internal error: %v, at %s; "+
		"this is a bug in stagecraft %s, please report it with the Dockerfile at https://github.com/stagecraft-build/stagecraft/issues",
		v, panicSite(), version.Get().Version))
}

// panicSite returns function, file and line of the panic under recovery.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicked && !inRuntime {
			return fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}

// guardedClient is a gateway client whose calls recover, and whose references
// do.
type guardedClient struct {
	client.Client
}

func (c *guardedClient) Solve(ctx context.Context, req client.SolveRequest) (_ *client.Result, err error) {
	defer recoverTo(&err)
	res, err := c.Client.Solve(ctx, req)
	if err != nil {
		return nil, err
	}
	return result.ConvertResult(res, func(ref client.Reference) (client.Reference, error) {
		return &guardedRef{ref}, nil
	})
}

func (c *guardedClient) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (_ string, _ digest.Digest, _ []byte, err error) {
	defer recoverTo(&err)
	return c.Client.ResolveImageConfig(ctx, ref, opt)
}

func (c *guardedClient) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (_ *sourceresolver.MetaResponse, err error) {
	defer recoverTo(&err)
	return c.Client.ResolveSourceMetadata(ctx, op, opt)
}

func (c *guardedClient) Inputs(ctx context.Context) (_ map[string]llb.State, err error) {
	defer recoverTo(&err)
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
	defer recoverTo(&err)
	return r.Reference.Evaluate(ctx)
}

func (r *guardedRef) ReadFile(ctx context.Context, req client.ReadRequest) (_ []byte, err error) {
	defer recoverTo(&err)
	return r.Reference.ReadFile(ctx, req)
}

func (r *guardedRef) StatFile(ctx context.Context, req client.StatRequest) (_ *fstypes.Stat, err error) {
	defer recoverTo(&err)
	return r.Reference.StatFile(ctx, req)
}

func (r *guardedRef) ReadDir(ctx context.Context, req client.ReadDirRequest) (_ []*fstypes.Stat, err error) {
	defer recoverTo(&err)
	return r.Reference.ReadDir(ctx, req)
}
