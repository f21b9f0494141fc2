package llbgen

import (
	"context"
	"errors"
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

// runRules gives warnings of our own under the rules of each file.
func (b *build) runRules(warnings []*diagnostic.Diagnostic) {
	for _, w := range warnings {
		runRules(b.lint[w.Place.Text], []*diagnostic.Diagnostic{w}, b.seen.add)
	}
}

// Lint checks the target, or every stage when the build names none. What it
// finds in a stage it says once, however many instances the stage has.
func (g *Generator) Lint(ctx context.Context) (*lint.LintResults, error) {
	opt := g.options(g.FirstPlatform(), false)
	results := &lint.LintResults{}
	sources := map[*diagnostic.Text]int{}
	warn := func(w *diagnostic.Diagnostic) {
		results.AddWarning(w.Rule.Name, w.Rule.Description, w.Rule.URL, w.Message, g.sourceOf(results, sources, w.Place.Text), w.Place.Ranges)
	}
	if g.file == nil {
		results, err := dockerfile2llb.DockerfileLint(ctx, g.text, opt)
		if err == nil && len(g.hints) > 0 {
			index := results.AddSource(opt.SourceMap)
			runRules(g.lint, g.hints, func(w *diagnostic.Diagnostic) {
				results.AddWarning(w.Rule.Name, w.Rule.Description, w.Rule.URL, w.Message, index, w.Place.Ranges)
			})
		}
		return results, err
	}
	g.sourceOf(results, sources, g.file.Text)
	opt.AllStages = opt.Target == "" // as upstream: no target means all
	p, err := g.planFile(ctx, g.file, opt)
	for i := 1; plan.IsOff(err) && i < len(opt.Client.TargetPlatforms); i++ {
		// a platform that lacks a stage gives a warning on another one
		opt.TargetPlatform = &opt.Client.TargetPlatforms[i]
		p, err = g.planFile(ctx, g.file, opt)
	}
	var b *build
	if err == nil {
		b, err = g.newBuild(opt, p, warn)
	}
	if err == nil {
		b.runRules(append(slices.Clip(g.hints), p.Warnings...))
		_, err = b.convert(ctx, b.main)
	}
	if err == nil {
		err = b.seen.error(b.lint)
	}
	if err != nil {
		results.Error = &lint.BuildError{Message: err.Error()}
		var at *diagnostic.Diagnostic
		if errors.As(err, &at) {
			results.Error.Location.SourceIndex = int32(g.sourceOf(results, sources, at.Place.Text))
			for _, place := range at.Places() {
				if place.Text == at.Place.Text {
					results.Error.Location.Ranges = append(results.Error.Location.Ranges, rangesPB(place.Ranges)...)
				}
			}
		}
	}
	return results, nil
}

// sourceOf returns the number of a file in the results of a check.
func (g *Generator) sourceOf(results *lint.LintResults, known map[*diagnostic.Text]int, text *diagnostic.Text) int {
	if text == nil && g.file != nil {
		text = g.file.Text
	}
	index, ok := known[text]
	if !ok {
		sourceMap := g.SourceMap(text)
		if sourceMap == nil {
			sourceMap = g.opt.SourceMap
		}
		index = results.AddSource(sourceMap)
		known[text] = index
	}
	return index
}

// error returns the error that the rules of a file make of its warnings.
func (w *warnings) error(configs map[*diagnostic.Text]linter.Config) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.panicked != nil {
		return w.panicked
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
