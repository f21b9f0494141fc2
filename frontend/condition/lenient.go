package condition

import "github.com/expr-lang/expr/ast"

// lenient finds the look-ups whose key may be missing: those in front of ??, and
// those that ?. is part of.
type lenient map[*ast.MemberNode]bool

// Visit implements ast.Visitor.
func (l lenient) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		if n.Operator == "??" {
			l.all(n.Left)
		}
	case *ast.ChainNode:
		l.all(n.Node)
	}
}

func (l lenient) all(node ast.Node) {
	for {
		switch n := node.(type) {
		case *ast.MemberNode:
			l[n] = true
			node = n.Node
			continue
		case *ast.ChainNode:
			node = n.Node
			continue
		}
		return
	}
}
