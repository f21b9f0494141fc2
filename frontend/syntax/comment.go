package syntax

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// extensionPrefix starts a comment that is an extension: stock builders and
// linters see a comment.
const extensionPrefix = "#+"

// extensionInstructions are the instructions that Dockerfile lacks. In a comment
// they stand in capitals.
var extensionInstructions = []string{"IMPORT", "MOUNT", "LET", "LOCK", "UNSET", "IF", "ELSE", "END"}

// RuleMisspelledExtension warns of a comment that is nearly an extension.
var RuleMisspelledExtension = &diagnostic.Rule{
	Name:        "MisspelledExtension",
	Description: "A comment that is nearly an extension is a comment",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/misspelled-extension.md",
}

// comment is one that is an extension, or nearly: the text behind the prefix and
// where that stands.
type comment struct {
	text   string
	offset int
	// spaced is set when a space stands behind the prefix.
	spaced bool
}

// flags reports whether the comment gives flags to the instruction below.
func (c comment) flags() bool { return startsFlag(c.text) }

func startsFlag(text string) bool {
	return len(text) > 2 && text[:2] == "--" && ('a' <= text[2]|0x20 && text[2]|0x20 <= 'z')
}

// readComments reads the extensions among the comments above the instruction. It
// returns the flags among them.
func (in *Instruction) readComments(r *fileReader) (flags logicalLine, err error) {
	for _, c := range in.file.comments(in.leadStart, max(in.start, in.leadStart)) {
		if !c.flags() {
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
		if c.flags() {
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
		} else if apart.MatchString(trimmed) {
			at, plus := from+len(line)-len(trimmed), strings.IndexByte(trimmed, '+')+1
			f.apart = append(f.apart, diagnostic.Warnf(RuleMisspelledExtension, f.span(at, at+plus), "%s is a comment (did you mean %s?)", trimmed[:plus], extensionPrefix))
		}
		from += len(line)
	}
	return out
}

// apart matches a comment that would be an extension without the space in front
// of the plus sign.
var apart = regexp.MustCompile(`^#[ \t]+\+[ \t]*(--(after|mount|if|if-exists|from|required|oneof|global)\b|(IMPORT|MOUNT|UNSET|LET) \S|LOCK\s*$)`)

// isInstruction reports whether a comment is an instruction.
func (f *File) isInstruction(c comment) bool {
	_, end := firstWord(c.text)
	return c.spaced && slices.Contains(extensionInstructions, c.text[:end])
}

// extensionComment reads a comment that is an instruction, or looks like one.
func (f *File) extensionComment(c comment, r *fileReader) error {
	_, end := firstWord(c.text)
	word := c.text[:end]
	if rest := strings.TrimSpace(c.text[end:]); c.spaced && (word == "ENV" || word == "LABEL") && strings.HasPrefix(rest, "--from") {
		f.Extended = true
		return f.errorAt(c.offset, c.offset+end, "%s --from is not part of this release", word)
	}
	if !f.isInstruction(c) {
		f.looksLike(c, word)
		return nil
	}
	f.Extended = true
	var line logicalLine
	line.add(c.text, c.offset)
	switch word {
	case "MOUNT", "IMPORT", "LOCK", "IF", "ELSE", "END":
		return r.module(word, line)
	case "LET":
		end := c.offset + len(c.text)
		return r.let(&Instruction{file: f, logical: line, leadStart: c.offset, start: c.offset, end: end, heredocs: end})
	}
	return f.errorAt(c.offset, c.offset+end, "%s is not part of this release", word)
}

// looksLike warns of a comment that is nearly an extension.
func (f *File) looksLike(c comment, word string) {
	rest := strings.TrimSpace(c.text[len(word):])
	name, _, assigned := strings.Cut(word, "=")
	upper, end := strings.ToUpper(word), len(word)
	switch {
	case assigned && slices.Contains([]string{"after", "mount", "if", "if-exists", "from", "oneof"}, name):
		f.misspelled(c.offset, word, "--"+word)
	case !c.spaced && rest != "" && slices.Contains(extensionInstructions, word):
		f.Warnings = append(f.Warnings, diagnostic.Warnf(RuleMisspelledExtension, f.span(c.offset, c.offset+end), "%s%s is a comment (did you mean %s %s?)", extensionPrefix, word, extensionPrefix, word))
	case upper == "IMPORT" && strings.Contains(strings.ToUpper(rest), " AS "), upper == "MOUNT" && strings.Contains(rest, "="):
		f.misspelled(c.offset, word, upper)
	case word == upper && len(word) > 3:
		if near, ok := suggest.Search(word, extensionInstructions, true); ok && len(near) > 3 {
			f.misspelled(c.offset, word, near)
		}
	}
}

func (f *File) misspelled(offset int, word, meant string) {
	f.Warnings = append(f.Warnings, diagnostic.Warnf(RuleMisspelledExtension, f.span(offset, offset+len(word)), "%s %s is a comment (did you mean %s?)", extensionPrefix, word, meant))
}
