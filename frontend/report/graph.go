// Package report turns plans into what users read: the stage graph of a build,
// the stages of a file with their parameters, and its targets as a bake file.
package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/platforms"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Graph is the stage graph of a build. Its JSON form is described by
// docs/schemas/graph.json.
type Graph struct {
	// Builds has an entry for each platform that the build asks for.
	Builds []Build `json:"builds"`
	// Nodes are the stage instances, images and contexts, each behind those
	// that it needs. Builds share the nodes in which they do not differ.
	Nodes []Node `json:"nodes"`
}

// Build is what comes out for one platform.
type Build struct {
	Platform string `json:"platform"`
	// Root is the node that is exported.
	Root int `json:"root"`
}

// Kind is what a node is.
type Kind string

// The kinds of nodes.
const (
	Stage   Kind = "stage"
	Image   Kind = "image"
	Context Kind = "context"
	Scratch Kind = "scratch"
)

// Node is an instance of a stage, an image, a named context or scratch.
type Node struct {
	ID   int  `json:"id"`
	Kind Kind `json:"kind"`
	// Name is how a user would write it: build(PKG=./cmd/api).
	Name string `json:"name"`
	// Platform is what it runs on; empty for scratch.
	Platform string `json:"platform,omitempty"`
	// Stage is the name of the stage, Bindings what calls bind in it.
	Stage       string            `json:"stage,omitempty"`
	Bindings    map[string]string `json:"bindings,omitempty"`
	Description string            `json:"description,omitempty"`
	File        string            `json:"file,omitempty"`
	Line        int               `json:"line,omitempty"`
	// MaxSize is how large the stage may be, as the user wrote it.
	MaxSize string `json:"maxSize,omitempty"`
	Needs   []Need `json:"needs,omitempty"`

	// inst is what a stage was drawn from.
	inst *plan.Instance
}

// Relation is how a stage uses a node.
type Relation string

// The relations between nodes.
const (
	From  Relation = "from"
	Copy  Relation = "copy"
	Add   Relation = "add"
	Mount Relation = "mount"
	// After is a gate: it has to build, and nothing of it is taken.
	After Relation = "after"
	// With is an operand: what it changed is added.
	With Relation = "with"
	// Env and Label are ENV --from and LABEL --from, which take values.
	Env   Relation = "env"
	Label Relation = "label"
)

// Need is what a stage uses.
type Need struct {
	Node     int      `json:"node"`
	Relation Relation `json:"relation"`
	Line     int      `json:"line"`
}

// NewGraph draws the plans of one build, one for each platform. file is the
// file's name.
func NewGraph(plans []*plan.Plan, file string) *Graph {
	b := &builder{file: file, graph: &Graph{}, ids: map[string]int{}}
	for _, p := range plans {
		b.graph.Builds = append(b.graph.Builds, Build{
			Platform: platforms.FormatAll(p.Root.Env.Platform),
			Root:     b.instance(p.Root),
		})
	}
	return b.graph
}

// JSON returns the graph as docs/schemas/graph.json describes it.
func (g *Graph) JSON() ([]byte, error) { return json.MarshalIndent(g, "", "  ") }

type builder struct {
	file  string
	graph *Graph
	ids   map[string]int // of nodes, by what tells them apart
}

func (b *builder) add(key string, node Node) int {
	node.ID = len(b.graph.Nodes)
	b.ids[key] = node.ID
	b.graph.Nodes = append(b.graph.Nodes, node)
	return node.ID
}

// instance adds an instance behind all that it needs.
func (b *builder) instance(inst *plan.Instance) int {
	key := inst.Key()
	if id, ok := b.ids[key]; ok {
		return id
	}
	from := inst.From
	node := Node{
		Kind:        Stage,
		Name:        inst.Name,
		Platform:    platforms.FormatAll(inst.Platform()),
		Stage:       inst.Stage.Name,
		Bindings:    bindings(inst),
		Description: from.Description(),
		File:        b.fileOf(inst),
		Line:        from.StartLine,
		inst:        inst,
	}
	if limit := inst.Limit(); limit != nil {
		node.MaxSize = limit.Text
	}
	if inst.Replaced {
		node.Kind = Context
		return b.add(key, node)
	}
	for use := range inst.StageUses() {
		if use.Kind == plan.KindAncestor {
			continue
		}
		node.need(b.edge(use.Edge), relation(use), use.In)
	}
	return b.add(key, node)
}

func (b *builder) edge(e plan.Edge) int {
	if e.To != nil && e.To.Bare {
		e = e.To.Base // an image
	}
	if e.To != nil {
		return b.instance(e.To)
	}
	node := Node{Kind: Image, Name: e.Name, Platform: platforms.FormatAll(*e.Platform)}
	switch {
	case e.Context:
		node.Kind = Context
	case e.Name == "scratch":
		node.Kind, node.Platform = Scratch, ""
	}
	key := fmt.Sprintf("%s %s %s", node.Kind, node.Name, node.Platform)
	if id, ok := b.ids[key]; ok {
		return id
	}
	return b.add(key, node)
}

// need notes that the node uses another, each once in each way.
func (n *Node) need(id int, how Relation, in *syntax.Instruction) {
	if !slices.ContainsFunc(n.Needs, func(other Need) bool { return other.Node == id && other.Relation == how }) {
		n.Needs = append(n.Needs, Need{Node: id, Relation: how, Line: in.StartLine})
	}
}

func relation(use plan.Use) Relation {
	switch use.Kind {
	case plan.KindGate:
		return After
	case plan.KindMount:
		return Mount
	case plan.KindOperand:
		return With
	}
	return Relation(use.In.Keyword) // from, copy, add, env or label
}

// bindings returns the bindings on which the instance depends.
func bindings(inst *plan.Instance) map[string]string {
	out := maps.Clone(inst.Env.Bound)
	maps.DeleteFunc(out, func(name, _ string) bool { return !inst.DependsOn(name) })
	return out
}

// fileOf returns the name of the file in which the stage stands.
func (b *builder) fileOf(inst *plan.Instance) string {
	if f := inst.Env.File(); !f.Main {
		return f.Name
	}
	return b.file
}
