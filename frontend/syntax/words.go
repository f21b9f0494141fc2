package syntax

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Flag is a flag of an instruction. What it says is what upstream's parser reads,
// quotes and escapes taken away; where it stands is ours to find.
type Flag struct {
	// Name starts with two dashes.
	Name string
	// Value is what stands behind the equals sign, HasValue tells an empty one
	// from none.
	Value    string
	HasValue bool
	// Span is the whole flag in the logical line, Raw its value as written.
	Span, Raw Span
	// Commented is set for a flag of a comment above the instruction.
	Commented bool

	// at are where the bytes of Value stand in the line, quoted which of them
	// stand in quotes or behind an escape token; nil where nothing is quoted.
	at     []int
	quoted []bool
	// open is where a quote stands that nothing closes; -1 for none.
	open int
	// cut is set when an escape token ends the text.
	cut bool
}

// Text returns the flag as upstream's parser gives it.
func (f *Flag) Text() string {
	if !f.HasValue {
		return widen(f.Name)
	}
	return widen(f.Name + "=" + f.Value)
}

// position returns where byte i of the value stands in the line.
func (f *Flag) position(i int) int {
	if f.at == nil {
		return f.Raw.Start + i
	}
	return f.at[i]
}

// isQuoted reports whether byte i of the value stands in quotes or behind an escape
// token.
func (f *Flag) isQuoted(i int) bool { return f.quoted != nil && f.quoted[i] }

// widen makes of each byte the letter of its number: upstream's parser reads
// flags byte by byte.
func widen(text string) string {
	for i := range len(text) {
		if text[i] >= 0x80 {
			var out strings.Builder
			for i := range len(text) {
				out.WriteRune(rune(text[i]))
			}
			return out.String()
		}
	}
	return text
}

// reading is a logical line as upstream's parser takes it apart.
type reading struct {
	keyword Span
	flags   []*Flag
	// args is what stands behind the flags, without the spaces around it.
	args Span
	// ended is set when a word of two dashes ends the flags.
	ended bool
}

// spaces are what parts the keyword from the rest, and words from each other.
var spaces = pattern.New(`[\t\v\f\r ]+`)

// readLine takes line apart from an offset on.
func readLine(line string, from int, escape rune) reading {
	text := strings.TrimLeftFunc(line[from:], unicode.IsSpace)
	from = len(line) - len(text)
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	end := from + len(text)
	gap := spaces().FindStringIndex(text)
	if gap == nil {
		return reading{keyword: Span{from, end}, args: Span{end, end}}
	}
	out := readFlags(line[:end], from+gap[1], escape)
	out.keyword = Span{from, from + gap[0]}
	return out
}

// readFlags reads the flags from an offset on. Upstream takes a line for single
// bytes here, so the last byte of a no-break space parts words too.
func readFlags(line string, from int, escape rune) reading {
	out := reading{args: Span{len(line), len(line)}}
	for pos := from; ; {
		for pos < len(line) && unicode.IsSpace(rune(line[pos])) {
			pos++
		}
		if !strings.HasPrefix(line[pos:], "--") {
			out.args = trim(line, Span{pos, len(line)})
			return out
		}
		f := readFlag(line, pos, escape)
		pos = f.Span.End
		if f.Name == "--" && !f.HasValue {
			if out.ended = pos < len(line); out.ended {
				out.args = trim(line, Span{pos, len(line)})
			}
			return out
		}
		out.flags = append(out.flags, f)
	}
}

// readFlag reads the flag that starts at pos.
func readFlag(line string, pos int, escape rune) *Flag {
	f := &Flag{Span: Span{pos, pos}, open: -1}
	if end := plainEnd(line, pos, escape); end >= 0 { // most flags, at no cost
		f.Span.End, f.Raw = end, Span{end, end}
		if f.Name, f.Value, f.HasValue = strings.Cut(line[pos:end], "="); f.HasValue {
			f.Raw.Start = end - len(f.Value)
		}
		return f
	}
	var (
		text   []byte
		at     []int
		quoted []bool
		quote  byte
	)
	add := func(c byte, where int, inside bool) {
		text, at, quoted = append(text, c), append(at, where), append(quoted, inside)
	}
	for ; pos < len(line); pos++ {
		switch c := line[pos]; {
		case quote == 0 && unicode.IsSpace(rune(c)):
			f.finish(text, at, quoted, pos)
			return f
		case quote == 0 && (c == '\'' || c == '"'):
			quote, f.open = c, pos
		case quote != 0 && c == quote:
			quote, f.open = 0, -1
		case rune(c) == escape && pos+1 == len(line):
			f.cut = true
			quote = 0
		case rune(c) == escape:
			pos++
			add(line[pos], pos, true)
		default:
			add(c, pos, quote != 0)
		}
	}
	f.finish(text, at, quoted, len(line))
	return f
}

// plainEnd returns where the flag at pos ends, and -1 when something in it is quoted or
// escaped.
func plainEnd(line string, pos int, escape rune) int {
	for ; pos < len(line); pos++ {
		switch c := line[pos]; {
		case unicode.IsSpace(rune(c)):
			return pos
		case c == '\'' || c == '"' || rune(c) == escape:
			return -1
		}
	}
	return pos
}

// finish parts the name from the value. An equals sign in quotes parts them too.
func (f *Flag) finish(text []byte, at []int, quoted []bool, end int) {
	f.Span.End = end
	name, value, ok := strings.Cut(string(text), "=")
	f.Name, f.Value, f.HasValue = name, value, ok
	f.Raw = Span{end, end}
	if ok {
		behind := len(name) + 1
		f.Raw.Start = at[behind-1] + 1
		f.at, f.quoted = append(slices.Clip(at[behind:]), end), quoted[behind:]
	}
}

// trim leaves out the spaces around a span.
func trim(line string, s Span) Span {
	s.Start = s.End - len(strings.TrimLeftFunc(line[s.Start:s.End], unicode.IsSpace))
	s.End = s.Start + len(strings.TrimRightFunc(line[s.Start:s.End], unicode.IsSpace))
	return s
}

// agree compares what was read with upstream's node of the same line: flags decide
// what an instruction does, so a difference is an error.
func (r reading) agree(line string, node *parser.Node) error {
	var mine []string
	for _, f := range r.flags {
		mine = append(mine, f.Text())
	}
	if keyword := line[r.keyword.Start:r.keyword.End]; keyword != node.Value || !slices.Equal(mine, node.Flags) {
		return fmt.Errorf("internal error: the line was read as %s with the flags %q, not as %s with %q", keyword, mine, node.Value, node.Flags)
	}
	return nil
}
