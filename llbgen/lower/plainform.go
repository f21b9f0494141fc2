package lower

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// plainForm refuses what plain Dockerfiles have no form for.
func (l *lowerer) plainForm(inst *plan.Instance, in *syntax.Instruction) error {
	own, main := inst.Env.File(), l.unit.file()
	switch {
	case in.AddsFrom() && in.Unpacks():
		return in.Errorf(in.References[0].Span, "ADD --from unpacks archives, and no plain instruction does: with --unpack=false it is a COPY")
	case own.BuildContext != main.BuildContext && ReadsContext(in):
		return in.ErrorOfLine(errNoContext(own.BuildContext.Name))
	case own.Escape != main.Escape && strings.ContainsAny(in.Text(), "\\`"):
		return in.ErrorOfLine(errEscape(own.Shown()))
	}
	return nil
}

// pin returns what a lock pins a line to.
func (l *lowerer) pin(inst *plan.Instance, in *syntax.Instruction) (Pin, bool) {
	if l.expanding == nil || l.opt.Pin == nil || in.OnBuild {
		return Pin{}, false
	}
	return l.opt.Pin(l.unit.naming.name(inst), in)
}

// pinned returns the flags and the arguments of an ADD that says what it is pinned to.
func pinned(in *syntax.Instruction, pin Pin) ([]text.Word, *text.Arguments, error) {
	words := in.Words()
	if len(words) != 2 || in.IfExists {
		return nil, nil, in.ErrorOfLine(errors.New("a lock pins what the line adds, and one ADD has one pin: give each URL an ADD of its own, without --if-exists"))
	}
	if pin.URL == "" {
		flag, err := text.Flag("checksum", pin.Checksum)
		return []text.Word{flag}, nil, in.ErrorOfLine(err)
	}
	words[0] = pin.URL
	arguments, err := text.CopyArguments(in, words, in.Node.Attributes["json"])
	return nil, arguments, in.ErrorOfLine(err)
}

type (
	errNoContext string
	errEscape    string
)

func (e errNoContext) Error() string {
	return "the line reads the build context of " + string(e) + ", and one plain Dockerfile has one context: IMPORT it with --context=., or copy from a stage"
}

func (e errEscape) Error() string {
	return "the escape token of " + string(e) + " is another one than that of the main file, and one plain Dockerfile has one: leave it out of this line"
}

// ReadsContext reports whether an instruction may read the build context.
func ReadsContext(in *syntax.Instruction) bool {
	switch in.Keyword {
	case command.Copy, command.Add:
		words := in.Words()
		return len(in.References) == 0 && slices.ContainsFunc(words[:max(len(words)-1, 0)], func(word string) bool {
			return parser.MustParseHeredoc(word) == nil && !strings.Contains(word, "://")
		})
	case command.Run:
		return slices.ContainsFunc(in.Flags, func(f *syntax.Flag) bool {
			return f.Name == "--mount" && !strings.Contains(f.Value, "from=") && (!strings.Contains(f.Value, "type=") || strings.Contains(f.Value, "type=bind"))
		})
	}
	return false
}

// remark writes comments for what the line below cannot say.
func (l *lowerer) remark(in *syntax.Instruction) {
	if in.MaxSize != "" {
		l.out.Comment("nothing here holds the size against --max-size=" + in.MaxSize)
	}
	if in.NoCache {
		l.expanding.noCache = true
		l.out.Comment("this step runs in every build only with --no-cache-filter=" + l.expanding.as)
	}
	if l.skips(in) {
		for _, word := range in.Words() {
			if strings.Contains(strings.Trim(path.Clean(word), "/"), "/") {
				l.out.Comment("skipped where it does not exist, and where a directory in front of it is a link")
				return
			}
		}
	}
}

// skips reports whether an instruction is to skip what does not exist in the way of
// plain Dockerfiles.
func (l *lowerer) skips(in *syntax.Instruction) bool { return in.IfExists && l.opt.Plain }

// component matches the letters in front of a path that stand for themselves, up to
// the end of its first part.
var component = pattern.New(`^(\.?/)*[a-zA-Z0-9_.+@~ -]*[a-zA-Z0-9_.]`)

// ifExists returns the arguments of a COPY or ADD whose sources are patterns: one that
// matches nothing is skipped. A pattern that the first part of a path alone matches
// makes no directory needed.
func ifExists(in *syntax.Instruction) (*text.Arguments, error) {
	words := in.Words()
	for i, word := range words[:max(len(words)-1, 0)] {
		if parser.MustParseHeredoc(word) != nil || path.Clean("/"+word) == "/" {
			continue
		}
		first, rest := component().FindString(word), ""
		if first != "" {
			rest = word[len(first):]
		}
		whole := first != "" && (rest == "" || rest[0] == '/')
		pattern := strings.ContainsAny(strings.SplitN(strings.TrimLeft(word, "./"), "/", 2)[0], "*?[")
		switch {
		case strings.Contains(word, ".."):
			return nil, in.Errorf(in.LastWord(), "--if-exists has a plain form only for sources without .., which %s is not", word)
		case pattern: // so is what is in front of it
		case whole:
			words[i] = first[:len(first)-1] + "[" + first[len(first)-1:] + "]" + strings.TrimRight(rest, "/")
			if words[i][0] == '[' { // as a JSON form starts
				words[i] = "./" + words[i]
			}
		default:
			return nil, in.Errorf(in.LastWord(), "--if-exists has a plain form only for sources whose first part is made of letters from a to z, digits, spaces and _.+@~-, which that of %s is not", word)
		}
	}
	return text.CopyArguments(in, words, in.Node.Attributes["json"])
}
