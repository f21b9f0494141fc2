package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// targetPlatform is the name that rebinds the platform of a call.
const targetPlatform = "TARGETPLATFORM"

// PlatformInput stands for the platform itself among the inputs that an
// instance reads: what a FROM without --platform takes.
const PlatformInput = "\x00platform"

// targetStage is the predefined ARG that names the build's target.
const targetStage = "TARGETSTAGE"

// platformNames are the ARGs that follow TARGETPLATFORM.
var platformNames = [...]string{targetPlatform, "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT", "TARGETMACHINE", "TARGETTRIPLE"}

// Predefined reports whether every build has an ARG of this name.
func Predefined(name string) bool {
	return name == targetStage || slices.Contains(platformNames[:], name) || strings.HasPrefix(name, "BUILD") && slices.Contains(platformNames[:], "TARGET"+strings.TrimPrefix(name, "BUILD"))
}

// Environment is the values of one sub-build: a build of the file with some
// build args and a platform.
type Environment struct {
	// Args are the build args, bindings included.
	Args map[string]string
	// Platform is what the sub-build is built for.
	Platform ocispecs.Platform
	// Bound are the bindings in force, those of outer calls included.
	Bound map[string]string

	// Stage is the target of the sub-build, the value of TARGETSTAGE.
	Stage string

	eval *evaluator
	// defaults are the predefined ARGs but for TARGETSTAGE, globals the ARGs
	// before the first FROM; environments share them where they are equal.
	defaults map[string]string
	globals  map[string]value
	// off are the ARGs before the first FROM whose condition does not hold.
	off map[*syntax.Instruction]bool
}

// value is a static value with the inputs that it was made of.
type value struct {
	text string
	set  bool
	deps []string
}

// Global returns the value that name has before the first FROM.
func (e *Environment) Global(name string) (string, bool) {
	v := e.globals[name]
	return v.text, v.set
}

// Without returns e without some build args and ARGs of the global part, for
// another target.
func (e *Environment) Without(names map[string]struct{}, off map[*syntax.Instruction]bool, stage string) (*Environment, error) {
	args := maps.Clone(e.Args)
	for name := range names {
		delete(args, name)
	}
	if len(off) == 0 {
		return e.eval.newEnvironment(args, e.Bound, e.Platform, stage)
	}
	out := e.eval.empty(args, e.Bound, e.Platform, stage)
	out.off = off
	return out, e.eval.evaluate(out)
}

// Off reports whether a condition takes an ARG out of the global part.
func (e *Environment) Off(in *syntax.Instruction) bool { return e.off[in] }

// Expand expands the global names in a word.
func (e *Environment) Expand(word string) (string, error) {
	if !hasSyntax(word) {
		return word, nil
	}
	return e.eval.expand(word, &tracker{lookup: func(name string) value { return e.globals[name] }})
}

// Explicit reports whether the sub-build was asked for a platform by a call.
func (e *Environment) Explicit() bool {
	_, ok := e.Bound[targetPlatform]
	return ok
}

// Same reports whether an input has the same value in both.
func (e *Environment) Same(other *Environment, input string) bool {
	return e.input(input) == other.input(input)
}

// input returns the value of an input: a build arg, or what stands for it.
func (e *Environment) input(name string) string {
	if name == PlatformInput {
		return e.defaults[targetPlatform]
	}
	if v, ok := e.Args[name]; ok {
		return v
	}
	if name == targetStage {
		return e.Stage
	}
	if v, ok := e.defaults[name]; ok {
		return v
	}
	return "\x00" // no value, which no build arg can be
}

// signature returns the values of names, one after the other.
func (e *Environment) signature(names []string) string {
	out := make([]byte, 0, 128)
	for _, name := range names {
		out = append(out, e.input(name)...)
		out = append(out, '\x01')
	}
	return string(out)
}

// derivation is a call in an environment, by the stage that it calls.
type derivation struct {
	from  *Environment
	stage string
}

// evaluator evaluates the global part of a file. It is not safe for concurrent
// use.
type evaluator struct {
	file  *syntax.File
	in    *dockerfile
	build ocispecs.Platform
	lex   *shell.Lex
	// inputs are the names on which the global ARGs depend.
	inputs []string
	// known are the global parts so far, by the values of inputs; derived those
	// of calls that bind none of inputs.
	known   map[string]*Environment
	derived map[derivation]*Environment
	// defaults are the predefined ARGs by platform.
	defaults map[string]map[string]string
}

func newEvaluator(file *syntax.File, build ocispecs.Platform) *evaluator {
	p := &evaluator{
		file: file, build: build, lex: shell.NewLex(file.Escape),
		inputs:   []string{targetStage, PlatformInput},
		known:    map[string]*Environment{},
		derived:  map[derivation]*Environment{},
		defaults: map[string]map[string]string{},
	}
	for name := range p.predefined(build) {
		p.inputs = append(p.inputs, name)
	}
	for _, in := range file.Args {
		eachArg(in, func(arg instructions.KeyValuePairOptional) { p.inputs = append(p.inputs, arg.Key) })
	}
	slices.Sort(p.inputs)
	p.inputs = slices.Compact(p.inputs)
	return p
}

// predefined returns the ARGs that every build for platform has, without
// TARGETSTAGE.
func (p *evaluator) predefined(platform ocispecs.Platform) map[string]string {
	key := platforms.FormatAll(platform)
	if known, ok := p.defaults[key]; ok {
		return known
	}
	defaults := map[string]string{
		"BUILDPLATFORM":   platforms.Format(p.build),
		"BUILDOS":         p.build.OS,
		"BUILDOSVERSION":  p.build.OSVersion,
		"BUILDARCH":       p.build.Architecture,
		"BUILDVARIANT":    p.build.Variant,
		targetPlatform:    key,
		"TARGETOS":        platform.OS,
		"TARGETOSVERSION": platform.OSVersion,
		"TARGETARCH":      platform.Architecture,
		"TARGETVARIANT":   platform.Variant,
	}
	for prefix, of := range map[string]ocispecs.Platform{"BUILD": p.build, "TARGET": platform} {
		m := machineOf(of)
		for name, v := range map[string]string{"MACHINE": m.name, "TRIPLE": m.triple} {
			if p.file.Mentions(prefix + name) {
				defaults[prefix+name] = v
			}
		}
	}
	p.defaults[key] = defaults
	return defaults
}

// newEnvironment evaluates the global ARGs under args.
func (p *evaluator) newEnvironment(args, bound map[string]string, platform ocispecs.Platform, stage string) (*Environment, error) {
	e := p.empty(args, bound, platform, stage)
	key := e.signature(p.inputs)
	if known, ok := p.known[key]; ok {
		e.globals, e.off = known.globals, known.off
		return e, nil
	}
	if err := p.evaluate(e); err != nil {
		return nil, err
	}
	p.known[key] = e
	return e, nil
}

// empty returns an environment whose global part is not evaluated.
func (p *evaluator) empty(args, bound map[string]string, platform ocispecs.Platform, stage string) *Environment {
	if stage == "" {
		stage = "default"
	}
	return &Environment{Args: args, Bound: bound, Platform: platform, Stage: stage, eval: p, defaults: p.predefined(platform)}
}

// evaluate evaluates the global ARGs but for those that are off.
func (p *evaluator) evaluate(e *Environment) error {
	e.globals = make(map[string]value, len(p.inputs))
	for name := range e.defaults {
		e.globals[name] = value{e.input(name), true, []string{name}}
	}
	e.globals[targetStage] = value{e.input(targetStage), true, []string{targetStage}}
	for _, in := range p.file.Args {
		on, deps, err := holds(in, newScope(e))
		if err != nil {
			return err
		}
		on = on && !e.off[in]
		if !on {
			e.off = maps.Clone(e.off)
			if e.off == nil {
				e.off = map[*syntax.Instruction]bool{}
			}
			e.off[in] = true
		}
		for _, arg := range in.Command.(*instructions.ArgCommand).Args {
			v := e.globals[arg.Key]
			if on {
				if v, err = p.globalArg(e, arg); err != nil {
					return diagnostic.At(in.Lines(), err)
				}
			}
			v.deps = merge(v.deps, deps)
			e.globals[arg.Key] = v
		}
	}
	return nil
}

// hasSyntax reports whether a word may hold more than itself; most do not.
func hasSyntax(word string) bool { return strings.ContainsAny(word, "$\"'`\\") }

// expand expands the variables of a word, and takes its quotes and escapes away.
func (p *evaluator) expand(word string, env *tracker) (string, error) {
	if !hasSyntax(word) {
		return word, nil
	}
	text, _, err := p.lex.ProcessWord(word, env)
	return text, err
}

// globalArg evaluates one ARG before the first FROM, as upstream does: a build
// arg wins over the default, and a name without either keeps what it had.
func (p *evaluator) globalArg(e *Environment, arg instructions.KeyValuePairOptional) (value, error) {
	deps := []string{arg.Key}
	if v, ok := e.Args[arg.Key]; ok {
		return value{v, true, deps}, nil
	}
	if arg.Value == nil {
		v := e.globals[arg.Key]
		v.deps = merge(v.deps, deps)
		return v, nil
	}
	seen := tracker{lookup: func(name string) value { return e.globals[name] }}
	text, err := p.expand(*arg.Value, &seen)
	return value{text, true, merge(deps, seen.deps)}, err
}

// with returns the environment of a call in e: its build args with bindings
// added, for platform when that is not nil.
func (p *evaluator) with(e *Environment, bindings map[string]string, platform *ocispecs.Platform, stage string) (*Environment, error) {
	args, bound := maps.Clone(e.Args), maps.Clone(e.Bound)
	if args == nil {
		args = map[string]string{}
	}
	if bound == nil {
		bound = map[string]string{}
	}
	for name, v := range bindings {
		if name != targetPlatform {
			args[name] = v
		}
		bound[name] = v
	}
	to := e.Platform
	if platform != nil {
		to = *platform
		delete(args, targetPlatform)
	}
	for name := range bindings {
		if platform != nil || slices.Contains(p.inputs, name) {
			return p.newEnvironment(args, bound, to, stage)
		}
	}
	// the global part is that of any such call
	key := derivation{e, stage}
	if known, ok := p.derived[key]; ok {
		return &Environment{Args: args, Bound: bound, Platform: to, Stage: known.Stage, eval: p, defaults: known.defaults, globals: known.globals, off: known.off}, nil
	}
	out, err := p.newEnvironment(args, bound, to, stage)
	if err == nil {
		p.derived[key] = out
	}
	return out, err
}

// tracker is an environment that notes what is looked up in it.
type tracker struct {
	lookup  func(string) value
	deps    []string
	unknown []string
}

var _ shell.EnvGetter = (*tracker)(nil)

// Get implements shell.EnvGetter.
func (t *tracker) Get(name string) (string, bool) {
	v := t.lookup(name)
	if !v.set && v.deps == nil {
		t.unknown = append(t.unknown, name)
	}
	t.deps = merge(t.deps, v.deps)
	return v.text, v.set
}

// Keys implements shell.EnvGetter; nothing here asks for them.
func (t *tracker) Keys() []string { return nil }

// merge returns the names of both lists, each once. The shorter one goes into the
// longer one: values of a chain of ARGs depend on all before them.
func merge(a, b []string) []string {
	if len(a) < len(b) {
		a, b = b, a
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(slices.Clip(a), name)
		}
	}
	return a
}
