package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/suggest"
)

// refuseParsed refuses an instruction with the error of upstream's instruction parser, or with
// what was meant. That of a plain file stays as it is, unless a flag is nearly one of ours.
func (in *Instruction) refuseParsed(err error) error {
	if better, ok := in.unknownFlag(err); ok {
		in.file.Extended = true
		return in.refuse(better)
	}
	if !in.file.Extended {
		return in.refuse(err)
	}
	var unknown *instructions.UnknownInstructionError
	if errors.As(err, &unknown) {
		if cut := in.cutByMarker(); cut != nil {
			return cut
		}
		if near := nearInstruction(unknown.Instruction, err.Error() != unknown.Error()); near != "" {
			err = fmt.Errorf("%w (did you mean %s?)", unknown, near)
		}
	}
	if in.Keyword == command.From {
		err = in.fromFlags(err)
	}
	return in.refuse(err)
}

// nearInstruction returns the instruction of ours that a word was meant for; empty for none.
// suggested says that it is near to one of upstream's, too.
func nearInstruction(word string, suggested bool) string {
	lower := strings.ToLower(word)
	if lower == "set" { // as many languages have it
		return strings.ToUpper(letInstruction)
	}
	for _, known := range extensionInstructions {
		own := strings.ToLower(known)
		if slipped(lower, own) || oneLess(own, lower) || len(own) > 2 && oneLess(lower, own) {
			return known
		}
	}
	if near, ok := suggest.Search(strings.ToUpper(word), extensionInstructions, true); ok && !suggested && len(near) > 3 {
		return near
	}
	return ""
}

// cutByMarker is the mistake of an instruction that is the rest of the one above, which a marker
// of a block ends: it stands between continued lines, and not in a comment.
func (in *Instruction) cutByMarker() error {
	if in.StartLine < 3 {
		return nil
	}
	index := in.file.index
	above, _ := index.line(in.StartLine - 2)
	line, at := index.line(in.StartLine - 1)
	start, end := firstWord(string(line))
	word := string(line[start:end])
	if !slices.Contains([]string{ifMarker, elseMarker, endMarker}, word) || newJoiner(index, in.file.Escape).continues(bytes.TrimRight(above, "\r\n")) < 0 {
		return nil
	}
	return in.file.errorAt(at+start, at+end, "between the lines of an instruction a block stands in comments: write %s %s", extensionPrefix, word)
}

// finish refuses a block that nothing closes, at the line that was meant to if there is one.
func (r *fileReader) finish() error {
	err := r.blocks.finish()
	if err == nil {
		return nil
	}
	for _, in := range r.all {
		word := in.Node.Value
		if in.StartLine > r.blocks.open.Block.line() && nearInstruction(word, true) == endMarker {
			return in.refuse(fmt.Errorf("unknown instruction: %s (did you mean %s?)", word, endMarker))
		}
	}
	return err
}

// fromFlags words an error of upstream about the words of a FROM of which one was meant for a
// flag, or for the value of one.
func (in *Instruction) fromFlags(err error) error {
	words := strings.Fields(in.Line[in.arguments.Start:in.arguments.End])
	if len(words) == 0 || !strings.Contains(err.Error(), "requires either one or three arguments") {
		return err
	}
	bare := strings.TrimLeft(words[0], dashes)
	name, _, _ := strings.Cut(bare, "=")
	if bare != words[0] && (slices.Contains(oursOf(command.From), "--"+name) || name == "platform") {
		return fmt.Errorf("%s is no flag (did you mean --%s?)", words[0], bare)
	}
	if n := len(in.Flags); n > 0 {
		if last := in.Flags[n-1]; !last.HasValue && !last.Commented && last.Name != "--squash" && slices.Contains(oursOf(command.From), last.Name) {
			return fmt.Errorf("the value of a flag stands behind an equals sign: write %s=%s", last.Name, words[0])
		}
	}
	return err
}
