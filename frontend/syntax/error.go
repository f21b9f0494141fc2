package syntax

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Error is an error with the places in the files of a build at which it stands:
// the mistake first, then the calls that led there.
type Error struct {
	err   error
	Sites []Site
}

// Site is a place in a file.
type Site struct {
	File *File
	// Ranges are lines and columns counted from 1, columns in bytes, ends
	// exclusive.
	Ranges []parser.Range
}

// Error says what is wrong.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error without its places.
func (e *Error) Unwrap() error { return e.err }

// WithSite adds a place to an error.
func WithSite(err error, f *File, ranges []parser.Range) error {
	if err == nil {
		return nil
	}
	var at *Error
	if errors.As(err, &at) { // which other goroutines may look at
		return &Error{err, append(slices.Clone(at.Sites), Site{f, ranges})}
	}
	return &Error{err, []Site{{f, ranges}}}
}

// Locate gives the places of an error of upstream's parser those of this file.
func (f *File) Locate(err error) error {
	var (
		at      *Error
		located *parser.LocationError
	)
	if errors.As(err, &at) || !errors.As(err, &located) {
		return err
	}
	for _, ranges := range located.Locations {
		err = WithSite(err, f, ranges)
	}
	return err
}

// mistake puts the name of an imported file, and the line and column of a place,
// in front of an error: clients show whole lines only.
func (f *File) mistake(ranges []parser.Range, err error) error {
	start := ranges[0].Start
	err = fmt.Errorf("line %d, column %d: %w", start.Line, start.Character, err)
	if f.Name != "" {
		err = fmt.Errorf("%s: %w", f.Name, err)
	}
	return WithSite(err, f, ranges)
}
