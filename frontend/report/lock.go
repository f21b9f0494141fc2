package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/lock"
)

// Lock is a lock file as it should be. Its JSON form is described by
// docs/schemas/lock.json.
type Lock struct {
	// File is the path of the lock file, Text what it holds; to a verification the
	// text is what is stale.
	File string `json:"file"`
	Text string `json:"text"`
	// Entries are the sources, in the order of their names.
	Entries []LockEntry `json:"entries"`
	// Lock is what is to be written.
	Lock *lock.Lock `json:"-"`
}

// LockEntry is a source in a lock.
type LockEntry struct {
	Kind   lock.Kind `json:"kind"`
	Source string    `json:"source"`
	Status Status    `json:"status"`
	// Pin is the digest, checksum or commit in the lock; empty for one that is missing.
	Pin string `json:"pin,omitempty"`
	// Today is what the source is today, where that was looked up.
	Today string `json:"today,omitempty"`
	// Line is the line of the lock file; 0 for one that is not there.
	Line int `json:"line,omitempty"`
}

// Status is what became of an entry.
type Status string

// What becomes of entries.
const (
	Kept    Status = "kept"
	Added   Status = "added"
	Updated Status = "updated"
	// Unreached is one that the build does not ask for, Dropped one that prune takes
	// away for it.
	Unreached Status = "unreached"
	Dropped   Status = "dropped"
	// Current, Stale and Missing are what a verification finds.
	Current Status = "current"
	Stale   Status = "stale"
	Missing Status = "missing"
)

// NewLock puts what a build asked for into a lock. Entries that it did not ask for stay,
// unless prune is set. verify compares instead.
func NewLock(before *lock.Lock, reached []lock.Pinned, prune, verify bool) *Lock {
	out := &Lock{File: before.Name, Lock: &lock.Lock{Name: before.Name}}
	for _, p := range reached {
		e := LockEntry{Kind: p.Kind, Source: p.String(), Line: p.Place.Line(), Pin: p.Pin}
		switch {
		case verify:
			e.Pin, e.Today = p.Before, p.Pin
			e.Status = verified(p)
		case p.Before == "":
			e.Status = Added
		case p.Before != p.Pin:
			e.Status = Updated
		default:
			e.Status = Kept
		}
		out.Entries = append(out.Entries, e)
		out.Lock.Entries = append(out.Lock.Entries, p.Entry)
	}
	for _, e := range before.Entries {
		if slices.ContainsFunc(reached, func(p lock.Pinned) bool { return p.Source == e.Source }) {
			continue
		}
		status := Dropped
		if !prune {
			status = Unreached
			out.Lock.Entries = append(out.Lock.Entries, e)
		}
		out.Entries = append(out.Entries, LockEntry{Kind: e.Kind, Source: e.String(), Status: status, Pin: e.Pin, Line: e.Place.Line()})
	}
	slices.SortStableFunc(out.Entries, func(a, b LockEntry) int { return strings.Compare(a.Source, b.Source) })
	return out
}

func verified(p lock.Pinned) Status {
	switch p.Before {
	case p.Pin:
		return Current
	case "":
		return Missing
	}
	return Stale
}

// Status returns the exit code of a verification: 1 when something is stale or missing.
func (l *Lock) Status() int {
	if slices.ContainsFunc(l.Entries, func(e LockEntry) bool { return e.Status == Stale || e.Status == Missing }) {
		return 1
	}
	return 0
}

// Stale says what a verification found. command writes the lock.
func (l *Lock) Stale(command string) string {
	var out strings.Builder
	stale := 0
	for _, e := range l.Entries {
		switch e.Status {
		case Stale:
			stale++
			fmt.Fprintf(&out, "%s, line %d: %s is %s today, not %s\n", l.File, e.Line, e.Source, e.Today, e.Pin)
		case Missing:
			stale++
			fmt.Fprintf(&out, "%s: %s is not there; today it is %s\n", l.File, e.Source, e.Today)
		}
	}
	if stale == 0 {
		return l.File + " is up to date.\n"
	}
	fmt.Fprintf(&out, "To renew what is stale and add what is missing: %s with --build-arg STAGECRAFT_LOCK=update:NAME (or update:*)\n", command)
	return out.String()
}
