// Package plan decides everything static about a build: which instances of
// stages exist, what each is built from and copies from. An instance is a
// stage under the values that its text depends on, so two calls that differ in
// nothing a stage reads are one instance. The package knows no LLB.
package plan

import (
	"context"
	"fmt"
	"slices"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The limits of a build (LANGUAGE.md, section 13).
const (
	// MaxDepth is how deep calls nest.
	MaxDepth = 64
	// MaxInstances is how many instances a build has.
	MaxInstances = 10_000
	// MaxCalls is how many calls come out of one set.
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
	// HasContext reports whether the build has a named context of a name;
	// nil when it has none at all.
	HasContext func(name string, platform ocispecs.Platform) bool
	// Request plans to answer a question: required ARGs may lack a value.
	Request bool
	// AllStages plans every stage, not only what the target needs.
	AllStages bool
	// Files are those of the build.
	Files *module.Set
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

	files []*module.File
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
	// Globals are the global ARGs that the stage declares by itself.
	Globals []string
	// Replaced is set when a named context stands for the stage.
	Replaced bool

	// Reads are the inputs, by name, that the instance and all it needs
	// depend on.
	Reads []string
	scope *scope
}

// Edge is one meaning of a reference.
type Edge struct {
	// To is the instance; nil for an image, a context or scratch.
	To *Instance
	// Name is that of an image or context, Platform what it is wanted for;
	// an instance has neither.
	Name     string
	Platform *ocispecs.Platform
	// Context tells a named context from an image.
	Context bool
	// Sealed says that To is a build of its own: only its filesystem and
	// config come out.
	Sealed bool
	// Call is the reference with its values filled in.
	Call string
	// Copy is what a COPY from a call copies: there, names that the call
	// binds stand for its values. Nil when the text needs no change.
	Copy *Copy
}

// Copy is the arguments of a COPY.
type Copy struct {
	Words []string
	JSON  bool
}

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
	_, p.out.Default, _, _ = p.lastStage() // whether there is one matters below
	ref, stage, env, err := p.target()
	if err != nil {
		return err
	}
	if ref == nil {
		if err := p.checkGlobals(env); err != nil {
			return err
		}
	}
	if err := p.loadImports(env, map[*module.File]bool{}); err != nil {
		return err
	}
	if ref != nil {
		// to the rest of the file the bindings of a target are build args
		if p.out.Root, err = p.callTarget(ref, env); err != nil {
			return err
		}
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
	if err := p.epoch(p.out.Root); err != nil {
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
	p.out.files = p.loaded()
	for _, f := range p.out.files {
		p.lintConditions(f)
	}
	if p.opt.AllStages {
		p.lint()
		p.lintPlatforms()
	}
	return nil
}

// tryStage plans a stage that the target may not need.
func (p *planner) tryStage(stage *syntax.Stage, env *Environment) {
	before := len(p.out.Instances)
	on, err := p.on(stage, env)
	if err == nil && !on {
		return
	}
	var inst *Instance
	if err == nil {
		inst, err = p.instance(stage, env)
	}
	if err != nil {
		p.forget(before)
		p.failed[stage] = err
		return
	}
	p.out.Kept = append(p.out.Kept, inst)
}

// target returns the stage that the build asks for with its environment: by
// default the last one. When it is a call, it returns the reference instead of
// the stage.
func (p *planner) target() (*syntax.Reference, *syntax.Stage, *Environment, error) {
	if p.opt.Target == "" {
		return p.lastStage()
	}
	ref, err := syntax.ParseReference(p.opt.Target, p.main.Escape)
	if err != nil {
		if span, mistake, ok := syntax.SpanOf(err); ok {
			return nil, nil, nil, place{target: p.opt.Target}.error(span, mistake)
		}
		return nil, nil, nil, fmt.Errorf("target %q: %w", p.opt.Target, err)
	}
	env, err := p.rootEnvironment(ref.Target)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := p.find(place{reference: ref, target: p.opt.Target}, env, ref.Target)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case t == nil:
		return nil, nil, nil, suggestStage(p.main, fmt.Errorf("target stage %q could not be found", ref.Target), ref.Target)
	case ref.Call || t.via != nil:
		return ref, nil, env, nil
	}
	stage, err := p.pick(ref.Target, t.stages, env)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("target %q: %w", p.opt.Target, err)
	}
	if stage == nil { // a named context stands for it
		stage = t.stages[0]
	}
	return nil, stage, env, nil
}

// lastStage returns the last stage that is on.
func (p *planner) lastStage() (*syntax.Reference, *syntax.Stage, *Environment, error) {
	for _, stage := range slices.Backward(p.main.Stages) {
		env, err := p.rootEnvironment(stage.Name)
		if err != nil {
			return nil, nil, nil, err
		}
		on, err := p.on(stage, env)
		if err != nil || on {
			return nil, stage, env, err
		}
	}
	env, err := p.rootEnvironment("")
	if err != nil {
		return nil, nil, nil, err
	}
	last := p.main.Stages[len(p.main.Stages)-1]
	return nil, nil, nil, last.From.Locate(fmt.Errorf("every stage is off, so there is nothing to build: %s", describe(last, env)))
}

// callTarget plans a target that is a call.
func (p *planner) callTarget(ref *syntax.Reference, env *Environment) (*Instance, error) {
	at := place{reference: ref, target: p.opt.Target}
	t, err := p.find(at, env, ref.Target)
	if err != nil {
		return nil, err
	}
	calls, err := p.calls(at, t, newScope(env))
	if err != nil {
		return nil, err
	}
	inst, _, err := p.call(at, t, calls[0])
	return inst, err
}

// place is where a reference stands: in an instruction, or in the target that
// a client gave.
type place struct {
	in        *syntax.Instruction
	reference *syntax.Reference
	target    string
}

// error returns err as a mistake at span.
func (at place) error(span syntax.Span, err error) error {
	if at.in == nil {
		return fmt.Errorf("target %q, column %d: %w", at.target, span.Start+1, err)
	}
	return at.in.Error(span, err)
}

func (at place) errorf(span syntax.Span, format string, args ...any) error {
	return at.error(span, fmt.Errorf(format, args...))
}

// chain adds the call at this place to an error inside of what it calls.
func (at place) chain(err error, call string) error {
	if at.in == nil {
		return diagnostic.Relate(err, diagnostic.Place{}, "in %s, the target", call)
	}
	where := at.in.Place(at.reference.Span)
	return diagnostic.Relate(err, where, "in %s, called on line %d", call, where.Line())
}

// Key is equal for instances of plans of one set of files that are the same build,
// whatever platform the plans are for.
func (i *Instance) Key() string {
	return fmt.Sprintf("%p %q %q", i.Stage, i.Reads, i.Env.signature(i.Reads))
}

// Platform returns what the instance runs on: the platform of the image that
// it is built FROM in the end.
func (i *Instance) Platform() ocispecs.Platform {
	switch {
	case i.Base.To != nil:
		return i.Base.To.Platform()
	case i.Replaced:
		return i.Env.Platform
	}
	return *i.Base.Platform
}
