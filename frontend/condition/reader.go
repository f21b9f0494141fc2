package condition

import (
	"fmt"
	"reflect"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// reader finds the names of an expression, and what conditions leave out of the
// language: each value stands in the text once and each list is no longer than
// what it is made of, so that an evaluation is bounded by the text.
type reader struct {
	names []*ast.IdentifierNode
	// steps is how large all patterns are.
	steps   int
	refused ast.Node
	reason  string
}

// growing are the functions whose result may be larger than all their arguments
// together, that compare all elements with all, or whose result is another one
// the next time.
const growing = " map reduce groupBy repeat replace join toJSON toBase64 uniq now keys values toPairs "

// maxSteps is how large the patterns of an expression are together, in
// instructions of package regexp: each may take part in every letter of a value.
const maxSteps = 2000

// Visit implements ast.Visitor.
func (r *reader) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			r.refuse(n, "$env is not for conditions: write the name")
		}
		if name, ok := strings.CutPrefix(n.Value, "$"); ok && name != "env" {
			r.refuse(n, "names stand without $ here: write "+name)
		}
		r.names = append(r.names, n)
	case *ast.VariableDeclaratorNode:
		r.refuse(n, "let is not for conditions")
	case *ast.CallNode:
		name := "method"
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			name = "function " + callee.Value
		}
		r.refuse(n, "there is no "+name+" for conditions")
	case *ast.BuiltinNode:
		if strings.Contains(growing, " "+n.Name+" ") {
			r.refuse(n, fmt.Sprintf("%s is not for conditions, which ask and do not build text", n.Name))
		}
	case *ast.BinaryNode:
		if n.Operator == "matches" {
			r.pattern(n.Right)
		}
	case *ast.PredicateNode:
		inner := &reader{}
		ast.Walk(&n.Node, predicates{inner})
		if inner.refused != nil {
			r.refuse(inner.refused, "a test of each element holds no other such test: split the condition")
		}
	}
}

// pattern checks the pattern of a matches.
func (r *reader) pattern(node ast.Node) {
	pattern, literal := node.(*ast.StringNode)
	if !literal {
		r.refuse(node, `the pattern of matches has to stand there in quotes: NAME matches "^v[0-9]+"`)
		return
	}
	if r.steps += steps(pattern.Value); r.steps > maxSteps {
		r.refuse(node, fmt.Sprintf("the patterns make %d steps together, the limit is %d: repeat less", r.steps, maxSteps))
	}
}

// steps returns how large a pattern is; the compiler says what is wrong with one
// that does not parse.
func steps(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

func (r *reader) refuse(node ast.Node, reason string) {
	if r.refused == nil {
		r.refused, r.reason = node, reason
	}
}

// predicates refuses every predicate.
type predicates struct{ *reader }

// Visit implements ast.Visitor.
func (p predicates) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.PredicateNode); ok {
		p.refuse(n, "")
	}
}

// truthName and stepName are functions of ours that no text can name.
const (
	truthName = "true or false"
	stepName  = "step of a loop"
)

// patcher lets strings stand where the language wants true or false, and counts
// the work of loops.
type patcher struct{}

// Visit implements ast.Visitor.
func (patcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			wrapTruth(&n.Node)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			wrapTruth(&n.Left)
			wrapTruth(&n.Right)
		}
	case *ast.ConditionalNode:
		wrapTruth(&n.Cond)
	case *ast.PredicateNode:
		w := &weight{}
		ast.Walk(&n.Node, w)
		if kind := n.Node.Type(); kind != nil && kind.Kind() == reflect.String {
			wrapTruth(&n.Node)
		}
		body := n.Node
		step := &ast.CallNode{Callee: &ast.IdentifierNode{Value: stepName}, Arguments: []ast.Node{&ast.IntegerNode{Value: w.total()}, body}}
		step.SetLocation(body.Location())
		step.Callee.SetLocation(body.Location())
		n.Node = step
	}
}

// wrapTruth makes true or false of a value that may be a string.
func wrapTruth(node *ast.Node) {
	kind := (*node).Type()
	if kind != nil && kind.Kind() != reflect.String && kind.Kind() != reflect.Interface {
		return
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: truthName}, Arguments: []ast.Node{*node}}
	call.SetLocation((*node).Location())
	call.Callee.SetLocation((*node).Location())
	*node = call
}

// truth makes true or false of a value: a string is false when it is empty or, in
// any case, 0, false, no or off.
func truth(values ...any) (any, error) {
	switch v := values[0].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "", "0", "false", "no", "off":
			return false, nil
		}
		return true, nil
	}
	return nil, fmt.Errorf("a value of type %T is neither true nor false: compare it with something", values[0])
}

// weight estimates how much work the body of a loop is.
type weight struct{ nodes, sums int }

// Visit implements ast.Visitor.
func (w *weight) Visit(node *ast.Node) {
	w.nodes++
	switch n := (*node).(type) {
	case *ast.BuiltinNode:
		w.nodes += 16
	case *ast.BinaryNode:
		switch pattern, _ := n.Right.(*ast.StringNode); {
		case n.Operator == "+":
			w.sums++ // each copies those before it
		case n.Operator == "matches" && pattern != nil:
			w.nodes += 4 * steps(pattern.Value)
		}
	}
}

func (w *weight) total() int { return w.nodes + w.sums*w.sums }

// maxWork is how much work the loops of one evaluation do.
const maxWork = 100_000

// meter counts the work of one evaluation.
type meter struct{ work int }

// step counts one round of a loop and returns what came out of it.
func (m *meter) step(weight int, result any) (any, error) {
	if m.work += weight; m.work > maxWork {
		return nil, fmt.Errorf("the condition goes over too many elements")
	}
	return result, nil
}
