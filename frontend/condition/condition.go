// Package condition reads and evaluates the expressions of --if, IF and LET: text
// in, true or false or a text out. The language is that of
// github.com/expr-lang/expr over names that are strings and over data, without what
// makes time or memory grow faster than these.
package condition

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
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

// Condition is an expression: one that is true or false once its names have
// values, or one that gives a text. Its methods may be called concurrently.
type Condition struct {
	// Text is the expression as written, without the quotes around it.
	Text string
	// Names are those that it looks at, each once, in the order of the text.
	Names []Name
	// Orders are the comparisons by < and its like of two strings.
	Orders []Comparison
	// Equals are the comparisons of a name with a text by == or in.
	Equals []Comparison
	// Peers are the names that such a comparison compares with a name.
	Peers []string
	// Variables are the variables that stand in texts, where they stay as written:
	// Name in Text, between the quotes of the text.
	Variables []Comparison

	program *vm.Program
	data    map[string]bool
}

// Comparison is one between two offsets in bytes.
type Comparison struct {
	Start, End int
	// Name is compared with the text Text; of an order Text is the operator.
	Name, Text string
}

// Options are what the text of an expression does not say.
type Options struct {
	// Data reports whether a name is that of data, not of a string; nil for never.
	Data func(name string) bool
	// Value asks for an expression that gives a text, a number, true or false, or
	// a list of these.
	Value bool
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
func New(text string, opt Options) (*Condition, error) {
	switch {
	case strings.TrimSpace(text) == "" && opt.Value:
		return nil, &Error{0, len(text), errors.New(`an expression is missing: write LET EXT = TARGETOS == "windows" ? ".exe" : ""`)}
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
	c := &Condition{Text: text, data: map[string]bool{}}
	tree, err := parser.Parse(text)
	if err != nil {
		if mistake := foreign(text, err); mistake != nil {
			return nil, mistake
		}
		if mistake := unquoted(text, err, opt.Value); mistake != nil {
			return nil, mistake
		}
		return nil, c.located(err)
	}
	found := &reader{functions: map[ast.Node]bool{}}
	ast.Walk(&tree.Node, found)
	sequence, ok := tree.Node.(*ast.SequenceNode)
	if ok || strings.HasSuffix(strings.TrimSpace(text), ";") {
		if mistake := foreign(text, nil); mistake != nil {
			return nil, mistake
		}
	}
	if ok {
		return nil, c.errorAt(sequence.Nodes[len(sequence.Nodes)-1].Location(), secondExpression)
	}
	if !opt.Value {
		found.noVariable(tree.Node)
		found.noQuotes(tree.Node, opt)
	}
	if found.refused != nil {
		return nil, c.errorAt(found.refused.Location(), found.reason)
	}
	env := map[string]any{meterName: gauge{}}
	for _, node := range found.names {
		if _, known := env[node.Value]; known || found.functions[node] {
			continue
		}
		env[node.Value] = ""
		if opt.Data != nil && opt.Data(node.Value) {
			env[node.Value], c.data[node.Value] = map[string]any{}, true
		}
		c.Names = append(c.Names, Name{node.Value, c.offset(node.Location().From)})
	}
	compared := &comparisons{c: c}
	c.program, err = compile(text, env, compared)
	if err != nil {
		return nil, c.located(err)
	}
	kind := c.program.Node().Type()
	switch {
	case kind == nil || opt.Value:
	case kind.Kind() == reflect.Bool || kind.Kind() == reflect.String || kind.Kind() == reflect.Interface:
	default:
		return nil, c.errorAt(tree.Node.Location(), fmt.Sprintf("the expression gives a value of type %s: compare it with something", kind))
	}
	return c, nil
}

// unprintable are the letters that no expression holds.
func unprintable(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }

// compile does what expr.Compile does, without the optimizer, which a condition
// does not need and the image need not hold.
func compile(text string, env map[string]any, compared ast.Visitor) (*vm.Program, error) {
	config := conf.New(env)
	maps.Copy(config.Functions, table())
	missing := lenient{}
	config.Visitors = append(config.Visitors, missing, compared, patcher{missing})
	tree, err := checker.ParseCheck(text, config)
	if err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// IsData reports whether a name of the expression is that of data.
func (c *Condition) IsData(name string) bool { return c.data[name] }

// Eval evaluates a condition. lookup gives the value of a name: a string, empty
// when it has none, or data. Errors are of type *Error.
func (c *Condition) Eval(lookup func(name string) any) (bool, error) {
	v, err := c.run(lookup)
	if err != nil {
		return false, err
	}
	result, err := truth(v)
	if err != nil {
		return false, &Error{0, len(c.Text), err}
	}
	return result.(bool), nil
}

// Value evaluates an expression that gives a text. The elements of a list stand
// between commas. Errors are of type *Error.
func (c *Condition) Value(lookup func(name string) any) (string, error) {
	v, err := c.run(lookup)
	if err != nil {
		return "", err
	}
	text, err := textOf(v)
	if err != nil {
		return "", &Error{0, len(c.Text), err}
	}
	return text, nil
}

func (c *Condition) run(lookup func(name string) any) (any, error) {
	return c.metered(lookup, &meter{})
}

func (c *Condition) metered(lookup func(name string) any, m *meter) (any, error) {
	env := map[string]any{meterName: gauge{m}}
	for _, name := range c.Names {
		v := lookup(name.Name)
		text, isText := v.(string)
		if isText && len(text) > MaxValue {
			return nil, &Error{name.Offset, name.Offset + len(name.Name), fmt.Errorf("the value of %s is %d bytes long: an expression looks at %d at most", name.Name, len(text), MaxValue)}
		}
		if isText == c.data[name.Name] {
			v = map[bool]any{true: map[string]any{}, false: ""}[c.data[name.Name]] // which nothing gives
		}
		env[name.Name] = v
	}
	machine := vm.VM{MemoryBudget: maxList}
	v, err := machine.Run(c.program, env)
	if err != nil {
		return nil, c.located(err)
	}
	return v, nil
}

// located turns an error of the library into one of ours.
func (c *Condition) located(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &Error{0, len(c.Text), err}
	}
	if mistake := c.dashed(c.offset(at.From)); mistake != nil {
		return mistake
	}
	message := strings.ReplaceAll(at.Message, "interface {}", "any")
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
	case strings.HasPrefix(message, "invalid operation: string "), strings.HasPrefix(message, "invalid operation: ") && strings.HasSuffix(message, " string"):
		message += ": names and data are strings, write " + c.number(c.offset(at.From), c.offset(at.To))
	case strings.Contains(message, "(mismatched types map["), strings.Contains(message, " and map["):
		message = "all of the data is compared with something else: name one of its values, as in DATA.key or DATA[\"key\"]"
	case strings.Contains(message, "mismatched types string and"), strings.Contains(message, "and string)"):
		message += `: names are strings, write "1", or int(NAME)`
	case strings.Contains(message, "takes only array (got map"):
		message = overObject
	case strings.HasPrefix(message, "type string has no field"):
		message += ": names are strings, unless an IMPORT above makes them data (a file that ends in .json)"
	case message == "memory budget exceeded":
		message = fmt.Sprintf("the lists of the condition have more than %d elements", maxList)
	case message == `unexpected token Operator("=")` && c.offset(at.From) == 0:
		message += ": nothing stands in front of it"
	case message == `unexpected token Operator("=")`:
		message += ": write == to compare"
	}
	return c.errorAt(at.Location, message)
}

// maxMessage is how many bytes of a message are shown: some of the library's hold the
// value.
const maxMessage = 500

// errorAt is a mistake at a place that counts letters.
func (c *Condition) errorAt(at file.Location, message string) error {
	start, end := c.offset(at.From), c.offset(at.To)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
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
