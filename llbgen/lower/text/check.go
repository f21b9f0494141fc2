package text

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// shape is what upstream's parser makes of an instruction.
type shape struct {
	keyword      string
	flags, words []string
	json         bool
	heredocs     []parser.Heredoc
	trigger      *shape
}

// inner returns the instruction that has flags and words: that of a trigger.
func (s *shape) inner() *shape {
	if s.trigger != nil {
		return s.trigger
	}
	return s
}

func shapeOf(node *parser.Node) shape {
	s := shape{keyword: node.Value, flags: node.Flags, json: node.Attributes["json"], heredocs: node.Heredocs}
	if node.Next != nil && len(node.Next.Children) > 0 {
		inner := shapeOf(node.Next.Children[0])
		s.trigger = &inner
		return s
	}
	for n := node.Next; n != nil; n = n.Next {
		s.words = append(s.words, n.Value)
	}
	return s
}

// describe tells an instruction for an error.
func (s shape) describe() string {
	if s.trigger != nil {
		return s.keyword + " " + s.trigger.describe()
	}
	return fmt.Sprintf("%s %q %q %v", s.keyword, s.flags, s.words, s.heredocs)
}

// is reports whether upstream's parser made the shape.
func (s *shape) is(node *parser.Node) bool {
	if node.Value != s.keyword || !slices.Equal(node.Flags, s.flags) || !slices.Equal(node.Heredocs, s.heredocs) {
		return false
	}
	inner := node.Next != nil && len(node.Next.Children) > 0
	if inner || s.trigger != nil {
		return inner && s.trigger != nil && s.trigger.is(node.Next.Children[0])
	}
	n := node.Next
	for _, word := range s.words {
		if n == nil || n.Value != word {
			return false
		}
		n = n.Next
	}
	return n == nil && node.Attributes["json"] == s.json
}

// same reports whether two nodes are the same instruction.
func same(a, b *parser.Node) bool {
	if a.Value != b.Value || !slices.Equal(a.Flags, b.Flags) || !slices.Equal(a.Heredocs, b.Heredocs) || a.Attributes["json"] != b.Attributes["json"] || len(a.Children) != len(b.Children) {
		return false
	}
	for i, child := range a.Children {
		if !same(child, b.Children[i]) {
			return false
		}
	}
	if a.Next == nil || b.Next == nil {
		return a.Next == b.Next
	}
	return same(a.Next, b.Next)
}

// Bytes returns the text. Nothing may be built of it before Check has said yes.
func (w *Writer) Bytes() []byte { return w.out.Bytes() }

// Check holds the text against the instructions that were written: upstream has to
// read these in it. Anything else is an error of this program.
func (w *Writer) Check() error {
	parsed, err := parser.Parse(bytes.NewReader(w.out.Bytes()))
	if err != nil {
		return fmt.Errorf("internal error: the lowered text is no Dockerfile: %w", err)
	}
	nodes := parsed.AST.Children
	for i := range w.written {
		want := &w.written[i]
		var difference string
		switch {
		case i >= len(nodes):
			difference = "it is not there"
		case nodes[i].StartLine != want.line:
			difference = fmt.Sprintf("line %d of the lowered text starts another instruction", nodes[i].StartLine)
		default:
			difference = want.differs(nodes[i])
		}
		if difference != "" {
			return want.error(difference)
		}
	}
	if len(nodes) > len(w.written) {
		return w.written[len(w.written)-1].error(fmt.Sprintf("%d instructions stand behind it", len(nodes)-len(w.written)))
	}
	return nil
}

// differs says in what a node is not what was written; empty when it is.
func (w *written) differs(node *parser.Node) string {
	want := w.shape
	switch {
	case want != nil && want.is(node), want == nil && same(w.in.Node, node):
		return ""
	case want == nil:
		verbatim := shapeOf(w.in.Node)
		want = &verbatim
	}
	return fmt.Sprintf("%s, not %s", shapeOf(node).describe(), want.describe())
}

func (w *written) error(difference string) error {
	err := fmt.Errorf("internal error: the lowered instruction is not the one of the file: %s", difference)
	if w.in == nil {
		return err
	}
	return w.in.Locate(err)
}
