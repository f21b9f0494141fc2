package llbgen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// explain puts the names and lines of the files into an error of the converter.
func (b *build) explain(u *unit, err error) error {
	var (
		located *parser.LocationError
		other   *unitError // an error of another unit, which has put its places right
	)
	if errors.As(err, &located) && !errors.As(err, &other) {
		for _, ranges := range located.Locations {
			for _, site := range u.lowered.locate(ranges) {
				err = syntax.WithSite(err, site.File, site.Ranges)
			}
		}
	}
	if shown := b.names.show(err.Error()); shown != err.Error() {
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
	rules map[*syntax.File]map[string]struct{}
}

func (w *warnings) add(file *syntax.File, rule, description, url, msg string, location []parser.Range) {
	if w.warn == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := fmt.Sprintf("%p %s\x00%s\x00%v", file, rule, msg, location)
	if _, ok := w.seen[key]; ok {
		return
	}
	if w.seen == nil {
		w.seen, w.rules = map[string]struct{}{}, map[*syntax.File]map[string]struct{}{}
	}
	w.seen[key] = struct{}{}
	if w.rules[file] == nil {
		w.rules[file] = map[string]struct{}{}
	}
	w.rules[file][rule] = struct{}{}
	w.warn(file, rule, description, url, msg, location)
}

// warnFor returns a lint callback for a unit's text. It drops what only the
// lowering brought about, and what the rules of the file skip.
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
		site := syntax.Site{File: u.root.Env.File().File}
		if sites := u.lowered.locate(location); len(sites) > 0 {
			site = sites[0]
		}
		if config := b.lint[site.File]; config.SkipAll || slices.Contains(config.SkipRules, rule) {
			return
		}
		b.seen.add(site.File, rule, description, url, b.names.show(msg), site.Ranges)
	}
}
