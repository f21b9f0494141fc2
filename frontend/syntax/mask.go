package syntax

import (
	"bytes"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Upstream's parser takes no flags on ENV and LABEL. A line of them with flags of ours goes to
// it as an ARG of the same bytes and lines, so that all places stay what they are.

// masks are the keywords that stand for others, as long as these.
var masks = map[string]string{command.Env: "ARG", command.Label: "ARG  "}

// mask returns a line with its keyword masked; ok is false for one that needs none.
func mask(line string) (masked string, ok bool) {
	start, end := firstWord(line)
	stand, ok := masks[strings.ToLower(line[start:end])]
	rest := strings.TrimSpace(line[end:])
	if !ok || end == len(line) || !strings.HasPrefix(rest, "--") && rest != "\\" && rest != "`" {
		return line, false
	}
	return line[:start] + stand + line[end:], true
}

// parse has upstream parse the file.
func (f *File) parse() (*parser.Result, error) {
	candidates := map[int]bool{}
	for n := range f.index.starts {
		line, _ := f.index.line(n + 1)
		if _, ok := mask(string(line)); ok {
			candidates[n+1] = true
		}
	}
	for {
		parsed, err := parser.Parse(bytes.NewReader(f.masks(candidates)))
		if err != nil || len(candidates) == 0 {
			return parsed, err
		}
		f.masked = map[int]bool{}
		for _, node := range parsed.AST.Children {
			if candidates[node.StartLine] && node.Value == "ARG" && slices.ContainsFunc(node.Flags, isValuesFlag) {
				f.masked[node.StartLine] = true
			}
		}
		if len(f.masked) == len(candidates) {
			return parsed, nil
		}
		candidates = f.masked // the others are text of something else
	}
}

// isValuesFlag reports whether a flag makes an ENV or LABEL one that takes values.
func isValuesFlag(flag string) bool {
	name, _, _ := strings.Cut(flag, "=")
	return name == "--from" || name == "--file"
}

// masks returns the text of the file with some of its lines masked.
func (f *File) masks(lines map[int]bool) []byte {
	if len(lines) == 0 {
		return f.Data
	}
	out := slices.Clone(f.Data)
	for n := range lines {
		line, at := f.index.line(n)
		masked, _ := mask(string(line))
		copy(out[at:], masked)
	}
	return out
}

// unmask makes the node of a line that was masked what upstream would make of the line. It
// reports whether the node is that of the line.
func (in *Instruction) unmask() bool {
	if !in.file.masked[in.Node.StartLine] {
		return in.logical.text == in.Node.Original
	}
	masked, _ := mask(in.logical.text)
	if masked != in.Node.Original {
		return false
	}
	start, end := firstWord(in.logical.text)
	in.Node.Value, in.Node.Original = in.logical.text[start:end], in.logical.text
	return true
}
