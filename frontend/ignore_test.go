package frontend_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// ignoreFirst is a client that answers a question about an image only once .dockerignore is asked for,
// and that question only once the other is answered, or its asker gone.
type ignoreFirst struct {
	client.Client
	asked, ended, answered chan struct{}
	// err is the answer about an image for amd64, and there is none for another platform; nil for
	// the true ones.
	err error
}

func newIgnoreFirst(b gatewaytest.Build, err error) *ignoreFirst {
	return &ignoreFirst{gatewaytest.New(b), make(chan struct{}), make(chan struct{}), make(chan struct{}), err}
}

func (c *ignoreFirst) Solve(ctx context.Context, req client.SolveRequest) (*client.Result, error) {
	for _, meta := range req.Definition.Metadata {
		if meta.Description["llb.customname"] != "[internal] load .dockerignore" {
			continue
		}
		close(c.asked)
		defer close(c.ended)
		select {
		case <-c.answered:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return c.Client.Solve(ctx, req)
}

func (c *ignoreFirst) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	select {
	case <-c.asked:
	case <-ctx.Done():
		return "", "", nil, context.Cause(ctx)
	}
	if c.err != nil {
		if opt.ImageOpt.Platform.Architecture != "amd64" {
			<-ctx.Done()
		}
		return "", "", nil, c.err
	}
	close(c.answered)
	return c.Client.ResolveImageConfig(ctx, ref, opt)
}

// TestIgnoreFileIsReadBesideImageConfigs guards that neither waits for the other, in plain and in
// extended files.
func TestIgnoreFileIsReadBesideImageConfigs(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain":    "FROM busybox\nCOPY . /\n",
		"extended": "FROM busybox AS base\nCOPY . /\nFROM base()\nRUN true\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := frontend.Build(ctx, newIgnoreFirst(gatewaytest.Dockerfile(text), nil)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailedConfigEndsReadOfIgnoreFile guards that a build that has failed waits for nothing, and leaves
// nothing running.
func TestFailedConfigEndsReadOfIgnoreFile(t *testing.T) {
	t.Parallel()
	for _, platforms := range []string{"linux/amd64", "linux/amd64,linux/arm64"} {
		t.Run(platforms, func(t *testing.T) {
			t.Parallel()
			gone := errors.New("gone")
			c := newIgnoreFirst(gatewaytest.Dockerfile("FROM busybox\nCOPY . /\n", "platform", platforms), gone)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := frontend.Build(ctx, c); !errors.Is(err, gone) || ctx.Err() != nil {
				t.Fatalf("the build ends with %v (%v)", err, ctx.Err())
			}
			select {
			case <-c.ended:
			default:
				t.Error("the question for .dockerignore goes on")
			}
		})
	}
}
