package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// folded returns the graph as drawings show it: the calls of a set that differ in
// values only are one node with all of them, and so are the nodes behind that differ in
// these values only.
func (g *Graph) folded() *Graph {
	f := &folder{graph: g, calls: make([]*syntax.Reference, len(g.Nodes)), alone: map[int]bool{}}
	f.findShapes()
	for {
		classes := f.classes()
		if !slices.ContainsFunc(classes, f.refuse) {
			return f.join(classes)
		}
	}
}

type folder struct {
	graph *Graph
	// shapes number what nodes are but for their values: equal for nodes that differ in
	// nothing else. calls are what the names of stages say.
	shapes []int
	calls  []*syntax.Reference
	// alone are the nodes that no set stands for.
	alone map[int]bool
}

// findShapes finds the shapes of all nodes, what a node needs first.
func (f *folder) findShapes() {
	known := map[string]int{}
	for id, node := range f.graph.Nodes {
		shape := fmt.Sprintf("%s %s %d", node.Kind, node.File, node.Line)
		if ref, err := syntax.ParseReference(node.Name, syntax.DefaultEscape); node.inst != nil && err == nil {
			f.calls[id] = ref
			shape += " " + ref.Target
		} else if node.Line > 0 {
			f.alone[id] = true
		}
		for _, need := range node.Needs {
			shape += fmt.Sprintf("\n%s %d %d", need.Relation, need.Line, f.shapes[need.Node])
		}
		n, ok := known[shape]
		if !ok {
			n = len(known)
			known[shape] = n
		}
		f.shapes = append(f.shapes, n)
	}
}

// classes returns the nodes that are drawn as one, each class in the order of its
// nodes: they have one shape, and the same ones use them in the same lines.
func (f *folder) classes() [][]int {
	nodes := f.graph.Nodes
	users := make([][]string, len(nodes))
	number := map[string]int{}
	var out [][]int
	for id := len(nodes) - 1; id >= 0; id-- { // users first
		slices.Sort(users[id])
		key := fmt.Sprintf("%d %s", f.shapes[id], strings.Join(slices.Compact(users[id]), " "))
		if f.alone[id] || len(users[id]) == 0 || f.graph.exported(id) {
			key = fmt.Sprintf("#%d", id)
		}
		n, known := number[key]
		if !known {
			n = len(out)
			number[key], out = n, append(out, nil)
		}
		out[n] = append(out[n], id)
		for i, need := range nodes[id].Needs {
			use := fmt.Sprintf("%d/%s/%d", n, need.Relation, need.Line)
			if nodes[need.Node].inst == nil { // of which no set has several
				use += fmt.Sprintf("/%d", i)
			}
			users[need.Node] = append(users[need.Node], use)
		}
	}
	for _, members := range out {
		slices.Reverse(members)
	}
	// what a node needs stands in front of it
	slices.SortFunc(out, func(a, b []int) int { return cmp.Compare(a[len(a)-1], b[len(b)-1]) })
	return out
}

// refuse takes a class of stages apart, unless they are all that the product of their
// values has: only then a set says the same.
func (f *folder) refuse(members []int) bool {
	if len(members) == 1 || f.calls[members[0]] == nil {
		return false
	}
	n, seen := 1, map[string]bool{}
	names := f.names(members)
	for _, name := range names {
		n *= len(f.values(members, name))
	}
	for _, id := range members {
		tuple := ""
		for _, name := range names {
			v, ok := f.graph.Nodes[id].inst.Spelled(name)
			if !ok {
				n = 0
			}
			tuple += fmt.Sprintf("%q", v)
		}
		seen[tuple] = true
	}
	if n == len(members) && n == len(seen) {
		return false
	}
	for _, id := range members {
		f.alone[id] = true
	}
	return true
}

// names returns the bindings of nodes, in the order of the one that has the most.
func (f *folder) names(members []int) []string {
	var most []syntax.Binding
	for _, id := range members {
		if list := f.calls[id].Bindings; len(list) > len(most) {
			most = list
		}
	}
	var out []string
	for _, b := range most {
		out = append(out, b.Name)
	}
	return out
}

// values returns the values that a binding has in nodes, each once.
func (f *folder) values(members []int, name string) []string {
	var out []string
	for _, id := range members {
		if v, _ := f.graph.Nodes[id].inst.Spelled(name); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// join draws each class as one node.
func (f *folder) join(classes [][]int) *Graph {
	at := make([]int, len(f.graph.Nodes))
	for i, members := range classes {
		for _, id := range members {
			at[id] = i
		}
	}
	out := &Graph{}
	for _, build := range f.graph.Builds {
		out.Builds = append(out.Builds, Build{Platform: build.Platform, Root: at[build.Root]})
	}
	for i, members := range classes {
		node := f.graph.Nodes[members[0]]
		node.ID, node.Needs = i, nil
		node.Name, node.Platform = f.name(members)
		for _, id := range members {
			for _, need := range f.graph.Nodes[id].Needs {
				need.Node = at[need.Node]
				if !slices.ContainsFunc(node.Needs, func(other Need) bool { return other.Node == need.Node && other.Relation == need.Relation }) {
					node.Needs = append(node.Needs, need)
				}
			}
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}

// name returns the name of nodes that are one, and the platforms that this name does
// not say.
func (f *folder) name(members []int) (name, platform string) {
	var names, platforms []string
	for _, id := range members {
		node := f.graph.Nodes[id]
		if !slices.Contains(names, node.Name) {
			names = append(names, node.Name)
		}
		if !slices.Contains(platforms, node.Platform) {
			platforms = append(platforms, node.Platform)
		}
	}
	platform = strings.Join(platforms, ", ")
	call := f.calls[members[0]]
	if call == nil || len(members) == 1 {
		return strings.Join(names, ", "), platform
	}
	var bindings []string
	for _, name := range f.names(members) {
		values := f.values(members, name)
		text := values[0]
		if len(values) > 1 {
			text = "[" + strings.Join(values, ",") + "]"
			if name == "TARGETPLATFORM" && len(platforms) > 1 {
				platform = ""
			}
		}
		bindings = append(bindings, name+"="+text)
	}
	return call.Target + "(" + strings.Join(bindings, ",") + ")", platform
}
