package report

import (
	"fmt"
	"strconv"
	"strings"
)

// Text draws the graph as a tree for a terminal, from what is exported down to
// the images. What a node needs is drawn where it comes up first; ↑ says that it
// is further up.
func (g *Graph) Text() string {
	g = g.folded()
	t := &drawing{graph: g, drawn: map[int]bool{}}
	for i, build := range g.Builds {
		if i > 0 {
			t.out.WriteByte('\n')
		}
		root := g.Nodes[build.Root]
		t.out.WriteString(label(root, "") + " (" + build.Platform + ")\n")
		t.children(root, "", build.Platform)
	}
	return t.out.String()
}

type drawing struct {
	graph *Graph
	drawn map[int]bool
	out   strings.Builder
}

// children draws what node needs, each line behind indent. platform is what
// was drawn above.
func (t *drawing) children(node Node, indent, platform string) {
	t.drawn[node.ID] = true
	for i, need := range node.Needs {
		branch, below := "├── ", "│   "
		if i == len(node.Needs)-1 {
			branch, below = "└── ", "    "
		}
		to := t.graph.Nodes[need.Node]
		t.out.WriteString(indent + branch + strings.ToUpper(string(need.Relation)) + " " + label(to, platform))
		again := t.drawn[to.ID] && len(to.Needs) > 0
		if again {
			t.out.WriteString(" ↑")
		}
		t.out.WriteByte('\n')
		if !again {
			next := platform
			if to.Platform != "" {
				next = to.Platform
			}
			t.children(to, indent+below, next)
		}
	}
}

// label names a node, with its platform where that is not the one around it.
func label(node Node, platform string) string {
	text := node.Name
	if node.Kind == Context {
		text += " (named context)"
	}
	if node.MaxSize != "" {
		text += " (at most " + node.MaxSize + ")"
	}
	if platform != "" && node.Platform != "" && node.Platform != platform {
		text += " (" + node.Platform + ")"
	}
	return text
}

// Mermaid draws the graph as a Mermaid flowchart, in the order of the build.
func (g *Graph) Mermaid() string {
	g = g.folded()
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	quote := strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;")
	for _, node := range g.Nodes {
		text := quote.Replace(node.Name)
		if node.Platform != "" {
			text += "<br/>" + quote.Replace(node.Platform)
		}
		open, closed := "[", "]"
		switch {
		case g.exported(node.ID):
			open, closed = "[[", "]]"
		case node.Kind == Image, node.Kind == Scratch:
			open, closed = "([", "])"
		case node.Kind == Context:
			open, closed = "[(", ")]"
		}
		fmt.Fprintf(&out, "  n%d%s\"%s\"%s\n", node.ID, open, text, closed)
	}
	for _, node := range g.Nodes {
		for _, need := range node.Needs {
			arrow := "-->"
			if need.Relation != From {
				arrow = "-. " + string(need.Relation) + " .->"
			}
			fmt.Fprintf(&out, "  n%d %s n%d\n", need.Node, arrow, node.ID)
		}
	}
	return out.String()
}

// DOT draws the graph in the language of Graphviz, in the order of the build.
func (g *Graph) DOT() string {
	g = g.folded()
	var out strings.Builder
	out.WriteString("digraph stages {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, node := range g.Nodes {
		text := node.Name
		if node.Platform != "" {
			text += "\n" + node.Platform
		}
		attributes := "label=" + quoteDOT(text)
		switch {
		case g.exported(node.ID):
			attributes += ", peripheries=2"
		case node.Kind == Image, node.Kind == Scratch:
			attributes += ", shape=ellipse"
		case node.Kind == Context:
			attributes += ", shape=folder"
		}
		fmt.Fprintf(&out, "  n%d [%s];\n", node.ID, attributes)
	}
	for _, node := range g.Nodes {
		for _, need := range node.Needs {
			style := ""
			if need.Relation != From {
				style = " [style=dashed, label=" + strconv.Quote(string(need.Relation)) + "]"
			}
			fmt.Fprintf(&out, "  n%d -> n%d%s;\n", need.Node, node.ID, style)
		}
	}
	out.WriteString("}\n")
	return out.String()
}

// quoteDOT quotes a string of DOT, in which only quotes and backslashes are
// special.
func quoteDOT(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

func (g *Graph) exported(id int) bool {
	for _, build := range g.Builds {
		if build.Root == id {
			return true
		}
	}
	return false
}
