package syntax

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/internal/glob"
)

// unsetInstruction takes what is above it out of the config: UNSET ENV NAME.
const unsetInstruction = "unset"

// Unset takes parts of an image config away: an UNSET, or a word of FROM --reset.
type Unset struct {
	// Of is the part: one of Parts.
	Of string
	// Names are those of which it loses the values, as patterns; empty for all of them.
	Names []Word
}

// Word is a word of an instruction and where it stands in the logical line.
type Word struct {
	Text string
	Span Span
}

// Parts are the parts of an image config that can be taken away, by the instruction that
// sets each.
var Parts = [...]string{"ENV", "LABEL", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD", "HEALTHCHECK", "USER", "WORKDIR", "STOPSIGNAL", "SHELL", "ONBUILD"}

// named reports whether a part has values by name.
func named(part string) bool { return slices.Contains(Parts[:4], part) }

// unsetUsage is the form of the instruction.
const unsetUsage = "write UNSET ENV NAME, UNSET LABEL KEY, UNSET VOLUME /path, UNSET EXPOSE 80, or UNSET with one of ENTRYPOINT, CMD, HEALTHCHECK, USER, WORKDIR, STOPSIGNAL, SHELL, ONBUILD"

// Takes reports whether a name is one of those that the Unset is about.
func (u *Unset) Takes(name string) bool {
	return len(u.Names) == 0 || slices.ContainsFunc(u.Names, func(w Word) bool { return w.Matches(name) })
}

// Matches reports whether the word, a name or a glob, means a name. A star crosses dots and
// slashes.
func (w Word) Matches(name string) bool {
	ok, err := glob.Match(w.Text, name)
	return ok && err == nil || w.Text == name
}

// unset reads an UNSET.
func (r *fileReader) unset(in *Instruction) error { return r.own(in, unsetInstruction, in.scanUnset) }

// own reads an instruction of a stage that plain Dockerfiles lack.
func (r *fileReader) own(in *Instruction, keyword string, scan func() error) error {
	r.file.Extended = true
	if err := r.file.refuseInner(in); err != nil {
		return err
	}
	in.Line, in.heredocs = in.logical.text, in.end
	in.StartLine = r.file.index.position(in.logical.offset(0, false)).Line
	in.EndLine = r.file.index.position(in.logical.offset(len(in.Line), true)).Line
	in.read()
	if err := scan(); err != nil {
		return in.Locate(err)
	}
	if err := r.blocks.place(in, keyword); err != nil {
		return in.Locate(err)
	}
	if in.Node == nil {
		in.Node = &parser.Node{Value: strings.ToUpper(keyword), Original: in.Line, StartLine: in.StartLine, EndLine: in.EndLine, PrevComment: r.file.commentsAbove(in.start)}
	}
	r.all = append(r.all, in)
	return nil
}

func (in *Instruction) scanUnset() error {
	for _, f := range in.Flags {
		if done, err := in.condition(f); err != nil {
			return err
		} else if !done {
			return errorAt(f.Span.Start, f.Span.End, "UNSET takes no flag but --if")
		}
	}
	words := in.fields(in.arguments)
	if len(words) == 0 {
		return errorAt(in.keyword.Start, in.keyword.End, "what to unset is missing: %s", unsetUsage)
	}
	part := strings.ToUpper(words[0].Text)
	if !slices.Contains(Parts[:], part) {
		return errorAt(words[0].Span.Start, words[0].Span.End, "%w", noPart(words[0].Text, len(words) == 1))
	}
	in.Unset = &Unset{Of: part, Names: words[1:]}
	if len(words) > 1 && !named(part) {
		return errorAt(words[1].Span.Start, words[len(words)-1].Span.End, "UNSET %s takes no names: there is one %s", part, part)
	}
	for i, w := range in.Unset.Names {
		if err := checkName(part, w); err != nil {
			return errorAt(w.Span.Start, w.Span.End, "%w", err)
		}
		if slices.ContainsFunc(in.Unset.Names[:i], func(other Word) bool { return other.Text == w.Text }) {
			return errorAt(w.Span.Start, w.Span.End, "%s stands here twice", w.Text)
		}
	}
	return nil
}

// noPart is the mistake of a word that is no part of a config. alone is set when nothing
// follows: it may be the name of a variable.
func noPart(word string, alone bool) error {
	err := fmt.Errorf("%q is no part of an image config", word)
	if ok, better := suggest.WrapErrorMaybe(err, word, Parts[:], false); ok {
		return better
	}
	if alone && isName(word) {
		return fmt.Errorf("%w: a variable is UNSET ENV %s", err, word)
	}
	return fmt.Errorf("%w: %s", err, unsetUsage)
}

// checkName refuses what cannot be a name of a part, or a pattern of names.
func checkName(part string, w Word) error {
	if i := strings.IndexAny(w.Text, "$\"'`"); i >= 0 {
		return fmt.Errorf("a name stands for itself, without quotes and variables: write ? for a letter that cannot stand here, * for any number of them")
	}
	if name, more := strings.CutSuffix(w.Text, ","); more || (part == "ENV" || part == "EXPOSE") && strings.Contains(name, ",") {
		return fmt.Errorf("spaces stand between names, no commas: write UNSET %s %s", part, strings.ReplaceAll(name, ",", " "))
	}
	if name, _, ok := strings.Cut(w.Text, "="); ok && (part == "ENV" || part == "LABEL") {
		return fmt.Errorf("only the name is given: write UNSET %s %s", part, name)
	}
	if _, err := glob.Match(w.Text, ""); errors.Is(err, path.ErrBadPattern) {
		return fmt.Errorf("the pattern %s is cut off: its [ or \\ has no end", w.Text)
	}
	return nil
}

// fields returns the words at a span of the line that spaces part.
func (in *Instruction) fields(at Span) []Word {
	var out []Word
	for _, word := range strings.FieldsFunc(in.Line[at.Start:at.End], func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }) {
		start := at.Start + strings.Index(in.Line[at.Start:at.End], word)
		at.Start = start + len(word)
		out = append(out, Word{word, Span{start, at.Start}})
	}
	return out
}

// scanReset reads a FROM --reset.
func (in *Instruction) scanReset(f *Flag) error {
	in.erase(f)
	if in.wholeReset || len(in.Reset) > 0 && !f.HasValue {
		return errorAt(f.Span.Start, f.Span.End, "--reset without a list takes all of the config away: write it alone")
	}
	in.ResetFlag = f.Span
	if !f.HasValue {
		in.wholeReset = true
		for _, part := range Parts {
			in.Reset = append(in.Reset, Unset{Of: part})
		}
		return nil
	}
	for word := range strings.SplitSeq(f.Value, ",") {
		part := strings.ToUpper(strings.TrimSpace(word))
		switch {
		case part == "":
			return errorAt(f.Span.Start, f.Span.End, "a word is missing in the list of --reset: write --reset for all of the config, or --reset=ENV,LABEL without spaces")
		case !slices.Contains(Parts[:], part):
			_, err := suggest.WrapErrorMaybe(fmt.Errorf("%q is no part of an image config: --reset takes %s", word, strings.Join(Parts[:], ", ")), word, Parts[:], false)
			return errorAt(f.Span.Start, f.Span.End, "%w", err)
		case slices.ContainsFunc(in.Reset, func(u Unset) bool { return u.Of == part }):
			return errorAt(f.Span.Start, f.Span.End, "%s stands in the list of --reset twice", part)
		}
		in.Reset = append(in.Reset, Unset{Of: part})
	}
	return nil
}

// WholeReset reports whether a FROM --reset takes the whole config away, and no ARG comes along.
func (in *Instruction) WholeReset() bool { return in.wholeReset }
