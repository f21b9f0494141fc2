package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// reached is what a stage reaches whatever the values are: by all its lines, of which
// some may be off.
type reached struct {
	stages []*syntax.Stage
	// names are the ARGs that it may read.
	names []string
	// own are those that its stages declare, files the files in which they stand.
	own   []string
	files map[*dockerfile]bool
	// complete is false when only values, or what nobody has fetched, tell all.
	complete bool
}

// reachedBy tells what several references mean apart.
type reachedBy struct {
	first  *syntax.Stage
	stages int
	always bool
}

// reaches follows the references of the stages of m. always leaves out the lines that
// conditions may take away.
func (p *planner) reaches(m *meaning, always bool) *reached {
	key := reachedBy{m.stages[0], len(m.stages), always}
	if known := p.reached[key]; known != nil {
		return known
	}
	out := &reached{complete: true, files: map[*dockerfile]bool{}}
	p.reached[key] = out
	var visit func(m *meaning)
	visit = func(m *meaning) {
		file := fileOf(m.env)
		if !out.files[file] {
			out.files[file] = true
			out.names = append(out.names, declaredArgs(file.Args)...)
		}
		for _, stage := range m.stages {
			if slices.Contains(out.stages, stage) || always && (len(m.stages) > 1 || stage.From.Conditional()) {
				continue
			}
			out.stages = append(out.stages, stage)
			own := declaredArgs(stage.Instructions)
			out.names, out.own = append(out.names, own...), append(out.own, own...)
			inst := &Instance{Stage: stage, Env: m.env}
			for _, in := range append([]*syntax.Instruction{stage.From}, stage.Instructions...) {
				if always && (in.Conditional() || in.Inner() != nil) {
					continue
				}
				variants, err := in.Variants()
				out.complete = out.complete && err == nil
				for _, v := range variants {
					for _, ref := range v.References {
						at, name, err := p.named(place{kind: kindOf(v, ref), in: v, inst: inst, reference: ref, static: true})
						var to *meaning // nil for a named context or an image
						if err == nil {
							to, err = p.mean(at, m.env, name)
						}
						switch {
						case err != nil:
							out.complete = false
						case to != nil:
							visit(to)
						}
					}
				}
			}
		}
	}
	visit(m)
	return out
}

// named returns the name in a reference, and the place of what a quoted call stands for. It
// is an error when values decide.
func (p *planner) named(at place) (place, string, error) {
	if strings.Contains(at.reference.Target, "$") {
		return at, "", errNotStatic
	}
	return p.expandName(at)
}

// refuseUnread refuses a binding of a name that nothing which the call reaches reads.
func (p *planner) refuseUnread(at place, m *meaning, b syntax.Binding) error {
	if Predefined(b.Name) {
		return nil
	}
	if to := p.reaches(m, false); to.complete && !slices.Contains(to.names, b.Name) {
		return at.error(b.NameSpan, suggestArg(fmt.Errorf("%s has no ARG %s, nor has a stage that it uses", at.reference.Target, b.Name), b.Name, append([]string{targetPlatform}, to.names...)))
	}
	return nil
}

// RuleUnusedBinding warns of a binding that nothing reads.
var RuleUnusedBinding = diagnostic.NewRule("UnusedBinding", "A call binds a global ARG that no stage of it declares and no line of it looks at")

// warnUnused warns of a binding of a global ARG, which the sub-build of the call does not read, unless a
// line that is off would.
func (p *planner) warnUnused(at place, m *meaning, b syntax.Binding) {
	to := p.reaches(m, false)
	if !to.complete || Predefined(b.Name) || BuildWide(b.Name) || slices.Contains(to.own, b.Name) {
		return
	}
	for file := range to.files {
		if file.looksAt(b.Name) {
			return
		}
	}
	var where diagnostic.Place // none in --target
	if at.in != nil {
		where = at.in.Place(b.NameSpan)
	}
	type binding struct {
		of   *syntax.Reference
		name string
	}
	p.warnOnce(RuleUnusedBinding, binding{at.reference, b.Name}, where, "%s is bound, and nothing that %s uses reads it: write ARG %s in the stage that needs it", b.Name, at.reference.Target, b.Name)
}

// looksAt reports whether a name stands in an expression, a word of the global part, a FROM or a
// reference: these see global ARGs without an ARG of the stage.
func (d *dockerfile) looksAt(name string) bool {
	if d.looked == nil { // asked for few files, and there for each call
		d.looked = map[string]bool{}
		for _, name := range d.lookedAt() {
			d.looked[name] = true
		}
	}
	return d.looked[name]
}

func (d *dockerfile) lookedAt() (names []string) {
	for _, in := range withMarkers(instructionsWithImports(d.File.File)) {
		for _, c := range expressions(in) {
			for _, name := range c.Names {
				names = append(names, name.Name)
			}
		}
		for _, ref := range in.References {
			names = append(names, syntax.Variables(ref.Text)...)
		}
	}
	whole := slices.Clip(d.Args)
	for _, im := range d.Imports {
		whole = append(whole, im.In)
	}
	for _, stage := range d.Stages {
		whole = append(whole, stage.From)
	}
	for _, in := range whole {
		names = append(names, syntax.Variables(in.Line)...)
	}
	return names
}

// refuseCircle refuses a reference to a stage that always needs the one in which the
// reference stands.
func (p *planner) refuseCircle(at place, m *meaning) error {
	here := at.inst.Stage
	switch {
	case len(m.stages) != 1:
		return nil
	case m.stages[0] == here:
		return at.errorf(at.reference.Span, "stage %s needs itself: %s → %s", here, here, at.reference.Text)
	case slices.Contains(p.reaches(m, true).stages, here):
		return at.errorf(at.reference.Span, "stage %s needs itself: %s → %s → %s", here, here, at.reference.Text, here)
	}
	return nil
}

// examineVariables looks for variables in the references of a line that nothing sets.
// known are the names that the line may have from elsewhere, part is where it stands.
func (p *planner) examineVariables(in *syntax.Instruction, part []*syntax.Instruction, known []string) {
	for _, ref := range in.References {
		p.examineWord(in, ref.TargetSpan, ref.Target, part, known)
		for _, b := range ref.Bindings {
			for _, v := range b.Values {
				p.examineWord(in, v.Span, v.Raw, part, known)
			}
		}
	}
}

func (p *planner) examineWord(in *syntax.Instruction, span syntax.Span, word string, part []*syntax.Instruction, known []string) {
	for _, name := range syntax.Variables(word) {
		if slices.Contains(known, name) || HasAlternative(word, name) || !hasSyntax(word) || strings.ContainsAny(word, `\'`) {
			continue
		}
		for _, above := range part {
			if above.StartLine >= in.StartLine {
				break
			}
			if slices.Contains(namesOf([]*syntax.Instruction{above}), name) {
				return
			}
		}
		p.broken(in.Errorf(span, "%s has no value here: neither an ARG before the first FROM nor an ARG or ENV above sets it", name))
	}
}
