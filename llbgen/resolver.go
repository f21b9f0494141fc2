package llbgen

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
)

// standInResolver answers for the images that stand for something else in a
// text.
type standInResolver struct {
	build  *build
	images map[string]string
	next   llb.ImageMetaResolver
}

// ResolveImageConfig converts the unit that ref stands for, or asks for the image
// that it does.
func (r standInResolver) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	name, ok := strings.CutSuffix(ref, ":latest")
	if u := r.build.units[name]; ok && u != nil {
		out, err := r.build.convert(ctx, u)
		if err != nil {
			return "", "", nil, &unitError{err}
		}
		dt, err := out.config()
		return ref, "", dt, err
	}
	image, ok := r.images[name]
	if !ok {
		return r.next.ResolveImageConfig(ctx, ref, opt)
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", "", nil, fmt.Errorf("failed to parse stage name %q: %w", image, err)
	}
	real := reference.TagNameOnly(named).String()
	opt.LogName = strings.Replace(opt.LogName, ref, real, 1)
	real, dgst, dt, err := r.next.ResolveImageConfig(ctx, real, opt)
	if err != nil {
		return "", "", nil, err
	}
	dt, err = withoutTriggers(dt)
	return real, dgst, dt, err
}

// withoutTriggers returns an image config without its ONBUILD triggers.
func withoutTriggers(config []byte) ([]byte, error) {
	var img dockerspec.DockerOCIImage
	if err := json.Unmarshal(config, &img); err != nil {
		return nil, fmt.Errorf("failed to parse image config: %w", err)
	}
	if len(img.Config.OnBuild) == 0 {
		return config, nil
	}
	img.Config.OnBuild = nil
	return json.Marshal(img)
}

// standInLayer is the layer of a config that has none though there are files:
// upstream takes an image without layers for an empty one.
const standInLayer digest.Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// config returns the image config for the converter.
func (c *converted) config() ([]byte, error) {
	img := *c.result.Image
	img.Config.OnBuild = slices.Clone(img.Config.OnBuild)
	if len(c.def.Def) > 0 && len(img.RootFS.DiffIDs) == 0 {
		img.RootFS.DiffIDs = []digest.Digest{standInLayer}
	}
	return json.Marshal(img)
}
