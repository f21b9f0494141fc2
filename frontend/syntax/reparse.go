package syntax

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// patch makes the node of a COPY whose reference upstream's parser took for one
// flag: the common case, and it spares a second parse.
func (in *Instruction) patch() bool {
	if in.Keyword != command.Copy || in.OnBuild || in.flagged || len(in.erased) > 0 || len(in.References) != 1 || len(in.Flags) != len(in.Node.Flags) {
		return false
	}
	i := slices.Index(in.Flags, in.flag("--from", false))
	in.Node.Flags[i] = "--from=" + in.References[0].plain()
	return true
}

// refuseNames refuses a name that the plain form of the line cannot hold as one word.
func (in *Instruction) refuseNames() error {
	for _, ref := range in.References {
		switch name := ref.plain(); {
		case ref.Base:
		case strings.ContainsFunc(name, unicode.IsSpace):
			return errorAt(ref.Span.Start, ref.Span.End, "%q has a space: no stage, image or context has such a name", ref.Target)
		case strings.ContainsAny(name, "\"'"):
			return errorAt(ref.Span.Start, ref.Span.End, "%s has a quote: no stage, image or context has such a name", ref.Target)
		case strings.Contains(name, "\\"):
			return errorAt(ref.Span.Start, ref.Span.End, "%s has a backslash: no stage, image or context has such a name", ref.Target)
		}
	}
	return nil
}

// unclosed refuses a flag whose quote nothing closes, and one that closes behind the name in which it
// opens: upstream takes what follows for its value, which is another one once the name is replaced.
func (in *Instruction) unclosed() error {
	for _, f := range in.Flags {
		if f.open >= 0 {
			return errorAt(f.open, f.open+1, "the %c is not closed", in.Line[f.open])
		}
	}
	for _, ref := range in.References {
		if ref.Base || ref.Extends() { // what is bound may have any quotes
			continue
		}
		name := in.Line[ref.Span.Start:ref.Span.End]
		for _, quote := range []string{"'", `"`} {
			if at := ref.Span.Start + strings.Index(name, quote); strings.Count(name, quote)%2 != 0 {
				return errorAt(at, at+1, "the %s is not closed within the name: no stage, image or context has it in its name", quote)
			}
		}
	}
	return nil
}

// Unclosed is the error of an instruction in which a name is to be replaced, and a quote is not
// closed where that needs it; nil if there is none.
func (in *Instruction) Unclosed() error { return in.Locate(in.unclosed()) }

// reparse makes the nodes of changed instructions from their plain form, all in
// one text: a parse of its own for each would cost many times as much.
func (f *File) reparse(changed []*Instruction) error {
	if len(changed) == 0 {
		return nil
	}
	var (
		text  strings.Builder
		lines []int // where each instruction starts in text
	)
	fmt.Fprintf(&text, "# escape=%c\n", f.Escape)
	line := 2
	for _, in := range changed {
		if err := in.refuseNames(); err != nil {
			return in.Locate(err)
		}
		lines = append(lines, line)
		plain := Wrap(in.plain(), f.Escape) + "\n" + in.Heredocs()
		if !strings.HasSuffix(plain, "\n") {
			plain += "\n"
		}
		line += strings.Count(plain, "\n")
		text.WriteString(plain)
	}
	parsed, err := parser.Parse(strings.NewReader(text.String()))
	if err != nil {
		return reparseError(err, changed, lines)
	}
	for i, in := range changed {
		nodes := parsed.AST.Children
		if i+1 < len(changed) && (i+1 >= len(nodes) || nodes[i+1].StartLine != lines[i+1]) || i+1 == len(changed) && len(nodes) > i+1 {
			return in.Locate(fmt.Errorf("the line is another one once what we add is written out: a name may not end in %c, and a mount not leave ${ or a quote open", f.Escape))
		}
		node := nodes[i]
		trigger, alone := node, in.OnBuild
		if in.OnBuild && node.Next != nil && len(node.Next.Children) > 0 {
			trigger, alone = node.Next.Children[0], false
		}
		// of a trigger without an instruction upstream says what is missing
		if flags := in.PlainFlags((*Reference).plain); !alone && !slices.Equal(trigger.Flags, flags) {
			return in.Locate(fmt.Errorf("internal error: the plain form of the line has the flags %q, not %q", trigger.Flags, flags))
		}
		node.StartLine, node.EndLine = in.StartLine, in.EndLine
		node.PrevComment = in.Node.PrevComment
		in.Node = node
	}
	return nil
}

// reparseError puts an error of the plain forms where its instruction stands.
func reparseError(err error, changed []*Instruction, lines []int) error {
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
		at := located.Locations[0][0].Start.Line
		i := sort.Search(len(lines), func(i int) bool { return lines[i] > at })
		if i > 0 {
			return parser.SetLocation(err, changed[i-1].Location())
		}
	}
	return err
}
