package syntax

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Reference names what a stage is built from or copies from: a stage, an image
// or a context, or a call of a stage. LANGUAGE.md, section 3:
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

// scanner reads references out of a logical line, or out of the value of a flag.
type scanner struct {
	line   string
	pos    int
	escape rune
	// quotes says that the line is one as written: quotes and escapes in the
	// name of a reference are none of its letters.
	quotes bool
	// spaced is set when a space ends the flag and more words follow.
	spaced bool
}

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

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\n'
}

func isNameByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) || i == 0 && '0' <= s[i] && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}

func (s *scanner) peek() byte {
	if s.pos < len(s.line) {
		return s.line[s.pos]
	}
	return 0
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.line) && isSpace(s.line[s.pos]) {
		s.pos++
	}
}

// reference reads a reference that ends where stop says, outside its
// parentheses.
func (s *scanner) reference(stop func(byte) bool) (*Reference, error) {
	start := s.pos
	target := s.target(stop)
	ref := &Reference{Target: target, TargetSpan: Span{start, s.pos}}
	if name, rest, ok := strings.Cut(target, "{"); ok && isTarget(name) && strings.HasSuffix(rest, "}") && strings.Contains(rest, "=") {
		return nil, errorAt(start, s.pos, "the values of a call stand in parentheses: write %s(%s)", name, strings.TrimSuffix(rest, "}"))
	}
	if s.peek() == '(' && s.pos < len(s.line) {
		if ref.Target == "" {
			return nil, errorAt(s.pos, s.pos+1, "a call needs the name of a stage before the parenthesis")
		}
		ref.Call = true
		if err := s.bindings(ref); err != nil {
			return nil, err
		}
		if s.pos < len(s.line) && !stop(s.line[s.pos]) {
			end := s.pos
			for end < len(s.line) && !stop(s.line[end]) {
				end++
			}
			return nil, errorAt(s.pos, end, "unexpected %q after the call of %s", s.line[s.pos:end], ref.Target)
		}
	}
	ref.Span = Span{start, s.pos}
	ref.Text = s.line[start:s.pos]
	return ref, nil
}

// target reads the name of a reference.
func (s *scanner) target(stop func(byte) bool) string {
	var (
		out   strings.Builder
		quote byte
	)
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		switch {
		case quote == 0 && (c == '(' || stop(c)):
			return out.String()
		case s.quotes && (quote == 0 && (c == '"' || c == '\'') || quote != 0 && c == quote):
			quote ^= c // opens or closes
			s.pos++
			continue
		case s.quotes && rune(c) == s.escape && s.pos+1 < len(s.line):
			s.pos++
			c = s.line[s.pos]
		case strings.HasPrefix(s.line[s.pos:], "${"):
			if end := s.closing('{', '}', s.pos+1); end > 0 {
				out.WriteString(s.line[s.pos:end])
				s.pos = end
				continue
			}
		}
		out.WriteByte(c)
		s.pos++
	}
	return out.String()
}

// isTarget reports whether text may be the name of a stage.
func isTarget(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 || !isNameByte(byte(r)) && r != '-' && r != '.' }) < 0
}

// closing returns the offset behind the bracket that closes the one at from;
// 0 when there is none.
func (s *scanner) closing(open, closed byte, from int) int {
	depth := 0
	for i := from; i < len(s.line); i++ {
		switch s.line[i] {
		case open:
			depth++
		case closed:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func (s *scanner) bindings(ref *Reference) error {
	opened := s.pos
	s.pos++
	missing := func() error {
		if s.spaced {
			return errorAt(opened, s.pos, "the call of %s has no closing parenthesis: a space ends the flag, so quote its value, as in \"%s(A=1, B=2)\"", ref.Target, ref.Target)
		}
		return errorAt(opened, s.pos, "the call of %s has no closing parenthesis", ref.Target)
	}
	for first := true; ; first = false {
		s.skipSpace()
		switch {
		case s.pos >= len(s.line):
			return missing()
		case s.peek() == ')' && first:
			s.pos++
			return nil
		case s.peek() == ')':
			return errorAt(s.pos-1, s.pos+1, "a binding is missing between the comma and the ): leave the comma out")
		}
		b, err := s.binding(ref.Target)
		if err != nil {
			return err
		}
		for _, other := range ref.Bindings {
			if other.Name == b.Name {
				return errorAt(b.NameSpan.Start, b.NameSpan.End, "%s is bound twice in the call of %s", b.Name, ref.Target)
			}
		}
		ref.Bindings = append(ref.Bindings, b)
		s.skipSpace()
		switch {
		case s.pos >= len(s.line):
			return missing()
		case s.peek() == ')':
			s.pos++
			return nil
		case s.peek() != ',' && strings.IndexByte(s.line[s.pos:], ')') < 0:
			s.pos = b.Span.End
			return missing()
		case s.peek() != ',':
			return errorAt(s.pos, s.pos+1, "expected a comma or a closing parenthesis after %s, found %q: quote a value that holds spaces or brackets",
				s.line[b.Span.Start:b.Span.End], s.peek())
		}
		s.pos++
	}
}

func (s *scanner) binding(target string) (Binding, error) {
	start := s.pos
	for s.pos < len(s.line) && isNameByte(s.line[s.pos]) {
		s.pos++
	}
	b := Binding{Name: s.line[start:s.pos], NameSpan: Span{start, s.pos}}
	if !isName(b.Name) {
		end := s.pos
		for end < len(s.line) && !strings.ContainsRune(",)= \t", rune(s.line[end])) {
			end++
		}
		return b, errorAt(start, max(end, min(start+1, len(s.line))), "expected NAME=value in the call of %s, found %q", target, s.line[start:end])
	}
	s.skipSpace()
	if s.peek() != '=' {
		return b, errorAt(b.NameSpan.Start, b.NameSpan.End, "values are passed by name in the call of %s: write NAME=%s, with the ARG for NAME", target, b.Name)
	}
	s.pos++
	s.skipSpace()
	var err error
	if b.Set = s.peek() == '['; b.Set {
		err = s.set(&b)
	} else {
		var v Value
		v, err = s.value(",)")
		b.Values = []Value{v}
	}
	b.Span = Span{start, s.pos}
	return b, err
}

func (s *scanner) set(b *Binding) error {
	opened := s.pos
	s.pos++
	for {
		s.skipSpace()
		if s.peek() == ']' && len(b.Values) == 0 {
			return errorAt(opened, s.pos+1, "the set of %s is empty: write at least one value", b.Name)
		}
		v, err := s.value(",]")
		if err != nil {
			return err
		}
		if v.Raw == "" && s.pos < len(s.line) {
			return errorAt(s.pos, s.pos+1, "the set of %s has an empty value: write \"\" if you mean it", b.Name)
		}
		b.Values = append(b.Values, v)
		s.skipSpace()
		switch s.peek() {
		case ']':
			s.pos++
			return nil
		case ',':
			s.pos++
		default:
			switch {
			case s.pos >= len(s.line) && s.spaced:
				return errorAt(opened, len(s.line), "the set of %s has no closing bracket: a space ends the flag, so quote its value", b.Name)
			case s.pos >= len(s.line):
				return errorAt(opened, len(s.line), "the set of %s has no closing bracket", b.Name)
			}
			return errorAt(s.pos, s.pos+1, "expected a comma or a closing bracket in the set of %s, found %q: quote a value that holds spaces or brackets", b.Name, s.peek())
		}
	}
}

// value reads up to one of the end bytes, outside quotes, parentheses and
// ${…}.
func (s *scanner) value(end string) (Value, error) {
	start := s.pos
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		switch {
		case strings.IndexByte(end, c) >= 0 || isSpace(c):
			return Value{s.line[start:s.pos], Span{start, s.pos}}, nil
		case c == '"' || c == '\'':
			if err := s.quoted(c); err != nil {
				return Value{}, err
			}
		case rune(c) == s.escape && s.pos+1 < len(s.line):
			s.pos += 2
		case c == '(':
			next := s.closing('(', ')', s.pos)
			if next == 0 {
				return Value{}, errorAt(s.pos, len(s.line), "the value has no closing parenthesis: quote it if none is meant")
			}
			s.pos = next
		case strings.HasPrefix(s.line[s.pos:], "${"):
			next := s.closing('{', '}', s.pos+1)
			if next == 0 {
				return Value{}, errorAt(s.pos, len(s.line), "the variable has no closing brace")
			}
			s.pos = next
		default:
			s.pos++
		}
	}
	return Value{s.line[start:s.pos], Span{start, s.pos}}, nil
}

func (s *scanner) quoted(quote byte) error {
	start := s.pos
	for s.pos++; s.pos < len(s.line); s.pos++ {
		switch {
		case s.line[s.pos] == quote:
			s.pos++
			return nil
		case rune(s.line[s.pos]) == s.escape && quote == '"':
			s.pos++
		}
	}
	s.pos = len(s.line)
	return errorAt(start, len(s.line), "the value has no closing %c", quote)
}

// Within moves all that the reference says of its place to span: it came out of
// a variable that stands there.
func (r *Reference) Within(span Span) {
	r.Span, r.TargetSpan = span, span
	for i := range r.Bindings {
		b := &r.Bindings[i]
		b.Span, b.NameSpan = span, span
		for j := range b.Values {
			b.Values[j].Span = span
		}
	}
}
