package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Variants returns how many instructions in stands for: one for each call of a
// set.
func (i *Instance) Variants(in *syntax.Instruction) int {
	n := 1
	for _, ref := range in.References {
		n = max(n, len(i.Edges[ref]))
	}
	return n
}

// copyOf returns the arguments of a COPY for one call: the names that the call
// binds are replaced by its values, all else waits for the build.
func (p *planner) copyOf(in *syntax.Instruction, c *call) (*Copy, error) {
	if len(c.values) == 0 {
		return nil, nil
	}
	words := in.Words()
	if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "$") }) {
		return nil, nil
	}
	bound := boundNames{c: c, escape: string(in.File().Escape)}
	lex := shell.NewLex(in.File().Escape)
	lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
	out := &Copy{JSON: in.Node.Attributes["json"]}
	changed := false
	for _, word := range words {
		text, _, err := lex.ProcessWord(word, bound)
		if err != nil {
			return nil, in.Locate(err)
		}
		changed = changed || text != word
		out.JSON = out.JSON || strings.ContainsAny(text, " \t\v\f\r")
		out.Words = append(out.Words, text)
	}
	if !changed {
		return nil, nil
	}
	out.Shown = out.shown(in)
	return out, nil
}

// shown returns the words as a user would write them: without the JSON around them and
// the escapes in front of what a value has.
func (c *Copy) shown(in *syntax.Instruction) []string {
	escape := string(in.File().Escape)
	plain := strings.NewReplacer(escape+escape, escape, escape+"$", "$", escape+`"`, `"`, escape+"'", "'")
	out := make([]string, len(c.Words))
	same := c.JSON == in.Node.Attributes["json"]
	for i, word := range c.Words {
		out[i] = plain.Replace(word)
		if strings.ContainsAny(word, " \t\v\f\r") {
			out[i] = `"` + out[i] + `"`
		}
		same = same && out[i] == word
	}
	if same {
		return nil
	}
	return out
}

// boundNames are the names that a COPY takes from its call, their values
// escaped so that they stand for themselves in a word.
type boundNames struct {
	c      *call
	escape string
}

// Get implements shell.EnvGetter.
func (b boundNames) Get(name string) (string, bool) {
	v, ok := b.c.values[name]
	if !ok && b.c.platform != nil && slices.Contains(platformNames[:], name) {
		platform := b.c.platform
		v, ok = map[string]string{
			"TARGETOS": platform.OS, "TARGETOSVERSION": platform.OSVersion,
			"TARGETARCH": platform.Architecture, "TARGETVARIANT": platform.Variant,
			"TARGETMACHINE": machineOf(*platform).name, "TARGETTRIPLE": machineOf(*platform).triple,
		}[name], true
	}
	return strings.NewReplacer(b.escape, b.escape+b.escape, "$", b.escape+"$", `"`, b.escape+`"`, "'", b.escape+"'").Replace(v), ok
}

// Keys implements shell.EnvGetter; nothing asks for them.
func (b boundNames) Keys() []string { return nil }

// RuleSameDestination warns of calls of one COPY that write one file into a directory.
var RuleSameDestination = diagnostic.NewRule("SameDestination", "Calls of one COPY that write a file of one name into a directory: the last one stays")

// refuseCollisions refuses calls of one COPY that write the same file. Into a directory they write one
// of the same name, unless what they copy is the content of directories, which nobody knows before
// the build: that is a warning.
func (p *planner) refuseCollisions(in *syntax.Instruction, edges []Edge) error {
	if len(edges) < 2 {
		return nil
	}
	cmd, ok := in.Command.(*instructions.CopyCommand)
	if !ok {
		return nil
	}
	const collide = "%s and %s both write %s: name what differs in the destination, or where the source is a directory end both in /"
	first := map[string]string{}
	for _, e := range edges {
		dest, sources := cmd.DestPath, cmd.SourcePaths
		if e.Copy != nil {
			last := len(e.Copy.Words) - 1
			dest, sources = e.Copy.Words[last], e.Copy.Words[:last]
		}
		if !strings.HasSuffix(dest, "/") {
			if other, taken := first[dest]; taken {
				return in.Errorf(in.LastWord(), collide, other, e.Call, dest)
			}
			first[dest] = e.Call
			continue
		}
		for _, source := range sources {
			if strings.ContainsAny(source, "*?[") || strings.HasSuffix(source, "/") || strings.HasSuffix(source, ".") {
				continue
			}
			if _, behind, ok := strings.Cut(source, "/./"); ok && cmd.Parents {
				source = behind
			} else if !cmd.Parents {
				source = path.Base(source)
			}
			written := path.Join(dest, source)
			if other, taken := first[written]; taken && other != e.Call {
				p.warnOnce(RuleSameDestination, in, in.Place(in.LastWord()), collide, other, e.Call, written)
			}
			first[written] = e.Call
		}
	}
	return nil
}
