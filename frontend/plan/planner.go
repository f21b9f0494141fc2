package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

const (
	// scratch is the base that is no image.
	scratch = "scratch"
	// epoch is the ARG that may name a stage.
	epoch = "SOURCE_DATE_EPOCH"
)

// planner builds a Plan.
type planner struct {
	file *syntax.File
	opt  Options
	out  *Plan
	eval *evaluator

	// named are the stages by name; the last one of a name counts.
	named map[string]*syntax.Stage
	// declared are the names of all ARGs of the file.
	declared map[string]struct{}
	// wide are those of them that every stage depends on.
	wide []string
	// failed are the stages that cannot stand on their own.
	failed map[*syntax.Stage]error
	// isPlain says of each stage whether all that it reaches is plain.
	isPlain map[*syntax.Stage]bool
	// known are the instances of each stage, by the values that they read.
	known map[*syntax.Stage][]*instanceGroup
	envs  map[string]*Environment
	// open are the instances being planned, the outermost first.
	open []frame
	// depth is how many calls are open.
	depth int
}

// instanceGroup are instances of a stage that read the same inputs.
type instanceGroup struct {
	reads       []string
	bySignature map[string]*Instance
}

// frame is an instance being planned.
type frame struct {
	stage *syntax.Stage
	reads map[string]struct{}
}

func newPlanner(file *syntax.File, opt Options) *planner {
	p := &planner{
		file:     file,
		opt:      opt,
		out:      &Plan{File: file, Epochs: map[*Instance]*Instance{}},
		eval:     newEvaluator(file, opt.BuildPlatform),
		named:    map[string]*syntax.Stage{},
		declared: map[string]struct{}{},
		failed:   map[*syntax.Stage]error{},
		isPlain:  map[*syntax.Stage]bool{},
		known:    map[*syntax.Stage][]*instanceGroup{},
		envs:     map[string]*Environment{},
	}
	for _, stage := range file.Stages {
		if stage.Name != "" {
			p.named[stage.Name] = stage
		}
	}
	for _, list := range append([][]*syntax.Instruction{file.Args}, instructionsOf(file)...) {
		for _, name := range declaredArgs(list) {
			p.declared[name] = struct{}{}
			if BuildWide(name) && !slices.Contains(p.wide, name) {
				p.wide = append(p.wide, name)
			}
		}
	}
	return p
}

func instructionsOf(file *syntax.File) [][]*syntax.Instruction {
	out := make([][]*syntax.Instruction, 0, len(file.Stages))
	for _, stage := range file.Stages {
		out = append(out, stage.Instructions)
	}
	return out
}

// rootEnvironment is the environment of the build itself.
func (p *planner) rootEnvironment(target *syntax.Stage) (*Environment, error) {
	platform := p.opt.BuildPlatform
	if p.opt.TargetPlatform != nil {
		platform = *p.opt.TargetPlatform
	}
	name := target.Name
	if p.opt.Target != "" {
		name = p.opt.Target
		if ref, err := syntax.ParseReference(name, p.file.Escape); err == nil {
			name = ref.Target
		}
	}
	return p.eval.newEnvironment(p.opt.BuildArgs, nil, platform, name)
}

func (p *planner) byName(name string) *syntax.Stage { return p.named[strings.ToLower(name)] }

// plain reports whether the stage and all it reaches has no extension.
func (p *planner) plain(stage *syntax.Stage) bool {
	if v, ok := p.isPlain[stage]; ok {
		return v
	}
	p.isPlain[stage] = false // while it is open: a cycle is not plain
	ok := true
	for _, in := range append([]*syntax.Instruction{stage.From}, stage.Instructions...) {
		ok = ok && !in.Changed()
		for _, ref := range in.References {
			if to := p.plainTarget(stage, in, ref, ref.Target); ok && to != nil {
				ok = to.Index < stage.Index && p.plain(to)
			}
		}
	}
	p.isPlain[stage] = ok
	return ok
}

// copies reports whether the references of an instruction, but for mounts, are
// those of a --from.
func copies(in *syntax.Instruction) bool {
	return in.Keyword == command.Copy || in.Keyword == command.Add
}

// plainTarget returns the stage that a reference which is no call names, as in
// a Dockerfile: FROM sees the stages above, under their exact names; COPY takes
// an index too; nil for an image or context.
func (p *planner) plainTarget(stage *syntax.Stage, in *syntax.Instruction, ref *syntax.Reference, name string) *syntax.Stage {
	if ref.Base {
		for i := stage.Index - 1; i >= 0; i-- {
			if above := p.file.Stages[i]; above.Name != "" && above.Name == name {
				return above
			}
		}
		return nil
	}
	if copies(in) && !ref.Mount {
		if n, err := strconv.Atoi(name); err == nil {
			if n >= 0 && n < len(p.file.Stages) {
				return p.file.Stages[n]
			}
			return nil
		}
	}
	return p.byName(name)
}

// instance returns the instance of stage under env.
func (p *planner) instance(stage *syntax.Stage, env *Environment) (*Instance, error) {
	for _, group := range p.known[stage] {
		if inst, ok := group.bySignature[env.signature(group.reads)]; ok {
			p.readAll(inst.Reads)
			return inst, nil
		}
	}
	if len(p.out.Instances) >= MaxInstances {
		return nil, stage.From.Locate(fmt.Errorf("the build has more than %d stage instances", MaxInstances))
	}
	p.open = append(p.open, frame{stage: stage, reads: map[string]struct{}{}})
	inst := &Instance{Stage: stage, Env: env}
	err := p.resolve(inst)
	top := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	if err != nil {
		return nil, err
	}
	for name := range top.reads {
		inst.Reads = append(inst.Reads, name)
	}
	slices.Sort(inst.Reads)
	p.register(inst)
	p.readAll(inst.Reads)
	return inst, nil
}

func (p *planner) register(inst *Instance) {
	inst.ID = len(p.out.Instances)
	inst.Name = inst.nameOf(nil)
	p.out.Instances = append(p.out.Instances, inst)
	groups := p.known[inst.Stage]
	i := slices.IndexFunc(groups, func(g *instanceGroup) bool { return slices.Equal(g.reads, inst.Reads) })
	if i < 0 {
		i = len(groups)
		groups = append(groups, &instanceGroup{inst.Reads, map[string]*Instance{}})
		p.known[inst.Stage] = groups
	}
	inst.Reads = groups[i].reads // one list for all of them
	groups[i].bySignature[inst.Env.signature(inst.Reads)] = inst
}

// forget drops the instances from number n on.
func (p *planner) forget(n int) {
	for _, inst := range p.out.Instances[n:] {
		for _, group := range p.known[inst.Stage] {
			delete(group.bySignature, inst.Env.signature(group.reads))
		}
	}
	p.out.Instances = p.out.Instances[:n]
	for stage, groups := range p.known {
		if !slices.ContainsFunc(groups, func(g *instanceGroup) bool { return len(g.bySignature) > 0 }) {
			delete(p.known, stage)
		}
	}
}

// read notes that the open instance depends on an input.
func (p *planner) read(name string) {
	if len(p.open) > 0 {
		p.open[len(p.open)-1].reads[name] = struct{}{}
	}
}

func (p *planner) readAll(names []string) {
	for _, name := range names {
		p.read(name)
	}
}

// resolve finds what the references of inst stand for and notes what it reads.
func (p *planner) resolve(inst *Instance) error {
	if inst.Stage.Name != "" && p.opt.HasContext != nil && p.opt.HasContext(inst.Stage.Name, inst.Env.Platform) {
		inst.Replaced = true
		p.read(PlatformInput)
		return nil
	}
	p.readAll(p.wide)
	if err := p.base(inst); err != nil {
		return err
	}
	for n, in := range inst.Stage.Instructions {
		if in.Keyword == command.Arg {
			p.readArgs(inst.Env, in)
		}
		for _, ref := range in.References {
			edges, err := p.edges(inst, n, in, ref)
			if err != nil {
				return err
			}
			if inst.Edges == nil {
				inst.Edges = map[*syntax.Reference][]Edge{}
			}
			inst.Edges[ref] = edges
		}
	}
	return nil
}

// readArgs notes what an ARG of a stage depends on. A trigger's counts for the
// stage that has it: its text is what may have to change.
func (p *planner) readArgs(env *Environment, in *syntax.Instruction) {
	for _, word := range in.Words() {
		name, _, hasDefault := strings.Cut(word, "=")
		p.read(name)
		if _, ok := env.Args[name]; !ok && !hasDefault {
			p.readAll(env.globals[name].deps)
		}
	}
}

// base resolves the FROM.
func (p *planner) base(inst *Instance) error {
	in := inst.Stage.From
	ref := in.References[len(in.References)-1]
	at := place{in: in, reference: ref}
	global := func(name string) value { return inst.Env.globals[name] }

	var platform string
	if expr := in.Stage().Platform; expr != "" {
		seen := tracker{lookup: global}
		text, err := p.eval.expand(expr, &seen)
		if err != nil {
			return in.Locate(err)
		}
		platform = text
		p.readAll(seen.deps)
	}
	seen := tracker{lookup: global}
	name, err := p.eval.expand(ref.Target, &seen)
	if err != nil {
		return in.Locate(err)
	}
	p.readAll(seen.deps)
	if name == "" {
		return in.Locate(fmt.Errorf("base name (%s) should not be blank", ref.Target))
	}
	if strings.ContainsAny(name, " \t\r\n") && !strings.Contains(name, "(") {
		return at.errorf(ref.TargetSpan, "the base %q holds a space", name)
	}
	called, err := p.expanded(at, ref, name)
	if err != nil {
		return err
	}
	if called != nil {
		inst.Base, err = p.baseCall(inst, at, called, platform)
		return err
	}
	if stage := p.plainTarget(inst.Stage, in, ref, name); stage != nil {
		to, err := p.instance(stage, inst.Env)
		inst.Base = Edge{To: to}
		return err
	}
	if platform == "" || name == scratch {
		p.read(PlatformInput)
	}
	inst.Base = p.image(name, inst.Env)
	if platform != "" && name != scratch {
		if parsed, err := platforms.Parse(platform); err == nil { // else the converter says so
			parsed = platforms.Normalize(parsed)
			inst.Base.Platform = &parsed
		}
	}
	return nil
}

// image returns the edge to an image or a named context.
func (p *planner) image(name string, env *Environment) Edge {
	return Edge{Name: name, Platform: &env.Platform, Context: p.opt.HasContext != nil && p.opt.HasContext(name, env.Platform)}
}

// expanded returns the call that a reference is once its variables are
// expanded; nil when it is a plain name.
func (p *planner) expanded(at place, ref *syntax.Reference, name string) (*syntax.Reference, error) {
	if ref.Call {
		called := *ref
		called.Target = name
		return &called, nil
	}
	if name == ref.Target || !strings.Contains(name, "(") {
		return nil, nil
	}
	called, err := syntax.ParseReference(name, p.file.Escape)
	if err != nil {
		return nil, at.errorf(ref.TargetSpan, "%s stands for %q: %w", ref.Target, name, err)
	}
	called.Within(ref.TargetSpan)
	return called, nil
}

// baseCall resolves a FROM that is a call. A platform binds TARGETPLATFORM.
func (p *planner) baseCall(inst *Instance, at place, ref *syntax.Reference, platform string) (Edge, error) {
	at.reference = ref
	stage, err := p.callee(at, ref)
	if err != nil {
		return Edge{}, err
	}
	calls, err := p.calls(at, inst.Env, newScope(inst.Env))
	if err != nil {
		return Edge{}, err
	}
	c := calls[0]
	if platform != "" {
		if _, twice := c.values[targetPlatform]; twice {
			return Edge{}, at.errorf(ref.Span, "--platform and the call both give the platform: leave one out")
		}
		parsed, err := platforms.Parse(platform)
		if err != nil {
			return Edge{}, at.in.Locate(fmt.Errorf("failed to parse platform %s: %w", platform, err))
		}
		parsed = platforms.Normalize(parsed)
		c.platform = &parsed
		c.bind(targetPlatform, platforms.FormatAll(parsed))
	}
	to, call, err := p.call(at, stage, c)
	if err == nil {
		err = p.epoch(to)
	}
	return Edge{To: to, Sealed: true, Call: call}, err
}

// edges resolves a reference below the FROM.
func (p *planner) edges(inst *Instance, n int, in *syntax.Instruction, ref *syntax.Reference) ([]Edge, error) {
	at := place{in: in, reference: ref}
	name := ref.Target
	var names *scope
	if ref.Extends() {
		var err error
		if names, err = p.eval.scopeBefore(inst, n); err != nil {
			return nil, err
		}
		if name, err = p.expand(at, names, ref.TargetSpan, ref.Target); err != nil {
			return nil, err
		}
		if name == "" {
			return nil, at.errorf(ref.TargetSpan, "%s is empty here: a stage, image or context is needed", ref.Target)
		}
	}
	called, err := p.expanded(at, ref, name)
	if err != nil {
		return nil, err
	}
	if called != nil {
		return p.callEdges(inst, in, place{in: in, reference: called}, names)
	}
	stage := p.plainTarget(inst.Stage, in, ref, name)
	if stage == nil {
		if _, err := strconv.Atoi(name); err == nil && copies(in) && !ref.Mount {
			return nil, at.errorf(ref.TargetSpan, "invalid stage index %s", name)
		}
		p.read(PlatformInput)
		return []Edge{p.image(name, inst.Env)}, nil
	}
	if stage.Index >= inst.Stage.Index {
		return nil, at.errorf(ref.TargetSpan, "cannot copy from stage %q, it needs to be defined before current stage %q", name, inst.Stage)
	}
	to, err := p.instance(stage, inst.Env)
	return []Edge{{To: to}}, err
}

// callEdges resolves the calls of a COPY or a mount.
func (p *planner) callEdges(inst *Instance, in *syntax.Instruction, at place, names *scope) ([]Edge, error) {
	ref := at.reference
	stage, err := p.callee(at, ref)
	if err != nil {
		return nil, err
	}
	if !copies(in) || in.OnBuild {
		if err := refuseSets(at, ref); err != nil {
			return nil, err
		}
	}
	calls, err := p.calls(at, inst.Env, names)
	if err != nil {
		return nil, err
	}
	edges := make([]Edge, 0, len(calls))
	for _, c := range calls {
		to, call, err := p.call(at, stage, c)
		if err != nil {
			return nil, err
		}
		edge := Edge{To: to, Call: call, Sealed: !to.Replaced && c.needsOwnBuild()}
		if edge.Sealed {
			if err := p.epoch(to); err != nil {
				return nil, err
			}
		}
		if copies(in) {
			if edge.Copy, err = p.copyOf(in, c); err != nil {
				return nil, err
			}
		}
		edges = append(edges, edge)
	}
	return edges, p.refuseCollisions(in, edges)
}

// callee returns the stage that a call names.
func (p *planner) callee(at place, ref *syntax.Reference) (*syntax.Stage, error) {
	if strings.Contains(ref.Target, "#") {
		return nil, at.errorf(ref.TargetSpan, "stages of other files are not part of this release")
	}
	stage := p.byName(ref.Target)
	if stage == nil {
		return nil, at.error(ref.TargetSpan, p.suggestStage(fmt.Errorf("%q is not a stage of this file: only stages can be called", ref.Target), ref.Target))
	}
	return stage, nil
}

// epoch plans the stage that SOURCE_DATE_EPOCH names in the sealed sub-build of
// root; upstream finds it by its name.
func (p *planner) epoch(root *Instance) error {
	name, ok := root.Env.Args[epoch]
	if !ok {
		name, _ = root.Env.Global(epoch)
	}
	stage := p.byName(name)
	if stage == nil || p.out.Epochs[root] != nil {
		return nil
	}
	inst, err := p.instance(stage, root.Env)
	if err == nil {
		p.out.Epochs[root] = inst
	}
	return err
}

// suggestStage adds the stage that name may have been meant for, or all.
func (p *planner) suggestStage(err error, name string) error {
	var names []string
	for _, stage := range p.file.Stages {
		if stage.Name != "" {
			names = append(names, stage.Name)
		}
	}
	if ok, err := suggest.WrapErrorMaybe(err, name, names, false); ok {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (the stages have no names: write FROM … AS %s)", err, name)
	}
	return fmt.Errorf("%w (the stages are %s)", err, strings.Join(names, ", "))
}

// expand expands the variables of a word that stands at span.
func (p *planner) expand(at place, names *scope, span syntax.Span, word string) (string, error) {
	seen := tracker{lookup: names.lookup}
	text, err := p.eval.expand(word, &seen)
	if err != nil {
		return "", at.error(span, unwrapped(err))
	}
	for _, name := range seen.unknown {
		if !strings.Contains(word, "{"+name+":") && !strings.Contains(word, "{"+name+"-") && !strings.Contains(word, "{"+name+"+") {
			return "", at.error(span, suggestName(fmt.Errorf("%s has no value here: neither an ARG before the first FROM nor an ARG or ENV above sets it", name), name, names))
		}
	}
	p.readAll(seen.deps)
	return text, nil
}

// unwrapped leaves out what upstream's lexer adds to an error: the word, which
// the place of the error shows.
func unwrapped(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}

func suggestName(err error, name string, names *scope) error {
	var known []string
	for n := range names.env.globals {
		known = append(known, n)
	}
	for n := range names.local {
		known = append(known, n)
	}
	slices.Sort(known)
	return suggest.WrapError(err, name, known, true)
}
