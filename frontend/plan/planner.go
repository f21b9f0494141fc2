package plan

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/module"
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
	ctx  context.Context // of the build, to read files that are imported
	main *dockerfile
	opt  Options
	out  *Plan

	files     map[*module.File]*dockerfile
	numbered  map[*Environment]numbered
	crossings map[crossingKey]passedCrossing
	// unpinned are the imports that were warned of.
	unpinned map[*syntax.Import]bool
	// failed are the stages that cannot stand on their own.
	failed map[*syntax.Stage]error
	// isPlain says of each stage whether all that it reaches is plain.
	isPlain map[*syntax.Stage]bool
	// known are the instances of each stage, by the values that they read.
	known map[*syntax.Stage][]*instanceGroup
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

// frame is an instance being planned, or a call whose stage is being picked.
type frame struct {
	stage *syntax.Stage // nil for a call
	reads map[string]struct{}
}

func newPlanner(ctx context.Context, main *module.File, opt Options) *planner {
	p := &planner{
		ctx:       ctx,
		opt:       opt,
		out:       &Plan{File: main, Epochs: map[*Instance]*Instance{}},
		files:     map[*module.File]*dockerfile{},
		numbered:  map[*Environment]numbered{},
		crossings: map[crossingKey]passedCrossing{},
		unpinned:  map[*syntax.Import]bool{},
		failed:    map[*syntax.Stage]error{},
		isPlain:   map[*syntax.Stage]bool{},
		known:     map[*syntax.Stage][]*instanceGroup{},
	}
	p.main = p.of(main)
	return p
}

// loaded returns the files of the plan, the main one first.
func (p *planner) loaded() []*module.File {
	out := []*module.File{p.main.File}
	for f := range p.files {
		if f != p.main.File {
			out = append(out, f)
		}
	}
	slices.SortFunc(out[1:], func(a, b *module.File) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// rootEnvironment is the environment of the build itself.
func (p *planner) rootEnvironment(target string) (*Environment, error) {
	platform := p.opt.BuildPlatform
	if p.opt.TargetPlatform != nil {
		platform = *p.opt.TargetPlatform
	}
	return p.main.eval.newEnvironment(p.opt.BuildArgs, nil, platform, target)
}

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
			if _, ok := index(in, ref, ref.Target); ok && p.main.conditional || p.main.imported(ref.Target) {
				return false // a number counts the stages that are on
			}
			for _, to := range p.main.candidates(stage, in, ref, ref.Target) {
				ok = ok && to.Index < stage.Index && p.plain(to)
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

// candidates returns the stages that a reference which is no call may name, the
// one that it does name last, as in a Dockerfile: FROM sees the stages above,
// under their exact names; COPY takes an index too; none for an image or context.
func (d *dockerfile) candidates(stage *syntax.Stage, in *syntax.Instruction, ref *syntax.Reference, name string) []*syntax.Stage {
	if ref.Base {
		list := d.named[name]
		return list[:sort.Search(len(list), func(i int) bool { return list[i].Index >= stage.Index })]
	}
	if n, ok := index(in, ref, name); ok {
		if n >= 0 && n < len(d.Stages) {
			return d.Stages[n : n+1]
		}
		return nil
	}
	return d.stages(name)
}

// index returns the number that a reference of a COPY may be.
func index(in *syntax.Instruction, ref *syntax.Reference, name string) (int, bool) {
	if !copies(in) || ref.Mount || !strings.ContainsAny(name[:min(1, len(name))], "+-0123456789") {
		return 0, false
	}
	n, err := strconv.Atoi(name)
	return n, err == nil
}

// plainTarget returns the stage that a reference which is no call names under
// env; nil for an image or context. A stage that is off has no index.
func (p *planner) plainTarget(at place, stage *syntax.Stage, name string, env *Environment) (*syntax.Stage, error) {
	if n, ok := index(at.in, at.reference, name); ok && n >= 0 {
		list, err := p.stagesOn(env)
		if err != nil || n >= len(list) {
			return nil, err
		}
		return list[n], nil
	}
	found, err := p.pick(name, fileOf(env).candidates(stage, at.in, at.reference, name), env)
	if err != nil {
		err = at.error(at.reference.TargetSpan, err)
	}
	return found, err
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
	if inst.Stage.Name != "" && p.replaced(inst.Stage.Name, inst.Env) {
		inst.Replaced, inst.Instructions = true, inst.Stage.Instructions
		p.read(PlatformInput)
		return nil
	}
	p.readAll(fileOf(inst.Env).wide)
	if err := p.base(inst); err != nil {
		return err
	}
	if err := p.gates(inst); err != nil {
		return err
	}
	if err := p.selectInstructions(inst); err != nil {
		return err
	}
	for n, in := range inst.Instructions {
		if in.Keyword == command.Arg {
			p.readArgs(inst.Env, in)
			if err := p.checkArgs(inst, n, in); err != nil {
				return err
			}
		}
		for _, ref := range in.References {
			edges, err := p.edges(inst, n, in, ref)
			if err != nil {
				return err
			}
			inst.set(ref, edges)
		}
	}
	return nil
}

func (i *Instance) set(ref *syntax.Reference, edges []Edge) {
	if i.Edges == nil {
		i.Edges = map[*syntax.Reference][]Edge{}
	}
	i.Edges[ref] = edges
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
