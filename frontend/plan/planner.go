package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

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
	// entered are the files of the imports that were read.
	entered map[*syntax.Import]*module.File
	// reached is what a check found out about the stages that names mean.
	reached map[reachedBy]*reached
	// warned are the imports and references that were warned of.
	warned map[any]bool
	// failed are the stages that cannot stand on their own.
	failed map[*syntax.Stage]error
	// isPlain says of each stage whether all that it reaches is plain.
	isPlain map[*syntax.Stage]bool
	// known are the instances of each stage, by the values that they read.
	known map[*syntax.Stage][]*instanceGroup
	// bares are the images and contexts that merges take.
	bares map[bareKey]*Instance
	// apart plans every use of a stage anew: for tests.
	apart bool
	// open are the instances being planned, the outermost first.
	open []frame
	// depth is how many calls are open, called how many there were.
	depth, called int
}

// instanceGroup are instances of a stage that read the same inputs.
type instanceGroup struct {
	reads       []string
	bySignature map[string]*Instance
}

// frame is what was looked up for an instance being planned, or for a call whose
// stage is being picked.
type frame struct {
	stage *syntax.Stage // nil for what is no instance
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
		entered:   map[*syntax.Import]*module.File{},
		reached:   map[reachedBy]*reached{},
		warned:    map[any]bool{},
		failed:    map[*syntax.Stage]error{},
		isPlain:   map[*syntax.Stage]bool{},
		known:     map[*syntax.Stage][]*instanceGroup{},
		bares:     map[bareKey]*Instance{},
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

// record runs look and returns the inputs that it looked up, which are not yet
// noted for what is open around it.
func (p *planner) record(stage *syntax.Stage, look func() error) ([]string, error) {
	p.open = append(p.open, frame{stage: stage, reads: map[string]struct{}{}})
	err := look()
	top := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	reads := make([]string, 0, len(top.reads))
	for name := range top.reads {
		reads = append(reads, name)
	}
	slices.Sort(reads)
	return reads, err
}

// note says that what is being planned depends on inputs.
func (p *planner) note(inputs ...string) {
	if p == nil || len(p.open) == 0 {
		return
	}
	for _, name := range inputs {
		p.open[len(p.open)-1].reads[name] = struct{}{}
	}
}

// hasContext reports whether the build has a named context: for a platform that a
// FROM gives, else for that of env.
func (p *planner) hasContext(name string, env *Environment, platform *ocispecs.Platform) bool {
	if p.opt.HasContext == nil {
		return false
	}
	if platform != nil {
		return env.eval.hasContext(name, *platform)
	}
	p.note(contextInput + name)
	return env.eval.hasContext(name, env.Platform)
}

// instance returns the instance of stage under env: one that is planned already if
// all that this one looked up has the same values in env.
func (p *planner) instance(stage *syntax.Stage, env *Environment) (*Instance, error) {
	for _, group := range p.known[stage] {
		if inst, ok := group.bySignature[env.signature(group.reads)]; ok && !p.apart {
			p.note(inst.Reads...)
			return inst, nil
		}
	}
	if len(p.out.Instances) >= MaxInstances {
		return nil, stage.From.Locate(tooManyInstances())
	}
	inst := &Instance{Stage: stage, Env: env}
	var err error
	if inst.Reads, err = p.record(stage, func() error { return p.resolve(inst) }); err != nil {
		return nil, err
	}
	if err := p.cut(inst); err != nil {
		return nil, err
	}
	p.register(inst)
	p.note(inst.Reads...)
	return inst, nil
}

func tooManyInstances() error {
	return fmt.Errorf("the build has more than %d stage instances", MaxInstances)
}

// add adds an instance to the plan.
func (p *planner) add(inst *Instance) {
	inst.ID = len(p.out.Instances)
	inst.Name = inst.nameOf(nil)
	inst.findWaits()
	for e := range inst.All() {
		if e.To == nil {
			continue
		}
		below := e.To.depth
		if e.Call != "" {
			below++
		}
		inst.depth = max(inst.depth, below)
	}
	p.out.Instances = append(p.out.Instances, inst)
}

// register adds an instance that other uses of its stage may share.
func (p *planner) register(inst *Instance) {
	p.add(inst)
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
	clear(p.bares) // some may be among them
	for stage, groups := range p.known {
		if !slices.ContainsFunc(groups, func(g *instanceGroup) bool { return len(g.bySignature) > 0 }) {
			delete(p.known, stage)
		}
	}
}
