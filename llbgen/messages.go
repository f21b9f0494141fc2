package llbgen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// explain puts the names and lines of the files into an error of the converter.
func (b *build) explain(u *unit, err error) error {
	var (
		located *parser.LocationError
		other   *unitError
	)
	switch places := errors.As(err, &located); {
	case errors.As(err, &other): // which has placed it; upstream put the name of an image in front
		err = other.error
	case places && len(slices.Concat(located.Locations...)) > 0:
		for _, ranges := range located.Locations {
			err = u.explainMount(ranges, err)
			for _, place := range u.file.Locate(ranges) {
				err = diagnostic.At(place, err)
			}
		}
		err = b.calls.chain(u, located.Locations, err)
	default:
		err = b.explainImage(u, err)
	}
	if shown := b.names.Show(err.Error()); shown != err.Error() {
		return &shownError{shown, err}
	}
	return err
}

// explainMount says of a mount whose target comes out empty which name in it the stage
// does not declare. A named mount stands elsewhere.
func (u *unit) explainMount(ranges []parser.Range, err error) error {
	if len(ranges) == 0 || !strings.Contains(err.Error(), "invalid mount target") {
		return err
	}
	o, ok := u.file.Of(ranges[0].Start.Line)
	if !ok || o.Instance == nil {
		return err
	}
	for _, flag := range o.In.Flags {
		if flag.Name != "--mount" {
			continue
		}
		if at := o.In.Place(flag.Raw); !hasTarget(flag.Value) && (at.Line() < o.In.StartLine || at.Line() > o.In.EndLine) {
			out := diagnostic.Errorf(o.In.Lines(), "a mount of this line has no target: write target=/path in the MOUNT on line %d", at.Line())
			return diagnostic.Relate(out, at, "in the MOUNT on line %d", at.Line())
		}
		for _, name := range syntax.Variables(flag.Value) {
			if !undeclaredGlobal(o, name) {
				continue
			}
			out := diagnostic.Errorf(o.In.Lines(), "%s is not declared in this stage, so the mount has no target: write ARG %s above", name, name)
			if at := o.In.Place(flag.Raw); at.Line() < o.In.StartLine || at.Line() > o.In.EndLine {
				out = diagnostic.Relate(out, at, "in the MOUNT on line %d", at.Line())
			}
			return out
		}
	}
	return err
}

// hasTarget reports whether a mount says where it goes.
func hasTarget(mount string) bool {
	for field := range strings.SplitSeq(mount, ",") {
		key, value, _ := strings.Cut(field, "=")
		if slices.Contains([]string{"target", "dst", "destination"}, strings.ToLower(strings.TrimSpace(key))) && value != "" {
			return true
		}
	}
	return false
}

// explainImage places the mistake of an image that upstream names only: one of a mount.
func (b *build) explainImage(u *unit, err error) error {
	for _, inst := range u.Instances {
		for use := range inst.Uses() {
			if use.To == nil && use.Kind == plan.KindMount && strings.HasPrefix(err.Error(), use.Name+": ") {
				return b.calls.relate(inst, use.In.Error(use.Reference.TargetSpan, err))
			}
		}
	}
	return err
}

// undeclaredGlobal reports whether a name is a global ARG that the stage of an
// instruction does not declare above it.
func undeclaredGlobal(o lower.Origin, name string) bool {
	if o.Instance == nil || !o.Instance.Env.File().Extended {
		return false
	}
	_, set := o.Instance.Env.Global(name)
	return set && !plan.Predefined(name) && !o.Instance.Sees(o.In, name)
}

// undefinedVariable is how upstream's rule about undefined variables names one.
const undefinedVariable = "Usage of undefined variable '$"

// reworded says of an undefined variable that is a global ARG what to write.
func reworded(o lower.Origin, message string) string {
	_, rest, _ := strings.Cut(message, undefinedVariable)
	name, _, ok := strings.Cut(rest, "'")
	if !ok || !undeclaredGlobal(o, name) {
		return message
	}
	return fmt.Sprintf("%s%s': it is a global ARG, declare it in the stage: write ARG %s above", undefinedVariable, name, name)
}

// unitError marks an error of a unit that others need. It keeps the place of the error from the
// converter, which would add the places of those others, to the one error that all of them share.
type unitError struct{ error }

func (e *unitError) Is(target error) bool { return errors.Is(e.error, target) }

func (e *unitError) As(target any) bool {
	_, place := target.(**parser.LocationError)
	return !place && errors.As(e.error, target)
}

// shownError is an error in the words of the file.
type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.err }

// warnings drops warnings that were given before: instances repeat those of
// their stage.
type warnings struct {
	mu   sync.Mutex
	warn Warn
	seen map[string]struct{}
	// rules are those of the warnings, by file.
	rules map[*diagnostic.Text]map[string]struct{}
	// bug is a panic of ours.
	bug error
}

func (w *warnings) fail(bug error) {
	if bug != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bug = bug
	}
}

func (w *warnings) add(d *diagnostic.Diagnostic) {
	if w.warn == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text, rule := d.Place.Text, d.Rule.Name
	key := fmt.Sprintf("%p %s\x00%s\x00%v", text, rule, d.Message, d.Place.Ranges)
	if _, ok := w.seen[key]; ok {
		return
	}
	if w.seen == nil {
		w.seen, w.rules = map[string]struct{}{}, map[*diagnostic.Text]map[string]struct{}{}
	}
	w.seen[key] = struct{}{}
	if w.rules[text] == nil {
		w.rules[text] = map[string]struct{}{}
	}
	w.rules[text][rule] = struct{}{}
	w.warn(d)
}

// warnFor returns a lint callback for a unit's text. It drops what only the
// lowering brought about, and what the rules of the file skip.
func (b *build) warnFor(u *unit) linter.LintWarnFunc {
	return func(rule, description, url, msg string, location []parser.Range) {
		var bug error
		defer func() { b.seen.fail(bug) }()
		defer guard.Recover(&bug) // upstream calls it on goroutines of its own
		if strings.Contains(msg, lower.Host) || slices.Contains(textRules[:], rule) {
			return
		}
		if len(location) > 0 && (rule == linter.RuleFromPlatformFlagConstDisallowed.Name || rule == linter.RuleRedundantTargetPlatform.Name) {
			if o, ok := u.file.Of(location[0].Start.Line); ok && o.Platform {
				return
			}
		}
		if len(location) > 0 && rule == linter.RuleWorkdirRelativePath.Name {
			if o, ok := u.file.Of(location[0].Start.Line); ok && o.Instance != nil && (o.Instance.KnowsWorkdir() || b.asks && o.Instance.TakesUnbuilt(o.In)) {
				return
			}
		}
		if len(location) > 0 && rule == linter.RuleUndefinedVar.Name {
			if o, ok := u.file.Of(location[0].Start.Line); ok {
				if b.asks && o.Instance != nil && o.Instance.Opens("ENV") {
					return // a file that nobody built may set it
				}
				msg = reworded(o, msg)
			}
		}
		place := diagnostic.Place{Text: u.Root.Env.File().Text}
		if places := u.file.Locate(location); len(places) > 0 {
			place = places[0]
		}
		if config := b.lint[place.Text]; config.SkipAll || slices.Contains(config.SkipRules, rule) {
			return
		}
		b.seen.add(&diagnostic.Diagnostic{Severity: diagnostic.Warning, Rule: &diagnostic.Rule{Name: rule, Description: description, URL: url}, Message: b.names.Show(msg), Place: place})
	}
}
