package plan

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The rules for files with gates. They hold when every stage is planned, as a
// check does.
var (
	// RuleUnusedStage warns of a stage that is built only when it is asked
	// for by name.
	RuleUnusedStage = diagnostic.NewRule("UnusedStage", "A stage that looks like a check, that nothing uses and no gate names, is skipped")
	// RuleGateNeverRuns warns of a gate that holds nothing back.
	RuleGateNeverRuns = diagnostic.NewRule("GateNeverRuns", "A gate with nothing to run holds nothing back")
)

// lint warns of checks that nothing waits for and of gates with nothing to run. A
// stage that nothing uses is a target, unless it looks like a check.
func (p *planner) lint() {
	used := map[*syntax.Stage]bool{p.out.Root.Stage: true, p.main.Stages[len(p.main.Stages)-1]: true}
	gates := false
	for _, inst := range p.out.Instances {
		for e := range inst.All() {
			if e.To != nil {
				used[e.To.Stage] = true
			}
		}
		for range inst.Gates() {
			gates = true
		}
	}
	if !gates {
		return
	}
	for _, inst := range p.out.Kept {
		from := inst.From
		if !used[inst.Stage] && inst.checks() {
			hint := "--after=" + inst.Stage.Name + " makes it a gate"
			if inst.Stage.Name == "" {
				hint = "name it: FROM … AS test, with --after=test as a gate"
			}
			p.warn(RuleUnusedStage, from.Lines(), "stage %s is skipped: nothing uses it and no gate names it (%s)", inst.Stage, hint)
		}
		for ref, e := range inst.Gates() {
			if !e.To.builds {
				p.warn(RuleGateNeverRuns, from.Place(ref.Span), "gate %s has nothing to run", ref.Text)
			}
		}
	}
}

// checkWords start, or end, a word of the name of a stage that is there to be waited for.
var checkWords = [...]string{"test", "lint", "check", "vet", "verif", "valid", "scan", "audit", "fmt", "format", "e2e", "unit", "integration", "smoke", "bench", "coverage", "vuln"}

// namedCheck reports whether the name of a stage is one of a check. A stage without a name
// is no target.
func namedCheck(name string) bool {
	if name == "" {
		return true
	}
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		for _, check := range checkWords {
			if word != "latest" && (strings.HasPrefix(word, check) || strings.HasSuffix(word, check)) {
				return true
			}
		}
	}
	return false
}

// checks reports whether the stage looks like one that is there to be waited for: its
// name is that of a check, its last step is a RUN, it has no gates, and nothing makes it
// an image that runs. Any other one is a target, as a stage with a debugger is.
func (i *Instance) checks() bool {
	if !namedCheck(i.Stage.Name) {
		return false
	}
	last := ""
	for _, in := range i.Instructions {
		switch in.Keyword {
		case command.Cmd, command.Entrypoint:
			return false
		case command.Run, command.Copy, command.Add:
			if !in.OnBuild {
				last = in.Keyword
			}
		}
	}
	return last == command.Run && len(i.From.References) == 1
}

func (p *planner) warn(rule *diagnostic.Rule, at diagnostic.Place, format string, args ...any) {
	p.out.Warnings = append(p.out.Warnings, diagnostic.Warnf(rule, at, format, args...))
}
