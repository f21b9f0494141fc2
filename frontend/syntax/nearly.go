package syntax

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// RuleMisspelledExtension warns of a comment that is nearly an extension.
var RuleMisspelledExtension = diagnostic.NewRule("MisspelledExtension", "A comment that is nearly an extension is a comment")

// apart matches a comment that would be an extension without the space in front
// of the plus sign.
var apart = pattern.New(`^#[ \t]+\+[ \t]*(--(after|bake|max-size|mount|needed|if|if-exists|from|required|oneof|global|no-cache|reset|squash|with)\b|(IMPORT|MOUNT|UNSET|LET|IF) \S|(ENV|LABEL)[ \t]+--(from|file)\b|(ELSE|ELIF|ELSIF|ELSEIF|END|ENDIF|FI|DONE)\b|LOCK\s*$)`)

// nearly matches what a text needs for a comment that is an extension, or nearly.
var nearly = pattern.New(`#[ \t]*\+`)

// looksLike warns of a comment that is nearly an extension, and refuses one that is
// nearly the next line of a block: the build would be that of other lines. open are
// the blocks at the comment.
func (f *File) looksLike(c comment, open *blocks) error {
	if done, err := f.looksLikeMarker(c, open); done || err != nil {
		return err
	}
	if c.apart != "" {
		// elsewhere such a comment is one, but for what no other comment says
		f.doubt(c.flags() && f.checkFlags(c) == nil && ofOurs(c.text), c.start(), strings.TrimSpace(c.apart), "%s is a comment (did you mean %s?)", strings.TrimSpace(c.apart), extensionPrefix)
		return nil
	}
	_, end := firstWord(c.text)
	word, rest := c.text[:end], strings.TrimSpace(c.text[end:])
	name, _, assigned := strings.Cut(word, "=")
	upper := strings.ToUpper(word)
	switch bare := strings.TrimLeft(name, dashes); {
	case bare == "" && rest != "": // dashes apart from the flag
		if name, _, assigned := strings.Cut(rest, "="); assigned && slices.Contains(commentFlags, name) {
			f.misspelled(c.offset, c.text, "--"+rest)
		}
	case slices.Contains(commentFlags, bare) && (bare != name || assigned):
		f.misspelled(c.offset, word, "--"+strings.TrimLeft(word, dashes))
	case f.looksLikeValues(c, word, rest):
	case !c.spaced && (rest != "" || word == "LOCK") && slices.Contains(extensionInstructions, word):
		f.doubt(true, c.offset, word, "%s%s is a comment (did you mean %s %s?)", extensionPrefix, word, extensionPrefix, word)
	case upper == "IMPORT" && strings.Contains(strings.ToUpper(rest), " AS "), upper == "MOUNT" && strings.Contains(rest, "="):
		f.misspelled(c.offset, word, upper)
	case word == upper && len(word) > 3:
		if near, ok := suggest.Search(word, extensionInstructions, true); ok && len(near) > 3 {
			f.misspelled(c.offset, word, near)
		}
	}
	return nil
}

// looksLikeValues is looksLike for an ENV or LABEL that takes values.
func (f *File) looksLikeValues(c comment, word, rest string) bool {
	upper := strings.ToUpper(word)
	if near, ok := suggest.Search(word, []string{"ENV", "LABEL"}, true); ok && word == upper {
		upper = near
	}
	if upper != "ENV" && upper != "LABEL" || rest == "" || !strings.ContainsAny(rest[:1], dashes) {
		return false
	}
	name, _, _ := strings.Cut(strings.Fields(rest)[0], "=")
	flag := strings.ToLower(strings.TrimLeft(name, dashes))
	if !isValuesFlag("--" + flag) {
		var ok bool
		if flag, ok = suggest.Search(flag, []string{"from", "file"}, false); !ok {
			return false
		}
	}
	f.doubt(true, c.offset, word+" "+name, "%s%s %s is a comment (did you mean %s %s --%s?)", c.prefix(), word, name, extensionPrefix, upper, flag)
	return true
}

// dashes are those that stand in front of a flag, and those that an editor makes of
// two.
const dashes = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"

// commentFlags are the names of flags by which a comment without the right dashes
// is known for one that was meant to give them.
var commentFlags = []string{
	"after", "bake", "max-size", "mount", "needed", "if", "if-exists", "from", "oneof", "required", "global", "no-cache", "arg", "context", "reset", "squash", "with", "file",
	"chmod", "chown", "link", "parents", "exclude", "checksum", "keep-git-dir", "unpack", "platform", "network", "security", "device",
}

// ofOurs reports whether a text starts with a flag that no plain Dockerfile has.
func ofOurs(text string) bool {
	name, _, _ := strings.Cut(strings.Fields(text)[0], "=")
	return slices.Contains([]string{"--after", "--bake", "--max-size", "--needed", "--if", "--if-exists", "--required", "--oneof", "--global", "--no-cache", "--reset", "--squash", "--with"}, name)
}

// looksLikeMarker is looksLike for the lines of blocks.
func (f *File) looksLikeMarker(c comment, open *blocks) (bool, error) {
	word, rest, capitals := markerWord(c.text)
	meant := ""
	if !c.flags() {
		meant = nearMarker(word, capitals)
	}
	if meant == elseMarker && strings.EqualFold(word, elseMarker) {
		if second, behind, _ := markerWord(rest); nearMarker(second, true) == ifMarker {
			meant, rest = elseIfMarker, behind
		}
	}
	_, end := firstWord(c.text)
	start, shown := c.start(), c.prefix()+c.text[:end]
	// what nobody says in a remark
	alone := strings.Trim(rest, ":;.# \t") == ""
	sure := alone
	if meant == ifMarker || meant == elseIfMarker {
		_, err := condition.New(rest, condition.Options{})
		sure = err == nil
	}
	if !c.spaced {
		sure = rest != "" && capitals
	}
	english := strings.EqualFold(word, "done") || strings.EqualFold(word, "fi")
	switch {
	case meant == "", english && (open.open == nil || !alone && !capitals):
		return false, nil
	case open.open != nil && meant != ifMarker:
		return true, f.errorAt(start, c.offset+end, "%s is a comment, and the block of line %d is open: did you mean %s %s? A remark starts with # alone",
			shown, open.open.Block.line(), extensionPrefix, meant)
	}
	if meant == ifMarker {
		open.missed = f.index.position(c.offset).Line
	}
	_, foreign := strangers[strings.ToLower(word)]
	f.doubt(c.apart == "" && (sure || foreign), start, f.text[start:c.offset+end], "%s is a comment (did you mean %s %s?)", shown, extensionPrefix, meant)
	return true, nil
}

// The markers of blocks as comments have them.
const (
	ifMarker     = "IF"
	elseMarker   = "ELSE"
	elseIfMarker = "ELSE IF"
	endMarker    = "END"
)

// markerWord returns the letters with which a text starts where they are a word, what
// stands behind them, and whether they are capitals.
func markerWord(text string) (word, rest string, capitals bool) {
	end := 0
	for end < len(text) && 'a' <= text[end]|0x20 && text[end]|0x20 <= 'z' {
		end++
	}
	if end < len(text) && !isSpace(text[end]) && !strings.ContainsRune(":;.,!({[\"'$", rune(text[end])) {
		return "", text, false
	}
	word = text[:end]
	return word, strings.TrimSpace(text[end:]), word != "" && word == strings.ToUpper(word)
}

// nearMarker returns the marker that a word of a comment was meant for; empty for
// none. In capitals it may be a letter off; else two letters may have changed places,
// or one stands twice.
func nearMarker(word string, capitals bool) string {
	lower := strings.ToLower(word)
	if meant, ok := strangers[lower]; ok {
		return meant
	}
	if _, known := command.Commands[lower]; known {
		return ""
	}
	for _, marker := range []string{ifMarker, elseMarker, endMarker} {
		switch own := strings.ToLower(marker); {
		case lower == own, slipped(lower, own):
			return marker
		case capitals && len(own) > 2 && oneLess(lower, own), capitals && len(own) > 2 && oneLess(own, lower):
			return marker
		}
	}
	return ""
}

// slipped reports whether a word is another one with two letters in each other's
// place, or with one of them twice.
func slipped(word, of string) bool {
	for i := range len(of) {
		if word == of[:i]+of[i:i+1]+of[i:] {
			return true
		}
		if i > 0 && word == of[:i-1]+of[i:i+1]+of[i-1:i]+of[i+1:] {
			return true
		}
	}
	return false
}

// oneLess reports whether a word is another one without one of its letters.
func oneLess(word, of string) bool {
	for i := range len(of) {
		if word == of[:i]+of[i+1:] {
			return true
		}
	}
	return false
}

func (f *File) misspelled(offset int, word, meant string) {
	f.doubt(true, offset, word, "%s %s is a comment (did you mean %s?)", extensionPrefix, word, meant)
}

// doubt warns of a text at an offset: in every file if it is sure that an extension was
// meant, else in files that have others.
func (f *File) doubt(sure bool, offset int, text, format string, args ...any) {
	list := &f.doubts
	if sure {
		list = &f.Warnings
	}
	*list = append(*list, diagnostic.Warnf(RuleMisspelledExtension, f.span(offset, offset+len(text)), format, args...))
}

// checkArguments refuses words behind the flags that were meant for one of them, or warns where they may
// be meant as they stand.
func (in *Instruction) checkArguments() error {
	args := in.Line[in.arguments.Start:in.arguments.End]
	at := in.arguments.Start
	if in.If != nil && !in.If.quoted && len(in.Flags) > 0 && in.Flags[len(in.Flags)-1].Span == in.If.Flag {
		if operator := leadingOperator(args, in.Keyword == command.Run); operator != "" {
			return errorAt(at, at+len(operator), "an operator follows --if: quote the expression, as in --if='A == \"b\"'")
		}
	}
	if n := len(in.Flags); n > 0 && in.Flags[n-1].awaitsCall(args) {
		return errorAt(at, at+1, noSpace, in.Line[in.Flags[n-1].Span.Start:in.Flags[n-1].Span.End])
	}
	refuse := true
	switch in.Keyword {
	case command.Arg, command.Copy, command.Add, command.Env, command.From, ImportInstruction:
	case command.Label, command.Workdir, command.Volume, command.User, command.Expose, command.StopSignal:
		refuse = false // some may have such words
	default:
		return nil // words of a command are its own
	}
	for _, gap := range spaces().FindAllStringIndex(args, -1) {
		name, _, _ := strings.Cut(args[gap[1]:], " ")
		name, _, _ = strings.Cut(name, "=")
		if !slices.Contains(oursOf(in.Keyword), name) || name == "--mount" {
			continue
		}
		keyword := strings.ToUpper(in.Keyword)
		const format = "%s stands behind the words of %s, where it is one of them: write it in front, %s %s …"
		switch start := at + gap[1]; {
		case !refuse || name == "--from" && in.Keyword == command.Env:
			in.file.doubt(false, in.logical.offset(start, false), name, format, name, keyword, keyword, name)
		case name != "--from" || in.Keyword == ImportInstruction:
			return errorAt(start, start+len(name), format, name, keyword, keyword, name)
		}
	}
	return nil
}
