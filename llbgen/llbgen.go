// Package llbgen turns a Dockerfile into LLB and an image config.
//
// It is the only package that calls BuildKit's Dockerfile converter, whose Go
// API may change with every release.
package llbgen

import (
	"context"
	"fmt"
	"maps"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Generator converts one Dockerfile under the options of one build. Its
// methods may be called concurrently.
type Generator struct {
	text []byte
	opt  dockerfile2llb.ConvertOpt
}

// New returns a Generator for the Dockerfile src of the build that bc
// describes. Image configs are looked up through resolver; warn is called for
// each lint warning.
func New(bc *dockerui.Client, src *dockerui.Source, resolver llb.ImageMetaResolver, warn linter.LintWarnFunc) *Generator {
	return &Generator{
		text: src.Data,
		opt: dockerfile2llb.ConvertOpt{
			Config:       bc.Config,
			Client:       bc,
			SourceMap:    src.SourceMap,
			MetaResolver: resolver,
			Warn:         warn,
		},
	}
}

// Image is the target stage built for one platform.
type Image struct {
	// Definition is the LLB of the target's filesystem.
	Definition *llb.Definition
	// Result carries what the converter says beside it: the filesystem as
	// a state, SBOM scan targets, and the source date epoch.
	Result *dockerfile2llb.Result
}

// Config returns the image config of the target.
func (i *Image) Config() *dockerspec.DockerOCIImage { return i.Result.Image }

// BaseConfig returns the config of the image that the target is built FROM;
// nil when there is none.
func (i *Image) BaseConfig() *dockerspec.DockerOCIImage { return i.Result.BaseImage }

// Image converts the target stage for platform; nil means the platform of the
// worker. quiet drops the lint warnings: a build for several platforms would
// repeat them for each. Errors of the Dockerfile are located
// (parser.LocationError).
func (g *Generator) Image(ctx context.Context, platform *ocispecs.Platform, quiet bool) (*Image, error) {
	opt := g.opt
	opt.BuildArgs = maps.Clone(opt.BuildArgs) // the converter writes to it
	opt.TargetPlatform = platform
	if quiet {
		opt.Warn = nil
	}
	res, err := dockerfile2llb.Dockerfile2LLB(ctx, g.text, opt)
	if err != nil {
		return nil, err
	}
	def, err := res.State.Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	return &Image{Definition: def, Result: res}, nil
}

// Outline describes the args, secrets and sockets that the target uses.
func (g *Generator) Outline(ctx context.Context) (*outline.Outline, error) {
	return dockerfile2llb.Dockerfile2Outline(ctx, g.text, g.opt)
}

// Targets lists the stages of the file.
func (g *Generator) Targets(ctx context.Context) (*targets.List, error) {
	return dockerfile2llb.ListTargets(ctx, g.text)
}

// Lint checks the target, or every stage when the build names none.
func (g *Generator) Lint(ctx context.Context) (*lint.LintResults, error) {
	return dockerfile2llb.DockerfileLint(ctx, g.text, g.opt)
}

// ConvertLLB gives the LLB of the target with its metadata.
func (g *Generator) ConvertLLB(ctx context.Context) (*convertllb.Result, error) {
	return dockerfile2llb.DockerfileConvertLLB(ctx, g.text, g.opt)
}
