package syntax

import (
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// extensionPrefix starts a comment that is an extension: stock builders and
// linters see a comment.
const extensionPrefix = "#+"

// extensionInstructions are the instructions that Dockerfile lacks.
var extensionInstructions = []string{"IMPORT", "MOUNT", "UNSET"}

// RuleMisspelledExtension warns of a comment that starts with #+ and is a letter
// or two away from an extension.
var RuleMisspelledExtension = &diagnostic.Rule{
	Name:        "MisspelledExtension",
	Description: "A comment that starts with #+ and is no extension is a comment",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/misspelled-extension.md",
}

// readComments reads the extensions among the comments above the instruction.
// Flags become part of its logical line.
func (in *Instruction) readComments(named *mounts) error {
	var flags logicalLine
	err := in.file.eachExtension(in.leadStart, max(in.start, in.leadStart), func(text string, offset int) error {
		if !strings.HasPrefix(text, "--") {
			return in.file.extensionComment(text, offset, named)
		}
		flags.add(text, offset)
		flags.add(" ", offset+len(text)) // what stands there is at least a line end
		return nil
	})
	if err != nil || flags.text == "" {
		return err
	}
	in.flagged = true
	_, end := firstWord(in.logical.text)
	for end < len(in.logical.text) && isSpace(in.logical.text[end]) {
		end++
	}
	if end == len(in.logical.text) && end > 0 && !isSpace(in.logical.text[end-1]) { // a word alone
		in.logical.add(" ", in.logical.offset(end, true))
		end++
	}
	in.logical.insert(end, flags)
	return nil
}

// trailingComments reads the comments below the last instruction.
func (f *File) trailingComments(from int, named *mounts) error {
	return f.eachExtension(from, len(f.text), func(text string, offset int) error {
		if strings.HasPrefix(text, "--") {
			return f.errorAt(offset, offset+len(text), "there is no instruction below these flags")
		}
		return f.extensionComment(text, offset, named)
	})
}

// eachExtension calls fn for each comment between two offsets that starts with
// #+, with its text behind that and the text's offset.
func (f *File) eachExtension(from, to int, fn func(text string, offset int) error) error {
	if !strings.Contains(f.text[from:to], extensionPrefix) {
		return nil
	}
	for line := range strings.Lines(f.text[from:to]) {
		trimmed := strings.TrimLeftFunc(strings.TrimPrefix(line, byteOrderMark), unicode.IsSpace)
		if text, ok := strings.CutPrefix(trimmed, extensionPrefix); ok {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
			offset := from + len(line) - len(text)
			if err := fn(strings.TrimRightFunc(text, unicode.IsSpace), offset); err != nil {
				return err
			}
		}
		from += len(line)
	}
	return nil
}

// extensionComment reads a comment that is an instruction, or looks like one.
func (f *File) extensionComment(text string, offset int, named *mounts) error {
	_, end := firstWord(text)
	word := text[:end]
	if strings.EqualFold(word, mountInstruction) {
		f.Extended = true
		var line logicalLine
		line.add(text, offset)
		return named.define(f, line)
	}
	if strings.EqualFold(word, importInstruction) {
		var line logicalLine
		line.add(text, offset)
		return f.addImport(line, named.inStage)
	}
	if slices.ContainsFunc(extensionInstructions, func(name string) bool { return strings.EqualFold(name, word) }) {
		return f.errorAt(offset, offset+end, "%s is not part of this release", strings.ToUpper(word))
	}
	if near, ok := suggest.Search(word, extensionInstructions, false); ok {
		f.Warnings = append(f.Warnings, diagnostic.Warnf(RuleMisspelledExtension, f.span(offset, offset+end), "%s %s is a comment (did you mean %s?)", extensionPrefix, word, near))
	}
	return nil
}
