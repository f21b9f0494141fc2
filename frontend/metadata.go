package frontend

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/flightcontrol"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// metadataCache is a client that looks each image config up once a build:
// stages and platforms often share a base.
type metadataCache struct {
	client.Client
	configs flightcontrol.CachedGroup[imageConfig]
}

func newMetadataCache(c client.Client) *metadataCache {
	mc := &metadataCache{Client: c}
	mc.configs.CacheError = true // a question that failed is not asked again for the next stage
	return mc
}

type imageConfig struct {
	ref    string
	digest digest.Digest
	config []byte
}

// ResolveImageConfig answers equal questions from the first answer.
func (c *metadataCache) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	optKey, err := json.Marshal(opt)
	if err != nil {
		return "", "", nil, fmt.Errorf("failed to key the metadata of %s: %w", ref, err)
	}
	cfg, err := c.configs.Do(ctx, ref+" "+string(optKey), func(ctx context.Context) (_ imageConfig, err error) {
		defer guard.Recover(&err)
		ref, dgst, config, err := c.Client.ResolveImageConfig(ctx, ref, opt)
		return imageConfig{ref, dgst, config}, err
	})
	if err != nil {
		return "", "", nil, err
	}
	return cfg.ref, cfg.digest, cfg.config, nil
}
