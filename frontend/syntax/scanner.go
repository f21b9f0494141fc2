package syntax

import "strings"

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
		if s.peek() == ',' {
			return errorAt(s.pos, s.pos+1, "a binding is missing in front of the comma: leave the comma out")
		}
		b, err := s.binding(ref.Target)
		if err != nil {
			return s.unbracketed(ref, b, err)
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

// unbracketed words the mistake of a value behind a comma that was meant as a second one of the
// binding in front of it.
func (s *scanner) unbracketed(ref *Reference, b Binding, err error) error {
	n := len(ref.Bindings)
	if n == 0 || ref.Bindings[n-1].Set {
		return err
	}
	last, start := ref.Bindings[n-1], b.NameSpan.Start
	rest := s.line[start:]
	if last.Name != "TARGETPLATFORM" && s.line[start-1] != ',' {
		return err
	}
	rest, _, _ = strings.Cut(rest, ")")
	if at := strings.IndexByte(rest, '='); at >= 0 { // the next binding
		rest = rest[:max(strings.LastIndexByte(rest[:at], ','), 0)]
	}
	if rest = strings.Trim(rest, ", \t"); rest == "" {
		return err
	}
	return errorAt(last.Span.Start, start+len(rest), "several values stand in brackets: write %s=[%s,%s]", last.Name, last.Values[0].Raw, rest)
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
		return b, errorAt(b.NameSpan.Start, b.NameSpan.End, "%w", &UnnamedError{Target: target, Value: b.Name})
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
