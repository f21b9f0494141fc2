package llbgen

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// explain puts the names and lines of the file into an error of the converter.
func (b *build) explain(u *unit, err error) error {
	var located *parser.LocationError
	if errors.As(err, &located) && !u.explained(located) {
		for i, ranges := range located.Locations {
			located.Locations[i] = u.lowered.locate(ranges)
		}
	}
	if shown := b.names.show(err.Error()); shown != err.Error() {
		return &shownError{shown, err}
	}
	return err
}

// explained reports whether an error comes from another unit, which has put its
// places right.
func (u *unit) explained(err error) bool {
	var other *unitError
	return errors.As(err, &other)
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
	warn linter.LintWarnFunc
	seen map[string]struct{}
	// rules are those of the warnings.
	rules map[string]struct{}
}

func (w *warnings) add(rule, description, url, msg string, location []parser.Range) {
	if w.warn == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := fmt.Sprint(rule, "\x00", msg, "\x00", location)
	if _, ok := w.seen[key]; ok {
		return
	}
	if w.seen == nil {
		w.seen, w.rules = map[string]struct{}{}, map[string]struct{}{}
	}
	w.seen[key] = struct{}{}
	w.rules[rule] = struct{}{}
	w.warn(rule, description, url, msg, location)
}

// warnFor returns a lint callback for a unit's text. It drops what only the
// lowering brought about.
func (b *build) warnFor(u *unit) linter.LintWarnFunc {
	return func(rule, description, url, msg string, location []parser.Range) {
		if strings.Contains(msg, sealedHost) {
			return
		}
		if len(location) > 0 && (rule == linter.RuleFromPlatformFlagConstDisallowed.Name || rule == linter.RuleRedundantTargetPlatform.Name) {
			if o, ok := u.lowered.original(location[0].Start.Line); ok && o.platform {
				return
			}
		}
		b.seen.add(rule, description, url, b.names.show(msg), u.lowered.locate(location))
	}
}
