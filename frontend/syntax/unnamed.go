package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// UnnamedError is the mistake of a call that passes a value by its place.
type UnnamedError struct {
	Target, Value string
	// Args are the ARGs of the stage, where they are known.
	Args []string
}

func (e *UnnamedError) Error() string {
	text := fmt.Sprintf("values are passed by name in the call of %s: write ", e.Target)
	switch {
	case slices.Contains(e.Args, e.Value):
		return text + e.Value + "=value"
	case len(e.Args) == 1:
		return text + e.Args[0] + "=" + e.Value
	}
	text += "NAME=" + e.Value + ", with the ARG for NAME"
	if len(e.Args) > 1 {
		text += " (it has " + strings.Join(e.Args, ", ") + ")"
	}
	return text
}

// unnamed adds the ARGs of the stage that is called to such a mistake.
func unnamed(err error, nodes []*parser.Node) error {
	var (
		mistake *UnnamedError
		at      *diagnostic.Diagnostic
	)
	if !errors.As(err, &mistake) || !errors.As(err, &at) {
		return err
	}
	return diagnostic.At(at.Place, &UnnamedError{mistake.Target, mistake.Value, argsOf(nodes, mistake.Target)})
}

// argsOf returns the ARGs of the stages of a name.
func argsOf(nodes []*parser.Node, stage string) []string {
	var out []string
	inside := false
	for _, node := range nodes {
		var words []string
		for n := node.Next; n != nil; n = n.Next {
			words = append(words, n.Value)
		}
		switch strings.ToLower(node.Value) {
		case command.From:
			inside = len(words) == 3 && strings.EqualFold(words[1], "as") && strings.EqualFold(words[2], stage)
		case command.Arg:
			for _, word := range words {
				if name, _, _ := strings.Cut(word, "="); inside && isName(name) && !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}
