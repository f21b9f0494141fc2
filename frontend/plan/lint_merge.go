package plan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// RulePackageDatabases warns of package managers that write the same file.
var RulePackageDatabases = &diagnostic.Rule{
	Name:        "PackageDatabases",
	Description: "Two that FROM --with merges change one package database, of which the later one is kept",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/package-databases.md",
}

// managers are the programs that change the package database of a system.
var managers = []struct {
	database string
	uses     *regexp.Regexp
}{
	{"dpkg", regexp.MustCompile(`\b(apt-get|apt|aptitude)\b[^;&|]*\b(install|upgrade|remove|purge|dist-upgrade|full-upgrade)\b|\bdpkg\s+(-i|-r|-P|--install|--remove|--purge)\b`)},
	{"apk", regexp.MustCompile(`\bapk\b[^;&|]*\b(add|del|upgrade|fix)\b`)},
	{"rpm", regexp.MustCompile(`\b(yum|dnf|microdnf|tdnf|zypper)\b[^;&|]*\b(install|in|update|upgrade|remove|erase)\b|\brpm\s+-\w*[iUeF]`)},
}

// warnDatabases warns where more than one of a base and its operands changes a package
// database. It reads the commands: only the build could tell more.
func (p *planner) warnDatabases(inst *Instance, m Merge) {
	for _, manager := range managers {
		var users []string
		changes := func(e Edge, name string, until func(link) bool) {
			for _, l := range p.lineage(e) {
				if until(l) {
					return
				}
				if l.inst != nil && slices.ContainsFunc(l.inst.Instructions, func(in *syntax.Instruction) bool {
					return in.Keyword == command.Run && !in.OnBuild && manager.uses.MatchString(in.Line+"\n"+in.Heredocs())
				}) {
					users = append(users, name)
					return
				}
			}
		}
		shared := func(l link) bool {
			return slices.ContainsFunc(m.Operands, func(o Operand) bool {
				return o.Ancestor != nil && slices.ContainsFunc(p.lineage(Edge{To: o.Ancestor}), l.same)
			})
		}
		below := inst.Base
		below.Changes = nil
		changes(below, below.Title(), shared)
		for _, o := range m.Operands {
			if !o.Nothing {
				changes(Edge{To: o.Unit}, o.Reference.Text, shared)
			}
		}
		if len(users) > 1 && !p.warned[inst.From] {
			p.warned[inst.From] = true
			p.out.Warnings = append(p.out.Warnings, diagnostic.Warnf(RulePackageDatabases, inst.From.Lines(), "%s change the database of %s: that of %s is kept, and knows nothing of what the others installed", strings.Join(users, " and "), manager.database, users[len(users)-1]))
		}
	}
}
