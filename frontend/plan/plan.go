// Package plan decides everything static about a build: which instances of
// stages exist, what each is built from and copies from. An instance is a
// stage under the values that its text depends on, so two calls that differ in
// nothing a stage reads are one instance. The package knows no LLB.
package plan

import (
	"cmp"
	"context"
	"fmt"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The limits of a build (docs/reference/stage-functions.md, "Limits").
const (
	// MaxDepth is how deep calls nest.
	MaxDepth = 64
	// MaxInstances is how many instances a build has.
	MaxInstances = 10_000
	// MaxParts is how many parts a stage is cut into.
	MaxParts = 1_000
	// MaxCalls is how many calls a build has.
	MaxCalls = 10_000
)

// Options are what a build's plan depends on beside the file.
type Options struct {
	// Target is the stage or call to build; empty for the last stage.
	Target    string
	BuildArgs map[string]string
	// BuildPlatform is that of the worker.
	BuildPlatform ocispecs.Platform
	// TargetPlatform is that to build for; nil when the build asks for none.
	TargetPlatform *ocispecs.Platform
	// Requested are all platforms that the build asks for.
	Requested []ocispecs.Platform
	// Part says that other nodes of the builder build other platforms.
	Part bool
	// HasContext reports whether the build has a named context of a name;
	// nil when it has none at all.
	HasContext func(name string, platform ocispecs.Platform) bool
	// Request plans to answer a question: required ARGs may lack a value.
	Request bool
	// AllStages plans every stage, not only what the target needs.
	AllStages bool
	// Limits says what becomes of the limits of stages' sizes.
	Limits Limits
	// Branches examines lines that are off, too.
	Branches bool
	// Files are those of the build.
	Files *module.Set
	// Pin returns an image with its digest, where the file that names it has a lock of its
	// own which counts; empty for any other. Nil for no locks.
	Pin func(ctx context.Context, f *module.File, image string) (string, error)
}

// Plan is the static graph of a build for one platform.
type Plan struct {
	File *module.File
	// Root is the instance that the build exports.
	Root *Instance
	// Default is the stage of a build without a target; nil when all are off.
	Default *syntax.Stage
	// Instances are all instances, each behind those it needs.
	Instances []*Instance
	// Kept are instances that the root may not need: every stage under
	// Options.AllStages, else those that are plain to the last reference,
	// for a base image may name them in a trigger.
	Kept []*Instance
	// Epochs are the stages that give SOURCE_DATE_EPOCH, by the root of the
	// sub-build for which they do.
	Epochs   map[*Instance]*Instance
	Warnings []*diagnostic.Diagnostic
	// Computed are the build args that do nothing, since LETs compute their names.
	Computed []string

	files []*module.File
	// choice are the inputs that decided which stage the root is, and those that any
	// build of the file is checked for.
	choice []string
}

// Instance is one stage built under one set of values.
type Instance struct {
	// ID counts the instances from 0.
	ID    int
	Stage *syntax.Stage
	// Name is how a user would write it: build(PKG=./cmd/api).
	Name string
	// Env is the sub-build that it stands in; other sub-builds may share it.
	Env *Environment
	// Base is what the stage is built FROM.
	Base Edge
	// Edges are what each other reference of the stage stands for, those of its
	// gates included: one edge, or one for each call of a set.
	Edges map[*syntax.Reference][]Edge
	// Instructions are those of the stage that are there: all, or those whose
	// condition holds.
	Instructions []*syntax.Instruction
	// From is the FROM with the lines that are there.
	From *syntax.Instruction
	// Globals are the global ARGs that the stage declares by itself.
	Globals []Global
	// Carried are the ARGs that it has from the parts of its stage above.
	Carried []Carried
	// Goes says that the stage goes on in another part, Bare that the triggers of the base
	// run there.
	Goes, Bare bool
	// Asked is where an image that is no stage stands; without a text for any other instance.
	Asked diagnostic.Place
	// again is how many triggers of the parts above its instructions start with.
	again int
	// Replaced is set when a named context stands for the stage: Base says which,
	// and on what platform it is wanted.
	Replaced bool

	// Reads are the inputs, by name, that the instance and all it needs
	// depend on.
	Reads []string
	scope *scope
	// lets are the values of its LETs.
	lets map[*syntax.Instruction]string
	// waits are the gates that have something to build. empty says that the
	// instance has no files, builds that something has to build for it all the same.
	waits         []Wait
	empty, builds bool
	// limit is how large it may be; nil for no limit.
	limit *Limit
	// depth is how deep calls nest in it.
	depth int
}

// Edge is one meaning of a reference.
type Edge struct {
	// Kind is what the reference is for.
	Kind Kind
	// To is the instance; nil for an image, a context or scratch.
	To *Instance
	// Name is that of an image or context; an instance has none. Pin is the image with
	// its digest, where the file in which the reference stands has a lock of its own.
	Name, Pin string
	// Platform is what an image or context is wanted for, and the image of a call that is
	// a base: that of the FROM for a base, else that of the sub-build.
	Platform *ocispecs.Platform
	// Changes are what becomes of the image of a base, one after the other.
	Changes []Change
	// Open says that the ARGs of a base come along though it is sealed, Within that it is
	// the part of the same stage above.
	Open, Within bool
	// Context tells a named context from an image.
	Context bool
	// Sealed says that To is a build of its own: only its filesystem and
	// config come out.
	Sealed bool
	// Call is the reference with its values filled in, Shown what users see of it: the
	// instance may have the name of another call that is equal.
	Call, Shown string
	// Copy is what a COPY from a call copies: there, names that the call
	// binds stand for its values. Nil when the text needs no change.
	Copy *Copy
}

// Copy is the arguments of a COPY.
type Copy struct {
	Words []string
	JSON  bool
	// Shown are the words as users see them, where they are not the values alone; nil
	// where they are.
	Shown []string
}

// Image returns the name of an image, with its digest where that is pinned.
func (e Edge) Image() string { return cmp.Or(e.Pin, e.Name) }

// Files returns the files whose stages the plan has, the main one first.
func (p *Plan) Files() []*module.File { return p.files }

// New plans the build of a file. Errors are located (*diagnostic.Diagnostic).
func New(ctx context.Context, main *module.File, opt Options) (*Plan, error) {
	p := newPlanner(ctx, main, opt)
	if err := p.plan(); err != nil {
		return nil, err
	}
	return p.out, nil
}

// plan finds the root and what it needs.
func (p *planner) plan() error {
	p.out.Default, _, _ = p.lastStage() // whether there is one matters below
	var (
		at     place
		called *meaning
		stage  *syntax.Stage
		env    *Environment
	)
	choice, err := p.record(nil, func() (err error) {
		if at, called, stage, env, err = p.target(); err != nil || called != nil {
			return err
		}
		return p.checkGlobals(env)
	})
	if err != nil {
		return err
	}
	p.out.choice = choice
	if err := p.loadImports(env, map[*module.File]bool{}); err != nil {
		return err
	}
	if called != nil {
		// to the rest of the file the bindings of a target are build args
		choice, err := p.record(nil, func() (err error) {
			p.out.Root, err = p.callTarget(at, called, env)
			return err
		})
		if err != nil {
			return err
		}
		p.out.choice = merge(p.out.choice, choice)
		if p.out.Root.Env.File().Main {
			env = p.out.Root.Env
		}
	}
	// in the text of another file the stages of this one mean nothing
	foreign := p.out.Root != nil && !p.out.Root.Env.File().Main
	for _, stage := range p.main.Stages {
		if !foreign && (p.plain(stage) || p.opt.AllStages) {
			p.tryStage(stage, env)
		}
	}
	if p.out.Root == nil {
		if p.out.Root, err = p.instance(stage, env); err != nil {
			return err
		}
	}
	p.out.Root.waitForFiles()
	if err := p.epoch(p.out.Root, p.out.Root.Env); err != nil {
		return err
	}
	for _, stage := range p.main.Stages {
		// a stage that some call completes need not stand on its own
		err := p.failed[stage]
		if p.opt.AllStages && IsOff(err) {
			continue // lintPlatforms says it
		}
		if err != nil && len(p.known[stage]) == 0 {
			return err
		}
	}
	if p.opt.Branches {
		p.lintBranches()
	}
	p.out.files = p.loaded()
	p.warnComputed(p.out.Root.Env)
	for _, f := range p.out.files {
		p.lintConditions(f)
	}
	if p.opt.AllStages {
		p.lint()
		p.lintPlatforms()
		p.lintBake()
	}
	return nil
}

// Key is equal for instances of plans of one set of files that are the same build,
// whatever platform the plans are for.
func (i *Instance) Key() string {
	key := fmt.Sprintf("%d %d %q %q", i.Env.File().Number, i.Stage.Index, i.Reads, i.Env.signature(i.Reads))
	if i.Goes {
		key += fmt.Sprint(" ", len(i.Parts()))
	}
	return key
}

// Platform returns what the instance runs on: the platform of the image that
// it is built FROM in the end.
func (i *Instance) Platform() ocispecs.Platform {
	if i.Base.Platform == nil {
		return i.Base.To.Platform()
	}
	return *i.Base.Platform
}
