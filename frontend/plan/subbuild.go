package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// call plans what a call calls.
func (p *planner) call(at place, m *meaning, c *call, sealed bool) (inst *Instance, call, shown string, err error) {
	written := m.name
	if at.reference.Call {
		written = reference(m.name, c.order, c.values)
	}
	if p.depth == MaxDepth {
		return nil, "", "", at.errorf(at.reference.Span, "calls nest more than %d deep", MaxDepth)
	}
	p.called++
	before := len(p.out.Instances)
	inst, env, err := p.callee(at, m, c, written, sealed)
	if err != nil {
		return nil, "", "", err
	}
	if p.depth+1+inst.depth > MaxDepth { // of one that is planned already
		return nil, "", "", at.errorf(at.reference.Span, "calls nest more than %d deep", MaxDepth)
	}
	if inst.Replaced {
		p.warnReplaced(at, inst.Stage)
		return inst, written, inst.Name, nil
	}
	shown = inst.nameIn(env, c.order)
	if len(p.out.Instances) > before {
		for _, part := range inst.Parts() {
			part.Name = shown
		}
	}
	return inst, written, shown, p.requireDeclared(at, m, inst, env)
}

// callee plans the stage of a call in its environment. Of what it reads, the
// caller depends on what the call does not decide.
func (p *planner) callee(at place, m *meaning, c *call, written string, sealed bool) (inst *Instance, env *Environment, err error) {
	p.depth++
	reads, err := p.record(nil, func() (err error) {
		var stage *syntax.Stage
		if stage, env, err = p.calledStage(at, m, c, written); err != nil {
			return err
		}
		if err := p.refuseRecursion(at, stage, written); err != nil {
			return err
		}
		if inst, err = p.instance(stage, env); err != nil {
			return at.chain(err, written)
		}
		// lowering may make any call a build of its own
		if _, given := env.epoch(); sealed || given && p.out.Epochs[inst] == nil {
			return at.error(at.reference.Span, p.epoch(inst, env))
		}
		return nil
	})
	p.depth--
	for _, name := range reads {
		if !c.decides(name) && m.via.flows(name) {
			p.note(name)
		}
	}
	return inst, env, err
}

// calledStage returns the stage that a call means and the environment of the call.
// Both hang on each other: conditions see which stage is the target.
func (p *planner) calledStage(at place, m *meaning, c *call, written string) (*syntax.Stage, *Environment, error) {
	environment := func(target string) (*Environment, error) {
		env, err := c.env.eval.with(c.env, c.values, c.platform, target)
		if err == nil {
			// a mistake is one of the call; values that pass make no other build
			_, err = p.record(nil, func() error { return p.checkGlobals(env) })
		}
		return env, at.chain(err, written)
	}
	if !m.last {
		target := at.reference.Target
		if m.via != nil {
			target = m.stages[0].Name
		}
		env, err := environment(target)
		if err != nil {
			return nil, nil, err
		}
		stage, err := p.pick(m, env)
		if err != nil {
			return nil, nil, at.error(at.reference.TargetSpan, err)
		}
		return stage, env, nil
	}
	var env *Environment
	for _, stage := range slices.Backward(m.stages) {
		var err error
		if env, err = environment(stage.Name); err != nil {
			return nil, nil, err
		}
		on, err := p.on(stage, env)
		if err != nil || on {
			return stage, env, err
		}
	}
	return nil, nil, at.error(at.reference.TargetSpan, &offError{m.name, m.stages, env})
}

// decides reports whether an input has its value from the call, not from where
// the call stands.
func (c *call) decides(input string) bool {
	if _, ok := c.values[input]; ok || input == targetStage {
		return true
	}
	if c.platform == nil {
		return false
	}
	_, given := c.env.Args[input]
	return ofPlatform(input) || !given && slices.Contains(platformNames[:], input)
}

// refuseRecursion refuses a call of a stage that is being planned.
func (p *planner) refuseRecursion(at place, stage *syntax.Stage, written string) error {
	i := slices.IndexFunc(p.open, func(f frame) bool { return f.stage == stage })
	if i < 0 {
		return nil
	}
	var chain []string
	for _, f := range p.open[i:] {
		if f.stage != nil {
			chain = append(chain, f.stage.String())
		}
	}
	chain = append(chain, written)
	return at.errorf(at.reference.Span, "stage %s needs itself: %s", stage, strings.Join(chain, " → "))
}

// declaredSomewhere refuses a binding of a name that no ARG of the file, nor of
// those that it imports, declares.
func (p *planner) declaredSomewhere(file *dockerfile, at place, b syntax.Binding) error {
	if b.Name == targetPlatform {
		return nil
	}
	if _, ok := file.declared[b.Name]; ok {
		return nil
	}
	names, complete := p.takes(file)
	if !complete || slices.Contains(names, b.Name) {
		return nil // requireDeclared knows more
	}
	where := "the file"
	if !file.Main {
		where = file.String()
	}
	return at.error(b.NameSpan, suggestArg(fmt.Errorf("no ARG of %s declares %s, so %s cannot be called with it", where, b.Name, at.reference.Target), b.Name, names))
}

// takes returns the names of the ARGs of a file and of the files of its project
// that it imports. It is complete when all of them are known.
func (p *planner) takes(file *dockerfile) (names []string, complete bool) {
	seen := map[*dockerfile]bool{}
	complete = true
	var visit func(*dockerfile)
	visit = func(d *dockerfile) {
		if seen[d] {
			return
		}
		seen[d] = true
		names = slices.AppendSeq(names, maps.Keys(d.declared))
		complete = complete && !d.namesFiles
		for _, im := range d.Imports {
			for _, arg := range im.Args {
				if arg.Value == nil { // which passes it on
					names = append(names, arg.Name)
				}
			}
			if im.From != "" || im.IsData() {
				continue
			}
			if f, ok := p.entered[im]; ok {
				visit(p.of(f))
			} else {
				complete = false
			}
		}
	}
	visit(file)
	return names, complete
}

func (p *planner) warnReplaced(at place, stage *syntax.Stage) {
	var where diagnostic.Place
	if at.in != nil {
		where = at.in.Place(at.reference.Span)
	}
	p.warnOnce(RuleCallOfContext, at.reference, where, "the named context %s replaces the stage: the call gives the context", stage.Name)
}

// RuleCallOfContext warns of a call whose stage a named context replaces.
var RuleCallOfContext = diagnostic.NewRule("CallOfContext", "A named context replaces a stage of its name, also where the stage is called: bindings do nothing then")
