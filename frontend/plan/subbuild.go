package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

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
	return input == PlatformInput || !given && slices.Contains(platformNames[:], input)
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

// declaredSomewhere refuses a binding of a name that no ARG of the file
// declares.
func declaredSomewhere(file *dockerfile, at place, ref *syntax.Reference, b syntax.Binding) error {
	if b.Name == targetPlatform {
		return nil
	}
	if _, ok := file.declared[b.Name]; ok {
		return nil
	}
	if at.in != nil && at.in.File() != file.File.File || file.foreign {
		return nil // a stage of another file may declare it: requireDeclared knows
	}
	names := slices.Collect(maps.Keys(file.declared))
	return at.error(b.NameSpan, suggestArg(fmt.Errorf("no ARG of the file declares %s, so %s cannot be called with it", b.Name, ref.Target), b.Name, names))
}

// requireDeclared refuses bindings of names that the sub-build does not
// declare: they would do nothing.
func (p *planner) requireDeclared(at place, inst *Instance) error {
	var names []string // found when needed: a binding that is read is declared
	for _, b := range at.reference.Bindings {
		if b.Name == targetPlatform || slices.Contains(inst.Reads, b.Name) {
			continue
		}
		if names == nil {
			names = append([]string{targetPlatform}, declaredArgs(inst.Env.eval.file.Args)...)
			names = append(names, inst.declared(map[*Instance]bool{})...)
		}
		if !slices.Contains(names, b.Name) {
			return at.error(b.NameSpan, suggestArg(fmt.Errorf("%s has no ARG %s, nor has a stage that it uses", at.reference.Target, b.Name), b.Name, names))
		}
	}
	return nil
}

// declared returns the ARGs of the instance and of all it needs.
func (i *Instance) declared(seen map[*Instance]bool) []string {
	if seen[i] {
		return nil
	}
	seen[i] = true
	names := declaredArgs(i.Stage.Instructions)
	for e := range i.All() {
		if e.To != nil {
			names = append(names, e.To.declared(seen)...)
		}
	}
	return names
}

func declaredArgs(list []*syntax.Instruction) []string {
	var names []string
	for _, in := range list {
		if cmd, ok := in.Command.(*instructions.ArgCommand); ok {
			for _, arg := range cmd.Args {
				names = append(names, arg.Key)
			}
		}
	}
	return names
}

func (p *planner) warnReplaced(at place, stage *syntax.Stage) {
	var where diagnostic.Place
	if at.in != nil {
		where = at.in.Place(at.reference.Span)
	}
	w := diagnostic.Warnf(RuleCallOfContext, where, "the named context %s replaces the stage: the call gives the context", stage.Name)
	if !slices.ContainsFunc(p.out.Warnings, func(other *diagnostic.Diagnostic) bool {
		return other.Message == w.Message && slices.Equal(other.Place.Ranges, where.Ranges)
	}) {
		p.out.Warnings = append(p.out.Warnings, w)
	}
}

// RuleCallOfContext warns of a call whose stage a named context replaces.
var RuleCallOfContext = &diagnostic.Rule{
	Name:        "CallOfContext",
	Description: "A named context replaces a stage of its name, also where the stage is called: bindings do nothing then",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/call-of-context.md",
}
