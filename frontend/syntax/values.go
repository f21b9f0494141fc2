package syntax

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/util/suggest"
)

// Values are what an ENV --from or a LABEL --from takes: out of the config of another image,
// or out of a file in it.
type Values struct {
	// Of is ENV or LABEL.
	Of string
	// From is what they come from.
	From *Reference
	// File is the path of a file of KEY=VALUE lines there; empty for the config.
	File     string
	FileSpan Span
	// Names are what is set; none for all that the file has.
	Names []TakenValue
}

// TakenValue is one name that an ENV --from or a LABEL --from sets.
type TakenValue struct {
	Name string
	// Text is the whole word as written.
	Text string
	// Expression is what stands behind an equals sign, with variables of what the values come
	// from; Computed tells an empty one from none. Else the name is that of the value, too.
	Expression string
	Computed   bool
	// Span is the whole word, NameSpan its name.
	Span, NameSpan Span
}

// Env reports whether ENVs are set.
func (v *Values) Env() bool { return v.Of == "ENV" }

// Sets reports whether an ENV of a name is among those that are named.
func (v *Values) Sets(name string) bool {
	return v.Env() && slices.ContainsFunc(v.Names, func(n TakenValue) bool { return n.Name == name })
}

// String is the instruction without its conditions, for a history.
func (v *Values) String() string {
	words := []string{v.Of, "--from=" + v.From.Text}
	if v.File != "" {
		words = append(words, "--file="+v.File)
	}
	for _, n := range v.Names {
		words = append(words, n.Text)
	}
	return strings.Join(words, " ")
}

// takesValues reports whether an ENV or LABEL has flags, its own or those of comments above,
// that make it one that takes values.
func (in *Instruction) takesValues(flags logicalLine) bool {
	if _, ok := masks[strings.ToLower(in.Node.Value)]; !ok {
		return false
	}
	return in.file.masked[in.Node.StartLine] || slices.ContainsFunc(readFlags(flags.text, 0, in.file.Escape).flags, func(f *Flag) bool { return isValuesFlag(f.Name) }) ||
		slices.ContainsFunc(in.Node.Flags, isValuesFlag)
}

// values reads an ENV or LABEL that takes values.
func (r *fileReader) values(in *Instruction, keyword string) error {
	return r.own(in, keyword, in.scanValues)
}

func (in *Instruction) scanValues() error {
	v := &Values{Of: strings.ToUpper(in.Keyword)}
	in.Values = v
	commented := false
	for i, f := range in.Flags {
		if done, err := in.condition(f); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if j := slices.IndexFunc(in.Flags[:i], func(other *Flag) bool { return other.Name == f.Name }); j >= 0 {
			return errorAt(f.Span.Start, f.Span.End, "%s stands on line %d too: leave one out", f.Name, in.Ranges(in.Flags[j].Span)[0].Start.Line)
		}
		if f.open >= 0 {
			return errorAt(f.open, f.open+1, "the %c is not closed", in.Line[f.open])
		}
		var err error
		switch commented = commented || f.Commented; f.Name {
		case "--from":
			err = in.scanValuesFrom(f)
		case "--file":
			err = in.scanValuesFile(f)
		default:
			err = fmt.Errorf("unknown flag: %s", f.Name)
			if better, ok := in.unknownFlag(err); ok {
				err = better
			}
			err = errorAt(f.Span.Start, f.Span.End, "%w", err)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case v.From == nil && v.File == "":
		return errorAt(in.keyword.Start, in.keyword.End, "only an %s with --from stands in a comment: write any other as a line", v.Of)
	case v.From == nil:
		return errorAt(v.FileSpan.Start, v.FileSpan.End, "--file needs the stage that has the file: write %s --from=build --file=%s", v.Of, v.File)
	}
	if last := in.Flags[len(in.Flags)-1]; last.awaitsCall(in.Line[in.arguments.Start:in.arguments.End]) {
		return errorAt(in.arguments.Start, in.arguments.Start+1, noSpace, in.Line[last.Span.Start:last.Span.End])
	}
	words, err := in.words()
	if err != nil {
		return err
	}
	if len(words) == 0 && v.File == "" {
		return errorAt(in.keyword.Start, in.keyword.End, "what to take is missing: write %s", valuesUsage(v))
	}
	for _, w := range words {
		n, err := in.takenValue(w)
		switch {
		case err != nil:
			return err
		case commented && !n.Computed:
			return errorAt(w.Span.Start, w.Span.End, "other builders read this line without the flags above, and set nothing by %s alone: write %s=$%s, or #+ %s --from=… on a line of its own", n.Name, n.Name, n.Name, v.Of)
		case slices.ContainsFunc(v.Names, func(other TakenValue) bool { return other.Name == n.Name }):
			return errorAt(n.NameSpan.Start, n.NameSpan.End, "%s stands here twice", n.Name)
		}
		v.Names = append(v.Names, n)
	}
	return nil
}

// valuesUsage is the form of the instruction.
func valuesUsage(v *Values) string {
	name := "VERSION"
	if !v.Env() {
		name = "org.opencontainers.image.version"
	}
	return fmt.Sprintf("%s --from=%s %s, or with --file=/path the lines of a file", v.Of, v.From.Text, name)
}

func (in *Instruction) scanValuesFrom(f *Flag) error {
	if f.Value == "" {
		return errorAt(f.Span.Start, f.Span.End, "--from needs a stage or an image: write --from=build")
	}
	ref, err := in.reference(f)
	if err != nil {
		return err
	}
	ref.Values = true
	in.Values.From = ref
	in.References = append(in.References, ref)
	return nil
}

func (in *Instruction) scanValuesFile(f *Flag) error {
	in.Values.File, in.Values.FileSpan = f.Value, f.Span
	switch {
	case f.Value == "":
		return errorAt(f.Span.Start, f.Span.End, "--file needs the path of a file: write --file=/out/version.env")
	case strings.Contains(f.Value, "$"):
		return errorAt(f.Raw.Start, f.Raw.End, "--file takes the path itself: a variable means nothing in it")
	case !path.IsAbs(f.Value):
		return errorAt(f.Raw.Start, f.Raw.End, "the path of --file starts at the root of the stage: write --file=%s", path.Join("/", f.Value))
	case path.Clean(f.Value) != f.Value:
		return errorAt(f.Raw.Start, f.Raw.End, "%s is not the path of a file: write %s", f.Value, path.Join(path.Clean(f.Value)))
	}
	return nil
}

// words returns the words behind the flags as upstream reads those of an ENV.
func (in *Instruction) words() ([]Word, error) {
	at := in.arguments
	if at.Start == at.End {
		return nil, nil
	}
	if bad := strings.IndexFunc(in.Line[at.Start:at.End], func(r rune) bool { return r == utf8.RuneError }); bad >= 0 && !utf8.ValidString(in.Line[at.Start:at.End]) {
		return nil, errorAt(at.Start+bad, at.Start+bad+1, "the line is not UTF-8 here")
	}
	text := fmt.Sprintf("# escape=%c\n%s\n", in.file.Escape, Wrap("ARG -- "+in.Line[at.Start:at.End], in.file.Escape))
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var out []Word
	for n := parsed.AST.Children[0].Next; n != nil; n = n.Next {
		i := strings.Index(in.Line[at.Start:at.End], n.Value)
		if i < 0 {
			return nil, fmt.Errorf("internal error: the word %q does not stand in the line", n.Value)
		}
		start := at.Start + i
		at.Start = start + len(n.Value)
		out = append(out, Word{n.Value, Span{start, at.Start}})
	}
	return out, nil
}

// takenValue reads one word.
func (in *Instruction) takenValue(w Word) (TakenValue, error) {
	v := in.Values
	name, expression, computed := strings.Cut(w.Text, "=")
	n := TakenValue{Name: name, Text: w.Text, Expression: expression, Computed: computed, Span: w.Span, NameSpan: Span{w.Span.Start, w.Span.Start + len(name)}}
	refuse := func(format string, args ...any) (TakenValue, error) {
		return n, errorAt(n.NameSpan.Start, max(n.NameSpan.End, n.NameSpan.Start+1), format, args...)
	}
	lex := shell.NewLex(in.file.Escape)
	bare, more := strings.CutSuffix(name, ",")
	switch {
	case name == "":
		return refuse("a name is missing in front of the =")
	case slices.Contains([]string{"--from", "--file", "--if"}, name):
		return refuse("%s stands behind the words of %s, where it is one of them: write it in front, %s %s …", name, v.Of, v.Of, name)
	case strings.Contains(name, "$"):
		return refuse("a name stands for itself, without variables")
	case more || v.Env() && strings.Contains(name, ","):
		return refuse("spaces stand between names, no commas: write %s", strings.ReplaceAll(bare, ",", " "))
	case v.Env() && !isName(name):
		return refuse("%q cannot be a name: letters, digits and _ are allowed, a letter first", name)
	}
	if !v.Env() {
		key, _, err := lex.ProcessWord(name, shell.EnvsFromSlice(nil))
		if err != nil || key == "" {
			return refuse("%s is no key of a label", name)
		}
		n.Name = key
	}
	var used anything
	if _, _, err := lex.ProcessWord(expression, &used); err != nil {
		if strings.ContainsRune(err.Error(), utf8.RuneError) { // the end of the text to upstream
			err = errors.New("the variable is cut off: its } is missing")
		}
		return n, errorAt(n.NameSpan.End+1, max(w.Span.End, n.NameSpan.End+1), "%w", err)
	}
	if computed && used == 0 {
		return n, errorAt(w.Span.Start, w.Span.End, "%s takes nothing of %s: write it in a line of its own, without --from", w.Text, v.From.Text)
	}
	return n, nil
}

// anything is an environment in which every name has a value. It counts the look-ups.
type anything int

// Get implements shell.EnvGetter.
func (a *anything) Get(string) (string, bool) {
	*a++
	return "x", true
}

// Keys implements shell.EnvGetter; nothing here asks for them.
func (a *anything) Keys() []string { return nil }

// refusedValues words what upstream's parser says of a line that is nearly one with values.
func (f *File) refusedValues(in reading, line string, at int) error {
	word := strings.ToUpper(line[in.keyword.Start:in.keyword.End])
	trigger := word == strings.ToUpper(command.Onbuild)
	if trigger {
		in = readLine(line, in.args.Start, f.Escape)
		word = strings.ToUpper(line[in.keyword.Start:in.keyword.End])
	}
	if _, ok := masks[strings.ToLower(word)]; !ok || len(in.flags) == 0 {
		return nil
	}
	first := in.flags[0]
	switch {
	case trigger && isValuesFlag(first.Name):
		return f.errorAt(at+first.Span.Start, at+first.Span.End, "%s", noTrigger(word))
	case trigger:
		return nil
	}
	if near, ok := suggest.Search(strings.TrimPrefix(first.Name, "--"), []string{"from", "file"}, false); ok && first.HasValue {
		return f.errorAt(at+first.Span.Start, at+first.Span.End, "unknown flag: %s (did you mean --%s?)", first.Name, near)
	}
	return nil
}

// noTrigger is the mistake of an ONBUILD with values.
func noTrigger(word string) string {
	return word + " --from cannot be a trigger: write it into the stage that is built FROM this one"
}
