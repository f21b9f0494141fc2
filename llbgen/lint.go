package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// lintConfig returns which rules hold for a file: the build says it, or the file's
// directive.
func lintConfig(ofBuild *linter.Config, data []byte) (linter.Config, error) {
	if ofBuild != nil {
		return *ofBuild, nil
	}
	options, _, _, _ := parser.ParseDirective("check", data)
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		return linter.Config{}, fmt.Errorf("failed to parse check options: %w", err)
	}
	return *config, nil
}

// lintConfigs returns the rules of all files of a plan.
func (g *Generator) lintConfigs(p *plan.Plan) (map[*diagnostic.Text]linter.Config, error) {
	out := map[*diagnostic.Text]linter.Config{nil: g.lint, p.File.Text: g.lint}
	for _, f := range p.Files() {
		if f == p.File {
			continue
		}
		config, err := lintConfig(g.buildLint, f.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out[f.Text] = config
	}
	return out, nil
}

// lintDirective spells the rules for a lowered text. That they make an error is
// left out: lowering may break a rule that the file keeps.
func lintDirective(config linter.Config) string {
	var options []string
	add := func(name string, all bool, rules []string) {
		if all {
			rules = []string{"all"}
		}
		if len(rules) > 0 {
			options = append(options, name+"="+strings.Join(rules, ","))
		}
	}
	add("skip", config.SkipAll, config.SkipRules)
	add("experimental", config.ExperimentalAll, config.ExperimentalRules)
	if len(options) == 0 {
		return ""
	}
	return "# check=" + strings.Join(options, ";") + "\n"
}

// UnderRules returns what gives the warnings that the rules of their files let through: those
// of the build, or of the file's directive. main is the main file. failed gets the error that
// the rules make of a warning.
func (w Warn) UnderRules(ofBuild *linter.Config, main []byte, failed func(error)) Warn {
	return func(d *diagnostic.Diagnostic) {
		data := main
		if d.Place.Text != nil {
			data = d.Place.Text.Data
		}
		config, err := lintConfig(ofBuild, data)
		if err != nil { // which the build itself says
			config = linter.Config{}
		}
		if err := runRules(config, []*diagnostic.Diagnostic{d}, w).Error(); err != nil {
			failed(err)
		}
	}
}

// runRules gives warnings of our own, unless config skips their rules.
func runRules(config linter.Config, warnings []*diagnostic.Diagnostic, warn Warn) *linter.Linter {
	var text *diagnostic.Text
	if warn != nil {
		config.Warn = warn.in(&text)
	}
	l := linter.New(&config)
	for _, w := range warnings {
		text = w.Place.Text
		l.Run(&linter.LinterRule[func() string]{
			Name:        w.Rule.Name,
			Description: w.Rule.Description,
			URL:         w.Rule.URL,
		}, w.Place.Ranges, w.Message)
	}
	return l
}

// runRules gives warnings of our own under the rules of each file, and of the
// comments above each instruction.
func (b *build) runRules(p *plan.Plan, warnings []*diagnostic.Diagnostic) {
	for _, w := range append(warnings, lintParts(p)...) {
		runRule(p, b.lint[w.Place.Text], w, b.seen.add)
	}
}

func runRule(p *plan.Plan, config linter.Config, w *diagnostic.Diagnostic, warn Warn) *linter.Linter {
	if skipped, ok := silenced(config, commentsAbove(p, w.Place), w.Rule.Name); ok {
		return skipped
	}
	return runRules(config, []*diagnostic.Diagnostic{w}, warn)
}

// silenced reports whether a config, or a comment above an instruction, skips a rule.
func silenced(config linter.Config, comments []string, rule string) (*linter.Linter, bool) {
	skipped := linter.New(&config).WithMergedConfigFromComments(comments)
	_, skip := skipped.SkippedRules[rule]
	return skipped, skip || skipped.SkipAll
}

// commentsAbove returns the comments above the instruction at a place.
func commentsAbove(p *plan.Plan, place diagnostic.Place) []string {
	for _, f := range p.Files() {
		if f.Text != place.Text {
			continue
		}
		for in := range instructionsOf(f) {
			if in.StartLine <= place.Line() && place.Line() <= in.EndLine {
				return in.Node.PrevComment
			}
		}
	}
	return nil
}

// Lint checks a plain Dockerfile as upstream does: the target, or every stage when
// the build names none.
func (g *Generator) Lint(ctx context.Context) (*lint.LintResults, error) {
	opt := g.options(nil, false)
	results, err := dockerfile2llb.DockerfileLint(ctx, g.text, opt)
	if err == nil && len(g.hints) > 0 {
		index := results.AddSource(opt.SourceMap)
		runRules(g.lint, g.hints, func(w *diagnostic.Diagnostic) {
			ranges := slices.Clone(w.Place.Ranges)
			for i := range ranges { // editors count columns from 0
				ranges[i].Start.Character--
				ranges[i].End.Character--
			}
			results.AddWarning(w.Rule.Name, w.Rule.Description, w.Rule.URL, w.Message, index, ranges)
		})
	}
	return results, err
}

// Check checks an extended file: the target, or every stage when the build names
// none. What it finds in a stage it says once, however many instances the stage has.
// It returns the mistake that ends the check.
func (g *Generator) Check(ctx context.Context, warn Warn) error {
	opt := g.options(g.FirstPlatform(), false)
	opt.AllStages = opt.Target == "" // as upstream: no target means all
	p, err := g.planFile(ctx, g.file, opt)
	for i := 1; plan.IsOff(err) && i < len(opt.Client.TargetPlatforms); i++ {
		// a platform that lacks a stage gives a warning on another one
		opt.TargetPlatform = &opt.Client.TargetPlatforms[i]
		p, err = g.planFile(ctx, g.file, opt)
	}
	if err != nil {
		runRules(g.lint, g.hints, warn)
		lintText(ctx, g.file, nil, g.lint, warn)
		return err
	}
	b, err := g.newBuild(opt, p, warn)
	if err != nil {
		return err
	}
	b.runRules(p, slices.Concat(g.hints, p.Warnings, lintOff(p, opt.AllStages)))
	b.lintTexts(ctx, p)
	_, err = b.convert(ctx, b.main)
	b.textRules()
	if err != nil {
		return err
	}
	return b.seen.error(b.lint)
}

// error returns the error that the rules of a file make of its warnings, or a bug.
func (w *warnings) error(configs map[*diagnostic.Text]linter.Config) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bug != nil {
		return w.bug
	}
	rules := map[string]struct{}{}
	for file, names := range w.rules {
		if configs[file].ReturnAsError {
			maps.Copy(rules, names)
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return fmt.Errorf("lint violation found for rules: %s", strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
}
