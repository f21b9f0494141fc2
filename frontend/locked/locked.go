// Package locked makes a build take its sources from a lock: it is the gateway client
// through which the build looks images up and solves. Without a LOCK it does nothing.
package locked

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// RuleNotLocked warns of what a build would refuse, in requests that build nothing, and
// of what a build takes as it is today because it was told to.
var RuleNotLocked = diagnostic.NewRule("NotLocked", "A source that the lock does not pin fails the build")

// Mode is what happens with a source that the lock lacks.
type Mode int

// The modes.
const (
	// Strict refuses it.
	Strict Mode = iota
	// Loose warns and takes it as it is today.
	Loose
	// Ask warns, of a lock that cannot be read too: a question builds nothing.
	Ask
	// Write looks up what it is today, and records that.
	Write
	// Verify looks every source up, and records what it is today beside the entry.
	Verify
	// Off does not read the lock.
	Off
)

// Pins pins the sources of one build. Its methods may be called concurrently.
type Pins struct {
	client.Client
	// Sources reads the lock, Notify says what is not locked; both are set before
	// anything is pinned.
	Sources *source.Sources
	Notify  func(*diagnostic.Diagnostic)

	// Everywhere writes the pins of the build's lock into plans too, for a request that
	// shows them.
	Everywhere bool
	// Guessed reports whether the source of a line hangs on a value which only a build knows;
	// nil where nothing is built.
	Guessed func(ctx context.Context, at diagnostic.Place) bool
	// Command is what adds to the lock all that the build asks for.
	Command func(context.Context) string
	// Wrong is a mistake in how the build asks for its lock, said where there is one.
	Wrong error

	mode Mode
	// update are the patterns of entries that are looked up anew.
	update   []string
	mu       sync.Mutex
	failed   error                    // what the rules of a file make of a warning
	doubts   []*diagnostic.Diagnostic // that Notify has not been told
	declared *syntax.Lock
	owns     []*own // the locks of imported files
	pinned   map[pinKey]*pinned

	once    sync.Once
	lock    *lock.Lock
	missing bool  // there is no lock that could be read
	err     error // of reading it

	outsideOnce sync.Once
	outside     map[string]bool // the sources that the client gave
	outsideErr  error
}

// pinKey is a source, of an imported file when that has a lock which decides.
type pinKey struct {
	source lock.Source
	own    *own
}

type pinned struct {
	once  sync.Once
	entry *lock.Pinned
	err   error
}

// New returns the client of a build over c.
func New(c client.Client, mode Mode, update []string) *Pins {
	return &Pins{Client: c, mode: mode, update: update, pinned: map[pinKey]*pinned{}}
}

// Declare implements source.Locks. The main file's LOCK covers all that the build imports;
// that of another file what stands in it, as far as the main one does not name it.
func (p *Pins) Declare(f *module.File, l *syntax.Lock) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Main {
		p.declared = l
	} else {
		p.owns = append(p.owns, &own{file: f, line: l})
	}
}

// Declared reports whether a file of the build has a LOCK.
func (p *Pins) Declared() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declared != nil || len(p.owns) > 0
}

// Line returns the LOCK of the main file; nil for none.
func (p *Pins) Line() *syntax.Lock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declared
}

// active reports whether sources are pinned.
func (p *Pins) active() bool {
	return p.looksUp() || p.mode != Off && p.Line() != nil
}

// Lock returns the lock as it stands; one without entries when it is to be written and
// is not there yet, or warns so in a build that may do without.
func (p *Pins) Lock(ctx context.Context) (*lock.Lock, error) {
	p.once.Do(func() {
		defer guard.Recover(&p.err)
		p.lock, p.err = p.read(ctx)
	})
	return p.lock, p.err
}

func (p *Pins) read(ctx context.Context) (*lock.Lock, error) {
	file, err := p.Sources.LockFile(ctx, p.Sources.Files.Main(), p.Line())
	if err != nil {
		return nil, err
	}
	text, err := p.Sources.ReadLock(ctx, file)
	var l *lock.Lock
	if err == nil {
		l, err = lock.Parse(text)
	}
	switch {
	case err == nil:
		l.Name = file.Path
		return l, nil
	case errors.Is(err, os.ErrNotExist) && p.mode != Strict:
		l = &lock.Lock{Name: file.Path}
		if p.mode == Loose || p.mode == Ask {
			p.missing = true
			p.warn("%s, so nothing is locked: to write it, run %s", err, p.Command(ctx))
		}
		return l, nil
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("%w: to write it, run %s", err, p.Command(ctx))
	case p.mode == Ask && ctx.Err() == nil:
		p.missing = true
		p.warn("the lock cannot be read: %s", err)
		return &lock.Lock{Name: file.Path}, nil
	}
	var located *diagnostic.Diagnostic
	if line := p.Line(); line != nil && !errors.As(err, &located) {
		err = diagnostic.At(line.Place, err)
	}
	return nil, err
}

func (p *Pins) warn(format string, args ...any) {
	if line := p.Line(); line != nil {
		p.notify(line.Place, format, args...)
	}
}

func (p *Pins) notify(at diagnostic.Place, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubts = append(p.doubts, diagnostic.Warnf(RuleNotLocked, at, format, args...))
}

// Tell gives Notify the warnings since the last time, in an order of their own: sources are
// looked at side by side.
func (p *Pins) Tell() {
	p.mu.Lock()
	doubts := p.doubts
	p.doubts = nil
	p.mu.Unlock()
	if p.Notify == nil {
		return
	}
	slices.SortStableFunc(doubts, func(a, b *diagnostic.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Place.Line(), b.Place.Line()), cmp.Compare(a.Message, b.Message))
	})
	for _, d := range doubts {
		p.Notify(d)
	}
}

// Fail notes that the rules of a file make a warning an error.
func (p *Pins) Fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = cmp.Or(p.failed, err)
}

// Failed returns what Fail was told.
func (p *Pins) Failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// lookUp returns what a source is today. The source that it returns is the one that was
// asked for, by the whole name of its ref.
type lookUp func(ctx context.Context) (lock.Source, string, error)

// pin returns the entry of a source, which stands at a place that may be unknown; nil when the
// build goes on without one.
func (p *Pins) pin(ctx context.Context, s lock.Source, of *own, at diagnostic.Place, today lookUp) (*lock.Pinned, error) {
	key := pinKey{source: s}
	if l, err := p.mainLock(ctx); err != nil {
		return nil, err
	} else if l == nil {
		key.own = of
	} else if _, sure := l.Find(s); !sure {
		key.own = of // whose pin may be another one
	}
	p.mu.Lock()
	one := p.pinned[key]
	if one == nil {
		one = &pinned{}
		p.pinned[key] = one
	}
	p.mu.Unlock()
	one.once.Do(func() {
		defer guard.Recover(&one.err)
		one.entry, one.err = p.find(ctx, s, of, at, today)
	})
	return one.entry, one.err
}

// find looks a source up: in the lock, then in that of the file where it stands, if it has
// one, then where it comes from.
func (p *Pins) find(ctx context.Context, s lock.Source, of *own, at diagnostic.Place, today lookUp) (*lock.Pinned, error) {
	if of != nil && !p.active() {
		return p.ownEntry(ctx, s, of)
	}
	l, err := p.Lock(ctx)
	if err != nil {
		return nil, err
	}
	e, sure := l.Find(s)
	out := &lock.Pinned{}
	if e != nil {
		out.Entry, out.Before = *e, e.Pin
	}
	keeps := e != nil && !p.renews(e.Source)
	if of != nil && !sure && (keeps || !p.renews(s)) {
		own, err := of.read(ctx, p)
		if err != nil {
			return nil, err
		}
		if theirs, known := own.Find(s); theirs != nil && (known || e == nil) {
			keeps, sure = true, known
			out.Entry, out.Before = *theirs, ""
			out.Place = diagnostic.Place{}
		}
	}
	if keeps && (sure || !p.looksUp()) {
		return out, nil
	}
	switch p.mode {
	case Write, Verify:
		if err := s.Check(); err != nil {
			return nil, err
		}
		found, pin, err := today(ctx)
		switch {
		case keeps && (err == nil && found == out.Source || err != nil && strings.Contains(err.Error(), "does not contain ref")):
			return out, nil // it is what the entry says, or is gone and the entry holds it
		case err != nil:
			return nil, fmt.Errorf("failed to look up %s for %s: %w", s, l.Name, err)
		}
		out = &lock.Pinned{Entry: lock.Entry{Source: found, Pin: pin}}
		if e != nil && e.Source == s { // which somebody wrote in this way
			out.Source = s
		}
		if e, _ := l.Find(out.Source); e != nil {
			out.Before, out.Place = e.Pin, e.Place
		}
		return out, nil
	case Loose, Ask:
		if !p.missing { // which says it all
			if line := p.Line(); at.Text == nil && line != nil {
				at = line.Place
			}
			p.notify(at, "%s is not in %s: run %s", s, l.Name, p.Command(ctx))
		}
		return nil, nil
	}
	return nil, &missingError{s, l.Name, p.Command(ctx)}
}

// missingError is the mistake of a source that the lock lacks.
type missingError struct {
	source        lock.Source
	file, command string
}

func (e *missingError) Error() string { return fmt.Sprintf("%s is %s", e.source, e.short()) }

// short leaves the source out, which stands in front.
func (e *missingError) short() string { return fmt.Sprintf("not in %s: run %s", e.file, e.command) }

// looksUp reports whether what the lock lacks is looked up.
func (p *Pins) looksUp() bool { return p.mode == Write || p.mode == Verify }

// renews reports whether a source that the lock has is looked up all the same.
func (p *Pins) renews(s lock.Source) bool {
	return p.mode == Verify || p.mode == Write && slices.ContainsFunc(p.update, s.Matches)
}

// Reached returns what became of the sources that the build asked for, each once.
func (p *Pins) Reached() []lock.Pinned {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(p.pinned), func(a, b pinKey) int {
		if (a.own == nil) != (b.own == nil) { // what the main file names wins
			if a.own == nil {
				return -1
			}
			return 1
		}
		return strings.Compare(fmt.Sprint(a.source, a.own.name()), fmt.Sprint(b.source, b.own.name()))
	})
	var out []lock.Pinned
	for _, key := range keys {
		one := p.pinned[key]
		if one.entry != nil && !slices.ContainsFunc(out, func(o lock.Pinned) bool { return o.Source == one.entry.Source }) {
			out = append(out, *one.entry)
		}
	}
	slices.SortFunc(out, func(a, b lock.Pinned) int {
		return strings.Compare(string(a.Kind)+a.String()+" "+a.Ref, string(b.Kind)+b.String()+" "+b.Ref)
	})
	return out
}
