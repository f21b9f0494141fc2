// Package text writes plain Dockerfiles, so that no value can become syntax: a
// text is made of lines that stand in a file, of such lines with parts replaced
// by words, and of lines of words alone. A Word is made by the functions of this
// package only, each of which writes its kind of name or value to the letter, or
// refuses it. At the end upstream's parser reads the text, and what it finds has
// to be what was written.
package text

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Word is what stands in a line as one word, or as part of a flag.
type Word struct{ text string }

// String returns the word as it stands in the text.
func (w Word) String() string { return w.text }

// letters are those that stand for themselves in every word, flag and field of a
// mount.
const letters = `[a-zA-Z0-9_./:@+-]`

var (
	stageNames  = pattern.New(`^[a-z][a-z0-9_.-]*$`)
	outside     = pattern.New(`^` + letters + `+$`)
	expressions = pattern.New(`^[a-zA-Z0-9_./:@+${}-]+$`)
	argNames    = pattern.New(`^[a-zA-Z0-9_.-]+$`)
	simple      = pattern.New(`^[a-zA-Z0-9_./:@-]+$`)
	// copied are the letters of a changed word of a COPY that need no JSON form.
	copied = pattern.New(`^[a-zA-Z0-9_./:@+${}*,=~-][a-zA-Z0-9_./:@+${}*,=~[\]?&#%-]*$`)
)

// Stage returns the name of a stage.
func Stage(name string) (Word, error) {
	if !stageNames().MatchString(name) {
		return Word{}, fmt.Errorf("%q is not the name of a stage", name)
	}
	return Word{name}, nil
}

// Image returns the name of a stage, an image or a context.
func Image(name string) (Word, error) {
	if stageNames().MatchString(name) {
		return Word{name}, nil
	}
	if _, err := reference.ParseNormalizedNamed(name); err != nil || !outside().MatchString(name) || strings.HasPrefix(name, "-") {
		return Word{}, fmt.Errorf("%q is not the name of a stage, an image or a context", name)
	}
	return Word{name}, nil
}

// Platform returns a platform.
func Platform(name string) (Word, error) {
	if _, err := platforms.Parse(name); err != nil || strings.ContainsAny(name, "$\"'`\\") || strings.ContainsFunc(name, isSpace) {
		return Word{}, fmt.Errorf("%q is not a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", name)
	}
	return Word{name}, nil
}

// Expression returns a word of a FROM that stands in a file, its variables not
// expanded; false when it has quotes or escapes, which the parser has read.
func Expression(word string) (Word, bool) { return Word{word}, expressions().MatchString(word) }

// Path returns the absolute path of a name in the root directory.
func Path(name Word) Word { return Word{"/" + name.text} }

// maxValue is how long the value of an ARG may be: upstream's parser takes lines of
// 64 KiB, and a value is not broken up.
const maxValue = 50_000

// maxPath is how long a path with a value may be.
const maxPath = 16_384

// Writable reports whether a value can stand in an ARG. One that cannot has to
// come as a build arg.
func Writable(value string) bool {
	return len(value) <= maxValue && utf8.ValidString(value) && !strings.ContainsAny(value, "\n\r\x00")
}

// Arg returns the declaration of an ARG with a value, which has to be Writable.
func Arg(name, value string) (Word, error) {
	switch {
	case !argNames().MatchString(name):
		return Word{}, fmt.Errorf("%q is not the name of an ARG", name)
	case !Writable(value):
		return Word{}, fmt.Errorf("the value of %s cannot stand in a line", name)
	case !simple().MatchString(value):
		value = "'" + strings.ReplaceAll(value, "'", `'"'"'`) + "'"
	}
	return Word{name + "=" + value}, nil
}

// Flag returns a flag with its value.
func Flag(name, value string) (Word, error) {
	if !simple().MatchString(value) {
		return Word{}, fmt.Errorf("%q cannot be the value of a flag", value)
	}
	return Word{"--" + name + "=" + value}, nil
}

// Own returns the words behind the flags of an instruction that stands in a file.
func Own(in *syntax.Instruction) []Word {
	var out []Word
	for _, word := range in.Words() {
		out = append(out, Word{word})
	}
	return out
}

// Arguments are the sources and the destination of a COPY.
type Arguments struct {
	text  string
	words []string
	json  bool
}

// CopyArguments returns the arguments of a COPY for words that replace those of
// in, quoted as a Dockerfile quotes them. They stand in JSON form where a word
// could mean more than itself.
func CopyArguments(in *syntax.Instruction, words []string, isJSON bool) (*Arguments, error) {
	out := &Arguments{json: isJSON}
	own := in.Words()
	heredoc := false
	for i, word := range words {
		changed := i >= len(own) || own[i] != word
		switch {
		case !changed && !isJSON:
			heredoc = heredoc || parser.MustParseHeredoc(word) != nil
		case !utf8.ValidString(word):
			return nil, fmt.Errorf("the path %q is not UTF-8", word)
		case changed && len(word) > maxPath:
			return nil, fmt.Errorf("the path %.40q… is %d bytes long, the limit is %d", word, len(word), maxPath)
		case changed:
			out.json = out.json || !copied().MatchString(word) || strings.HasPrefix(word, "--")
			if parser.MustParseHeredoc(word) != nil {
				word = string(in.File().Escape) + word // a letter that stands for itself is none of a heredoc
			}
		}
		out.words = append(out.words, word)
	}
	if !out.json {
		out.text = strings.Join(out.words, " ")
		return out, nil
	}
	if heredoc {
		return nil, fmt.Errorf("a heredoc cannot stand beside the paths %q: copy it in a line of its own", words)
	}
	var list strings.Builder
	enc := json.NewEncoder(&list)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out.words); err != nil {
		return nil, err
	}
	out.text = strings.TrimSuffix(list.String(), "\n")
	return out, nil
}

func isSpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' || r == 0x85 || r == 0xa0 }

// Bare returns the declaration of an ARG without a value.
func Bare(name string) (Word, error) {
	if !argNames().MatchString(name) {
		return Word{}, fmt.Errorf("%q is not the name of an ARG", name)
	}
	return Word{name}, nil
}
