// Package diagnostic says what is wrong or doubtful in the files of a build, and
// where: one value and one type for places, from the reader of a file to the
// gateway.
package diagnostic

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Text is a file as users see it. Two texts are one file when their pointers are
// equal.
type Text struct {
	// Name is what messages show for an imported file; empty for the main one.
	Name string
	Data []byte
}

// Place is one or more ranges of a text.
type Place struct {
	// Text is nil for the main file of a build that is not read here.
	Text *Text
	// Ranges are lines and columns counted from 1, columns in bytes, ends
	// exclusive. A column of 0 stands for whole lines.
	Ranges []parser.Range
}

// Line returns the first line of the place; 0 when there is none.
func (p Place) Line() int {
	if len(p.Ranges) == 0 {
		return 0
	}
	return p.Ranges[0].Start.Line
}

// Severity tells mistakes from doubts.
type Severity int

const (
	// Error ends a build.
	Error Severity = iota
	// Warning does not, unless the rules of its file say so.
	Warning
)

// Related is a place that led to a mistake, such as a call.
type Related struct {
	Place
	// Message says how: "in build(PKG=a), called on line 4".
	Message string
}

// Diagnostic is one mistake or doubt. Values are not changed once they are made:
// other goroutines may look at them.
type Diagnostic struct {
	Severity Severity
	// Rule is that of a warning.
	Rule *Rule
	// Message says what is wrong and what to write instead, in lower case and
	// without the place.
	Message string
	// Place is where; the zero value for what no file says, such as a target.
	Place Place
	// Related are the places that led there, the nearest first.
	Related []Related

	// worded is set when the message names the line itself, as upstream's do.
	worded bool
	cause  error
}

// Error says what is wrong, where, and what led there. Clients show whole lines
// only, so it names the column; and one file only, so it names an imported one.
func (d *Diagnostic) Error() string {
	var out strings.Builder
	if text := d.Place.Text; text != nil && text.Name != "" {
		out.WriteString(text.Name + ": ")
	}
	if !d.worded && len(d.Place.Ranges) > 0 {
		switch start := d.Place.Ranges[0].Start; {
		case start.Character > 0:
			fmt.Fprintf(&out, "line %d, column %d: ", start.Line, start.Character)
		case out.Len() > 0: // the main file's lines are shown
			fmt.Fprintf(&out, "line %d: ", start.Line)
		}
	}
	out.WriteString(d.Message)
	for _, related := range d.Related {
		out.WriteString("\n" + related.Message)
	}
	return out.String()
}

// Unwrap returns the error that was found at the place.
func (d *Diagnostic) Unwrap() error { return d.cause }

// Places returns the place of the mistake and those that led there.
func (d *Diagnostic) Places() []Place {
	var out []Place
	if len(d.Place.Ranges) > 0 {
		out = append(out, d.Place)
	}
	for _, related := range d.Related {
		if len(related.Ranges) > 0 {
			out = append(out, related.Place)
		}
	}
	return out
}

// At returns err as a mistake at a place. An error that has a place keeps it.
func At(place Place, err error) error {
	var known *Diagnostic
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Diagnostic{Message: err.Error(), Place: place, cause: err}
}

// Worded returns err, which names the line by itself, as a mistake at a place.
func Worded(place Place, err error) error {
	return &Diagnostic{Message: err.Error(), Place: place, worded: true, cause: err}
}

// Errorf returns a mistake at a place. An error that it wraps has no place of its own.
func Errorf(place Place, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Diagnostic{Message: err.Error(), Place: place, cause: err}
}

// Warnf returns a warning of a rule at a place.
func Warnf(rule *Rule, place Place, format string, args ...any) *Diagnostic {
	return &Diagnostic{Severity: Warning, Rule: rule, Message: fmt.Sprintf(format, args...), Place: place}
}

// Relate adds a place that led to a mistake. The message starts a line of its
// own.
func Relate(err error, place Place, format string, args ...any) error {
	if err == nil {
		return nil
	}
	related := Related{place, fmt.Sprintf(format, args...)}
	var known *Diagnostic
	if !errors.As(err, &known) {
		return &Diagnostic{Message: err.Error(), Related: []Related{related}, cause: err}
	}
	out := *known
	out.Related = append(slices.Clip(known.Related), related)
	out.cause = err
	return &out
}

// Locate gives an error of upstream's parser, which has ranges, its text.
func Locate(text *Text, err error) error {
	var located *parser.LocationError
	if !errors.As(err, &located) || len(located.Locations) == 0 {
		return err
	}
	return At(Place{text, slices.Concat(located.Locations...)}, err)
}
