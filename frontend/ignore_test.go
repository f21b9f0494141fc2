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
	// err is the answer about an image; nil for the true one.
	err error
}

func newIgnoreFirst(text string, err error) *ignoreFirst {
	return &ignoreFirst{gatewaytest.New(gatewaytest.Dockerfile(text)), make(chan struct{}), make(chan struct{}), make(chan struct{}), err}
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
			if _, err := frontend.Build(ctx, newIgnoreFirst(text, nil)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailedConfigEndsReadOfIgnoreFile guards that a build that has failed leaves nothing running.
func TestFailedConfigEndsReadOfIgnoreFile(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	c := newIgnoreFirst("FROM busybox\nCOPY . /\n", gone)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := frontend.Build(ctx, c); !errors.Is(err, gone) {
		t.Fatalf("the build ends with %v", err)
	}
	select {
	case <-c.ended:
	default:
		t.Error("the question for .dockerignore goes on")
	}
}
