package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// RuleBrokenBranch warns of a mistake in a line that is off: it is one in builds with
// other values. It holds for a check.
var RuleBrokenBranch = diagnostic.NewRule("BrokenBranch", "A line that conditions take away fails the builds that have it")

// errNotStatic says that only values tell what a name means.
var errNotStatic = errors.New("not static")

// lintBranches examines the lines that some values take away, in all files: what
// holds there whatever the values are. Nothing is evaluated.
func (p *planner) lintBranches() {
	planned := map[*syntax.Reference]bool{}
	for _, inst := range p.out.Instances {
		for ref := range inst.Edges {
			planned[ref] = true
		}
		for _, ref := range inst.Stage.From.References {
			planned[ref] = true
		}
	}
	seen := map[*module.File]bool{}
	for more := true; more; { // a line may name another file
		more = false
		for _, f := range p.loaded() {
			if !seen[f] {
				seen[f], more = true, true
				p.examineFile(p.of(f), planned)
			}
		}
	}
}

// broken warns of a mistake that a line would be if it were on.
func (p *planner) broken(err error) {
	var at *diagnostic.Diagnostic
	if err == nil || errors.Is(err, errNotStatic) {
		return
	}
	if !errors.As(err, &at) {
		at = &diagnostic.Diagnostic{Message: err.Error()}
	}
	text := at.Message
	for _, related := range at.Related {
		text += ", " + related.Message
	}
	p.warn(RuleBrokenBranch, at.Place, "%s", text)
}

func (p *planner) examineFile(d *dockerfile, planned map[*syntax.Reference]bool) {
	platform := p.opt.BuildPlatform
	if p.opt.TargetPlatform != nil {
		platform = *p.opt.TargetPlatform
	}
	env := d.eval.empty(p.opt.BuildArgs, nil, platform, "")
	for _, im := range d.Imports {
		if p.entered[im] == nil && !im.IsData() {
			via, err := p.peek(env, im)
			if err == nil {
				err = p.checkPassed(im, via.env)
			}
			p.broken(err)
		}
	}
	for _, in := range d.Args {
		p.examineArg(in)
		p.examineConditions(in, d.Args, predefinedNames())
	}
	global := append(predefinedNames(), namesOf(d.Args)...)
	for _, stage := range d.Stages {
		inst := &Instance{Stage: stage, Env: env}
		off := stage.From.Conditional()
		if off {
			p.examinePlatform(inst)
		}
		p.examineConditions(stage.From, stage.Instructions, global)
		names, known := d.inherits(stage)
		names = append(names, global...)
		for _, in := range append([]*syntax.Instruction{stage.From}, stage.Instructions...) {
			if known {
				p.examineConditions(in, stage.Instructions, names)
			}
			if !off && !in.Conditional() && in.Inner() == nil {
				continue
			}
			variants, err := in.Variants()
			p.broken(err)
			for _, v := range variants {
				p.examineArg(v)
				switch {
				case v.Stage() != nil:
					p.examineVariables(v, d.Args, global)
				case known && !v.OnBuild:
					p.examineVariables(v, stage.Instructions, names)
				}
				for _, ref := range v.References {
					if !planned[ref] {
						at := place{kind: kindOf(v, ref), in: v, inst: inst, reference: ref, static: true}
						p.broken(p.examine(at))
					}
				}
			}
		}
	}
}

// examine returns the mistake of a reference that is one whatever values there are.
func (p *planner) examine(at place) error {
	at, name, err := p.named(at)
	if err != nil {
		return err
	}
	m, err := p.mean(at, at.inst.Env, name)
	switch {
	case err != nil || m == nil:
		return err
	case at.reference.Call || m.via != nil:
		return p.examineCall(at, m)
	}
	for _, stage := range m.stages {
		if err = refuseOrder(at, stage, name); err == nil {
			return p.refuseCircle(at, m)
		}
	}
	return err
}

// examineCall returns the mistake of a call that is one whatever values there are.
func (p *planner) examineCall(at place, m *meaning) error {
	if err := refuseSets(at); err != nil {
		return err
	}
	if err := p.refuseCircle(at, m); err != nil {
		return err
	}
	names, err := p.scopeAt(at)
	if err != nil {
		return err
	}
	calls, complete := []*call{{values: map[string]string{}}}, at.kind == KindCopy
	for _, b := range at.reference.Bindings {
		if err := p.checkBinding(at, m, b); err != nil {
			return err
		}
		if err := p.refuseUnread(at, m, b); err != nil {
			return err
		}
		known := b
		known.Values = slices.DeleteFunc(slices.Clone(b.Values), func(v syntax.Value) bool { return strings.Contains(v.Raw, "$") })
		values, err := p.values(at, known, names)
		if err != nil {
			return err
		}
		complete = complete && len(known.Values) == len(b.Values) && len(calls)*len(values) <= MaxCalls
		var next []*call
		for _, v := range values {
			if err := (&call{values: map[string]string{}}).bindValue(at, b, v); err != nil {
				return err
			}
			for i := 0; complete && i < len(calls); i++ {
				c := calls[i].clone()
				if err := c.bindValue(at, b, v); err != nil {
					return err
				}
				next = append(next, c)
			}
		}
		calls = next
	}
	if !complete {
		return nil
	}
	edges := make([]Edge, len(calls))
	for i, c := range calls {
		edges[i].Call = reference(m.name, c.order, c.values)
		if edges[i].Copy, err = p.copyOf(at.in, c); err != nil {
			return err
		}
	}
	return p.refuseCollisions(at.in, edges)
}

// examinePlatform looks at the platform of a stage.
func (p *planner) examinePlatform(inst *Instance) {
	if !strings.Contains(inst.Stage.From.Stage().Platform, "$") {
		_, err := p.platformOf(inst.Stage, inst.Env)
		p.broken(err)
	}
}

// examineArg looks at a default that the ARG itself does not allow.
func (p *planner) examineArg(in *syntax.Instruction) {
	if in.Arg.OneOf == nil || !in.Conditional() || in.OnBuild {
		return
	}
	eachArg(in, func(arg instructions.KeyValuePairOptional) {
		if _, given := p.opt.BuildArgs[arg.Key]; arg.Value != nil && !given && !strings.Contains(*arg.Value, "$") {
			p.broken(p.checkArg(nil, in, arg.Key, value{text: *arg.Value, set: true}))
		}
	})
}

// examineConditions looks for names in the conditions of a line that an ARG further
// down declares, unless one of known, the names that the line may have from elsewhere.
func (p *planner) examineConditions(in *syntax.Instruction, part []*syntax.Instruction, known []string) {
	for _, line := range withMarkers([]*syntax.Instruction{in}) {
		if p.warned[line] {
			continue
		}
		p.warned[line] = true
		for _, c := range expressions(line) {
			for _, name := range c.Names {
				if !c.IsData(name.Name) && !slices.Contains(known, name.Name) {
					p.broken(lateError(line, c.Span(name.Offset, name.Offset+len(name.Name)), name.Name, part))
				}
			}
		}
	}
}

// inherits returns the names that a stage may have from those that it is built FROM, and from
// the operands of a merge.
// known is false when nobody can tell.
func (d *dockerfile) inherits(stage *syntax.Stage) (names []string, known bool) {
	known = true
	seen := map[*syntax.Stage]bool{}
	var visit func(*syntax.Stage)
	visit = func(s *syntax.Stage) {
		if seen[s] {
			return
		}
		seen[s] = true
		known = known && !slices.ContainsFunc(s.Instructions, func(in *syntax.Instruction) bool {
			return in.Values != nil && in.Values.Env() && len(in.Values.Names) == 0
		})
		if s != stage {
			names = append(names, namesOf(s.Instructions)...)
		}
		for _, ref := range s.From.References {
			if !ref.Base && !ref.With {
				continue
			}
			if d.imported(ref.Target) || syntax.IsFile(ref.Target) || strings.Contains(ref.Target, "$") {
				known = false
			}
			for _, below := range d.stages(ref.Target) {
				visit(below)
			}
		}
	}
	visit(stage)
	return names, known
}

// peek goes into the file of an import that is off, if no value decides which file
// that is and it is one of the same project: nothing is fetched for a line that is
// off.
func (p *planner) peek(env *Environment, im *syntax.Import) (*crossing, error) {
	f := p.entered[im]
	if f == nil {
		if im.From != "" || strings.Contains(im.Path, "$") {
			return nil, errNotStatic
		}
		req, err := p.request(env, im)
		if err == nil {
			f, err = p.opt.Files.Import(p.ctx, fileOf(env).File, req)
		}
		if err != nil {
			return nil, importFailed(im, err)
		}
		p.entered[im] = f
	}
	return p.glance(env, f), nil
}

// ofAnyImport returns the stages that alias.stage means in one of the imports of the
// alias; nil when there is none.
func (p *planner) ofAnyImport(at place, env *Environment, alias, name, inner string) (m *meaning, err error) {
	for _, im := range fileOf(env).Imports {
		if im.Alias != strings.ToLower(alias) || !im.IsData() && strings.ContainsAny(inner, "/:@") {
			continue
		}
		if err := refuseNoStage(at, im, name, inner); err != nil {
			return nil, err
		}
		via, failed := p.peek(env, im)
		if failed != nil {
			return nil, errNotStatic // examineFile says it
		}
		if m, err = ofCrossing(at, via, name, inner); err == nil {
			return m, nil
		}
	}
	return nil, err
}

// glance is the way into a file whose values are not known.
func (p *planner) glance(env *Environment, f *module.File) *crossing {
	return &crossing{env: p.of(f).eval.empty(env.Args, nil, env.Platform, "")}
}
