package llbgen

import (
	"context"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// ignoreReader is a resolver that has .dockerignore read while the first image config is looked up.
// Upstream's converter asks for it of every file, and only once it has all configs: so this is no
// round trip more, and saves the time of one. A file that looks up no config asks at once anyhow.
type ignoreReader struct {
	llb.ImageMetaResolver
	start func()
}

// ResolveImageConfig implements llb.ImageMetaResolver.
func (r ignoreReader) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.start()
	return r.ImageMetaResolver.ResolveImageConfig(ctx, ref, opt)
}

// readIgnoreFile puts an ignoreReader into opt. The function that it returns ends what still goes on
// when the conversion has failed. An error of the file is the converter's to find, which asks again.
func readIgnoreFile(ctx context.Context, opt *dockerfile2llb.ConvertOpt) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	client := opt.Client
	opt.MetaResolver = ignoreReader{opt.MetaResolver, sync.OnceFunc(func() {
		reading.Go(func() {
			var err error
			defer guard.Recover(&err)
			_, err = client.DockerIgnorePatterns(ctx)
		})
	})}
	return func() {
		cancel()
		reading.Wait()
	}
}
