package llbgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// standInResolver answers for the images that stand for something else in a
// text.
type standInResolver struct {
	build *build
	unit  *unit
	next  llb.ImageMetaResolver
}

// ResolveImageConfig converts the part that ref stands for, or asks for the image
// that it does. Upstream calls it on goroutines of its own.
func (r standInResolver) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (_ string, _ digest.Digest, _ []byte, err error) {
	defer guard.Recover(&err)
	name := strings.TrimSuffix(ref, ":latest")
	if p, ok := r.build.parts[name]; ok {
		out, err := r.build.convert(ctx, p)
		if err != nil {
			return "", "", nil, &unitError{err}
		}
		if c, ok := p.(*namedContext); ok && r.unit.Root.Bare {
			r.unit.triggers = slices.Clone(c.triggers)
		}
		dt, err := out.config()
		if u, ok := p.(*unit); ok && err == nil && !r.unit.HasBase(u.Root) {
			dt, err = withoutTriggers(dt) // what they name means nothing here
		}
		return ref, "", dt, err
	}
	image, ok := r.unit.file.StandIns[name].(lower.Image)
	if !ok {
		ref, dgst, dt, err := r.next.ResolveImageConfig(ctx, ref, opt)
		if err == nil {
			err = r.unit.refuseNumbers(ref, dt)
		}
		return ref, dgst, dt, err
	}
	named, err := reference.ParseNormalizedNamed(image.Name)
	if err != nil {
		return "", "", nil, fmt.Errorf("failed to parse stage name %q: %w", image.Name, err)
	}
	real := reference.TagNameOnly(named).String()
	opt.LogName = strings.Replace(opt.LogName, ref, real, 1)
	real, dgst, dt, err := r.next.ResolveImageConfig(ctx, real, opt)
	if err != nil {
		return "", "", nil, err
	}
	if r.unit.Root.Bare {
		var img dockerspec.DockerOCIImage
		if err := json.Unmarshal(dt, &img); err != nil {
			return "", "", nil, fmt.Errorf("failed to parse image config: %w", err)
		}
		r.unit.triggers = img.Config.OnBuild
	}
	dt, err = withoutTriggers(dt)
	return real, dgst, dt, err
}

// refuseNumbers refuses triggers of an image that copy from a stage by a number which
// means another stage in the text than in the file.
func (u *unit) refuseNumbers(ref string, config []byte) error {
	if !bytes.Contains(config, []byte("--from=")) {
		return nil
	}
	var img dockerspec.DockerOCIImage
	if err := json.Unmarshal(config, &img); err != nil {
		return fmt.Errorf("failed to parse image config: %w", err)
	}
	for _, trigger := range img.Config.OnBuild {
		parsed, err := parser.Parse(strings.NewReader(trigger))
		if err != nil {
			continue // upstream says it
		}
		for _, flag := range parsed.AST.Children[0].Flags {
			text, _ := strings.CutPrefix(flag, "--from=")
			number, err := strconv.Atoi(text)
			if err == nil && !u.file.KeepsNumber(number) {
				return fmt.Errorf("image %s has the trigger %q: stage number %d cannot be told where stages are called or left out, so write what the trigger does into the file", ref, trigger, number)
			}
		}
	}
	return nil
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

// withoutStandIn takes the layer that stands for files out of those of a config.
func withoutStandIn(layers []digest.Digest) []digest.Digest {
	if !slices.Contains(layers, standInLayer) {
		return layers
	}
	layers = slices.DeleteFunc(slices.Clone(layers), func(layer digest.Digest) bool { return layer == standInLayer })
	if len(layers) == 0 {
		return nil // as in a config that never had one
	}
	return layers
}

// config returns the image config for the converter.
func (c *converted) config() ([]byte, error) {
	img := *c.result.Image
	img.Config.OnBuild = slices.Clone(img.Config.OnBuild)
	if len(c.def.Def) > 0 && len(img.RootFS.DiffIDs) == 0 {
		img.RootFS.DiffIDs = []digest.Digest{standInLayer}
	}
	return json.Marshal(img)
}
