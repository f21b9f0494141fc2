package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The rules for conditions.
var (
	// RuleConstantCondition warns of a condition without names.
	RuleConstantCondition = &syntax.Rule{
		Name:        "ConstantCondition",
		Description: "A condition that looks at no name is always true or always false",
		URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/constant-condition.md",
	}
	// RuleUndeclaredName warns of a name in a condition that is always empty.
	RuleUndeclaredName = &syntax.Rule{
		Name:        "UndeclaredName",
		Description: "A name in a condition that no ARG or ENV of the file declares is always empty",
		URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/undeclared-name.md",
	}
	// RuleStageOff warns of a reference to a stage that conditions take away
	// on a platform that the build asks for. It holds when every stage is
	// planned, as a check does.
	RuleStageOff = &syntax.Rule{
		Name:        "StageOff",
		Description: "A stage that is used and whose condition does not hold for a platform fails the build there",
		URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/stage-off.md",
	}
)

// lintConditions warns of conditions that cannot mean what they say.
func (p *planner) lintConditions() {
	var known []string // the names that have values somewhere, found when needed
	for _, in := range p.instructions() {
		if in.If == nil {
			continue
		}
		if len(in.If.Names) == 0 {
			p.warn(RuleConstantCondition, in.Ranges(in.If.Span(0, len(in.If.Text))), "the condition %s looks at no name", in.If.Text)
		}
		for _, name := range in.If.Names {
			if known == nil {
				known = p.staticNames()
			}
			if slices.Contains(known, name.Name) {
				continue
			}
			err := fmt.Errorf("no ARG or ENV declares %s: it is always empty", name.Name)
			p.warn(RuleUndeclaredName, in.Ranges(in.If.Span(name.Offset, name.Offset+len(name.Name))), "%s", suggest.WrapError(err, name.Name, known, true))
		}
	}
}

// instructions returns all instructions of the file.
func (p *planner) instructions() []*syntax.Instruction {
	out := slices.Clip(p.file.Args)
	for _, stage := range p.file.Stages {
		out = append(append(out, stage.From), stage.Instructions...)
	}
	return out
}

// staticNames returns the names that the file or every build declares.
func (p *planner) staticNames() []string {
	out := []string{targetStage}
	for _, name := range platformNames {
		out = append(out, name, "BUILD"+name[len("TARGET"):])
	}
	for _, in := range p.instructions() {
		eachArg(in, func(arg instructions.KeyValuePairOptional) { out = append(out, arg.Key) })
		if env, ok := in.Command.(*instructions.EnvCommand); ok {
			for _, kv := range env.Env {
				out = append(out, kv.Key)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lintPlatforms plans every stage for each platform that the build asks for, and
// warns of references to stages that are off there.
func (p *planner) lintPlatforms() {
	if !p.conditional {
		return
	}
	for _, platform := range p.requested() {
		opt := p.opt
		opt.TargetPlatform = &platform
		q := newPlanner(p.file, opt)
		for _, stage := range p.file.Stages {
			env, err := q.rootEnvironment(stage.Name)
			if err == nil {
				q.tryStage(stage, env)
			}
		}
		for _, stage := range p.file.Stages {
			var (
				off     *offError
				located *parser.LocationError
			)
			if err := q.failed[stage]; errors.As(err, &off) && errors.As(err, &located) {
				p.warn(RuleStageOff, located.Locations[0], "for %s, %s", platforms.FormatAll(platform), off)
			}
		}
	}
}
