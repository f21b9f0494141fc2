package plan

import (
	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// The rules for files with gates. They hold when every stage is planned, as a
// check does.
var (
	// RuleUnusedStage warns of a stage that is built only when it is asked
	// for by name.
	RuleUnusedStage = &diagnostic.Rule{
		Name:        "UnusedStage",
		Description: "A stage that nothing uses and no gate names is skipped",
		URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/unused-stage.md",
	}
	// RuleGateNeverRuns warns of a gate that holds nothing back.
	RuleGateNeverRuns = &diagnostic.Rule{
		Name:        "GateNeverRuns",
		Description: "A gate of a stage that nothing uses, or one with nothing to run, holds nothing back",
		URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/gate-never-runs.md",
	}
)

// lint warns of stages and gates that do nothing. A stage with a description is
// one that users ask for by name.
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
		from := inst.Stage.From
		unused := !used[inst.Stage] && from.Stage().DocComment == ""
		if unused {
			p.warn(RuleUnusedStage, from.Lines(), "stage %s is skipped: nothing uses it and no gate names it (--after=%s makes it a gate, a comment above its FROM that starts with its name makes it a target)", inst.Stage, inst.Stage)
		}
		for ref, e := range inst.Gates() {
			switch {
			case unused:
				p.warn(RuleGateNeverRuns, from.Place(ref.Span), "gate %s never runs: nothing uses %s, which asks for it", ref.Text, inst.Stage)
			case e.To.Empty():
				p.warn(RuleGateNeverRuns, from.Place(ref.Span), "gate %s has nothing to run", ref.Text)
			}
		}
	}
}

func (p *planner) warn(rule *diagnostic.Rule, at diagnostic.Place, format string, args ...any) {
	p.out.Warnings = append(p.out.Warnings, diagnostic.Warnf(rule, at, format, args...))
}
