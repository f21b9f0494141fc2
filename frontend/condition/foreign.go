package condition

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/file"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

var (
	// shellTest matches the start of a test of the shell.
	shellTest = pattern.New(`^(!\s*)?(\[\[?\s|test\s|-[a-zA-Z]\s)`)
	// shellName finds a variable of the shell.
	shellName = pattern.New(`\$\{?(\w+)`)
	// capital matches an operator in capitals at the start of a text, capitalBefore at its end.
	capital       = pattern.New(`^(AND|OR|NOT)\b`)
	capitalBefore = pattern.New(`\b(AND|OR|NOT)\s*$`)
	// prefixed matches the end of what stands in front of a formatted text.
	prefixed = pattern.New(`(?:^|\W)[frFR]$`)
	// bareText matches a text without quotes and with nothing that an expression needs.
	bareText = pattern.New(`^[\w./:@~-]+(?: [\w./:@~-]+)*$`)
	// behind matches what other languages write behind a condition.
	behind = pattern.New(`(?i)\s*(;?\s*\b(then|do)\b\s*;?|[;:{])\s*$`)
)

// foreign says what to write instead of a text that is a condition of another language;
// nil when it is none. err is that of the parser, nil for a text that it takes.
func foreign(text string, err error) error {
	var at *file.Error
	switch {
	case err == nil:
	case shellTest().MatchString(text):
		name := "DEBUG"
		if found := shellName().FindStringSubmatch(text); found != nil {
			name = found[1]
		}
		return &Error{0, len(text), fmt.Errorf("it is no shell test: write %s, or %s == \"1\"", name, name)}
	case errors.As(err, &at):
		c := &Condition{Text: text}
		if start := c.offset(at.From); start < len(text) && text[start] == '#' {
			return &Error{start, len(text), errors.New("a remark stands in a line of its own")}
		}
		start := c.offset(at.From)
		from, word := start, capital().FindString(text[start:])
		if before := capitalBefore().FindStringSubmatchIndex(text[:start]); word == "" && before != nil {
			from, word = before[2], text[before[2]:before[3]]
		}
		switch {
		case word != "":
			return &Error{from, from + len(word), fmt.Errorf("unknown operator %s: operators stand in lower case, write %s", word, strings.ToLower(word))}
		case at.Message == `unexpected token Operator("if")`:
			return &Error{start, start + len("if"), errors.New("a choice is written CONDITION ? A : B")}
		case strings.HasPrefix(at.Message, "unexpected token String(") && prefixed().MatchString(text[:start]):
			return &Error{start - 1, start, fmt.Errorf(`a text in quotes has no %c in front: join texts and names, "a" + NAME`, text[start-1])}
		}
	}
	if found := behind().FindStringSubmatchIndex(text); found != nil && found[0] > 0 {
		if _, err := New(text[:found[0]], Options{Value: true}); err == nil {
			word := strings.TrimSpace(text[found[2]:found[3]])
			return &Error{found[2], found[3], fmt.Errorf("leave %s out: the condition ends where the line ends", word)}
		}
	}
	return nil
}

// unquoted is the mistake of a text that stands without quotes: the whole expression of a
// value, or a version in one. err is that of the parser.
func unquoted(text string, err error, value bool) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return nil
	}
	start, end := 0, len(text)
	if bare := strings.TrimSpace(text); !value || !bareText().MatchString(bare) || at.Message == "unexpected token EOF" {
		if !strings.HasPrefix(at.Message, `unexpected token Number(".`) {
			return nil
		}
		c := &Condition{Text: text}
		start = c.offset(at.From)
		for start > 0 && isVersion(text[start-1]) {
			start--
		}
		for end = c.offset(at.From); end < len(text) && isVersion(text[end]); {
			end++
		}
	}
	return &Error{start, end, fmt.Errorf("a text stands in quotes: write %.80q", strings.TrimSpace(text[start:end]))}
}

func isVersion(c byte) bool {
	return c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// dashKey finds a key with a dash behind a dot.
var dashKey = pattern.New(`\b([a-zA-Z_]\w*)((?:\.\w+)*)\.(\w+(?:-[a-zA-Z_]\w*)+)(?:\.\w+)*`)

// dashed is the mistake of such a key of data, of which an expression makes a minus.
func (c *Condition) dashed(at int) error {
	for _, m := range dashKey().FindAllStringSubmatchIndex(c.Text, -1) {
		if name := c.Text[m[2]:m[3]]; c.data[name] && m[0] <= at && at < m[1] {
			return &Error{m[6], m[7], fmt.Errorf("a key with a dash stands in brackets: write %s[%q]", c.Text[m[2]:m[5]], c.Text[m[6]:m[7]])}
		}
	}
	return nil
}

// operand matches what stands on one side of an operator.
var (
	leftOperand  = pattern.New(`[\w.]+\s*$`)
	rightOperand = pattern.New(`^\s*[\w.]+`)
)

// number returns the call that makes a number of the text beside an operator.
func (c *Condition) number(start, end int) string {
	left, right := strings.TrimSpace(leftOperand().FindString(c.Text[:start])), strings.TrimSpace(rightOperand().FindString(c.Text[end:]))
	for _, name := range []string{left, right} {
		if root, _, _ := strings.Cut(name, "."); c.data[root] {
			return "int(" + name + ")"
		}
	}
	return "int(NAME)"
}
