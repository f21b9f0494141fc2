package llbgen

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// textRules are the rules of upstream that look at a file as it is written: at its
// spelling, its comments, the names of its stages and the defaults of its ARGs. In a
// lowered text those are others. So upstream looks at the plain form of each file
// for them, and what it finds of them in a lowered text does not count.
var textRules = [...]string{
	linter.RuleNoEmptyContinuation.Name,
	linter.RuleMaintainerDeprecated.Name,
	linter.RuleStageNameCasing.Name,
	linter.RuleFromAsCasing.Name,
	linter.RuleInvalidDefinitionDescription.Name,
	linter.RuleReservedStageName.Name,
	linter.RuleDuplicateStageName.Name,
	linter.RuleConsistentInstructionCasing.Name,
	linter.RuleInvalidDefaultArgInFrom.Name,
}

// lintTexts starts the rules about the text of each file of a plan, which go on
// beside the conversion.
func (b *build) lintTexts(ctx context.Context, p *plan.Plan) {
	found := make(chan []*diagnostic.Diagnostic, 1)
	b.textRules = sync.OnceFunc(func() {
		for _, w := range <-found {
			b.seen.add(w)
		}
	})
	if b.seen.warn == nil {
		close(found)
		return
	}
	environments := map[*module.File]*plan.Environment{p.File: nil}
	for _, inst := range p.Instances {
		if f := inst.Env.File(); environments[f] == nil {
			environments[f] = inst.Env
		}
	}
	go func() {
		var list []*diagnostic.Diagnostic
		err := func() (err error) {
			defer guard.Recover(&err)
			for _, f := range p.Files() {
				lintText(ctx, f, environments[f], b.lint[f.Text], func(w *diagnostic.Diagnostic) { list = append(list, w) })
			}
			return nil
		}()
		b.seen.fail(err)
		found <- list
	}()
}

// lintText runs the rules about the text of one file. env says which ARGs it has;
// nil when that is not known.
func lintText(ctx context.Context, f *module.File, env *plan.Environment, config linter.Config, warn Warn) {
	text := f.Text
	config.Warn = warn.in(&text)
	l := linter.New(&config)
	for _, at := range f.EmptyContinuations {
		l.Run(&linter.RuleNoEmptyContinuation, []parser.Range{at}, linter.RuleNoEmptyContinuation.Format())
	}
	if env != nil {
		env = withoutArgs(env)
	}
	plain, above := plainText(f, config, env)
	at := map[int]*syntax.Instruction{}
	for in := range instructionsOf(f) {
		at[in.StartLine] = in
	}
	last := f.Stages[len(f.Stages)-1].Name
	opt := dockerfile2llb.ConvertOpt{
		// a target that no file has ends the conversion before anything is asked for
		Config: dockerui.Config{
			Target:    "\x00",
			BuildArgs: map[string]string{"TARGETSTAGE": cmp.Or(last, "default"), "SOURCE_DATE_EPOCH": "0"},
		},
		Warn: func(rule, description, url, msg string, location []parser.Range) {
			if len(location) == 0 || !slices.Contains(textRules[:], rule) {
				return
			}
			in := at[location[0].Start.Line-above]
			if in != nil && !excused(f, in, env, rule) {
				config.Warn(rule, description, url, msg, in.Location())
			}
		},
	}
	_, _ = dockerfile2llb.Dockerfile2LLB(ctx, plain, opt)
}

// excused reports whether an extension is the reason for a finding. Of stages of one
// name that have conditions only one is on; a default may be a call.
func excused(f *module.File, in *syntax.Instruction, byDefault *plan.Environment, rule string) bool {
	switch rule {
	case linter.RuleDuplicateStageName.Name:
		name := stageName(in)
		return slices.ContainsFunc(f.Stages, func(other *syntax.Stage) bool {
			return stageName(other.From) == name && other.From.Conditional()
		})
	case linter.RuleInvalidDefaultArgInFrom.Name:
		refs := in.References
		if byDefault == nil || len(syntax.Variables(refs[len(refs)-1].Target)) == 0 {
			return true // the name is none of an ARG's
		}
		name, err := byDefault.Expand(in.Stage().BaseName)
		return err != nil || mayName(name)
	}
	return false
}

func stageName(in *syntax.Instruction) string {
	if st := in.Stage(); st != nil {
		return st.Name
	}
	return ""
}

// plainText writes a file as a plain Dockerfile, each line where it stands, below
// some more lines: those in which its rules stand.
func plainText(f *module.File, config linter.Config, byDefault *plan.Environment) (text []byte, above int) {
	var head strings.Builder
	head.WriteString("# escape=" + string(f.Escape) + "\n" + lintDirective(config) + "\n")
	for _, name := range f.MachineArgs() { // upstream does not know them
		head.WriteString("ARG " + name + "=x\n")
	}
	lines := slices.Collect(strings.Lines(string(f.Data)))
	comments(lines)
	for in := range instructionsOf(f) {
		text := in.Text()
		switch {
		case in.Unset != nil, in.Values != nil:
			text = ""
		case in.Let != nil:
			text = "ARG " + in.Let.Name + "=x\n" // it has a value
		case in.Inner() != nil:
			text = plainForm(in.First())
		case in.Changed() && byDefault != nil && byDefault.Off(in):
			text = ""
		case in.Changed():
			text = plainForm(in)
		}
		own := lines[in.StartLine-1 : in.EndLine]
		for i := range own {
			own[i] = "\n"
		}
		copy(own, slices.Collect(strings.Lines(text)))
	}
	return []byte(head.String() + strings.Join(lines, "")), strings.Count(head.String(), "\n")
}

// comments leaves only the comments in the lines of a file, without the directives and
// those that are extensions.
func comments(lines []string) {
	var directives parser.DirectiveParser
	top := true
	for i, line := range lines {
		trimmed := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if top {
			d, err := directives.ParseLine([]byte(trimmed))
			top = d != nil && err == nil
		}
		if top || !strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "#+") {
			lines[i] = "\n"
		}
	}
}

// plainForm writes an instruction with extensions as a plain Dockerfile has it, its
// logical line in one.
func plainForm(in *syntax.Instruction) string {
	line := in.Node.Original
	switch {
	case in.AddsFrom(): // no other ADD has that flag
		return in.Line[:len(command.Add)] + " x /\n"
	case in.Arg.Required: // it never has its default
		line = in.Node.Value
		for _, word := range in.Words() {
			if !strings.Contains(word, "=") {
				word += "=x"
			}
			line += " " + word
		}
	case in.Stage() != nil && syntax.IsFile(in.Stage().BaseName):
		line = strings.Replace(line, in.Stage().BaseName, scratch, 1)
	}
	return line + "\n" + in.Heredocs()
}

// withoutArgs returns an environment as it is in a build without build args; nil when
// there is none.
func withoutArgs(env *plan.Environment) *plan.Environment {
	args := map[string]struct{}{}
	for name := range env.Args {
		args[name] = struct{}{}
	}
	plain, err := env.Without(args, nil, env.Stage)
	if err != nil {
		return nil
	}
	return plain
}

// instructionsOf yields the instructions of a file in their order.
func instructionsOf(f *module.File) func(func(*syntax.Instruction) bool) {
	return func(yield func(*syntax.Instruction) bool) {
		for _, in := range f.Args {
			if !yield(in) {
				return
			}
		}
		for _, stage := range f.Stages {
			if !yield(stage.From) {
				return
			}
			for _, in := range stage.Instructions {
				if !yield(in) {
					return
				}
			}
		}
	}
}
