package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// passedOn reports whether a build arg is one for BuildKit itself, which a build of
// the plain file gets as well.
func passedOn(name string) bool {
	return plan.BuildWide(name) && name != "SOURCE_DATE_EPOCH"
}

// contexts returns the names of the named contexts of the build.
func (g *Generator) contexts() []string {
	var names []string
	for key := range g.opt.Client.BuildOpts().Opts {
		if name, ok := strings.CutPrefix(key, "context:"); ok && name != lower.ScratchContext {
			name, _, _ = strings.Cut(name, "::") // for one platform
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// passedOptions are the flags of options that act on every step and stand in no line, by the
// names under which clients send them.
var passedOptions = map[string]string{
	"add-hosts": "add-host", "cgroup-parent": "cgroup-parent", "force-network-mode": "network", "shm-size": "shm-size", "ulimit": "ulimit",
	"memory": "resource", "memswap": "resource", "cpushares": "resource", "cpuperiod": "resource",
	"cpuquota": "resource", "cpusetcpus": "resource", "cpusetmems": "resource",
}

// passOn returns the options that a build of the plain file needs. noCache are its stages with
// a step that runs in every build.
func (g *Generator) passOn(noCache []string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(g.opt.BuildArgs)) {
		if passedOn(name) && name != "BUILDKIT_SYNTAX" {
			out = append(out, "--build-arg="+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.opt.Labels)) {
		if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsGraphic(r) }) {
			name = strconv.Quote(name)
		}
		out = append(out, "--label="+name+"=…")
	}
	for _, name := range g.contexts() {
		out = append(out, "--build-context="+name+"=…")
	}
	flags := map[string]bool{}
	for key, value := range g.opt.Client.BuildOpts().Opts {
		if flag, ok := passedOptions[key]; ok && value != "" {
			flags[flag] = true
		}
	}
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		out = append(out, "--"+flag+"=…")
	}
	if len(noCache) > 0 {
		out = append(out, "--no-cache-filter="+strings.Join(noCache, ","))
	}
	return out
}

// Starts of lines at the top of a plain file.
const (
	passAgain  = "pass again: "
	ignoreFile = " says which files of the context are left out: "
)

// aboutIgnore says at the top of a plain file that an ignore file belongs to it.
func aboutIgnore(name string) string {
	return fmt.Sprintf("%s%scopy it beside this file under its name, cp %s Dockerfile.plain.dockerignore", name, ignoreFile, name)
}

// about is what the top of the plain file says of it. ignore is the ignore file of the
// Dockerfile; empty for none.
func (g *Generator) about(e *lower.Expansion, plans []*plan.Plan, wanted []*ocispecs.Platform, ignore string) []string {
	var targets []string
	for _, p := range plans {
		if name := lower.WithoutCredentials(p.Root.Name); !slices.Contains(targets, name) {
			targets = append(targets, name)
		}
	}
	lines := []string{
		fmt.Sprintf("Made from %s by docker build --call=expand: change that file and make this one anew.", plans[0].File.Shown()),
		"target: " + strings.Join(targets, ", "),
	}
	if wanted[0] != nil {
		lines = append(lines, "platforms: "+platformNames(wanted))
	}
	var stand, decided []string
	for _, name := range slices.Sorted(maps.Keys(g.opt.BuildArgs)) {
		switch {
		case e.Args[name]:
			stand = append(stand, name)
		case !passedOn(name) && slices.ContainsFunc(plans, func(p *plan.Plan) bool { return p.Depends(name) }):
			decided = append(decided, name)
		}
	}
	if len(stand) > 0 {
		lines = append(lines, "build args that stand in it: "+strings.Join(stand, ", "))
	}
	if len(decided) > 0 {
		lines = append(lines, "build args that decided what stands in it: "+strings.Join(decided, ", "))
	}
	if pass := g.passOn(e.NoCache); len(pass) > 0 {
		lines = append(lines, passAgain+strings.Join(pass, " "))
	}
	if ignore != "" {
		lines = append(lines, aboutIgnore(ignore))
	}
	if e.Checks != "" {
		lines = append(lines, fmt.Sprintf("%s needs what stages of that file wait for (--after): docker build --target=%s .", e.Checks, e.Checks))
	}
	return lines
}

// platformNames lists platforms.
func platformNames(list []*ocispecs.Platform) string {
	var names []string
	for _, p := range list {
		names = append(names, platforms.FormatAll(*p))
	}
	return strings.Join(names, ", ")
}

// asItIs gives a plain file back for stock builders.
func (g *Generator) asItIs(ctx context.Context) (*report.Expansion, error) {
	parsed, err := parser.Parse(strings.NewReader(string(g.text)))
	if err == nil {
		_, _, err = instructions.Parse(parsed.AST, linter.New(&linter.Config{}))
	}
	if err != nil {
		return nil, err
	}
	ignore := ""
	if file, err := syntax.Parse(&diagnostic.Text{Data: g.text}, syntax.Options{}); err == nil && slices.ContainsFunc(slices.Collect(file.All()), lower.ReadsContext) {
		if ignore, err = g.sources.IgnoreFile(ctx); err != nil {
			return nil, err
		}
	}
	pass := g.passOn(nil)
	return &report.Expansion{Text: belowDirectives(withSyntax(string(g.text)), pass, ignore), AsItIs: true, Pass: pass, Ignore: ignore}, nil
}

// withSyntax returns a plain file with the syntax line of stock builders.
func withSyntax(text string) string {
	const line = "# syntax=docker/dockerfile:1\n"
	name, _, at, ok := parser.DetectSyntax([]byte(text))
	switch {
	case ok && (strings.HasPrefix(name, "docker/dockerfile") || strings.HasPrefix(name, "docker.io/docker/dockerfile")):
		return text
	case ok:
		lines := slices.Collect(strings.Lines(text))
		lines[at[0].Start.Line-1] = line
		return strings.Join(lines, "")
	}
	start, rest := script(strings.TrimPrefix(text, "\ufeff"))
	return start + line + rest
}

// script splits off the line that starts a file as a script.
func script(text string) (start, rest string) {
	if !strings.HasPrefix(text, "#!") {
		return "", text
	}
	start, rest, _ = strings.Cut(text, "\n")
	return start + "\n", rest
}

// belowDirectives returns a plain file with the lines about what a build of it needs, as far
// as it has none: it may be one of ours.
func belowDirectives(file string, pass []string, ignore string) string {
	plain := strings.TrimPrefix(file, "\ufeff")
	start, rest := script(plain)
	lines := slices.Collect(strings.Lines(rest))
	var parse parser.DirectiveParser
	directives, _ := parse.ParseAll([]byte(rest)) // the file was read
	out := text.NewFile('\\')
	for _, line := range lines[len(directives):] {
		line, _ = strings.CutPrefix(line, "# ")
		if said, ok := strings.CutPrefix(line, passAgain); ok {
			pass = slices.DeleteFunc(slices.Clone(pass), func(option string) bool { return slices.Contains(strings.Fields(said), option) })
		}
		if strings.HasPrefix(line, ignore+ignoreFile) {
			ignore = ""
		}
	}
	if len(pass) > 0 {
		out.Comment(passAgain + strings.Join(pass, " "))
	}
	if ignore != "" {
		out.Comment(aboutIgnore(ignore))
	}
	if len(pass) == 0 && ignore == "" {
		return file
	}
	out.Blank()
	return strings.TrimSuffix(file, plain) + start + strings.Join(lines[:len(directives)], "") + string(out.Bytes()) + strings.Join(lines[len(directives):], "")
}
