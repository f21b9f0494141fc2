package condition

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/file"
)

var (
	// shellTest matches the start of a test of the shell.
	shellTest = regexp.MustCompile(`^(!\s*)?(\[\[?\s|test\s|-[a-zA-Z]\s)`)
	// shellName finds a variable of the shell.
	shellName = regexp.MustCompile(`\$\{?(\w+)`)
	// behind matches what other languages write behind a condition.
	behind = regexp.MustCompile(`(?i)\s*(;?\s*\b(then|do)\b\s*;?|[;:{])\s*$`)
)

// foreign says what to write instead of a text that is a condition of another language;
// nil when it is none. err is that of the parser, nil for a text that it takes.
func foreign(text string, err error) error {
	var at *file.Error
	switch {
	case err == nil:
	case shellTest.MatchString(text):
		name := "DEBUG"
		if found := shellName.FindStringSubmatch(text); found != nil {
			name = found[1]
		}
		return &Error{0, len(text), fmt.Errorf("it is no shell test: write %s, or %s == \"1\"", name, name)}
	case errors.As(err, &at):
		c := &Condition{Text: text}
		if start := c.offset(at.From); start < len(text) && text[start] == '#' {
			return &Error{start, len(text), errors.New("a remark stands in a line of its own")}
		}
	}
	if found := behind.FindStringSubmatchIndex(text); found != nil && found[0] > 0 {
		if _, err := New(text[:found[0]], Options{Value: true}); err == nil {
			word := strings.TrimSpace(text[found[2]:found[3]])
			return &Error{found[2], found[3], fmt.Errorf("leave %s out: the condition ends where the line ends", word)}
		}
	}
	return nil
}
