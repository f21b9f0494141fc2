package llbgen

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// lintOff returns what upstream's rules about the spelling of an instruction find in lines
// that conditions take away: the converter never sees them. all says that the plan has
// every stage of the main file.
func lintOff(p *plan.Plan, all bool) (out []*diagnostic.Diagnostic) {
	on, planned := map[*syntax.Instruction]bool{}, map[*syntax.Stage]bool{}
	for _, inst := range p.Instances {
		planned[inst.Stage] = true
		for _, in := range inst.Instructions {
			on[in] = true
		}
	}
	for _, f := range p.Files() {
		shell := slices.ContainsFunc(slices.Collect(f.All()), func(in *syntax.Instruction) bool { return in.Keyword == command.Shell })
		for _, stage := range f.Stages {
			if off := all && f == p.File && stage.From.Conditional(); !planned[stage] && !off {
				continue
			}
			for _, in := range stage.Instructions {
				if !on[in] && in.Inner() == nil && !in.OnBuild {
					out = append(out, spelling(stage, in, f.Stages, shell)...)
				}
			}
		}
	}
	return out
}

// spelling returns what is sure to be found in an instruction, whatever the values are.
func spelling(stage *syntax.Stage, in *syntax.Instruction, stages []*syntax.Stage, shell bool) (out []*diagnostic.Diagnostic) {
	warn := func(name, description, url, message string) {
		rule := &diagnostic.Rule{Name: name, Description: description, URL: url}
		out = append(out, &diagnostic.Diagnostic{Severity: diagnostic.Warning, Rule: rule, Message: message, Place: in.Lines()})
	}
	legacy := func(list instructions.KeyValuePairs) {
		for _, kv := range list {
			if r := linter.RuleLegacyKeyValueFormat; kv.NoDelim {
				warn(r.Name, r.Description, r.URL, r.Format(strings.ToUpper(in.Keyword)))
			}
		}
	}
	exec := func(line instructions.ShellDependantCmdLine) {
		if r := linter.RuleJSONArgsRecommended; line.PrependShell && !shell {
			warn(r.Name, r.Description, r.URL, r.Format(strings.ToUpper(in.Keyword)))
		}
	}
	switch cmd := in.Command.(type) {
	case *instructions.EnvCommand:
		legacy(cmd.Env)
	case *instructions.LabelCommand:
		legacy(cmd.Labels)
	case *instructions.CmdCommand:
		exec(cmd.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		exec(cmd.ShellDependantCmdLine)
	case *instructions.WorkdirCommand:
		if r := linter.RuleWorkdirRelativePath; !strings.ContainsAny(cmd.Path, `$\:`) && !strings.HasPrefix(cmd.Path, "/") && firstWorkdir(stage, in, stages) {
			warn(r.Name, r.Description, r.URL, r.Format(cmd.Path))
		}
	}
	return out
}

// firstWorkdir reports whether nothing but an image may have set the working directory
// above an instruction.
func firstWorkdir(stage *syntax.Stage, in *syntax.Instruction, stages []*syntax.Stage) bool {
	refs := stage.From.References
	base := refs[len(refs)-1]
	if base.Call || strings.ContainsAny(base.Target, "$.") || stage.From.Inner() != nil ||
		slices.ContainsFunc(stages, func(other *syntax.Stage) bool { return other.Name != "" && strings.EqualFold(other.Name, base.Target) }) {
		return false
	}
	for _, above := range stage.Instructions {
		if above == in {
			return true
		}
		if above.Keyword == command.Workdir {
			return false
		}
	}
	return true
}
