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
	// planner reads the data of the file.
	planner *planner
	// contexts says which named contexts there are; nil for none.
	contexts func(name string, platform ocispecs.Platform) bool
	// inputs are the names on which the global ARGs depend.
	inputs []string
	// known are the global parts so far, by the values of inputs; derived those
	// of calls that bind none of inputs.
	known   map[string]*Environment
	derived map[derivation]*Environment
	// defaults are the predefined ARGs by platform.
	defaults map[string]map[string]string
}

func newEvaluator(in *dockerfile, opt Options) *evaluator {
	p := &evaluator{
		file: in.File.File, in: in, build: opt.BuildPlatform, contexts: opt.HasContext,
		lex:      shell.NewLex(in.Escape),
		inputs:   []string{targetStage, PlatformInput},
		known:    map[string]*Environment{},
		derived:  map[derivation]*Environment{},
		defaults: map[string]map[string]string{},
	}
	for name := range p.predefined(p.build) {
		p.inputs = append(p.inputs, name)
	}
	for _, in := range p.file.Args {
		eachArg(in, func(arg instructions.KeyValuePairOptional) { p.inputs = append(p.inputs, arg.Key) })
	}
	slices.Sort(p.inputs)
	p.inputs = slices.Compact(p.inputs)
	return p
}

// hasContext reports whether the build has a named context for a platform.
// Upstream never looks for one in the place of scratch.
func (p *evaluator) hasContext(name string, platform ocispecs.Platform) bool {
	return p.contexts != nil && name != scratch && p.contexts(name, platform)
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
			if p.file.TakesMachineArg(prefix + name) {
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
		e.shareGlobals(known)
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

// shareGlobals takes the global part over from an environment in which it is the same.
func (e *Environment) shareGlobals(known *Environment) {
	e.globals, e.off, e.decided, e.lines, e.lets = known.globals, known.off, known.decided, known.lines, known.lets
}

// predefinedValue is the value of an ARG that every build has.
func predefinedValue(e *Environment, name string) value {
	v, _ := e.input(name)
	return value{text: v, set: true, declared: true, deps: []string{name}}
}

// evaluate evaluates the global ARGs but for those that are off.
func (p *evaluator) evaluate(e *Environment) error {
	e.globals = make(map[string]value, len(p.inputs))
	for name := range e.defaults {
		e.globals[name] = predefinedValue(e, name)
	}
	e.globals[targetStage] = predefinedValue(e, targetStage)
	e.decided = map[*syntax.Block]decision{}
	e.lines, e.lets = map[*syntax.Instruction]*syntax.Instruction{}, map[string]*syntax.Instruction{}
	declared := names{}
	s := &sight{lookup: func(name string) value { return e.globals[name] }, part: p.file.Args, decided: e.decided}
	imports := map[*syntax.Instruction]*syntax.Import{}
	for _, im := range p.file.Imports {
		imports[im.In] = im
	}
	for in := range p.file.Global() {
		if im := imports[in]; im != nil && im.IsData() {
			on, deps, err := s.on(in)
			if err == nil {
				err = p.importData(e, im, on, deps)
			}
			if err != nil {
				return err
			}
			continue
		}
		if in.Command == nil { // an IMPORT, whose own condition is asked when it is used
			if _, _, err := s.within(in.Branch); err != nil {
				return err
			}
			continue
		}
		base := in
		on, deps, err := s.on(in)
		if err != nil {
			return err
		}
		if on && in.Inner() != nil {
			var more []string
			if in, more, err = s.lines(in); err != nil {
				return err
			}
			deps = merge(deps, more)
		}
		on = on && !e.off[base]
		if in != base {
			e.lines[base] = in
		}
		if !on {
			e.off = maps.Clone(e.off)
			if e.off == nil {
				e.off = map[*syntax.Instruction]bool{}
			}
			e.off[base] = true
		}
		if on {
			if err := declared.add(in); err != nil {
				return err
			}
		}
		if in.Let != nil {
			p.globalLet(e, in, on, deps, s)
			continue
		}
		for _, arg := range in.Command.(*instructions.ArgCommand).Args {
			v := e.globals[arg.Key]
			if on {
				if v, err = p.globalArg(e, arg); err != nil {
					return diagnostic.At(in.Lines(), err)
				}
			}
			v.declared, v.deps = true, merge(v.deps, deps)
			e.globals[arg.Key] = v
		}
	}
	return nil
}

// hasSyntax reports whether a word may hold more than itself; most do not. Upstream's lexer
// leaves a byte order mark out that a word starts with.
func hasSyntax(word string) bool { return strings.ContainsAny(word, "$\"'`\\\ufeff") }

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
		return value{text: v, set: true, deps: deps}, nil
	}
	if arg.Value == nil {
		v := e.globals[arg.Key]
		v.deps = merge(v.deps, deps)
		return v, nil
	}
	seen := tracker{lookup: func(name string) value { return e.globals[name] }}
	text, err := p.expand(*arg.Value, &seen)
	v := seen.value(text)
	v.deps = merge(deps, v.deps)
	return v, err
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
	// where the bindings are none of its inputs, the global part is that of any such call
	same := platform == nil
	for name := range bindings {
		same = same && !slices.Contains(p.inputs, name)
	}
	key := derivation{e, stage}
	if known, ok := p.derived[key]; ok && same {
		out := &Environment{Args: args, Bound: bound, Platform: to, Stage: known.Stage, eval: p, prefix: e.prefix, via: e.via, defaults: known.defaults}
		out.shareGlobals(known)
		return out, nil
	}
	out, err := p.newEnvironment(args, bound, to, stage)
	if err != nil {
		return nil, err
	}
	out.prefix, out.via = e.prefix, e.via
	if same {
		p.derived[key] = out
	}
	return out, nil
}
