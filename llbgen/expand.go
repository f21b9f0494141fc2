package llbgen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// ExpandRequest is the request that Expand answers: unlike other ones it needs all that
// a build needs.
const ExpandRequest = "frontend.expand"

// Expand returns the build as a plain Dockerfile: built without a target and build
// args, for any of the given platforms, it has the ops and the config that this build
// has, gates aside. That is checked op by op before it is given. A plain Dockerfile
// without a target and build args of its own comes back as it is. pin writes the pins of a lock into
// what this build solves.
func (g *Generator) Expand(ctx context.Context, wanted []*ocispecs.Platform, pin PinSources) (*report.Expansion, error) {
	if g.isPlain() {
		return g.asItIs(ctx)
	}
	var plans []*plan.Plan
	for _, platform := range wanted {
		p, err := g.Plan(ctx, platform, false)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	// a trigger of an image may name stages and build args that nothing else does
	out, err := g.expand(ctx, plans, wanted, pin, false)
	var differs *differenceError
	if errors.As(err, &differs) && (len(g.opt.BuildArgs) > 0 || slices.ContainsFunc(plans, func(p *plan.Plan) bool { return len(p.Kept) > 0 })) {
		if with, other := g.expand(ctx, plans, wanted, pin, true); other == nil {
			return with, nil
		}
	}
	return out, err
}

// expand writes plans as a plain Dockerfile, and checks it.
func (g *Generator) expand(ctx context.Context, plans []*plan.Plan, platforms []*ocispecs.Platform, pin PinSources, kept bool) (*report.Expansion, error) {
	opt := lower.ExpandOptions{
		Directives: []string{"# syntax=docker/dockerfile:1"},
		Taken:      g.contexts(),
		Kept:       kept,
		Passed:     passedOn,
	}
	rules, err := lintConfig(nil, g.text)
	if err != nil {
		return nil, err
	}
	if check := lintDirective(rules); check != "" {
		opt.Directives = append(opt.Directives, strings.TrimSuffix(check, "\n"))
	}
	main := plans[0].File
	ignore, err := g.sources.IgnoreFile(ctx)
	if err != nil {
		return nil, err
	}
	opt.About = func(e *lower.Expansion) []string {
		if !e.ReadsContext {
			ignore = ""
		}
		return g.about(e, plans, platforms, ignore)
	}
	e, text, err := write(plans, platforms, opt)
	if err != nil {
		return nil, err
	}
	if !syntax.Plain(text) && !g.readsAsPlain(text) {
		for _, p := range plans {
			for _, inst := range p.Instances {
				if err := refuseTriggers(inst); err != nil {
					return nil, err
				}
			}
		}
		return nil, fmt.Errorf("internal error: the expanded file of %s has extensions", main.Shown())
	}
	wants := make([]*wanted, len(plans))
	for i, platform := range platforms {
		if wants[i], err = g.want(ctx, plans[i], platform, pin); err != nil {
			return nil, err
		}
	}
	if opt.Pins, err = g.pinsOf(ctx, plans, platforms, wants, e, text); err != nil {
		return nil, err
	}
	if len(opt.Pins) > 0 {
		if e, text, err = write(plans, platforms, opt); err != nil {
			return nil, err
		}
	}
	for i, platform := range platforms {
		if err := g.verify(ctx, plans[i], platform, len(platforms), wants[i], text, e.Checks); err != nil {
			return nil, err
		}
	}
	out := &report.Expansion{Text: string(text), Target: e.Target, Checks: e.Checks, Pass: g.passOn(e.NoCache), Ignore: ignore}
	for _, o := range e.Origins() {
		line := report.ExpandedLine{First: o.First, Last: o.Last, File: main.Shown(), Line: o.In.StartLine, End: o.In.EndLine}
		if o.Instance != nil {
			line.File, line.Stage = o.Instance.Env.File().Shown(), lower.WithoutCredentials(o.Instance.Name)
		}
		out.Lines = append(out.Lines, line)
	}
	return out, nil
}

// write writes plans as a Dockerfile.
func write(plans []*plan.Plan, platforms []*ocispecs.Platform, opt lower.ExpandOptions) (*lower.Expansion, []byte, error) {
	e, err := lower.Expand(plans, platforms, opt)
	if err != nil {
		return nil, nil, err
	}
	text, err := e.Text()
	return e, text, err
}

// isPlain reports whether the file holds no extension, and nothing of the build decides
// which of it is built.
func (g *Generator) isPlain() bool {
	if g.file != nil || g.opt.Client.Target != "" {
		return false
	}
	parsed, err := parser.Parse(strings.NewReader(string(g.text)))
	if err != nil {
		return true // upstream says it
	}
	stages, global, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{}))
	if err != nil {
		return true
	}
	var given []string
	for name := range g.opt.BuildArgs {
		if !passedOn(name) {
			given = append(given, name)
		}
	}
	decides := func(args []instructions.KeyValuePairOptional) bool {
		return slices.ContainsFunc(args, func(arg instructions.KeyValuePairOptional) bool { return slices.Contains(given, arg.Key) })
	}
	if slices.Contains(given, "SOURCE_DATE_EPOCH") {
		return false
	}
	for _, cmd := range global {
		if decides(cmd.Args) {
			return false
		}
	}
	for _, stage := range stages {
		for _, cmd := range stage.Commands {
			switch cmd := cmd.(type) {
			case *instructions.ArgCommand:
				if decides(cmd.Args) {
					return false
				}
			case *instructions.OnbuildCommand:
				if len(given) > 0 && strings.HasPrefix(strings.ToUpper(cmd.Expression), "ARG") {
					return false
				}
			}
		}
	}
	return true
}

// readsAsPlain reports whether our own parser finds no extension in a text.
func (g *Generator) readsAsPlain(text []byte) bool {
	file, err := syntax.Parse(&diagnostic.Text{Data: text}, syntax.Options{})
	return err == nil && !file.Extended
}

// convertPlain has the plain file of a plan converted as stock builders do.
func (g *Generator) convertPlain(ctx context.Context, p *plan.Plan, platform *ocispecs.Platform, platforms int, text []byte, target string) (*dockerfile2llb.Result, *llb.Definition, error) {
	opt := g.options(platform, true)
	maps.DeleteFunc(opt.BuildArgs, func(name, _ string) bool { return !passedOn(name) })
	opt.Target = target
	res, err := dockerfile2llb.Dockerfile2LLB(ctx, text, opt)
	if err != nil {
		return nil, nil, whyDifferent(p, platforms, fmt.Errorf("stock builders refuse it: %w", plainError(err)))
	}
	def, err := res.State.Marshal(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	return res, def, nil
}

// verify fails unless the text builds to what is wanted.
func (g *Generator) verify(ctx context.Context, p *plan.Plan, platform *ocispecs.Platform, platforms int, want *wanted, text []byte, checks string) error {
	got, def, err := g.convertPlain(ctx, p, platform, platforms, text, "")
	if err != nil {
		return err
	}
	ours, _, err := normalForm(want.Definition)
	if err != nil {
		return err
	}
	theirs, _, err := normalForm(def)
	if err != nil {
		return err
	}
	if ours != theirs {
		return whyDifferent(p, platforms, errors.New("its steps are not those of this build"))
	}
	if difference := configDifference(want.Config(), got.Image); difference != "" {
		return whyDifferent(p, platforms, fmt.Errorf("its image config has another %s", difference))
	}
	if a, b := want.Result.Epoch, got.Epoch; (a == nil) != (b == nil) || a != nil && !a.Equal(*b) {
		return whyDifferent(p, platforms, errors.New("it has another SOURCE_DATE_EPOCH"))
	}
	var gates []string
	for _, def := range want.Gates {
		_, some, err := normalForm(def)
		if err != nil {
			return err
		}
		gates = append(gates, some...)
	}
	if len(gates) == 0 {
		return nil
	}
	if _, def, err = g.convertPlain(ctx, p, platform, platforms, text, checks); err != nil {
		return err
	}
	_, some, err := normalForm(def)
	if err != nil {
		return err
	}
	slices.Sort(gates)
	if gates = slices.Compact(gates); !slices.Equal(gates, some) {
		return whyDifferent(p, platforms, errors.New("the steps that it waits for are not those of this build"))
	}
	return nil
}
