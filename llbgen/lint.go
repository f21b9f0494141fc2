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
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// lintConfig returns which rules hold for the file: the build says it, or the
// file's directive.
func lintConfig(bc *dockerui.Client, data []byte) (linter.Config, error) {
	if bc.LinterConfig != nil {
		return *bc.LinterConfig, nil
	}
	options, _, _, _ := parser.ParseDirective("check", data)
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		return linter.Config{}, fmt.Errorf("failed to parse check options: %w", err)
	}
	return *config, nil
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
func runRules(config linter.Config, warnings []syntax.Warning, warn linter.LintWarnFunc) *linter.Linter {
	config.Warn = warn
	l := linter.New(&config)
	for _, w := range warnings {
		l.Run(&linter.LinterRule[func() string]{
			Name:        w.Rule.Name,
			Description: w.Rule.Description,
			URL:         w.Rule.URL,
		}, w.Location, w.Message)
	}
	return l
}

// Lint checks the target, or every stage when the build names none. What it
// finds in a stage it says once, however many instances the stage has.
func (g *Generator) Lint(ctx context.Context) (*lint.LintResults, error) {
	opt := g.options(g.FirstPlatform(), false)
	if g.file == nil {
		results, err := dockerfile2llb.DockerfileLint(ctx, g.text, opt)
		if err == nil && len(g.hints) > 0 {
			runRules(g.lint, g.hints, addTo(results, results.AddSource(opt.SourceMap)))
		}
		return results, err
	}
	results := &lint.LintResults{}
	index := results.AddSource(opt.SourceMap)
	opt.Warn = addTo(results, index)
	opt.AllStages = opt.Target == "" // as upstream: no target means all
	b, err := g.build(opt)
	for i := 1; plan.IsOff(err) && i < len(opt.Client.TargetPlatforms); i++ {
		// a platform that lacks a stage gives a warning on another one
		opt.TargetPlatform = &opt.Client.TargetPlatforms[i]
		b, err = g.build(opt)
	}
	if err == nil {
		_, err = b.convert(ctx, b.main)
	}
	if err == nil {
		err = b.seen.error(g.lint)
	}
	if err != nil {
		results.Error = &lint.BuildError{Message: err.Error()}
		var located *parser.LocationError
		if errors.As(err, &located) {
			results.Error.Location.SourceIndex = int32(index)
			for _, ranges := range located.Locations {
				results.Error.Location.Ranges = append(results.Error.Location.Ranges, rangesPB(ranges)...)
			}
		}
	}
	return results, nil
}

func addTo(results *lint.LintResults, index int) func(rule, description, url, msg string, location []parser.Range) {
	return func(rule, description, url, msg string, location []parser.Range) {
		results.AddWarning(rule, description, url, msg, index, location)
	}
}

// error returns the error that config makes of warnings.
func (w *warnings) error(config linter.Config) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !config.ReturnAsError || len(w.rules) == 0 {
		return nil
	}
	return fmt.Errorf("lint violation found for rules: %s", strings.Join(slices.Sorted(maps.Keys(w.rules)), ", "))
}
