package condition

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// An evaluation is bounded by what it does, not by the text alone: data may be large.
// Every round of a loop, and every value that a function or an operator goes over, is
// counted before it is looked at (patcher puts the counting into the program).

// maxWork is how much work one evaluation does: a unit is some 50 ns at most.
const maxWork = 1_000_000

// maxCutset is how many bytes the letters have that trim takes away: it looks for each
// letter of the text among them.
const maxCutset = 64

var errWork = errors.New("the expression goes over too much data: ask for less, or put the answer into the data")

// meter counts the work of one evaluation.
type meter struct{ work int }

// gauge is a meter as a program has it: no pointer, which the machine would follow.
type gauge struct{ *meter }

func (m *meter) pay(cost int) error {
	if m.work += cost; m.work > maxWork {
		return errWork
	}
	return nil
}

// How a value is gone over.
const (
	// once: its letters or elements, not what is in these.
	once = iota
	// whole: all of it.
	whole
	// apart: all of it, several times, or into many pieces.
	apart
	// letters are the second argument of trim.
	letters
)

// charge counts the work of going over a value, and returns it: the arguments are the
// meter, how, how many steps each letter takes for a pattern, and the value.
func charge(args ...any) (any, error) {
	m, how, steps, v := args[0].(gauge), args[1].(int), args[2].(int), args[3]
	text, isText := v.(string)
	switch {
	case isText && how == letters && len(text) > maxCutset:
		return nil, fmt.Errorf("trim takes away letters of %d bytes at most", maxCutset)
	case isText && steps > 0:
		return v, m.pay(steps * (len(text) + 1) / 16)
	case isText && how == once:
		return v, m.pay(1 + len(text)/64)
	case how == once:
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			return v, m.pay(1 + list.Len()/8)
		}
		return v, m.pay(1)
	}
	cost := size(v, maxWork-m.work)
	if how == apart {
		cost *= 16
	}
	return v, m.pay(cost)
}

// size returns how much work it is to go over all of a value: more than most when it is
// more.
func size(v any, most int) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 16
	case []any:
		for _, item := range v {
			if n += size(item, most-n); n > most {
				return n
			}
		}
	case []string:
		for _, item := range v {
			n += 1 + len(item)/16
		}
	case map[string]any:
		for key, item := range v {
			if n += len(key)/16 + size(item, most-n); n > most {
				return n
			}
		}
	default:
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			n += list.Len()
		}
	}
	return n
}

// step counts one round of a loop and returns what came out of it.
func step(args ...any) (any, error) {
	return args[2], args[0].(gauge).pay(args[1].(int))
}

// weight is how much work the body of a loop is whatever it goes over.
type weight struct{ nodes int }

// Visit implements ast.Visitor.
func (w *weight) Visit(node *ast.Node) {
	w.nodes++
	if _, ok := (*node).(*ast.BuiltinNode); ok {
		w.nodes += 8
	}
}

// Functions of the library that look at the first letters or elements of their
// arguments only, or at none; and those for which going over a value once is not all.
const (
	shallow = " len get type first last take "
	heavy   = " split splitAfter flatten fromJSON fromBase64 sort median trim date duration "
)

// metered puts the counting in front of the arguments of a function.
func metered(n *ast.BuiltinNode) {
	if last := len(n.Arguments) - 1; last > 0 {
		if body, ok := n.Arguments[last].(*ast.PredicateNode); ok {
			loop(n, body)
		}
	}
	for i := range n.Arguments {
		how := whole
		switch name := " " + n.Name + " "; {
		case n.Name == "trim" && i == 1:
			how = letters
		case strings.Contains(shallow, name):
			how = once
		case strings.Contains(heavy, name):
			how = apart
		}
		count(&n.Arguments[i], how, 0)
	}
}

// loop puts the counting into each round of a loop, and true or false in the place of
// a string that its body gives where that is a test.
func loop(n *ast.BuiltinNode, body *ast.PredicateNode) {
	if isOpen(n.Arguments[0]) {
		call(&n.Arguments[0], listName, n.Arguments[0])
	}
	w := &weight{}
	ast.Walk(&body.Node, w)
	switch n.Name {
	case "map", "sortBy", "sum":
	default:
		wrapTruth(&body.Node)
	}
	kind := body.Node.Type()
	call(&body.Node, stepName, meterNode(), &ast.IntegerNode{Value: w.nodes}, body.Node)
	body.Node.SetType(kind)
}

// count puts a call of charge around a node, unless its values are small.
func count(node *ast.Node, how, steps int) {
	switch n := (*node).(type) {
	case *ast.PredicateNode, *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		if _, ok := n.(*ast.StringNode); !ok || how != letters {
			return
		}
	}
	kind := (*node).Type()
	switch kind.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64:
		return
	}
	call(node, chargeName, meterNode(), &ast.IntegerNode{Value: how}, &ast.IntegerNode{Value: steps}, *node)
	(*node).SetType(kind)
}

func meterNode() ast.Node { return &ast.IdentifierNode{Value: meterName} }
