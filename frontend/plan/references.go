package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// base resolves the FROM.
func (p *planner) base(inst *Instance) error {
	in := inst.Stage.From
	ref := in.References[len(in.References)-1]
	at := place{in: in, reference: ref}
	global := func(name string) value { return inst.Env.globals[name] }

	var platform string
	if expr := in.Stage().Platform; expr != "" {
		seen := tracker{lookup: global}
		text, err := inst.Env.eval.expand(expr, &seen)
		if err != nil {
			return in.Locate(err)
		}
		platform = text
		p.readAll(seen.deps)
	}
	seen := tracker{lookup: global}
	name, err := inst.Env.eval.expand(ref.Target, &seen)
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
	called, err := p.called(at, inst.Env, ref, name)
	if err != nil {
		return err
	}
	if called != nil {
		inst.Base, err = p.baseCall(inst, at, called, platform)
		return err
	}
	stage, err := p.plainTarget(at, inst.Stage, name, inst.Env)
	if err != nil {
		return err
	}
	if stage != nil {
		to, err := p.above(at, stage, inst.Env)
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

// refuseTriggers refuses a base in another file whose triggers name stages of that
// file: they run here, where those are not.
func refuseTriggers(at place, base *Instance) error {
	for _, in := range base.Instructions {
		for _, ref := range in.References {
			if in.OnBuild && slices.ContainsFunc(base.Edges[ref], func(e Edge) bool { return e.To != nil }) {
				return at.errorf(at.reference.Span, "%s has a trigger that names %s, a stage of its own file (line %d): it cannot run here", at.reference.Text, ref.Text, in.StartLine)
			}
		}
	}
	return nil
}

// image returns the edge to an image or a named context.
func (p *planner) image(name string, env *Environment) Edge {
	return Edge{Name: name, Platform: &env.Platform, Context: p.opt.HasContext != nil && p.opt.HasContext(name, env.Platform)}
}

// called returns the call that a reference is in the end: a call as written, or a
// stage of another file, which is a sub-build of its own.
func (p *planner) called(at place, env *Environment, ref *syntax.Reference, name string) (*syntax.Reference, error) {
	called, err := p.expanded(at, ref, name)
	if called != nil || err != nil || len(fileOf(env).stages(name)) > 0 {
		return called, err
	}
	if _, ok := index(at.in, ref, name); ok {
		return nil, nil
	}
	t, err := p.find(at, env, name)
	if t == nil || err != nil {
		return nil, err
	}
	foreign := *ref
	foreign.Target = name
	return &foreign, nil
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
	escape := syntax.DefaultEscape
	if at.in != nil {
		escape = at.in.File().Escape
	}
	called, err := syntax.ParseReference(name, escape)
	if err != nil {
		return nil, at.errorf(ref.TargetSpan, "%s stands for %q: %w", ref.Target, name, err)
	}
	called.Within(ref.TargetSpan)
	called.Base, called.Mount, called.After = ref.Base, ref.Mount, ref.After
	return called, nil
}

// baseCall resolves a FROM that is a call. A platform binds TARGETPLATFORM.
func (p *planner) baseCall(inst *Instance, at place, ref *syntax.Reference, platform string) (Edge, error) {
	at.reference = ref
	t, err := p.requireStage(at, inst.Env, ref)
	if err != nil {
		return Edge{}, err
	}
	calls, err := p.calls(at, t, newScope(inst.Env))
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
	to, call, err := p.call(at, t, c)
	if err == nil && t.via != nil {
		err = refuseTriggers(at, to)
	}
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
		if ref.Cache && strings.Contains(ref.Target, "$") {
			return nil, at.errorf(ref.TargetSpan, "'from' of a cache mount doesn't support variable expansion, define alias stage instead")
		}
		var err error
		if names, err = inst.Env.eval.scopeBefore(inst, n); err != nil {
			return nil, err
		}
		if name, err = p.expand(at, names, ref.TargetSpan, ref.Target); err != nil {
			return nil, err
		}
		if name == "" {
			return nil, at.errorf(ref.TargetSpan, "%s is empty here: a stage, image or context is needed", ref.Target)
		}
	}
	called, err := p.called(at, inst.Env, ref, name)
	if err != nil {
		return nil, err
	}
	if called != nil {
		return p.callEdges(inst, in, place{in: in, reference: called}, names)
	}
	stage, err := p.plainTarget(at, inst.Stage, name, inst.Env)
	if err != nil {
		return nil, err
	}
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
	to, err := p.above(at, stage, inst.Env)
	return []Edge{{To: to}}, err
}

// callEdges resolves the calls of a COPY or a mount.
func (p *planner) callEdges(inst *Instance, in *syntax.Instruction, at place, names *scope) ([]Edge, error) {
	ref := at.reference
	t, err := p.requireStage(at, inst.Env, ref)
	if err != nil {
		return nil, err
	}
	if !copies(in) && !ref.After || in.OnBuild {
		if err := refuseSets(at, ref); err != nil {
			return nil, err
		}
	}
	if names == nil {
		names = newScope(inst.Env)
	}
	calls, err := p.calls(at, t, names)
	if err != nil {
		return nil, err
	}
	edges := make([]Edge, 0, len(calls))
	for _, c := range calls {
		to, call, err := p.call(at, t, c)
		if err != nil {
			return nil, err
		}
		edge := Edge{To: to, Call: call, Sealed: !to.Replaced && (c.needsOwnBuild() || t.via != nil && t.via.separate)}
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

// requireStage returns what a call names, and refuses what is no stage.
func (p *planner) requireStage(at place, env *Environment, ref *syntax.Reference) (*target, error) {
	t, err := p.find(at, env, ref.Target)
	if t != nil || err != nil {
		return t, err
	}
	return nil, at.error(ref.TargetSpan, suggestStage(fileOf(env), fmt.Errorf("%q is not a stage of this file: only stages can be called", ref.Target), ref.Target))
}

// epoch plans the stage that SOURCE_DATE_EPOCH names in the sealed sub-build of
// root; upstream finds it by its name.
func (p *planner) epoch(root *Instance) error {
	name, ok := root.Env.Args[epoch]
	if !ok {
		name, _ = root.Env.Global(epoch)
	}
	if p.out.Epochs[root] != nil {
		return nil
	}
	stage, err := p.pick(name, fileOf(root.Env).stages(name), root.Env)
	if stage == nil || err != nil {
		return err
	}
	inst, err := p.instance(stage, root.Env)
	if err == nil {
		p.out.Epochs[root] = inst
	}
	return err
}

// expand expands the variables of a word that stands at span.
func (p *planner) expand(at place, names *scope, span syntax.Span, word string) (string, error) {
	if !hasSyntax(word) {
		return word, nil
	}
	seen := tracker{lookup: names.lookup}
	text, err := names.env.eval.expand(word, &seen)
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
