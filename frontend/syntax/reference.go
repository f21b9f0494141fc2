package syntax

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Reference names what a stage is built from or copies from: a stage, an image
// or a context, or a call of a stage (docs/reference/stage-functions.md):
//
//	reference = target [ "(" binding { "," binding } ")" ]
//	binding   = NAME "=" value  |  NAME "=[" value { "," value } "]"
type Reference struct {
	// Target is the name as written, variables unexpanded.
	Target string
	// Call tells build() from build.
	Call     bool
	Bindings []Binding
	// Span is the whole reference, TargetSpan its name.
	Span, TargetSpan Span
	// Text is the reference as written.
	Text string
	// Base is set for that of a FROM, Mount for that of a RUN --mount, After for
	// those of a FROM --after.
	Base, Mount, After bool
	// With is set for those of a FROM --with, Values for that of an ENV --from or LABEL --from.
	With, Values bool
	// Cache is set for that of a cache mount, which takes no variable.
	Cache bool
}

// Binding binds one ARG of a call.
type Binding struct {
	Name     string
	NameSpan Span
	// Set tells NAME=[a,b] from NAME=a.
	Set    bool
	Values []Value
	// Span covers name and values.
	Span Span
}

// Value is one value of a binding as written: quoted or not, variables
// unexpanded.
type Value struct {
	Raw  string
	Span Span
}

// Variable reports whether the value is one variable and nothing else, not
// quoted: in a set it stands for a list.
func (v Value) Variable() bool {
	name, ok := strings.CutPrefix(v.Raw, "$")
	if !ok {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "{"); ok {
		name, ok = strings.CutSuffix(inner, "}")
		if !ok {
			return false
		}
	}
	return isName(name)
}

// Span is a half-open range of byte offsets in an instruction's logical line.
type Span struct{ Start, End int }

// spanError is a mistake at a place of the logical line.
type spanError struct {
	span Span
	err  error
}

func (e *spanError) Error() string { return e.err.Error() }
func (e *spanError) Unwrap() error { return e.err }

// SpanOf returns where in a text the mistake of an error stands, and the mistake
// itself; ok is false for an error without a place.
func SpanOf(err error) (span Span, mistake error, ok bool) {
	var at *spanError
	if !errors.As(err, &at) {
		return Span{}, err, false
	}
	return at.span, at.err, true
}

func errorAt(start, end int, format string, args ...any) error {
	return &spanError{Span{start, end}, fmt.Errorf(format, args...)}
}

// ParseReference parses text that is a reference and nothing else, such as a
// build's target, under an escape token. Positions of the error are those of the
// text.
func ParseReference(text string, escape rune) (*Reference, error) {
	s := &scanner{line: text, escape: escape}
	ref, err := s.reference(isSpace)
	if err != nil {
		return nil, err
	}
	if s.skipSpace(); s.pos < len(text) {
		return nil, errorAt(s.pos, len(text), "unexpected %q after the reference", text[s.pos:])
	}
	if ref.Target == "" {
		return nil, errors.New("the reference is empty")
	}
	return ref, nil
}

// DefaultEscape is the escape token of a file that names none.
const DefaultEscape = parser.DefaultEscapeToken

// move makes the places of a reference those of the line in which its text
// stands.
func (r *Reference) move(to func(Span) Span) {
	r.Span, r.TargetSpan = to(r.Span), to(r.TargetSpan)
	for i := range r.Bindings {
		b := &r.Bindings[i]
		b.Span, b.NameSpan = to(b.Span), to(b.NameSpan)
		for j := range b.Values {
			b.Values[j].Span = to(b.Values[j].Span)
		}
	}
}

// moved does so for an error.
func moved(err error, to func(Span) Span) error {
	span, mistake, ok := SpanOf(err)
	if !ok {
		return err
	}
	return &spanError{to(span), mistake}
}

// Within moves all that the reference says of its place to span: it came out of
// a variable that stands there.
func (r *Reference) Within(span Span) { r.move(func(Span) Span { return span }) }
