package plan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// RulePackageDatabases warns of package managers that write the same file.
var RulePackageDatabases = diagnostic.NewRule("PackageDatabases", "Two that FROM --with merges change one package database, of which the later one is kept")

// managers are the programs that change the package database of a system.
var managers = []struct {
	database string
	uses     func() *regexp.Regexp
}{
	{"dpkg", pattern.New(`\b(apt-get|apt|aptitude)\b[^;&|]*\b(install|upgrade|remove|purge|dist-upgrade|full-upgrade)\b|\bdpkg\s+(-i|-r|-P|--install|--remove|--purge)\b`)},
	{"apk", pattern.New(`\bapk\b[^;&|]*\b(add|del|upgrade|fix)\b`)},
	{"rpm", pattern.New(`\b(yum|dnf|microdnf|tdnf|zypper)\b[^;&|]*\b(install|in|update|upgrade|remove|erase)\b|\brpm\s+-\w*[iUeF]`)},
}

// warnDatabases warns where more than one of a base and its operands changes a package
// database. It reads the commands: only the build could tell more.
func (p *planner) warnDatabases(inst *Instance, m Merge) {
	base := inst.Base
	base.Changes = nil
	merged := []Edge{base}
	names := []string{base.Title()}
	shared := map[link]bool{}
	for _, o := range m.Operands {
		if o.Nothing {
			continue
		}
		merged, names = append(merged, Edge{To: o.Unit}), append(names, o.Reference.Text)
		if o.Ancestor != nil {
			way, _ := lineage(Edge{To: o.Ancestor})
			for _, l := range way {
				shared[l] = true
			}
		}
	}
	if len(merged) == 1 {
		return
	}
	for _, manager := range managers {
		var users []string
		for i, e := range merged {
			way, _ := lineage(e)
			if slices.ContainsFunc(way, func(l link) bool { return l.inst != nil && !shared[l] && l.inst.runs(manager.uses()) }) {
				users = append(users, names[i])
			}
		}
		if n := len(users); n > 1 {
			p.warnOnce(RulePackageDatabases, inst.From, inst.From.Lines(), "%s and %s change the database of %s: that of %s is kept, and knows nothing of what the others installed",
				strings.Join(users[:n-1], ", "), users[n-1], manager.database, users[n-1])
		}
	}
}

// runs reports whether a RUN of the instance has a command.
func (i *Instance) runs(uses *regexp.Regexp) bool {
	return slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool {
		return in.Keyword == command.Run && !in.OnBuild && uses.MatchString(in.Line+"\n"+in.Heredocs())
	})
}
