package syntax

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
)

// scanFrom reads the value of --from=.
func (in *Instruction) scanFrom(f *Flag) error {
	ref, err := in.reference(f)
	if err != nil {
		return err
	}
	ref.Base = in.Keyword == command.From
	in.References = append(in.References, ref)
	return nil
}

// value returns a scanner over the value of a flag, and what tells its offsets in
// the line. A call whose parenthesis stands outside of quotes is read as it is
// written, since its values have quotes of their own; all else as upstream reads it.
func (f *Flag) value(line string, escape rune) (*scanner, func(Span) Span) {
	if at := strings.IndexByte(f.Value, '('); at >= 0 && !f.isQuoted(at) {
		spaced := strings.TrimSpace(line[f.Raw.End:]) != ""
		return &scanner{line: line[:f.Raw.End], pos: f.Raw.Start, escape: escape, quotes: true, spaced: spaced}, func(s Span) Span { return s }
	}
	return &scanner{line: f.Value, escape: escape}, func(s Span) Span { return balanced(line, f.span(s)) }
}

// balanced leaves out a quote at an end of a span whose other half is not in it.
func balanced(line string, s Span) Span {
	if text := line[s.Start:s.End]; text != "" && strings.IndexByte(`"'`, text[0]) >= 0 && strings.IndexByte(text[1:], text[0]) < 0 {
		s.Start++
	}
	if text := line[s.Start:s.End]; text != "" {
		if end := text[len(text)-1]; strings.IndexByte(`"'`, end) >= 0 && strings.IndexByte(text[:len(text)-1], end) < 0 {
			s.End--
		}
	}
	return s
}

// span returns where a part of the value stands in the line, with the quotes
// around it.
func (f *Flag) span(s Span) Span {
	out := f.Raw
	if s.Start > 0 {
		out.Start = f.position(s.Start-1) + 1
	}
	if s.End < len(f.Value) {
		out.End = f.position(s.End)
		if f.isQuoted(s.End) { // in quotes that are not part of this
			out.End = f.position(max(s.End-1, 0)) + 1
		}
	}
	return out
}

// reference reads the value of a flag as one reference.
func (in *Instruction) reference(f *Flag) (*Reference, error) {
	s, place := f.value(in.Line, in.file.Escape)
	ref, err := s.reference(func(byte) bool { return false })
	if err != nil {
		return nil, moved(err, place)
	}
	ref.move(place)
	return ref, nil
}

// listUsage is what a flag with a list of references lacks without one, and an example.
var listUsage = map[string][2]string{
	"--after": {"--after needs the stages to build first: write --after=test", "--after=test,lint"},
	"--with":  {"--with needs the stages to add: write --with=python", "--with=python,node"},
}

// scanList reads --after= or --with=, whose references stand between commas.
func (in *Instruction) scanList(f *Flag, mark func(*Reference)) error {
	usage := listUsage[f.Name]
	if !f.HasValue {
		return errorAt(f.Span.Start, f.Span.End, "%s", usage[0])
	}
	s, place := f.value(in.Line, in.file.Escape)
	for {
		start := s.pos
		ref, err := s.reference(func(c byte) bool { return c == ',' })
		if err != nil {
			return moved(err, place)
		}
		if ref.Target == "" {
			at := place(Span{start, s.pos})
			return errorAt(at.Start, max(at.End, at.Start), "a name is missing in the list of %s: write %s without spaces", f.Name, usage[1])
		}
		mark(ref)
		ref.move(place)
		in.References = append(in.References, ref)
		if s.peek() != ',' {
			return nil
		}
		s.pos++
	}
}

// scanMount finds the references in the value of --mount=, whose fields stand
// between commas and may be quoted.
func (in *Instruction) scanMount(f *Flag) error {
	s, place := f.value(in.Line, in.file.Escape)
	cache := strings.Contains(strings.ToLower(f.Value), "type=cache")
	for start := true; s.pos < len(s.line); {
		if start {
			quoted := s.peek() == '"' || s.quotes && s.peek() == '\''
			if quoted {
				s.pos++
			}
			if rest := s.line[s.pos:]; len(rest) > len("from=") && strings.EqualFold(rest[:len("from=")], "from=") {
				s.pos += len("from=")
				ref, err := s.reference(func(c byte) bool { return c == ',' || quoted && (c == '"' || c == '\'') })
				if err != nil {
					return moved(err, place)
				}
				ref.Mount, ref.Cache = true, cache
				ref.move(place)
				in.References = append(in.References, ref)
			}
			if quoted { // its end is a quote, not a comma
				if end := strings.IndexAny(s.line[s.pos:], `"'`); end >= 0 {
					s.pos += end + 1
				}
			}
			start = false
			continue
		}
		start = s.peek() == ','
		s.pos++
	}
	return nil
}

// scanBase reads what a FROM names.
func (in *Instruction) scanBase() error {
	if len(in.References) > 0 && in.References[len(in.References)-1].Base { // a comment calls it
		return nil
	}
	s := &scanner{line: in.Line[:in.arguments.End], pos: in.arguments.Start, escape: in.file.Escape}
	ref, err := s.reference(isSpace)
	if err != nil {
		return err
	}
	if rest := strings.TrimLeft(in.Line[ref.Span.End:in.arguments.End], " \t"); !ref.Call && startsCall(rest) {
		at := in.arguments.End - len(rest)
		return errorAt(at, at+1, "no space may stand before the (: write %s(…", ref.Target)
	}
	ref.Base = true
	in.References = append(in.References, ref)
	return nil
}

// noSpace is the mistake of a call that a space cuts in two.
const noSpace = "no space may stand before the (: write %s(…"

// awaitsCall reports whether the flag ends in the name of a stage and the text behind
// it starts like the bindings of a call. A RUN may start with a parenthesis, so there
// the mount has to lack its target.
func (f *Flag) awaitsCall(text string) bool {
	if !startsCall(text) {
		return false
	}
	switch f.Name {
	case "--from":
		return true
	case "--after", "--with":
		return f.HasValue && !strings.HasSuffix(f.Value, ")")
	case "--mount":
		fields := strings.Split(strings.ToLower(f.Value), ",")
		return strings.HasPrefix(fields[len(fields)-1], "from=") && !slices.ContainsFunc(fields, func(field string) bool {
			key, _, _ := strings.Cut(field, "=")
			return key == "target" || key == "dst" || key == "destination"
		})
	}
	return false
}

// startsCall reports whether text starts like the bindings of a call.
func startsCall(text string) bool {
	text, ok := strings.CutPrefix(text, "(")
	name, _, bound := strings.Cut(text, "=")
	return ok && (bound && isName(strings.TrimSpace(name)) || strings.HasPrefix(text, ")"))
}
