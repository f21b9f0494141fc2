package text

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Writer writes a plain Dockerfile.
type Writer struct {
	out    bytes.Buffer
	escape rune
	line   int // the next one, counted from 1
	stages int
	// written are the instructions that upstream has to find.
	written []written
	// readable keeps lines broken where files break them.
	readable bool
}

// maxReadable is how long a line may be that is broken as the file breaks it.
const maxReadable = 32_768

// written is one instruction.
type written struct {
	line int
	// in is what it comes from; nil for nothing.
	in *syntax.Instruction
	// shape is nil for one that stands as it is.
	shape *shape
}

// Span is where an instruction stands in the text.
type Span struct{ First, Last int }

// NewWriter starts a text under an escape token. check is its check directive with
// the line end, empty for none. The blank line ends the directives: what looks
// like one further down is a comment in the file too.
func NewWriter(escape rune, check string) *Writer {
	w := &Writer{escape: escape, line: 1}
	w.add(fmt.Sprintf("# escape=%c\n%s\n", escape, check))
	return w
}

// NewFile starts a text that people read, whose first lines are directives; that of the
// escape token comes behind them.
func NewFile(escape rune, directives ...string) *Writer {
	w := &Writer{escape: escape, line: 1, readable: true}
	for _, line := range directives {
		w.add(oneLine(line))
	}
	if escape != '\\' {
		w.add(fmt.Sprintf("# escape=%c", escape))
	}
	w.add("\n")
	return w
}

// Comment writes a comment of one line.
func (w *Writer) Comment(text string) { w.add(strings.TrimSpace("# " + oneLine(text))) }

// Blank writes an empty line.
func (w *Writer) Blank() { w.add("\n") }

// Remarks writes the comments above an instruction that are no extensions, without the
// blank lines in front of them.
func (w *Writer) Remarks(in *syntax.Instruction) {
	w.add(strings.TrimLeftFunc(in.Remarks(), isSpace))
}

// oneLine returns a text without the bytes that end a line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// Stages returns how many stages are written.
func (w *Writer) Stages() int { return w.stages }

// add appends text and ends its last line.
func (w *Writer) add(text string) Span {
	if text == "" {
		return Span{}
	}
	span := Span{First: w.line}
	w.out.WriteString(text)
	w.line += strings.Count(text, "\n")
	if !strings.HasSuffix(text, "\n") {
		w.out.WriteByte('\n')
		w.line++
	}
	span.Last = w.line - 1
	return span
}

// addInstruction appends an instruction of which upstream has to make want; nil stands for in as
// it is.
func (w *Writer) addInstruction(in *syntax.Instruction, text string, want *shape) Span {
	span := w.add(text)
	w.written = append(w.written, written{span.First, in, want})
	if want == nil && in.Stage() != nil || want != nil && strings.EqualFold(want.keyword, "from") {
		w.stages++
	}
	return span
}

// Lead writes the comments and blank lines above an instruction.
func (w *Writer) Lead(in *syntax.Instruction) { w.add(in.Lead()) }

// Verbatim writes an instruction as it stands in its file.
func (w *Writer) Verbatim(in *syntax.Instruction) Span {
	return w.addInstruction(in, in.Text(), nil)
}

// Edit writes the plain form of an instruction with references replaced by names,
// with other arguments when those are not nil, and with more flags in front of its own.
func (w *Writer) Edit(in *syntax.Instruction, names map[*syntax.Reference]Word, arguments *Arguments, flags ...Word) Span {
	if len(names) == 0 && arguments == nil && len(flags) == 0 && !in.Changed() {
		return w.Verbatim(in)
	}
	edits := in.Erasures()
	for ref, name := range names {
		edits = append(edits, syntax.Edit{Span: ref.Span, Text: name.text})
	}
	want := shapeOf(in.Node)
	inner := want.inner()
	inner.flags = in.PlainFlags(func(ref *syntax.Reference) string {
		if name, ok := names[ref]; ok {
			return name.text
		}
		return ref.Text
	})
	for i, flag := range flags {
		edits = append(edits, syntax.Edit{Span: in.BehindKeyword(), Text: " " + flag.text})
		inner.flags = slices.Insert(inner.flags, i, flag.text)
	}
	if arguments != nil {
		edits = append(edits, syntax.Edit{Span: syntax.Span{Start: in.Arguments, End: len(in.Line)}, Text: arguments.text})
		inner.words, inner.json = arguments.words, arguments.json
	}
	if at := strings.IndexFunc(in.Line, isSpace); at > 0 && in.Line[at] != ' ' {
		// upstream writes the first word in capitals, up to a space
		edits = append(edits, syntax.Edit{Span: syntax.Span{Start: at, End: at + 1}, Text: " "})
	}
	line := syntax.Wrap(in.Splice(edits), w.escape)
	if w.readable && in.File().Escape == w.escape && len(line) < maxReadable {
		line = in.SpliceLines(edits)
	}
	return w.addInstruction(in, line+"\n"+in.Heredocs(), &want)
}

// From is a FROM that is made of words.
type From struct {
	// Keyword is FROM in the case of the file.
	Keyword string
	// Platform may be the zero Word.
	Platform, Base, Name Word
}

// words returns the words behind the flags.
func (f From) words() []string {
	as := "AS"
	if f.Keyword == strings.ToLower(f.Keyword) {
		as = "as"
	}
	return []string{f.Base.text, as, f.Name.text}
}

func (f From) flags() []string {
	if f.Platform == (Word{}) {
		return nil
	}
	return []string{"--platform=" + f.Platform.text}
}

// String returns the line.
func (f From) String() string {
	return strings.Join(slices.Concat([]string{f.Keyword}, f.flags(), f.words()), " ")
}

// From writes a FROM.
func (w *Writer) From(in *syntax.Instruction, from From) Span {
	return w.addInstruction(in, from.String(), &shape{keyword: from.Keyword, flags: from.flags(), words: from.words()})
}

// Args writes an ARG. in is where it comes from: an ARG, which may be a trigger and
// whose keywords are kept, another instruction, or nil.
func (w *Writer) Args(in *syntax.Instruction, declarations []Word) Span {
	want := shape{keyword: "ARG"}
	line := "ARG"
	if in != nil && strings.EqualFold(in.Keyword, "arg") {
		own := shapeOf(in.Node)
		line = own.keyword
		want = shape{keyword: own.keyword}
		if own.trigger != nil {
			line += " " + own.trigger.keyword
			want.trigger = &shape{keyword: own.trigger.keyword}
		}
	}
	if len(declarations) > 0 && strings.HasPrefix(declarations[0].text, "--") {
		line += " --" // a name that the line has behind it, not a flag
	}
	inner := want.inner()
	for _, word := range declarations {
		line += " " + word.text
		inner.words = append(inner.words, word.text)
	}
	return w.addInstruction(in, syntax.Wrap(line, w.escape), &want)
}

// Need writes a COPY that takes no file from a stage, which has to be built for it.
func (w *Writer) Need(in *syntax.Instruction, from Word) Span {
	flag := "--from=" + from.text
	return w.addInstruction(in, "COPY "+flag+" "+nothing+" /",
		&shape{keyword: "COPY", flags: []string{flag}, words: []string{nothing, "/"}})
}

// nothing is a pattern that matches no file: one that matches none is no mistake.
const nothing = "/.stagecraft-no-file-*"

// Copy writes a COPY of a path to the same path.
func (w *Writer) Copy(in *syntax.Instruction, from, path Word) Span {
	flag := "--from=" + from.text
	return w.addInstruction(in, "COPY "+flag+" "+path.text+" "+path.text,
		&shape{keyword: "COPY", flags: []string{flag}, words: []string{path.text, path.text}})
}
