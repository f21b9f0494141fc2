package plan

import (
	"iter"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// RuleImpossibleValue warns of a comparison with a value that an ARG never has.
var RuleImpossibleValue = diagnostic.NewRule("ImpossibleValue", "An ARG is compared with a value that its --oneof does not allow")

// lintChoices warns of comparisons with values that --oneof does not allow.
func (p *planner) lintChoices(d *dockerfile) {
	limited := map[string]bool{}
	for in := range d.All() {
		if in.Arg.OneOf != nil {
			eachName(in, func(name string) { limited[name] = true })
		}
	}
	if len(limited) == 0 {
		return
	}
	seen := map[*syntax.Instruction]bool{}
	for in, stage := range d.lines() {
		for _, line := range withMarkers([]*syntax.Instruction{in}) {
			if seen[line] {
				continue
			}
			seen[line] = true
			for _, c := range expressions(line) {
				for _, at := range c.Equals {
					if at.Text == "" || !limited[at.Name] {
						continue
					}
					if values := d.choices(stage, line, at.Name); values != nil && !slices.Contains(values, at.Text) {
						p.warn(RuleImpossibleValue, line.Place(c.Span(at.Start, at.End)), "%s is never %q: it is one of %s", at.Name, at.Text, strings.Join(values, ", "))
					}
				}
			}
		}
	}
}

// lines yields the instructions of the file, each with the stage whose names it sees;
// nil for those of the global part.
func (d *dockerfile) lines() iter.Seq2[*syntax.Instruction, *syntax.Stage] {
	return func(yield func(*syntax.Instruction, *syntax.Stage) bool) {
		stage := -1
		for in := range d.All() {
			if in.Stage() != nil {
				stage++
			}
			var of *syntax.Stage
			if stage >= 0 && in.Stage() == nil {
				of = d.Stages[stage]
			}
			if !yield(in, of) {
				return
			}
		}
	}
}

// choices returns the values that an ARG may have at a line: those of all its lines
// above, of which some may be off. Nil when it may have any, or is no ARG there.
func (d *dockerfile) choices(stage *syntax.Stage, line *syntax.Instruction, name string) []string {
	if stage == nil {
		values, _ := allowed(d.Args, name, nil)
		return values
	}
	outer, _ := allowed(d.Args, name, nil)
	n := 0
	for n < len(stage.Instructions) && stage.Instructions[n].StartLine < line.StartLine {
		n++
	}
	values, declared := allowed(stage.Instructions[:n], name, outer)
	if declared {
		return values
	}
	inherited, known := d.inherits(stage)
	if !known || slices.Contains(inherited, name) {
		return nil
	}
	return outer
}

// allowed returns the values that the ARGs of a name among instructions allow
// together, nil for any, and whether there is one. ARG NAME takes the value of the
// global part, of which outer are the values that it may have.
func allowed(list []*syntax.Instruction, name string, outer []string) (values []string, declared bool) {
	for _, in := range list {
		if in.OnBuild || !slices.Contains(namesOf([]*syntax.Instruction{in}), name) {
			continue
		}
		own := in.Arg.OneOf
		if own == nil && takesOver(in, name) {
			own = outer
		}
		if own == nil {
			return nil, true
		}
		for _, v := range own {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		declared = true
	}
	return values, declared
}

// takesOver reports whether an instruction is an ARG of a name without a value.
func takesOver(in *syntax.Instruction, name string) bool {
	over := false
	eachArg(in, func(arg instructions.KeyValuePairOptional) { over = over || arg.Key == name && arg.Value == nil })
	return over
}
