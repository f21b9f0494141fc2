package syntax

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// letInstruction computes a value: LET NAME = expression.
const letInstruction = "let"

// Let is a computed value.
type Let struct {
	Name     string
	NameSpan Span
	*Condition
}

// letUsage is the form of the instruction.
const letUsage = `write LET EXT = TARGETOS == "windows" ? ".exe" : ""`

// let reads a LET. To the rest of the compiler it declares its name as an ARG
// does.
func (r *fileReader) let(in *Instruction) error {
	if err := r.own(in, letInstruction, in.scanLet); err != nil {
		return err
	}
	in.Command = &instructions.ArgCommand{Args: []instructions.KeyValuePairOptional{{Key: in.Let.Name}}}
	in.Node = &parser.Node{Value: "ARG", Original: "ARG " + in.Let.Name, Next: &parser.Node{Value: in.Let.Name}, StartLine: in.StartLine, EndLine: in.EndLine}
	return nil
}

func (in *Instruction) scanLet() error {
	for _, f := range in.Flags {
		if done, err := in.condition(f); err != nil {
			return err
		} else if !done {
			return errorAt(f.Span.Start, f.Span.End, "LET takes no flag but --if: %s", letUsage)
		}
	}
	at := in.arguments
	text := in.Line[at.Start:at.End]
	name, _, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	in.Let = &Let{Name: name, NameSpan: Span{at.Start, at.Start + len(name)}}
	switch {
	case text == "":
		return errorAt(in.keyword.Start, in.keyword.End, "a name and an expression are missing: %s", letUsage)
	case !ok:
		return errorAt(at.Start, at.End, "the = is missing: %s", letUsage)
	case !isName(name):
		return errorAt(at.Start, at.Start+max(len(name), 1), "%q cannot be a name: letters, digits and _ are allowed, a letter first", name)
	case isPlatformArg(name) || BuildWide(name):
		return errorAt(at.Start, at.Start+len(name), "%s means something to every build: it cannot be computed", name)
	case in.file.DataOf(name) != nil:
		return errorAt(at.Start, at.Start+len(name), "%s is the name of data already", name)
	}
	var err error
	in.Let.Condition, err = in.bare(trim(in.Line, Span{at.Start + strings.IndexByte(text, '=') + 1, at.End}), true)
	return err
}

// Value evaluates the expression of a LET. lookup gives the value of a name: a
// string, or data. Errors are located.
func (in *Instruction) Value(lookup func(name string) any) (string, error) {
	text, err := in.Let.Value(lookup)
	if err != nil {
		return "", in.Locate(in.Let.mistake(err))
	}
	return text, nil
}

// refuseInner refuses blocks between the lines of an instruction that is ours.
func (f *File) refuseInner(in *Instruction) error {
	for n := in.StartLine + 1; n <= in.EndLine; n++ {
		line, at := f.index.line(n)
		if marker, ok := innerMarker(string(line), at); ok {
			start := marker.offset(0, false)
			return f.errorAt(start, start+len(marker.text), "no block stands between the lines of a %s: put the block around it", strings.ToUpper(in.Node.Value))
		}
		for _, c := range f.comments(at, at+len(line)) {
			if err := f.looksLike(c, &blocks{file: f}); err != nil {
				return err
			}
		}
	}
	return nil
}

// BuildWide reports whether a build arg is one on which upstream's converter acts
// by itself, in all stages of a build.
func BuildWide(name string) bool {
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", "SOURCE_DATE_EPOCH":
		return true
	}
	return strings.HasPrefix(name, "BUILDKIT_")
}
