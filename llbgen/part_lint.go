package llbgen

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// lintParts warns of instructions of which the last one counts and that stand in several
// parts of one stage: upstream's converter sees a part alone.
func lintParts(p *plan.Plan) []*diagnostic.Diagnostic {
	var out []*diagnostic.Diagnostic
	rule := &linter.RuleMultipleInstructionsDisallowed
	for _, inst := range p.Instances {
		if inst.Goes || !inst.Base.Within {
			continue
		}
		above := map[string]*syntax.Instruction{}
		for _, part := range inst.Parts() {
			own := map[string]*syntax.Instruction{}
			for _, in := range part.Instructions {
				if in.OnBuild || !slices.Contains([]string{command.Cmd, command.Entrypoint, command.Healthcheck}, in.Keyword) {
					continue
				}
				name := strings.ToUpper(in.Keyword)
				if before := above[name]; before != nil && own[name] == nil && !part.Base.Resets(name) {
					out = append(out, diagnostic.Warnf(&diagnostic.Rule{Name: rule.Name, Description: rule.Description, URL: rule.URL}, before.Lines(), "%s", rule.Format(name)))
				}
				own[name] = in
			}
			for _, name := range syntax.Parts {
				if part.Base.Resets(name) {
					delete(above, name)
				}
				if own[name] != nil {
					above[name] = own[name]
				}
			}
		}
	}
	return out
}
