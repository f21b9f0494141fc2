package syntax

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Instruction is one instruction of a file.
type Instruction struct {
	// Keyword is the instruction's name in lower case; for ONBUILD that of
	// the trigger, with OnBuild set.
	Keyword string
	OnBuild bool
	// Line is the logical line: continuation lines joined, the flags of
	// comments above added. Spans are offsets in it.
	Line string
	// References are those of the instruction in the order of the text, plain
	// names included.
	References []*Reference
	// Command is upstream's view of the instruction, each reference replaced
	// by its target: an instructions.Command, *instructions.Stage or, before
	// the first FROM, *instructions.ArgCommand.
	Command any
	// Node is what Command was made of.
	Node *parser.Node
	// Flags are those of the instruction in the order of Line; of an ONBUILD
	// those of the trigger.
	Flags []*Flag
	// Arguments is where the words behind the flags start in Line.
	Arguments int
	// StartLine and EndLine are its first and last line, heredocs included,
	// counted from 1.
	StartLine, EndLine int

	// Mounts are the --mount flags of a RUN as written, in the order of those in
	// Line: empty for one that stands elsewhere. Nil when Line has them as
	// written.
	Mounts []string
	// Arg is what the flags of an ARG ask for.
	Arg ArgFlags
	// Let is the expression of a LET, which otherwise is like an ARG of its name; nil
	// for any other instruction.
	Let *Let
	// If is the condition of the instruction; nil for none.
	If *Condition
	// Branch is the side of a block in which it stands; nil for none.
	Branch *Branch
	// IfExists is set for a COPY or ADD that skips sources that do not exist.
	IfExists bool
	// Needed is set for a COPY that brings along what its programs need, NeededFlag is where
	// the flag stands.
	Needed     bool
	NeededFlag Span
	// Bake are the attributes that a FROM gives its target in a bake file.
	Bake []Bake
	// NoCache is set for a RUN that runs in every build.
	NoCache bool
	// Unset is what an UNSET takes away; nil for any other instruction.
	Unset *Unset
	// Values is what an ENV --from or a LABEL --from takes; nil for any other instruction.
	Values *Values
	// Reset is what a FROM --reset takes away, ResetFlag where the flag stands.
	Reset      []Unset
	ResetFlag  Span
	wholeReset bool
	// Squash is set for a FROM that makes one layer of its base, SquashFlag is where the
	// flag stands.
	Squash     bool
	SquashFlag Span
	// MaxSize is how large the stage of a FROM may be, as it is written, MaxSizeFlag where
	// the flag stands; empty for no limit.
	MaxSize     string
	MaxSizeFlag Span

	file    *File
	logical logicalLine
	// leadStart and start are the file's offsets of the comments and blank
	// lines above and of the instruction; heredocs and end those behind it.
	leadStart, start, heredocs, end int
	// lines are the blocks between its physical lines; nil for none.
	lines *lines
	// script is the body of its heredoc where that is not the file's.
	script *string
	// flagged is set when comments above give flags.
	flagged bool
	// outer are the flags of an ONBUILD itself, arguments what stands behind
	// all flags, without the spaces around it.
	outer     []*Flag
	arguments Span
	// dangling is set for an instruction at the end of the file that the line
	// below would continue.
	dangling bool
	// global is set for an ARG before the first FROM.
	global bool
	// unpacks is that of an ADD --from.
	unpacks bool
	// keyword is where Keyword stands, erased what a plain Dockerfile has no
	// word for.
	keyword Span
	erased  []Span
	// existsFlag is where --if-exists stands.
	existsFlag Span
	// mountFlags are the values of FROM --mount.
	mountFlags []Span
}

// ArgFlags are the flags of an ARG.
type ArgFlags struct {
	// Required asks for a value, Global makes stages declare the name.
	Required, Global bool
	// OneOf are the values that are allowed; nil for all.
	OneOf []string
	// Flags is where the first of them stands in the logical line.
	Flags Span
}

// Lead returns the comments and blank lines above the instruction.
func (in *Instruction) Lead() string {
	return in.file.text[in.leadStart:max(in.start, in.leadStart)]
}

// Remarks returns Lead without the comments that are extensions.
func (in *Instruction) Remarks() string {
	lead := in.Lead()
	if !strings.Contains(lead, extensionPrefix) {
		return lead
	}
	var out strings.Builder
	for line := range strings.Lines(lead) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), extensionPrefix); ok {
			c := comment{text: strings.TrimSpace(text)}
			c.spaced = len(c.text) < len(text)
			if c.flags() || in.file.isInstruction(c) {
				continue
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// Text returns the instruction as it stands in the file, heredocs included. What
// follows in another text is no part of it: a line that the end of the file cut
// off is joined.
func (in *Instruction) Text() string {
	if in.dangling {
		return Wrap(in.logical.text, in.file.Escape) + "\n"
	}
	return in.file.text[max(in.start, in.leadStart):in.end]
}

// Heredocs returns the bodies of the heredocs with their end words.
func (in *Instruction) Heredocs() string {
	if in.script != nil {
		return *in.script
	}
	return in.file.text[in.heredocs:in.end]
}

// Conditional reports whether the instruction is there under a condition only, its
// own or that of a block.
func (in *Instruction) Conditional() bool { return in.If != nil || in.Branch != nil }

// Changed reports whether the instruction cannot stand as it is in a plain
// Dockerfile.
func (in *Instruction) Changed() bool {
	return in.flagged || in.AddsFrom() || len(in.erased) > 0 || slices.ContainsFunc(in.References, (*Reference).Extends)
}

// extends reports whether the instruction makes the file one with extensions. A
// variable in a cache mount is a mistake that upstream explains.
func (in *Instruction) extends() bool {
	return in.flagged || in.AddsFrom() || len(in.erased) > 0 || slices.ContainsFunc(in.References, func(r *Reference) bool {
		return r.Call || IsFile(r.Target) || r.Extends() && !r.Cache
	})
}

// Variables returns the names of the variables in a word.
func Variables(word string) []string {
	var out []string
	for _, match := range variables().FindAllStringSubmatch(word, -1) {
		out = append(out, match[1])
	}
	return out
}

// variables finds the names of variables in a word.
var variables = pattern.New(`\$\{?(\w+)`)

// AddsFrom reports whether the instruction is an ADD --from, which a plain
// Dockerfile has no word for: a COPY that unpacks archives.
func (in *Instruction) AddsFrom() bool { return in.Keyword == command.Add && len(in.References) > 0 }

// Unpacks reports whether an ADD --from unpacks archives, as it does without
// --unpack=false.
func (in *Instruction) Unpacks() bool { return in.unpacks }

// Erasures returns the edits, beside those of references, that make the
// logical line that of a plain Dockerfile: an ADD --from becomes a COPY, and
// flags that are ours go.
func (in *Instruction) Erasures() []Edit {
	var edits []Edit
	for _, span := range in.erased {
		edits = append(edits, Edit{span, ""})
	}
	if !in.AddsFrom() {
		return edits
	}
	return append(edits, Edit{in.keyword, strings.ToUpper(command.Copy)})
}

// BehindKeyword is where flags stand.
func (in *Instruction) BehindKeyword() Span { return Span{Start: in.keyword.End, End: in.keyword.End} }

// Edit replaces a span of a logical line.
type Edit struct {
	Span
	Text string
}

// Splice returns the logical line with the edits, which do not overlap, made.
func (in *Instruction) Splice(edits []Edit) string {
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Or(a.Start-b.Start, a.End-b.End) })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		out.WriteString(in.Line[at:e.Start])
		out.WriteString(e.Text)
		at = e.End
	}
	out.WriteString(in.Line[at:])
	return out.String()
}

// SpliceLines is Splice with the line broken where the file breaks it, the comments
// there kept.
func (in *Instruction) SpliceLines(edits []Edit) string {
	edits = slices.Clone(edits)
	behind := -1 // where the piece before ends in the file
	for i, p := range in.logical.pieces {
		if p.file < in.start || p.file >= in.end {
			continue // from a comment, or a mount that is named here
		}
		inside := slices.ContainsFunc(edits, func(e Edit) bool { return e.Start < p.at && p.at < e.End })
		if behind >= 0 && p.file > behind && !inside {
			between := in.file.text[behind:p.file]
			if strings.Contains(between, extensionPrefix) { // the markers of blocks, and what is off
				between = string(in.file.Escape) + "\n"
			}
			if strings.Contains(between, "\n") {
				edits = append(edits, Edit{Span{p.at, p.at}, between})
			}
		}
		end := len(in.logical.text)
		if i+1 < len(in.logical.pieces) {
			end = in.logical.pieces[i+1].at
		}
		behind = p.file + end - p.at
	}
	return in.Splice(edits)
}

// Ranges returns where span stands in the file: line and column counted from 1,
// columns in bytes, the end exclusive.
func (in *Instruction) Ranges(span Span) []parser.Range {
	return []parser.Range{{
		Start: in.file.index.position(in.logical.offset(span.Start, false)),
		End:   in.file.index.position(in.logical.offset(span.End, true)),
	}}
}

// File returns the file in which the instruction stands.
func (in *Instruction) File() *File { return in.file }

// Location returns the lines of the instruction.
func (in *Instruction) Location() []parser.Range {
	return (&parser.Node{StartLine: in.StartLine, EndLine: in.EndLine}).Location()
}

// Extends reports whether the reference is more than a plain Dockerfile allows
// at its place.
func (r *Reference) Extends() bool {
	return r.Call || !r.Base && strings.Contains(r.Target, "$") || IsFile(r.Target)
}

// plain returns what stands for the reference in a plain Dockerfile.
func (r *Reference) plain() string {
	if !r.Base && strings.Contains(r.Target, "$") {
		return "scratch"
	}
	return r.Target
}

// plain returns the logical line as a plain Dockerfile has it: each reference
// replaced by a name.
func (in *Instruction) plain() string {
	return in.Splice(in.Replace((*Reference).plain))
}

// Replace returns the edits that make the logical line that of a plain
// Dockerfile, with each reference replaced by a name.
func (in *Instruction) Replace(name func(*Reference) string) []Edit {
	edits := in.Erasures()
	for _, ref := range in.References {
		if !slices.ContainsFunc(in.erased, func(s Span) bool { return s.Start <= ref.Span.Start && ref.Span.End <= s.End }) {
			edits = append(edits, Edit{ref.Span, name(ref)})
		}
	}
	return edits
}

// PlainFlags returns the flags that upstream has to read in the plain form of the
// line with each reference replaced by a name: what stands around the references
// decides how many flags there are, never the names.
func (in *Instruction) PlainFlags(name func(*Reference) string) []string {
	var names []string
	line := in.Splice(in.Replace(func(ref *Reference) string {
		stand := placeholder(len(names) / 2)
		text := name(ref)
		space := ""
		if text != "" && unicode.IsSpace(rune(text[0])) { // a byte that upstream takes for a space
			space, text = text[:1], text[1:]
		}
		names = append(names, stand, widen(text))
		return space + stand
	}))
	r := readLine(line, 0, in.file.Escape)
	if in.OnBuild {
		r = readLine(line, r.args.Start, in.file.Escape)
	}
	out := make([]string, 0, len(r.flags))
	fill := strings.NewReplacer(names...).Replace
	if len(names) == 2 { // most lines: a replacer costs much
		fill = func(text string) string { return strings.Replace(text, names[0], names[1], 1) }
	}
	for _, f := range r.flags {
		out = append(out, fill(f.Text()))
	}
	return out
}

// placeholder stands for reference number n in a line; no file holds it.
func placeholder(n int) string { return "\x01" + strconv.Itoa(n) + "\x02" }

// Words returns the words of the plain instruction behind its flags; for ONBUILD
// those of the trigger.
func (in *Instruction) Words() []string {
	node := in.Node
	for in.OnBuild && node.Next != nil && len(node.Next.Children) > 0 {
		node = node.Next.Children[0]
	}
	var words []string
	for n := node.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	return words
}

// Stage returns upstream's view of a FROM; nil for another instruction.
func (in *Instruction) Stage() *instructions.Stage {
	st, _ := in.Command.(*instructions.Stage)
	return st
}

// Description returns what the comment above a FROM says of the stage: the line that starts with
// its name. Upstream knows the name of a stage in lower case, and users write it as it stands.
func (in *Instruction) Description() string {
	name := in.Stage().Name
	for _, line := range in.Node.PrevComment {
		if n := len(name); name != "" && len(line) > n && strings.EqualFold(line[:n], name) && line[n] == ' ' {
			return line[n+1:]
		}
	}
	return ""
}

// LastWord returns the span of the line's last word, the destination of a COPY;
// in JSON form that of the whole list.
func (in *Instruction) LastWord() Span {
	line := strings.TrimRightFunc(in.Line, unicode.IsSpace)
	if in.Node.Attributes["json"] {
		return Span{strings.LastIndexByte(line, '['), len(line)}
	}
	return Span{strings.LastIndexFunc(line, unicode.IsSpace) + 1, len(line)}
}
