// Package condition reads and evaluates the expressions of --if: text in, true
// or false out. The language is that of github.com/expr-lang/expr over names
// that are strings, without what makes time or memory grow faster than the
// text.
package condition

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

const (
	// MaxLength is how many bytes an expression has (docs/reference/limits.md).
	MaxLength = 4096
	// MaxValue is how many bytes a value has that an expression looks at.
	MaxValue = 4096
	// maxList is how many elements the lists of one evaluation have together.
	maxList = 10_000
)

// Condition is an expression that is true or false once its names have values.
// Its methods may be called concurrently.
type Condition struct {
	// Text is the expression as written, without the quotes around it.
	Text string
	// Names are those that it looks at, each once, in the order of the text.
	Names []Name

	program *vm.Program
}

// Name is a name in an expression, and the offset in bytes where it first
// stands.
type Name struct {
	Name   string
	Offset int
}

// Error is a mistake in an expression, between two offsets in bytes.
type Error struct {
	Start, End int
	Err        error
}

// Error says what is wrong, not where.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the mistake.
func (e *Error) Unwrap() error { return e.Err }

// New reads an expression. Its errors are of type *Error.
func New(text string) (*Condition, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, &Error{0, len(text), errors.New(`an expression is missing: write --if='TARGETARCH == "arm64"'`)}
	case len(text) > MaxLength:
		return nil, &Error{0, len(text), fmt.Errorf("the expression is %d bytes long, the limit is %d", len(text), MaxLength)}
	case !utf8.ValidString(text):
		return nil, &Error{0, len(text), errors.New("the expression is not UTF-8")}
	}
	if at := strings.IndexFunc(text, unprintable); at >= 0 {
		return nil, &Error{at, at + 1, fmt.Errorf("the expression holds the control character %U", text[at])}
	}
	c := &Condition{Text: text}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, c.located(err)
	}
	found := &reader{}
	ast.Walk(&tree.Node, found)
	if found.refused != nil {
		return nil, c.errorAt(found.refused.Location(), found.reason)
	}
	env := map[string]any{stepName: func(int, any) (any, error) { return nil, nil }}
	for _, node := range found.names {
		if _, known := env[node.Value]; !known {
			env[node.Value] = ""
			c.Names = append(c.Names, Name{node.Value, c.offset(node.Location().From)})
		}
	}
	c.program, err = compile(text, env)
	if err != nil {
		return nil, c.located(err)
	}
	switch kind := c.program.Node().Type(); {
	case kind == nil || kind.Kind() == reflect.Bool || kind.Kind() == reflect.String || kind.Kind() == reflect.Interface:
	default:
		return nil, c.errorAt(tree.Node.Location(), fmt.Sprintf("the expression gives a value of type %s: compare it with something", kind))
	}
	return c, nil
}

// unprintable are the letters that no expression holds.
func unprintable(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }

// compile does what expr.Compile does, without the optimizer, which a condition
// does not need and the image need not hold.
func compile(text string, env map[string]any) (*vm.Program, error) {
	config := conf.New(env)
	config.Functions[truthName] = &builtin.Function{Name: truthName, Func: truth}
	config.Visitors = append(config.Visitors, patcher{})
	tree, err := checker.ParseCheck(text, config)
	if err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// Eval evaluates the expression. lookup gives the value of a name, empty when it
// has none. Errors are of type *Error.
func (c *Condition) Eval(lookup func(name string) string) (bool, error) {
	env := map[string]any{stepName: (&meter{}).step}
	for _, name := range c.Names {
		v := lookup(name.Name)
		if len(v) > MaxValue {
			return false, &Error{name.Offset, name.Offset + len(name.Name), fmt.Errorf("the value of %s is %d bytes long: a condition looks at %d at most", name.Name, len(v), MaxValue)}
		}
		env[name.Name] = v
	}
	machine := vm.VM{MemoryBudget: maxList}
	v, err := machine.Run(c.program, env)
	if err != nil {
		return false, c.located(err)
	}
	result, err := truth(v)
	if err != nil {
		return false, &Error{0, len(c.Text), err}
	}
	return result.(bool), nil
}

// located turns an error of the library into one of ours.
func (c *Condition) located(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &Error{0, len(c.Text), err}
	}
	message := at.Message
	switch {
	case message == "unexpected token EOF":
		return &Error{c.offset(at.From), len(c.Text), errUnfinished}
	case message == "literal not terminated":
		start := strings.LastIndexAny(c.Text[:c.offset(at.From)], "\"'`")
		return &Error{max(start, 0), len(c.Text), errors.New("the quote is not closed")}
	case message == "invalid char escape":
		message += ": write two backslashes, or the text in backquotes"
	case strings.Contains(message, "mismatched types string and bool"), strings.Contains(message, "mismatched types bool and string"):
		message += ": a name is true or false by itself, write NAME, or not NAME"
	case strings.Contains(message, "mismatched types string and"), strings.Contains(message, "and string)"):
		message += `: names are strings, write "1", or int(NAME)`
	case message == "memory budget exceeded":
		message = fmt.Sprintf("the lists of the condition have more than %d elements", maxList)
	case message == `unexpected token Operator("=")`:
		message += ": write == to compare"
	}
	return c.errorAt(at.Location, message)
}

// errorAt is a mistake at a place that counts letters.
func (c *Condition) errorAt(at file.Location, message string) error {
	start, end := c.offset(at.From), c.offset(at.To)
	return &Error{start, max(start, end), errors.New(message)}
}

// offset returns the offset in bytes of a letter.
func (c *Condition) offset(letter int) int {
	for at := range c.Text {
		if letter == 0 {
			return at
		}
		letter--
	}
	return len(c.Text)
}

// Unfinished reports whether an expression ends too early.
func Unfinished(err error) bool { return errors.Is(err, errUnfinished) }

var errUnfinished = errors.New("the expression ends too early")
