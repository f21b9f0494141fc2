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
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// explain puts the names and lines of the files into an error of the converter.
func (b *build) explain(u *unit, err error) error {
	var located *parser.LocationError
	if errors.As(err, &located) { // one that a unit which this one needs has placed keeps its place
		for _, ranges := range located.Locations {
			for _, place := range u.file.Locate(ranges) {
				err = diagnostic.At(place, err)
			}
		}
	}
	if shown := b.names.Show(err.Error()); shown != err.Error() {
		return &shownError{shown, err}
	}
	return err
}

// unitError marks an error of a unit that another one needs.
type unitError struct{ error }

func (e *unitError) Unwrap() error { return e.error }

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
			if o, ok := u.file.Lines.Of(location[0].Start.Line); ok && o.Platform {
				return
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
