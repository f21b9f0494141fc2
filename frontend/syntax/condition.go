package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
)

// Condition is the --if of an instruction: without it, or when it is false, the
// instruction is as if it were not there.
type Condition struct {
	*condition.Condition
	// Flag is where the flag stands in the logical line.
	Flag Span
	// quoted is set when the expression stands in quotes.
	quoted bool
	// offsets are where the bytes of Text stand there.
	offsets []int
}

// Span returns where bytes of Text stand in the logical line.
func (c *Condition) Span(start, end int) Span {
	return Span{c.offsets[start], max(c.offsets[end], c.offsets[start])}
}

// newCondition reads a flag --if of line, byte by byte: upstream's reader would
// take away the quotes and escapes that are the expression's own. The expression
// may stand in quotes; there an escape token in front of such a quote makes it part
// of the text. Other letters stand for themselves, quotes of a bare expression too.
func (in *Instruction) newCondition(f *Flag) (*Condition, error) {
	line, escape := in.Line, in.file.Escape
	switch {
	case !f.HasValue:
		return nil, errorAt(f.Span.Start, f.Span.End, `--if needs an expression: write --if='TARGETARCH == "arm64"'`)
	case f.open >= 0:
		return nil, errorAt(f.open, f.open+1, "the %c is not closed", line[f.open])
	}
	text := line[f.Raw.Start:f.Raw.End]
	c := &Condition{Flag: f.Span}
	at, quote := f.Raw.Start, byte(0)
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[0] == text[n-1] && !closes(text[1:n-1], text[0], escape) {
		c.quoted, quote = true, text[0]
		text, at = text[1:n-1], at+1
	}
	var bare strings.Builder
	for i := 0; i < len(text); i++ {
		if quote != 0 && rune(text[i]) == escape && i+1 < len(text) && text[i+1] == quote {
			i++
		}
		bare.WriteByte(text[i])
		c.offsets = append(c.offsets, at+i)
	}
	c.offsets = append(c.offsets, at+len(text))
	var err error
	if c.Condition, err = condition.New(bare.String(), in.file.expression(false)); err == nil {
		return c, nil
	}
	if rest := strings.TrimSpace(line[f.Span.End:]); !c.quoted && rest != "" && condition.Unfinished(err) {
		return nil, errorAt(f.Raw.Start, f.Raw.End, "the expression ends at the first space: put it in single quotes. It is no shell test: write --if='DEBUG'")
	}
	return nil, c.mistake(err)
}

// closes reports whether a quote stands in text, not escaped: the quotes around
// text are not a pair then.
func closes(text string, quote byte, escape rune) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case rune(text[i]) == escape:
			i++
		case text[i] == quote:
			return true
		}
	}
	return false
}

// bare returns the expression that stands at a span of the line, without quotes
// around it.
func (in *Instruction) bare(at Span, value bool) (*Condition, error) {
	c := &Condition{Flag: at, quoted: true}
	text := in.Line[at.Start:at.End]
	for i := range len(text) + 1 {
		c.offsets = append(c.offsets, at.Start+i)
	}
	var err error
	if c.Condition, err = condition.New(text, in.file.expression(value)); err != nil {
		return nil, c.mistake(err)
	}
	return c, nil
}

// expression says what the text of an expression does not: which names are those
// of data.
func (f *File) expression(value bool) condition.Options {
	return condition.Options{Value: value, Data: func(name string) bool { return f.DataOf(name) != nil }}
}

// mistake places an error of the expression in the logical line.
func (c *Condition) mistake(err error) error {
	var at *condition.Error
	if !errors.As(err, &at) {
		return err
	}
	span := c.Span(at.Start, at.End)
	return errorAt(span.Start, span.End, "%w", at.Err)
}

// Holds evaluates the condition of the instruction, true without one. lookup
// gives the value of a name, empty when it has none. Errors are located.
func (in *Instruction) Holds(lookup func(name string) any) (bool, error) {
	if in.If == nil {
		return true, nil
	}
	on, err := in.If.Eval(lookup)
	if err != nil {
		return false, in.Locate(in.If.mistake(err))
	}
	return on, nil
}

// condition reads a flag that says when the instruction counts; false when it is
// another one.
func (in *Instruction) condition(f *Flag) (bool, error) {
	switch {
	case f.Name == "--if":
		if in.If != nil {
			return true, errorAt(f.Span.Start, f.Span.End, "a second --if: join them with && in one")
		}
		var err error
		in.If, err = in.newCondition(f)
		in.erase(f)
		return true, err
	case f.Name == "--if-exists" && copies(in.Keyword):
		in.IfExists = true
		in.existsFlag = f.Span
		if f.HasValue {
			on, err := strconv.ParseBool(f.Value)
			if err != nil {
				return true, errorAt(f.Span.Start, f.Span.End, "--if-exists is true or false, not %q", f.Value)
			}
			in.IfExists = on
		}
		if in.OnBuild && in.IfExists {
			return true, errorAt(f.Span.Start, f.Span.End, "a trigger takes no --if-exists: the image that has it could not say so; a pattern that matches nothing is skipped there too, as in go[.]mod")
		}
		in.erase(f)
		return true, nil
	}
	return false, nil
}

// leadingOperator returns the operator of an expression with which text starts, a
// command or words that may be patterns of files; empty for none.
func leadingOperator(text string, isCommand bool) string {
	_, end := firstWord(text)
	word, rest := text[:end], strings.TrimSpace(text[end:])
	switch word {
	case "<", ">", "<=", ">=", "??", "?", "|", "+", "-", "%":
		return word
	case "and", "or", "in", "matches", "contains", "startsWith", "endsWith":
		if rest != "" {
			return word
		}
	case "not":
		if _, end := firstWord(rest); slices.Contains([]string{"in", "matches", "contains", "startsWith", "endsWith"}, rest[:end]) {
			return word
		}
	}
	operators := []string{"==", "!=", "&&", "||"}
	if isCommand { // none starts like these; one may with a redirection, or be : or [
		operators = append(operators, "<=", ">=", "??", "?", "|", "*", `in["`, `in['`)
	}
	for _, operator := range operators {
		if strings.HasPrefix(word, operator) {
			return operator
		}
	}
	return ""
}

// checkSources refuses sources that nobody can look for without fetching them.
func (in *Instruction) checkSources() error {
	add, ok := in.Command.(*instructions.AddCommand)
	if !ok || !in.IfExists {
		return nil
	}
	i := slices.IndexFunc(add.SourcePaths, func(source string) bool {
		ref, isGit, err := dfgitutil.ParseGitRef(source)
		return isGit && err == nil && !ref.IndistinguishableFromLocal || strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
	})
	if i < 0 {
		return nil
	}
	return in.Error(in.existsFlag, fmt.Errorf("--if-exists is for files: whether %s exists only fetching it shows", add.SourcePaths[i]))
}
