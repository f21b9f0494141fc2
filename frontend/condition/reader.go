package condition

import (
	"errors"
	"fmt"
	"reflect"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// reader finds the names of an expression, and what conditions leave out of the
// language: what grows faster than what it is made of. What is left is counted as it is
// evaluated (meter).
type reader struct {
	names []*ast.IdentifierNode
	// functions are the names that are those of functions.
	functions map[ast.Node]bool
	// steps is how large all patterns are.
	steps   int
	refused ast.Node
	reason  string
}

// growing are the functions whose result may be larger than all their arguments
// together, that compare all elements with all, or whose result is another one
// the next time.
const growing = " reduce groupBy repeat replace toJSON toBase64 uniq now timezone toPairs "

// elsewhere are functions of other languages, in lower case, and what to write.
var elsewhere = map[string]string{
	"toupper": "upper", "uppercase": "upper", "tolower": "lower", "lowercase": "lower",
	"length": "len", "size": "len", "strlen": "len",
	"tostring": "string", "str": "string", "toint": "int", "parseint": "int", "number": "int",
	"env": "the name alone, without quotes", "getenv": "the name alone, without quotes",
}

// secondExpression is the mistake of a sequence, of which only the last part would count.
const secondExpression = "a second expression: join them with && in one, without ;"

// maxSteps is how large the patterns of an expression are together, in
// instructions of package regexp: each may take part in every letter of a value.
const maxSteps = 2000

// Visit implements ast.Visitor.
func (r *reader) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			r.refuse(n, "$env is not for expressions: write the name")
		}
		if name, ok := strings.CutPrefix(n.Value, "$"); ok && name != "env" {
			r.refuse(n, "names stand without $ here: write "+name)
		}
		r.names = append(r.names, n)
	case *ast.VariableDeclaratorNode:
		r.refuse(n, "let is not for expressions")
	case *ast.CallNode:
		name := "method"
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			if limits, ok := named[callee.Value]; ok {
				r.functions[callee] = true
				if len(n.Arguments) < limits[0] || len(n.Arguments) > limits[1] {
					r.refuse(n, fmt.Sprintf("%s takes %d arguments", callee.Value, limits[0]))
				}
				return
			}
			name = "function " + callee.Value
		}
		err := errors.New("there is no " + name + " in expressions")
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && elsewhere[strings.ToLower(callee.Value)] != "" {
			err = fmt.Errorf("%w: write %s", err, elsewhere[strings.ToLower(callee.Value)])
		} else if ok {
			_, err = suggest.WrapErrorMaybe(err, callee.Value, known(), true)
		}
		r.refuse(n, err.Error())
	case *ast.BuiltinNode:
		switch {
		case n.Name == "replace":
			r.refuse(n, `replace is not for expressions: write join(split(NAME, "a"), "b")`)
		case strings.Contains(growing, " "+n.Name+" "):
			r.refuse(n, fmt.Sprintf("%s is not for expressions, which stay small, fast and the same in every build", n.Name))
		}
	case *ast.SequenceNode:
		r.refuse(n.Nodes[len(n.Nodes)-1], secondExpression)
	case *ast.UnaryNode:
		r.noVariable(n.Node)
	case *ast.BinaryNode:
		switch n.Operator {
		case "matches":
			r.noVariable(n.Left)
			r.pattern(n.Right)
		case "+", "??": // make a text
		default:
			r.noVariable(n.Left)
			r.noVariable(n.Right)
		}
	case *ast.PredicateNode:
		inner := &reader{functions: map[ast.Node]bool{}}
		ast.Walk(&n.Node, predicates{inner})
		if inner.refused != nil {
			r.refuse(inner.refused, "a test of each element holds no other such test: split the condition")
		}
	}
}

// variable is a text that was meant for the value of a name.
var variable = pattern.New(`^\$(?:(\w+)|\{(\w+)\})$`)

// noQuotes refuses a condition that is a text with a condition in it, which is always true.
func (r *reader) noQuotes(node ast.Node, opt Options) {
	n, ok := node.(*ast.StringNode)
	if !ok {
		return
	}
	inner, err := New(n.Value, opt)
	if err == nil && len(inner.Names) > 0 && inner.Names[0].Name != n.Value {
		r.refuse(n, "a condition in quotes is a text, which is always true: leave the quotes out")
	}
}

// noVariable refuses a text that is a variable where a value is looked at: it stands
// for itself, so the condition would be the same in every build.
func (r *reader) noVariable(node ast.Node) {
	switch n := node.(type) {
	case *ast.StringNode:
		if name := variable().FindStringSubmatch(n.Value); name != nil {
			r.refuse(n, fmt.Sprintf("%q is a text, not the value of a name: write %s without quotes and $", n.Value, name[1]+name[2]))
		}
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			r.noVariable(item)
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

// patcher lets strings stand where the language wants true or false, counts the
// work, and puts functions of ours in the place of operators that would
// say nothing about a mistake.
type patcher struct{ missing lenient }

// Visit implements ast.Visitor.
func (p patcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			wrapTruth(&n.Node)
		}
	case *ast.MapNode:
		for _, pair := range n.Pairs {
			count(&pair.(*ast.PairNode).Key, once, 0)
		}
	case *ast.MemberNode:
		count(&n.Property, once, 0)
		if kind := n.Node.Type(); kind == nil || kind.Kind() == reflect.Map || kind.Kind() == reflect.Interface || kind.Kind() == reflect.Slice {
			name := memberName
			if p.missing[n] {
				name = maybeName
			}
			call(node, name, n.Node, n.Property)
		}
	case *ast.BuiltinNode:
		metered(n)
		switch {
		case n.Name == "float":
			call(node, finiteName, n)
		case n.Name == "string" && len(n.Arguments) == 1:
			kind := n.Type()
			call(node, stringName, n.Arguments[0])
			(*node).SetType(kind)
		}
	case *ast.CallNode: // one of ours, as nothing else is left
		n.Arguments = append([]ast.Node{meterNode()}, n.Arguments...)
	case *ast.BinaryNode:
		count(&n.Left, over(n.Operator), 0)
		switch n.Operator {
		case "??":
		case "matches":
			count(&n.Left, once, steps(n.Right.(*ast.StringNode).Value))
		default:
			count(&n.Right, over(n.Operator), 0)
		}
		switch n.Operator {
		case "and", "&&", "or", "||":
			wrapTruth(&n.Left)
			wrapTruth(&n.Right)
		case "==", "!=":
			if isOpen(n.Left) || isOpen(n.Right) {
				negate := n.Operator == "!="
				call(node, equalName, meterNode(), n.Left, n.Right)
				if negate {
					not := &ast.UnaryNode{Operator: "not", Node: *node}
					not.SetLocation(n.Location())
					wrapTruth(&not.Node)
					*node = not
				}
			}
		case "in":
			call(node, inName, meterNode(), n.Left, n.Right)
		case "/", "**", "^", "%":
			call(node, finiteName, n)
		}
	case *ast.ConditionalNode:
		wrapTruth(&n.Cond)
	}
}

// over says how an operator goes over its operands: most look at a part only.
func over(operator string) int {
	switch operator {
	case "+", "==", "!=", "<", ">", "<=", ">=":
		return whole
	}
	return once
}

// wrapTruth makes true or false of a value that may be a string.
func wrapTruth(node *ast.Node) {
	kind := (*node).Type()
	if kind != nil && kind.Kind() != reflect.String && kind.Kind() != reflect.Interface {
		return
	}
	call(node, truthName, *node)
}

// isOpen reports whether the type of a value is known only when it is evaluated.
func isOpen(node ast.Node) bool {
	kind := node.Type()
	return kind == nil || kind.Kind() == reflect.Interface
}

// call puts a call of a function in the place of a node.
func call(node *ast.Node, name string, arguments ...ast.Node) {
	at := (*node).Location()
	out := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: arguments}
	out.SetLocation(at)
	out.Callee.SetLocation(at)
	*node = out
}

// comparisons finds comparisons, and variables in texts, of which a check warns.
type comparisons struct{ c *Condition }

// Visit implements ast.Visitor.
func (v *comparisons) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.StringNode:
		for _, found := range variableWithin().FindAllStringSubmatch(n.Value, -1) {
			v.c.Variables = append(v.c.Variables, Comparison{
				Start: v.c.offset(n.Location().From), End: v.c.offset(n.Location().To), Name: found[1] + found[2], Text: found[0],
			})
		}
	case *ast.BinaryNode:
		v.binary(n)
	}
}

// variableWithin finds what is a variable in the words of a Dockerfile.
var variableWithin = pattern.New(`\$(?:(\w+)|\{(\w+)[^}]*\})`)

func (v *comparisons) binary(n *ast.BinaryNode) {
	at := Comparison{Start: v.c.offset(n.Location().From), End: v.c.offset(n.Location().To)}
	isText := func(node ast.Node) bool {
		return node.Type() != nil && node.Type().Kind() == reflect.String || v.ofData(node)
	}
	switch n.Operator {
	case "<", "<=", ">", ">=":
		if isText(n.Left) && isText(n.Right) {
			at.Text = n.Operator
			v.c.Orders = append(v.c.Orders, at)
		}
	case "==", "!=":
		v.equal(at, n.Left, n.Right)
		v.equal(at, n.Right, n.Left)
	case "in":
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			for _, item := range list.Nodes {
				v.equal(at, n.Left, item)
			}
		}
	}
}

// ofData reports whether a node is a value of data, whose scalars are strings.
func (v *comparisons) ofData(node ast.Node) bool {
	for inner := false; ; inner = true {
		switch n := node.(type) {
		case *ast.MemberNode:
			node = n.Node
		case *ast.ChainNode:
			node = n.Node
		case *ast.IdentifierNode:
			return inner && v.c.data[n.Value]
		default:
			return false
		}
	}
}

func (v *comparisons) equal(at Comparison, name, text ast.Node) {
	id, ok := name.(*ast.IdentifierNode)
	if peer, named := text.(*ast.IdentifierNode); ok && named {
		v.c.Peers = append(v.c.Peers, peer.Value)
	}
	literal, ok2 := text.(*ast.StringNode)
	if ok && ok2 {
		at.Start, at.End = v.c.offset(literal.Location().From), v.c.offset(literal.Location().To)
		at.Name, at.Text = id.Value, literal.Value
		v.c.Equals = append(v.c.Equals, at)
	}
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
		if len(v) > len("false") {
			return true, nil
		}
		switch strings.ToLower(v) {
		case "", "0", "false", "no", "off":
			return false, nil
		}
		return true, nil
	}
	return nil, fmt.Errorf("%s is neither true nor false: compare it with something", kindOf(values[0]))
}
