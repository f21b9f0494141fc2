package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The rules for conditions.
var (
	// RuleConstantCondition warns of a condition without names.
	RuleConstantCondition = diagnostic.NewRule("ConstantCondition", "A condition that looks at no name is always true or always false")
	// RuleUndeclaredName warns of a name in a condition that is always empty.
	RuleUndeclaredName = diagnostic.NewRule("UndeclaredName", "A name in a condition that no ARG or ENV of the file declares is always empty")
	// RuleStageOff warns of a reference to a stage that conditions take away
	// on a platform that the build asks for. It holds when every stage is
	// planned, as a check does.
	RuleStageOff = diagnostic.NewRule("StageOff", "A stage that is used and whose condition does not hold for a platform fails the build there")
)

// RuleStringComparison warns of a comparison of two strings by < and its like.
var RuleStringComparison = diagnostic.NewRule("StringComparison", "Two strings are compared letter by letter: 3.9 is greater than 3.15")

// lintOrders warns of comparisons that versions would surprise.
func (p *planner) lintOrders(in *syntax.Instruction, c *syntax.Condition) {
	for _, at := range c.Orders {
		p.warn(RuleStringComparison, in.Place(c.Span(at.Start, at.End)), "%s compares strings letter by letter, so \"3.9\" is greater than \"3.15\": write semver(V, \">=3.9\") for versions, int(N) for numbers", at.Text)
	}
}

// RuleLiteralVariable warns of a variable in a text of an expression.
var RuleLiteralVariable = diagnostic.NewRule("LiteralVariable", "A variable in a text of an expression stays as it is written")

// lintTexts warns of texts in which a name stands with $.
func (p *planner) lintTexts(in *syntax.Instruction, c *syntax.Condition, known []string) {
	for _, v := range c.Variables {
		if slices.Contains(known, v.Name) {
			p.warn(RuleLiteralVariable, in.Place(c.Span(v.Start, v.End)), "%s in a text stays as it is written: put texts and names together with +, as in \"v\" + %s", v.Text, v.Name)
		}
	}
}

// lintConditions warns of conditions that cannot mean what they say.
func (p *planner) lintConditions(f *module.File) {
	var known []string                      // the names that have values somewhere, found when needed
	below := map[*syntax.Instruction]bool{} // an image, in the end
	for _, stage := range f.Stages {
		refs := stage.From.References
		outside := withMarkers([]*syntax.Instruction{stage.From})
		for _, in := range withMarkers(stage.Instructions) {
			below[in] = refs[len(refs)-1].Text != scratch && !slices.Contains(outside, in)
		}
	}
	for _, in := range withMarkers(instructionsWithImports(f.File)) {
		if in.If != nil && len(in.If.Names) == 0 {
			p.warn(RuleConstantCondition, in.Place(in.If.Span(0, len(in.If.Text))), "the condition %s looks at no name", in.If.Text)
		}
		for _, c := range expressions(in) {
			p.lintOrders(in, c)
			if known == nil && len(c.Names)+len(c.Variables) > 0 {
				known = p.staticNames(f)
			}
			p.lintTexts(in, c, known)
			for _, name := range c.Names {
				if c.IsData(name.Name) {
					continue
				}
				if slices.Contains(known, name.Name) {
					continue
				}
				message := "no ARG or ENV declares %s: it is always empty"
				if below[in] {
					message = "no ARG or ENV declares %s, and ENV of the base image is not known: it is always empty"
				}
				err := fmt.Errorf(message, name.Name)
				if slices.Contains(c.Peers, name.Name) {
					err = fmt.Errorf("%w (did you mean %q, in quotes?)", err, name.Name)
				} else {
					err = suggest.WrapError(err, name.Name, known, true)
				}
				p.warn(RuleUndeclaredName, in.Place(c.Span(name.Offset, name.Offset+len(name.Name))), "%s", err)
			}
		}
	}
	p.lintChoices(p.of(f))
}

// withMarkers adds the lines that start the branches of blocks.
func withMarkers(list []*syntax.Instruction) []*syntax.Instruction {
	list = slices.Clip(list) // the plans of other platforms read it too
	seen := map[*syntax.Block]bool{}
	var add func(block *syntax.Block)
	add = func(block *syntax.Block) {
		if seen[block] {
			return
		}
		seen[block] = true
		if block.Parent != nil {
			add(block.Parent.Block)
		}
		for _, branch := range block.Branches {
			list = append(list, branch.Marker)
		}
	}
	for _, in := range list {
		if in.Branch != nil {
			add(in.Branch.Block)
		}
		for _, block := range in.Inner() {
			add(block)
		}
	}
	return list
}

// instructionsWithImports returns all instructions of a file.
func instructionsWithImports(f *syntax.File) []*syntax.Instruction {
	out := slices.Clip(f.Args)
	for _, im := range f.Imports {
		out = append(out, im.In)
	}
	for _, stage := range f.Stages {
		out = append(append(out, stage.From), stage.Instructions...)
	}
	return out
}

// staticNames returns the names that a file or every build declares, and those that
// a base of another file may.
func (p *planner) staticNames(f *module.File) []string {
	out := append(predefinedNames(), namesOf(instructionsWithImports(f.File))...)
	for _, other := range p.out.files {
		if other == f || len(f.Imports) == 0 && !p.of(f).namesFiles {
			continue
		}
		for _, in := range instructionsWithImports(other.File) {
			out = append(out, inheritedNames(in)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// predefinedNames returns the names that every build has.
func predefinedNames() []string {
	out := []string{targetStage}
	for _, name := range platformNames {
		out = append(out, name, "BUILD"+name[len("TARGET"):])
	}
	return out
}

// namesOf returns the names that instructions declare.
func namesOf(list []*syntax.Instruction) (out []string) {
	for _, in := range list {
		eachName(in, func(name string) { out = append(out, name) })
		out = append(out, inheritedNames(in)...)
	}
	return out
}

// expressions returns those of a line: its condition, and what a LET computes.
func expressions(in *syntax.Instruction) (out []*syntax.Condition) {
	if in.If != nil {
		out = append(out, in.If)
	}
	if in.Let != nil {
		out = append(out, in.Let.Condition)
	}
	return out
}

// inheritedNames returns the names that an instruction declares for stages built FROM
// its own too: those of an ENV, or of a trigger.
func inheritedNames(in *syntax.Instruction) []string {
	if in.Values != nil && in.Values.Env() {
		var out []string
		for _, n := range in.Values.Names {
			out = append(out, n.Name)
		}
		return out
	}
	cmd := trigger(in)
	if cmd == nil {
		cmd = in.Command
	}
	out := declaredArgs([]*syntax.Instruction{in})
	if !in.OnBuild {
		out = nil
	}
	if env, ok := cmd.(*instructions.EnvCommand); ok {
		for _, kv := range env.Env {
			out = append(out, kv.Key)
		}
	}
	return out
}

// lintPlatforms plans every stage for each platform that the build asks for, and
// warns of references to stages that are off there.
func (p *planner) lintPlatforms() {
	if !p.main.conditional {
		return
	}
	for _, platform := range p.requested() {
		opt := p.opt
		opt.TargetPlatform = &platform
		q := newPlanner(p.ctx, p.main.File, opt)
		for _, stage := range p.main.Stages {
			env, err := q.rootEnvironment(stage.Name)
			if err == nil {
				q.tryStage(stage, env)
			}
		}
		for _, stage := range p.main.Stages {
			var (
				off     *offError
				located *diagnostic.Diagnostic
			)
			if err := q.failed[stage]; errors.As(err, &off) && errors.As(err, &located) {
				p.warn(RuleStageOff, located.Place, "for %s, %s", platforms.FormatAll(platform), off)
			}
		}
	}
}
