// Package llbgen turns a Dockerfile into LLB and an image config.
//
// It is the only package that calls BuildKit's Dockerfile converter, whose Go
// API may change with every release.
package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerui"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Generator converts one Dockerfile under the options of one build. Its
// methods may be called concurrently.
type Generator struct {
	text []byte
	opt  dockerfile2llb.ConvertOpt
	// file is what the extensions stand in; nil for a plain Dockerfile, which
	// upstream converts as it is.
	file *syntax.File
	// hints are the warnings about the spelling of the file, lint says which
	// rules hold; for a plain Dockerfile without hints it says nothing.
	hints []syntax.Warning
	lint  linter.Config
	// bake is Options.Lower.
	bake bool
}

// Options change how a Generator works.
type Options struct {
	// Lower sends plain Dockerfiles the way of extended ones too, each build
	// arg written into the text. It is there for tests: the result has to be
	// the same.
	Lower bool
}

// New returns a Generator for the Dockerfile src of the build that bc
// describes. Image configs are looked up through resolver; warn is called for
// each lint warning. Errors of the extensions are located
// (parser.LocationError).
func New(bc *dockerui.Client, src *dockerui.Source, resolver llb.ImageMetaResolver, warn linter.LintWarnFunc, options Options) (*Generator, error) {
	g := &Generator{
		text: src.Data,
		opt: dockerfile2llb.ConvertOpt{
			Config:       bc.Config,
			Client:       bc,
			SourceMap:    src.SourceMap,
			MetaResolver: resolver,
			Warn:         warn,
		},
		bake: options.Lower,
	}
	if !options.Lower && !strings.Contains(bc.Target, "(") && syntax.Plain(src.Data) {
		return g, nil
	}
	file, err := syntax.Parse(src.Data)
	g.hints = file.Warnings
	var lintErr error
	g.lint, lintErr = lintConfig(bc, src.Data)
	extended := file.Extended || strings.Contains(bc.Target, "(") || mayCall(file, bc.BuildArgs)
	switch {
	case err != nil && extended:
		return nil, err
	case err != nil || !extended && !options.Lower:
		// what is wrong with a plain Dockerfile is upstream's to say
		return g, nil //nolint:nilerr
	}
	if lintErr != nil {
		return nil, lintErr
	}
	g.file = file
	bc.LinterConfig = nil // each text says it itself
	// before any conversion starts: they share the map
	bc.BuildOpts().Opts["context:"+scratchContext] = "docker-image://" + scratch
	return g, nil
}

// mayCall reports whether a FROM of a file may become a call once its variables
// are expanded.
func mayCall(file *syntax.File, buildArgs map[string]string) bool {
	variable := slices.ContainsFunc(file.Stages, func(s *syntax.Stage) bool {
		refs := s.From.References
		return strings.Contains(refs[len(refs)-1].Target, "$")
	})
	if !variable {
		return false
	}
	for _, in := range file.Args {
		if strings.Contains(in.Line, "(") {
			return true
		}
	}
	for _, v := range buildArgs {
		if strings.Contains(v, "(") {
			return true
		}
	}
	return false
}

// Image is the target stage built for one platform.
type Image struct {
	// Definition is the LLB of the target's filesystem.
	Definition *llb.Definition
	// Gates are what has to build beside it; empty on an engine on which the
	// image waits for them itself.
	Gates []Gate
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
	opt := g.options(platform, quiet)
	if g.file == nil {
		if err := runRules(g.lint, g.hints, opt.Warn).Error(); err != nil {
			return nil, err
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
	b, err := g.build(opt)
	if err != nil {
		return nil, err
	}
	return b.image(ctx)
}

// options returns the converter's options for one platform.
func (g *Generator) options(platform *ocispecs.Platform, quiet bool) dockerfile2llb.ConvertOpt {
	opt := g.opt
	opt.BuildArgs = maps.Clone(opt.BuildArgs) // the converter writes to it
	opt.TargetPlatform = platform
	if quiet {
		opt.Warn = nil
	}
	return opt
}

// build plans and lowers the build of an extended Dockerfile.
func (g *Generator) build(opt dockerfile2llb.ConvertOpt) (*build, error) {
	p, err := g.planFile(g.file, opt)
	if err != nil {
		return nil, err
	}
	b, err := newBuild(opt, g.lint, p, g.bake)
	if err == nil {
		runRules(g.lint, append(slices.Clip(g.hints), p.Warnings...), b.seen.add)
	}
	return b, err
}

func (g *Generator) planFile(file *syntax.File, opt dockerfile2llb.ConvertOpt) (*plan.Plan, error) {
	bc := opt.Client
	options := plan.Options{
		Target:         bc.Target,
		BuildArgs:      opt.BuildArgs,
		BuildPlatform:  bc.BuildPlatforms[0],
		TargetPlatform: opt.TargetPlatform,
		Requested:      bc.TargetPlatforms,
		AllStages:      opt.AllStages,
		Request:        bc.BuildOpts().Opts["requestid"] != "",
	}
	for key := range bc.BuildOpts().Opts {
		if name, ok := strings.CutPrefix(key, "context:"); ok && name != scratchContext {
			options.HasContext = func(name string, platform ocispecs.Platform) bool {
				nc, err := bc.NamedContext(name, dockerui.ContextOpt{Platform: &platform})
				return err == nil && nc != nil
			}
			break
		}
	}
	return plan.New(file, options)
}
