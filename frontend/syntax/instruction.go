package syntax

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"
)

// Instruction is one instruction of a file.
type Instruction struct {
	// Keyword is the instruction's name in lower case; for ONBUILD that of
	// the trigger, with OnBuild set.
	Keyword string
	OnBuild bool
	// Line is the logical line: continuation lines joined, the flags of
	// comments above added. Spans are offsets in it.
	Line string
	// References are those of the instruction in the order of the text, plain
	// names included.
	References []*Reference
	// Command is upstream's view of the instruction, each reference replaced
	// by its target: an instructions.Command, *instructions.Stage or, before
	// the first FROM, *instructions.ArgCommand.
	Command any
	// Node is what Command was made of.
	Node *parser.Node
	// Arguments is where the words behind the flags start in Line.
	Arguments int
	// StartLine and EndLine are its first and last line, heredocs included,
	// counted from 1.
	StartLine, EndLine int

	// Mounts are the --mount flags of a RUN as written, in the order of those in
	// Line: empty for one that stands elsewhere. Nil when Line has them as
	// written.
	Mounts []string
	// Arg is what the flags of an ARG ask for.
	Arg ArgFlags

	file    *File
	logical logicalLine
	// leadStart and start are the file's offsets of the comments and blank
	// lines above and of the instruction; heredocs and end those behind it.
	leadStart, start, heredocs, end int
	// flagged is set when comments above give flags.
	flagged bool
	// keyword is where Keyword stands, unpack where --unpack does, and erased
	// what else a plain Dockerfile has no word for.
	keyword, unpack Span
	erased          []Span
	// mountFlags are the values of FROM --mount.
	mountFlags []Span
}

// ArgFlags are the flags of an ARG.
type ArgFlags struct {
	// Required asks for a value, Global makes stages declare the name.
	Required, Global bool
	// OneOf are the values that are allowed; nil for all.
	OneOf []string
}

// Flags returns where the flags stand that are ours.
func (in *Instruction) Flags() Span {
	if len(in.erased) == 0 {
		return in.keyword
	}
	span := in.erased[0]
	span.End = span.Start + len(strings.TrimRightFunc(in.Line[span.Start:span.End], unicode.IsSpace))
	return span
}

// Lead returns the comments and blank lines above the instruction.
func (in *Instruction) Lead() string {
	return in.file.text[in.leadStart:max(in.start, in.leadStart)]
}

// Text returns the instruction as it stands in the file, heredocs included.
func (in *Instruction) Text() string { return in.file.text[max(in.start, in.leadStart):in.end] }

// Heredocs returns the bodies of the heredocs with their end words.
func (in *Instruction) Heredocs() string { return in.file.text[in.heredocs:in.end] }

// Changed reports whether the instruction cannot stand as it is in a plain
// Dockerfile.
func (in *Instruction) Changed() bool {
	return in.flagged || in.AddsFrom() || len(in.erased) > 0 || slices.ContainsFunc(in.References, (*Reference).Extends)
}

// extends reports whether the instruction makes the file one with extensions.
// A variable in the place of a name counts when the file declares one of that
// name: else the line is a mistake that upstream explains, and so is one in a
// cache mount.
func (in *Instruction) extends(declared map[string]bool) bool {
	return in.flagged || in.AddsFrom() || len(in.erased) > 0 || slices.ContainsFunc(in.References, func(r *Reference) bool {
		return r.Call || r.Extends() && !r.Cache && slices.ContainsFunc(variables.FindAllStringSubmatch(r.Target, -1), func(match []string) bool {
			return declared[match[1]]
		})
	})
}

// variables finds the names of variables in a word.
var variables = regexp.MustCompile(`\$\{?(\w+)`)

// AddsFrom reports whether the instruction is an ADD --from, which a plain
// Dockerfile has no word for: a COPY that unpacks archives.
func (in *Instruction) AddsFrom() bool { return in.Keyword == command.Add && len(in.References) > 0 }

// Unpacks reports whether an ADD --from unpacks archives, as it does without
// --unpack=false.
func (in *Instruction) Unpacks() bool {
	value := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(in.Line[in.unpack.Start:in.unpack.End]), "--unpack"), "=")
	on, err := strconv.ParseBool(value)
	return err != nil || on
}

// Erasures returns the edits, beside those of references, that make the
// logical line that of a plain Dockerfile: an ADD --from becomes a COPY, and
// flags that are ours go.
func (in *Instruction) Erasures() []Edit {
	var edits []Edit
	for _, span := range in.erased {
		edits = append(edits, Edit{span, ""})
	}
	if !in.AddsFrom() {
		return edits
	}
	edits = append(edits, Edit{in.keyword, strings.ToUpper(command.Copy)})
	if in.unpack != (Span{}) {
		edits = append(edits, Edit{in.unpack, ""})
	}
	return edits
}

// Edit replaces a span of a logical line.
type Edit struct {
	Span
	Text string
}

// Splice returns the logical line with the edits, which do not overlap, made.
func (in *Instruction) Splice(edits []Edit) string {
	slices.SortFunc(edits, func(a, b Edit) int { return a.Start - b.Start })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		out.WriteString(in.Line[at:e.Start])
		out.WriteString(e.Text)
		at = e.End
	}
	out.WriteString(in.Line[at:])
	return out.String()
}

// Ranges returns where span stands in the file: line and column counted from 1,
// columns in bytes, the end exclusive.
func (in *Instruction) Ranges(span Span) []parser.Range {
	return []parser.Range{{
		Start: in.file.index.position(in.logical.offset(span.Start, false)),
		End:   in.file.index.position(in.logical.offset(span.End, true)),
	}}
}

// Location returns the lines of the instruction.
func (in *Instruction) Location() []parser.Range {
	return (&parser.Node{StartLine: in.StartLine, EndLine: in.EndLine}).Location()
}

// scan finds the references of the instruction.
func (in *Instruction) scan() error {
	s := &scanner{line: in.Line, escape: in.file.Escape}
	in.Keyword = strings.ToLower(s.word())
	if in.Keyword == command.Onbuild {
		in.OnBuild = true
		in.Keyword = strings.ToLower(s.word())
	}
	in.keyword = Span{s.pos - len(in.Keyword), s.pos}
	switch in.Keyword {
	case command.From, command.Copy, command.Add, command.Run:
	case command.Arg:
		return in.scanArg(s)
	default:
		return nil
	}
	network := Span{} // a flag for sources from the network
	for {
		s.skipSpaces()
		if !strings.HasPrefix(s.line[s.pos:], "--") {
			break
		}
		start := s.pos
		ref, name, err := s.flag(in.Keyword)
		if err != nil {
			return err
		}
		in.References = append(in.References, ref...)
		switch name {
		case "--unpack":
			s.skipSpaces()
			in.unpack = Span{start, s.pos}
		case "--checksum", "--keep-git-dir":
			network = Span{start, s.pos}
		case "--mount":
			if in.Keyword != command.From {
				break
			}
			value := start + len("--mount=")
			if value >= s.pos {
				return errorAt(start, s.pos, "--mount needs a mount: write --mount=name or --mount=type=cache,target=/path")
			}
			in.mountFlags = append(in.mountFlags, Span{value, s.pos})
			s.skipSpaces()
			in.erased = append(in.erased, Span{start, s.pos})
		case "--after":
			s.skipSpaces()
			in.erased = append(in.erased, Span{start, s.pos})
		}
	}
	in.Arguments = s.pos
	switch {
	case !in.AddsFrom():
	case in.OnBuild:
		return errorAt(in.keyword.Start, in.keyword.End, "ADD --from cannot be a trigger: write ONBUILD COPY --from")
	case network != Span{}:
		return errorAt(network.Start, network.End, "%s is for sources from the network: leave it out beside --from", s.line[network.Start:network.End])
	}
	if in.Keyword == command.From && s.pos < len(s.line) {
		ref, err := s.reference(isSpace)
		if err != nil {
			return err
		}
		ref.Base = true
		in.References = append(in.References, ref)
	}
	return nil
}

// scanArg finds the flags of an ARG.
func (in *Instruction) scanArg(s *scanner) error {
	for {
		s.skipSpaces()
		if !strings.HasPrefix(s.line[s.pos:], "--") {
			return nil
		}
		start := s.pos
		s.skipFlag()
		name, value, hasValue := strings.Cut(s.line[start:s.pos], "=")
		span := Span{start, s.pos}
		switch name {
		case "--required", "--global":
			if hasValue {
				return errorAt(start, s.pos, "%s takes no value", name)
			}
			in.Arg.Required = in.Arg.Required || name == "--required"
			in.Arg.Global = in.Arg.Global || name == "--global"
		case "--oneof":
			for item := range strings.SplitSeq(strings.Trim(value, `"'`), ",") {
				if item == "" {
					return errorAt(start, s.pos, "--oneof needs its values: write --oneof=dev,prod")
				}
				in.Arg.OneOf = append(in.Arg.OneOf, item)
			}
		default:
			if near, ok := suggest.Search(name, []string{"--required", "--oneof", "--global"}, true); ok {
				return errorAt(start, s.pos, "unknown flag of ARG: %s (did you mean %s?)", name, near)
			}
			continue // upstream's to refuse
		}
		s.skipSpaces()
		span.End = s.pos
		in.erased = append(in.erased, span)
	}
}

// word reads a word.
func (s *scanner) word() string {
	start, end := firstWord(s.line[s.pos:])
	start, end = start+s.pos, end+s.pos
	s.pos = end
	return s.line[start:end]
}

// skipSpaces skips what upstream's flag parser takes for space.
func (s *scanner) skipSpaces() {
	rest := s.line[s.pos:]
	s.pos = len(s.line) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
}

// flag reads one flag and returns the references in its value, and its name.
func (s *scanner) flag(keyword string) (refs []*Reference, name string, err error) {
	name = s.line[s.pos:]
	if i := strings.IndexFunc(name, func(r rune) bool { return r == '=' || unicode.IsSpace(r) }); i >= 0 {
		name = name[:i]
	}
	switch {
	case name == "--from" && (keyword == command.Copy || keyword == command.Add) && s.at(len(name)) == '=':
		s.pos += len(name) + 1
		refs, err = s.fromFlag()
	case name == "--mount" && keyword == command.Run && s.at(len(name)) == '=':
		start := s.pos
		s.pos += len(name) + 1
		refs, err = s.mountFlag()
		cache := strings.Contains(strings.ToLower(s.line[start:s.pos]), "type=cache")
		for _, ref := range refs {
			ref.Cache = cache
		}
	case name == "--after" && keyword == command.From:
		refs, err = s.afterFlag(len(name))
	default:
		if near, ok := suggest.Search(name, []string{"--after", "--mount"}, true); ok && keyword == command.From && near != name {
			return nil, name, errorAt(s.pos, s.pos+len(name), "unknown flag of FROM: %s (did you mean %s?)", name, near)
		}
		s.skipFlag()
	}
	return refs, name, err
}

func (s *scanner) at(offset int) byte {
	if s.pos+offset < len(s.line) {
		return s.line[s.pos+offset]
	}
	return 0
}

// skipFlag skips to the end of a flag, as upstream's parser finds it: a space
// outside quotes.
func (s *scanner) skipFlag() {
	var quote byte
	for ; s.pos < len(s.line); s.pos++ {
		c := s.line[s.pos]
		switch {
		case rune(c) == s.escape:
			s.pos++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case isSpace(c):
			return
		}
	}
	s.pos = len(s.line)
}

// fromFlag reads the value of --from=.
func (s *scanner) fromFlag() ([]*Reference, error) {
	stop := isSpace
	if quote := s.peek(); quote == '"' || quote == '\'' {
		s.pos++
		stop = func(c byte) bool { return c == quote }
	}
	ref, err := s.reference(stop)
	if err != nil {
		return nil, err
	}
	s.skipFlag()
	return []*Reference{ref}, nil
}

// afterFlag reads --after=, whose references stand between commas.
func (s *scanner) afterFlag(name int) ([]*Reference, error) {
	start := s.pos
	s.pos += name
	if s.peek() != '=' {
		return nil, errorAt(start, s.pos, "--after needs the stages to build first: write --after=test")
	}
	stop := func(c byte) bool { return c == ',' || isSpace(c) }
	var refs []*Reference
	for {
		s.pos++ // the equals sign or a comma
		ref, err := s.reference(stop)
		if err != nil {
			return nil, err
		}
		if ref.Target == "" {
			return nil, errorAt(start, max(s.pos, start+name+1), "a name is missing in the list of --after: write --after=test,lint without spaces")
		}
		ref.After = true
		refs = append(refs, ref)
		if s.peek() != ',' {
			return refs, nil
		}
	}
}

// mountFlag reads the value of --mount=, whose fields stand between commas.
func (s *scanner) mountFlag() ([]*Reference, error) {
	var (
		refs   []*Reference
		quotes []byte // those that are open
	)
	field := s.pos
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		if s.pos == field && len(s.line)-s.pos > len("from=") && strings.EqualFold(s.line[s.pos:s.pos+len("from=")], "from=") {
			s.pos += len("from=")
			ref, err := s.reference(func(c byte) bool { return c == ',' || isSpace(c) || c == '"' || c == '\'' })
			if err != nil {
				return nil, err
			}
			ref.Mount = true
			refs = append(refs, ref)
			continue
		}
		switch {
		case rune(c) == s.escape:
			s.pos++
		case len(quotes) > 0 && c == quotes[len(quotes)-1]:
			quotes = quotes[:len(quotes)-1]
		case c == '"' || c == '\'':
			quotes = append(quotes, c)
			if s.pos == field {
				field++ // a quoted field
			}
		case c == ',':
			field = s.pos + 1
		case isSpace(c) && len(quotes) == 0:
			return refs, nil
		}
		s.pos++
	}
	s.pos = min(s.pos, len(s.line))
	return refs, nil
}

// Extends reports whether the reference is more than a plain Dockerfile allows
// at its place.
func (r *Reference) Extends() bool { return r.Call || !r.Base && strings.Contains(r.Target, "$") }

// plain returns what stands for the reference in a plain Dockerfile.
func (r *Reference) plain() string {
	if !r.Base && strings.Contains(r.Target, "$") {
		return "scratch"
	}
	return r.Target
}

// erase returns the logical line as a plain Dockerfile has it: each reference
// replaced by a name.
func (in *Instruction) erase() string {
	edits := in.Erasures()
	for _, ref := range in.References {
		if !ref.After { // that goes with its flag
			edits = append(edits, Edit{ref.Span, ref.plain()})
		}
	}
	return in.Splice(edits)
}

// Words returns the words of the plain instruction behind its flags; for ONBUILD
// those of the trigger.
func (in *Instruction) Words() []string {
	node := in.Node
	for in.OnBuild && node.Next != nil && len(node.Next.Children) > 0 {
		node = node.Next.Children[0]
	}
	var words []string
	for n := node.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	return words
}

// Stage returns upstream's view of a FROM; nil for another instruction.
func (in *Instruction) Stage() *instructions.Stage {
	st, _ := in.Command.(*instructions.Stage)
	return st
}

// LastWord returns the span of the line's last word, the destination of a COPY;
// in JSON form that of the whole list.
func (in *Instruction) LastWord() Span {
	line := strings.TrimRightFunc(in.Line, unicode.IsSpace)
	if in.Node.Attributes["json"] {
		return Span{strings.LastIndexByte(line, '['), len(line)}
	}
	return Span{strings.LastIndexFunc(line, unicode.IsSpace) + 1, len(line)}
}
