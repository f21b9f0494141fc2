package syntax

import (
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
)

// extensionPrefix starts a comment that is an extension: stock builders and
// linters see a comment.
const extensionPrefix = "#+"

// extensionInstructions are the instructions that Dockerfile lacks. In a comment
// they stand in capitals.
var extensionInstructions = []string{"IMPORT", "MOUNT", "LET", "LOCK", "UNSET", "IF", "ELSE", "END"}

// comment is one that is an extension, or nearly: the text behind the prefix and
// where that stands.
type comment struct {
	text   string
	offset int
	// spaced is set when a space stands behind the prefix.
	spaced bool
	// apart is the prefix with a space in it: such a comment is no extension.
	apart string
}

// flags reports whether the comment gives flags to the instruction below.
func (c comment) flags() bool { return startsFlag(c.text) }

// prefix returns the start of the comment as a message shows it.
func (c comment) prefix() string {
	switch {
	case c.apart != "":
		return c.apart
	case c.spaced:
		return extensionPrefix + " "
	}
	return extensionPrefix
}

// start is where the comment is shown to start: its prefix is wrong, or its text.
func (c comment) start() int { return c.offset - len(c.apart) }

func startsFlag(text string) bool {
	return len(text) > 2 && text[:2] == "--" && ('a' <= text[2]|0x20 && text[2]|0x20 <= 'z')
}

// readComments reads the extensions among the comments above the instruction. It
// returns the flags among them.
func (in *Instruction) readComments(r *fileReader) (flags logicalLine, err error) {
	for _, c := range in.file.comments(in.leadStart, max(in.start, in.leadStart)) {
		if c.apart != "" || !c.flags() {
			if err := in.file.extensionComment(c, r); err != nil {
				return flags, err
			}
			if flags.text != "" && in.file.isInstruction(c) {
				return flags, in.file.errorAt(c.offset, c.offset+len(c.text), "no instruction may stand between flags and the line that they are for")
			}
			continue
		}
		if err := in.file.checkFlags(c); err != nil {
			return flags, err
		}
		flags.add(c.text, c.offset)
		flags.add(" ", c.offset+len(c.text)) // what stands there is at least a line end
	}
	return flags, nil
}

// commentsAbove returns the texts of the comments right above the line of an offset, as upstream's
// parser has them of an instruction.
func (f *File) commentsAbove(offset int) []string {
	var out []string
	end := strings.LastIndexByte(f.text[:offset], '\n')
	for end >= 0 {
		start := strings.LastIndexByte(f.text[:end], '\n') + 1
		text, ok := strings.CutPrefix(strings.TrimSpace(f.text[start:end]), "#")
		if text = strings.TrimSpace(text); !ok || text == "" {
			break
		}
		out = append(out, text)
		end = start - 1
	}
	slices.Reverse(out)
	return out
}

// insert makes flags of comments part of the logical line, behind the keyword.
func (in *Instruction) insert(flags logicalLine) {
	if flags.text == "" {
		return
	}
	in.flagged = true
	r := readLine(in.logical.text, 0, in.file.Escape)
	if strings.EqualFold(in.logical.text[r.keyword.Start:r.keyword.End], command.Onbuild) && r.args.Start < r.args.End {
		r = readLine(in.logical.text, r.args.Start, in.file.Escape)
	}
	at := r.keyword.End
	for at < len(in.logical.text) && isSpace(in.logical.text[at]) {
		at++
	}
	if at == r.keyword.End { // a word alone
		in.logical.add(" ", in.logical.offset(at, true))
		at++
	}
	in.logical.insert(at, flags)
}

// checkFlags refuses a comment that holds more than flags.
func (f *File) checkFlags(c comment) error {
	r := readFlags(c.text, 0, f.Escape)
	if n := len(r.flags); n > 0 && !r.ended && r.flags[n-1].awaitsCall(c.text[r.args.Start:r.args.End]) {
		return f.errorAt(c.offset+r.args.Start, c.offset+r.args.Start+1, noSpace, c.text[r.flags[n-1].Span.Start:r.flags[n-1].Span.End])
	}
	if r.ended || r.args.Start < r.args.End {
		return f.errorAt(c.offset+r.args.Start, c.offset+r.args.End, "only flags may stand in a #+ line: quote a value that holds spaces, and write a remark in a comment of its own")
	}
	for _, flag := range r.flags {
		switch {
		case flag.cut:
			return f.errorAt(c.offset+len(c.text)-1, c.offset+len(c.text), "a #+ line ends where the line ends: leave the %c out and write a second #+ line", f.Escape)
		case flag.open >= 0:
			return f.errorAt(c.offset+flag.open, c.offset+len(c.text), "the %c at column %d is not closed", c.text[flag.open], f.index.position(c.offset+flag.open).Character)
		}
	}
	return nil
}

// trailingComments reads the comments below the last instruction.
func (f *File) trailingComments(from int, r *fileReader) error {
	for _, c := range f.comments(from, len(f.text)) {
		if c.apart == "" && c.flags() {
			return f.errorAt(c.offset, c.offset+len(c.text), "there is no instruction below these flags")
		}
		if err := f.extensionComment(c, r); err != nil {
			return err
		}
	}
	return nil
}

// comments returns the comments between two offsets that may be extensions.
func (f *File) comments(from, to int) []comment {
	if strings.IndexByte(f.text[from:to], '+') < 0 {
		return nil
	}
	var out []comment
	for line := range strings.Lines(f.text[from:to]) {
		trimmed := strings.TrimLeftFunc(strings.TrimPrefix(line, byteOrderMark), unicode.IsSpace)
		if text, ok := strings.CutPrefix(trimmed, extensionPrefix); ok {
			c := comment{text: strings.TrimLeftFunc(text, unicode.IsSpace)}
			c.spaced = len(c.text) < len(text)
			c.offset = from + len(line) - len(c.text)
			c.text = strings.TrimRightFunc(c.text, unicode.IsSpace)
			out = append(out, c)
		} else if apart().MatchString(trimmed) {
			c := comment{text: strings.TrimLeftFunc(trimmed[strings.IndexByte(trimmed, '+')+1:], unicode.IsSpace)}
			c.apart = trimmed[:len(trimmed)-len(c.text)]
			c.offset = from + len(line) - len(c.text)
			c.text = strings.TrimRightFunc(c.text, unicode.IsSpace)
			out = append(out, c)
		}
		from += len(line)
	}
	return out
}

// isInstruction reports whether a comment is an instruction.
func (f *File) isInstruction(c comment) bool {
	_, end := firstWord(c.text)
	return c.apart == "" && c.spaced && (slices.Contains(extensionInstructions, c.text[:end]) || takesValues(c.text))
}

// takesValues reports whether a comment is an ENV or LABEL that takes values.
func takesValues(text string) bool {
	_, end := firstWord(text)
	rest := strings.TrimSpace(text[end:])
	return (text[:end] == "ENV" || text[:end] == "LABEL") && (strings.HasPrefix(rest, "--from") || strings.HasPrefix(rest, "--file") || strings.HasPrefix(rest, "--if"))
}

// extensionComment reads a comment that is an instruction, or looks like one.
func (f *File) extensionComment(c comment, r *fileReader) error {
	_, end := firstWord(c.text)
	word := c.text[:end]
	if !f.isInstruction(c) {
		return f.looksLike(c, r.blocks)
	}
	f.Extended = true
	var line logicalLine
	line.add(c.text, c.offset)
	switch word {
	case "MOUNT", "IMPORT", "LOCK", "IF", "ELSE", "END":
		return r.module(word, line)
	}
	behind := c.offset + len(c.text)
	in := &Instruction{file: f, logical: line, leadStart: c.offset, start: c.offset, end: behind, heredocs: behind}
	switch word {
	case "UNSET":
		return r.unset(in)
	case "LET":
		return r.let(in)
	}
	return r.values(in, strings.ToLower(word))
}
