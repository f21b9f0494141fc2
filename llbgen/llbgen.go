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
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// Generator converts one Dockerfile under the options of one build. Its
// methods may be called concurrently.
type Generator struct {
	text []byte
	opt  dockerfile2llb.ConvertOpt
	// file is what the extensions stand in; nil for a plain Dockerfile, which
	// upstream converts as it is.
	file *module.File
	// plain is a plain Dockerfile once a request looked at its stages.
	plain *module.File
	// sources are the files of the build and where they come from.
	sources *source.Sources
	warn    Warn
	// hints are the warnings about the spelling of the file, lint says which
	// rules hold; for a plain Dockerfile without hints it says nothing.
	hints []*diagnostic.Diagnostic
	lint  linter.Config
	// buildLint are the rules that the build asks for in every file; nil for none.
	buildLint *linter.Config
	// asks is set for a build that answers a question: no stage is built for it.
	asks bool
	// bake is Options.Lower, pin Options.Pin.
	bake bool
	pin  func(ctx context.Context, f *module.File, image string) (string, error)
	// program is Options.Program.
	program func() (llb.State, error)
	// ahead is called as a conversion of the build context begins; ReadAhead sets it.
	ahead func(ctx context.Context)
}

// Options change how a Generator works.
type Options struct {
	// Lower sends plain Dockerfiles the way of extended ones too, each build
	// arg written into the text. It is there for tests: the result has to be
	// the same.
	Lower bool
	// Pin is that of plan.Options.
	Pin func(ctx context.Context, f *module.File, image string) (string, error)
	// Program gives the filesystem of the image of this frontend, for steps that run its program.
	// An error of it says what of the build needs one.
	Program func() (llb.State, error)
}

// Warn is called for each lint warning. Its place has no text in a plain Dockerfile.
type Warn func(*diagnostic.Diagnostic)

// in returns the callback of upstream's linter for warnings of a text.
func (w Warn) in(text **diagnostic.Text) linter.LintWarnFunc {
	return func(rule, description, url, msg string, location []parser.Range) {
		w(&diagnostic.Diagnostic{
			Severity: diagnostic.Warning,
			Rule:     &diagnostic.Rule{Name: rule, Description: description, URL: url},
			Message:  msg,
			Place:    diagnostic.Place{Text: *text, Ranges: location},
		})
	}
}

// New returns a Generator for the main file of sources, in the build that bc
// describes. Image configs are looked up through resolver; warn is called for
// each lint warning. Errors of the extensions are located
// (*diagnostic.Diagnostic), in a text of sources.
func New(ctx context.Context, bc *dockerui.Client, sources *source.Sources, resolver llb.ImageMetaResolver, warn Warn, options Options) (*Generator, error) {
	src := sources.Main
	g := &Generator{
		text: src.Data,
		opt: dockerfile2llb.ConvertOpt{
			Config:       bc.Config,
			Client:       bc,
			SourceMap:    src.SourceMap,
			MetaResolver: resolver,
		},
		sources: sources,
		warn:    warn,
		bake:    options.Lower,
		asks:    !slices.Contains([]string{"", convertllb.RequestConvertLLB, SizeRequest}, bc.BuildOpts().Opts["requestid"]),
		pin:     options.Pin,
		program: options.Program,
		ahead:   func(context.Context) {},
	}
	if warn != nil {
		var main *diagnostic.Text
		g.opt.Warn = warn.in(&main)
	}
	calls := strings.Contains(bc.Target, "(") || syntax.IsFile(bc.Target)
	if !options.Lower && !calls && syntax.Plain(src.Data) {
		return g, nil
	}
	file, err := sources.Files.Parse(ctx, sources.MainText)
	g.hints = file.Warnings
	var lintErr error
	g.lint, lintErr = lintConfig(bc.LinterConfig, src.Data)
	extended := file.Extended || calls || mayCall(file.File, bc.BuildArgs)
	switch {
	case err != nil && extended:
		return nil, file.Locate(err)
	case err != nil || !extended && !options.Lower:
		// what is wrong with a plain Dockerfile is upstream's to say
		return g, nil //nolint:nilerr // upstream says it
	}
	if lintErr != nil {
		return nil, lintErr
	}
	if err := file.CutOff(); err != nil && !options.Lower {
		return nil, file.Locate(err)
	}
	g.file = file
	g.buildLint = bc.LinterConfig
	bc.LinterConfig = nil // each text says it itself
	// before any conversion starts: they share the map
	bc.BuildOpts().Opts["context:"+lower.ScratchContext] = "docker-image://scratch"
	return g, nil
}

// mayCall reports whether a FROM of a file may become a call, or a stage of
// another file, once its variables are expanded. Only ARGs count that a FROM uses,
// in the end: most files have an ARG for some path.
func mayCall(file *syntax.File, buildArgs map[string]string) bool {
	used := map[string]bool{}
	var use func(word string)
	use = func(word string) {
		for _, name := range syntax.Variables(word) {
			if used[name] {
				continue
			}
			used[name] = true
			for _, in := range file.Args {
				for _, word := range in.Words() {
					if declared, value, _ := strings.Cut(word, "="); declared == name {
						use(value)
					}
				}
			}
		}
	}
	for _, stage := range file.Stages {
		refs := stage.From.References
		use(refs[len(refs)-1].Target)
	}
	if len(used) == 0 {
		return false
	}
	for _, in := range file.Args {
		for _, word := range in.Words() {
			if name, value, _ := strings.Cut(word, "="); used[name] && mayName(strings.Trim(value, `"'`)) {
				return true
			}
		}
	}
	for name, value := range buildArgs {
		if used[name] && mayName(value) {
			return true
		}
	}
	return false
}

// mayName reports whether a value may be a call or a stage of another file.
func mayName(value string) bool { return strings.Contains(value, "(") || syntax.IsFile(value) }

// Image is the target stage built for one platform.
type Image struct {
	// Definition is the LLB of the target's filesystem.
	Definition *llb.Definition
	// Gates are what has to build beside it; empty on an engine on which the
	// image waits for them itself.
	Gates []*llb.Definition
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
// (parser.LocationError, *diagnostic.Diagnostic).
func (g *Generator) Image(ctx context.Context, platform *ocispecs.Platform, quiet bool) (*Image, error) {
	opt := g.options(platform, quiet)
	if g.file == nil {
		if err := runRules(g.lint, g.hints, g.warnUnless(quiet)).Error(); err != nil {
			return nil, err
		}
		g.ahead(ctx)
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
	b, err := g.build(ctx, opt, quiet)
	if err != nil {
		return nil, err
	}
	if b.main.client == opt.Client { // a target of a library may do without the build context
		g.ahead(ctx)
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
func (g *Generator) build(ctx context.Context, opt dockerfile2llb.ConvertOpt, quiet bool) (*build, error) {
	p, err := g.planFile(ctx, g.file, opt)
	if err != nil {
		return nil, err
	}
	b, err := g.newBuild(opt, p, g.warnUnless(quiet))
	if err == nil {
		b.runRules(p, append(slices.Clip(g.hints), p.Warnings...))
		b.lintTexts(ctx, p)
	}
	return b, err
}

// warnUnless returns what warnings go to; nil for a quiet build.
func (g *Generator) warnUnless(quiet bool) Warn {
	if quiet {
		return nil
	}
	return g.warn
}

// SourceMap returns what shows an imported file in errors; nil for the main file.
func (g *Generator) SourceMap(text *diagnostic.Text) *llb.SourceMap {
	if text == nil || text == g.sources.MainText {
		return nil
	}
	return g.sources.SourceMap(text)
}

// limits are what becomes of limits in requests that differ from a build.
var limits = map[string]plan.Limits{ExpandRequest: plan.Ignore, SizeRequest: plan.Measure}

func (g *Generator) planFile(ctx context.Context, file *module.File, opt dockerfile2llb.ConvertOpt) (*plan.Plan, error) {
	bc := opt.Client
	options := plan.Options{
		Target:         opt.Target,
		BuildArgs:      opt.BuildArgs,
		BuildPlatform:  bc.BuildPlatforms[0],
		TargetPlatform: opt.TargetPlatform,
		Requested:      bc.TargetPlatforms,
		Part:           bc.MultiPlatformRequested && len(bc.TargetPlatforms) == 1,
		AllStages:      opt.AllStages,
		Request:        !slices.Contains([]string{"", ExpandRequest, SizeRequest}, bc.BuildOpts().Opts["requestid"]),
		Branches:       bc.BuildOpts().Opts["requestid"] == lint.SubrequestLintDefinition.Name,
		Limits:         limits[bc.BuildOpts().Opts["requestid"]],
		Files:          g.sources.Files,
		Pin:            g.pin,
	}
	for key := range bc.BuildOpts().Opts {
		if name, ok := strings.CutPrefix(key, "context:"); ok && name != lower.ScratchContext {
			options.HasContext = func(name string, platform ocispecs.Platform) bool {
				nc, err := bc.NamedContext(name, dockerui.ContextOpt{Platform: &platform})
				return err == nil && nc != nil
			}
			break
		}
	}
	return plan.New(ctx, file, options)
}
