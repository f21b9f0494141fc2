package syntax

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// lines are the blocks that stand between the physical lines of an instruction.
type lines struct {
	// Blocks are in the order of the text.
	blocks []*Block
	// branches are those of the lines that stand in one; markers the lines of the
	// blocks themselves.
	branches map[int]*Branch
	markers  map[int]bool
	// heredoc is the first line of the script; 0 for none.
	heredoc int
	// flags are those of comments above the instruction, mounts the named ones
	// at its line.
	flags  logicalLine
	mounts *mounts

	mu       sync.Mutex
	variants map[string]*Instruction
}

// Inner returns the blocks between the physical lines of the instruction, those
// inside of others behind them.
func (in *Instruction) Inner() []*Block {
	if in.lines == nil {
		return nil
	}
	return in.lines.blocks
}

// findLines finds the blocks between the lines of the instruction: in comments of
// a continued line, and in a heredoc that is the script of a RUN. next is the line
// behind the continued one.
func (in *Instruction) findLines(next int) error {
	f := in.file
	if !nearly().MatchString(f.text[max(in.start, in.leadStart):in.end]) {
		return nil
	}
	found := &lines{branches: map[int]*Branch{}, markers: map[int]bool{}}
	if in.scriptOf() {
		found.heredoc = next
	}
	inner := &blocks{file: f, inner: true}
	for n := in.StartLine + 1; n <= in.EndLine; n++ {
		if n >= next && found.heredoc == 0 {
			break // text
		}
		line, at := f.index.line(n)
		if err := f.refuseBetween(string(line), at, n >= next, inner); err != nil {
			return err
		}
		if marker, ok := innerMarker(string(line), at); ok {
			if err := inner.marker(marker); err != nil {
				return err
			}
			found.markers[n] = true
			continue
		}
		if last := n == in.EndLine || n == next-1; last && inner.open != nil {
			marker := inner.open.Block.Branches[0].Marker
			return marker.Errorf(marker.keyword, "the block has to end above line %d, the last line of the instruction or of its heredoc", n)
		}
		if inner.open != nil {
			found.branches[n] = inner.open
			inner.open.fill()
		}
	}
	if err := inner.finish(); err != nil {
		return err
	}
	if len(inner.all) == 0 {
		return nil
	}
	found.blocks = inner.all
	in.lines = found
	f.Extended = true
	return nil
}

// refuseBetween refuses a comment between continued lines that is an extension, and no
// marker of a block: it would say nothing there. In a script it is a comment of that.
func (f *File) refuseBetween(line string, at int, script bool, inner *blocks) error {
	for _, c := range f.comments(at, at+len(line)) {
		_, end := firstWord(c.text)
		word := c.text[:end]
		if marker := f.isInstruction(c) && (word == ifMarker || word == elseMarker || word == endMarker); marker {
			continue
		}
		switch {
		case script:
			if _, err := f.looksLikeMarker(c, inner); err != nil {
				return err
			}
			if strings.HasPrefix(c.text, "--if=") {
				f.doubt(false, c.offset, c.text, "%s %s is a comment of the script (did you mean #+ IF, and #+ END below the line?)", extensionPrefix, c.text)
			}
		case c.apart == "" && c.flags():
			return f.errorAt(c.offset, c.offset+len(c.text), "flags stand above the instruction, not between its lines")
		case f.isInstruction(c):
			return f.errorAt(c.offset, c.offset+end, "%s stands in front of an instruction, not between its lines", word)
		default:
			if err := f.looksLike(c, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// scriptOf reports whether the heredoc of a RUN is its script, and not what it
// feeds to a command.
func (in *Instruction) scriptOf() bool {
	node := in.Node
	r := readLine(in.logical.text, 0, in.file.Escape)
	if strings.EqualFold(node.Value, command.Onbuild) {
		r = readLine(in.logical.text, r.args.Start, in.file.Escape)
	}
	if !strings.EqualFold(in.logical.text[r.keyword.Start:r.keyword.End], command.Run) {
		return false
	}
	doc, err := parser.ParseHeredoc(in.logical.text[r.args.Start:r.args.End])
	return err == nil && doc != nil
}

// innerMarker returns the text of a line that is a marker in a comment.
func innerMarker(line string, at int) (logicalLine, bool) {
	trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
	text, ok := strings.CutPrefix(trimmed, extensionPrefix)
	if !ok {
		return logicalLine{}, false
	}
	word := strings.TrimLeftFunc(text, unicode.IsSpace)
	_, end := firstWord(word)
	if len(word) == len(text) || !slices.Contains([]string{"IF", "ELSE", "END"}, word[:end]) {
		return logicalLine{}, false
	}
	var out logicalLine
	out.add(strings.TrimRightFunc(word, unicode.IsSpace), at+len(line)-len(word))
	return out, true
}

// fill notes that a line stands in the branch, and in those around it.
func (b *Branch) fill() {
	for ; b != nil; b = b.Block.Parent {
		b.filled = true
		if b.Block.kind == unknownBlock {
			b.Block.kind = lineBlock
		}
	}
}

// within reports whether all branches around a line are taken.
func within(b *Branch, taken map[*Block]*Branch) bool {
	for ; b != nil; b = b.Block.Parent {
		if taken[b.Block] != b {
			return false
		}
	}
	return true
}

// Variant returns the instruction with the lines of the branches that are taken;
// the same one each time. Errors are located.
func (in *Instruction) Variant(taken map[*Block]*Branch) (*Instruction, error) {
	if in.lines == nil {
		return in, nil
	}
	var key strings.Builder
	for _, block := range in.lines.blocks {
		fmt.Fprintf(&key, "%d ", slices.Index(block.Branches, taken[block]))
	}
	in.lines.mu.Lock()
	defer in.lines.mu.Unlock()
	if known, ok := in.lines.variants[key.String()]; ok {
		return known, nil
	}
	v, err := in.variant(taken)
	if err != nil {
		return nil, err
	}
	if in.lines.variants == nil {
		in.lines.variants = map[string]*Instruction{}
	}
	in.lines.variants[key.String()] = v
	return v, nil
}

// maxVariants is how many variants of one instruction Variants looks at.
const maxVariants = 200

// Variants returns variants of the instruction in which each of its branches stands,
// beside the first branches of the other blocks or, where these cannot go together,
// beside as few lines as there may be. An error is that of a branch with which no
// variant was right.
func (in *Instruction) Variants() (list []*Instruction, err error) {
	if in.lines == nil {
		return []*Instruction{in}, nil
	}
	add := func(branch *Branch) {
		var failed error
		for _, most := range []bool{true, false} {
			v, mistake := in.Variant(in.lines.choose(branch, most))
			if mistake == nil {
				list = append(list, v)
				return
			}
			failed = mistake
		}
		err = cmp.Or(err, failed)
	}
	add(nil)
	for _, block := range in.lines.blocks {
		for _, branch := range block.Branches {
			if len(list) < maxVariants {
				add(branch)
			}
		}
	}
	return list, err
}

// choose returns branches to take: that one with those around it, and of other blocks
// the first branch, or else what leaves the least.
func (l *lines) choose(branch *Branch, most bool) map[*Block]*Branch {
	taken := map[*Block]*Branch{}
	for _, block := range l.blocks {
		last := block.Branches[len(block.Branches)-1]
		switch {
		case most:
			taken[block] = block.Branches[0]
		case last.Marker.If == nil:
			taken[block] = last
		}
	}
	for ; branch != nil; branch = branch.Block.Parent {
		taken[branch.Block] = branch
	}
	return taken
}

func (in *Instruction) variant(taken map[*Block]*Branch) (*Instruction, error) {
	f := in.file
	v := &Instruction{
		file: f, StartLine: in.StartLine, EndLine: in.EndLine, leadStart: in.leadStart, start: in.start, end: in.end,
		heredocs: in.heredocs, Branch: in.Branch, global: in.global, flagged: true, Node: &parser.Node{PrevComment: in.Node.PrevComment},
	}
	off := func(n int) bool { return in.lines.markers[n] || !within(in.lines.branches[n], taken) }
	join := newJoiner(f.index, f.Escape)
	join.off = off
	v.logical, _, _ = join.join(in.StartLine, in.EndLine)
	if body := in.body(off); body != nil {
		v.script = body
	}
	if err := v.take(in.lines.flags, in.lines.mounts); err != nil {
		return nil, err
	}
	if err := f.reparse([]*Instruction{v}); err != nil {
		return nil, v.Locate(err)
	}
	if len(v.Node.Heredocs) > 0 && strings.TrimSpace(v.Node.Heredocs[0].Content) == "" && in.lines.heredoc > 0 {
		return nil, v.Errorf(v.keyword, "no line of the heredoc is left")
	}
	words := v.Line[v.arguments.Start:v.arguments.End]
	if strings.HasPrefix(words, "[") && in.jsonForm() && !v.json() {
		return nil, v.Errorf(v.arguments, "the lines that are left are no JSON array: %s", words)
	}
	cmd, err := v.parse()
	if err != nil {
		return nil, v.refuse(err)
	}
	v.Command = cmd
	switch st := in.Stage(); {
	case st == nil:
	case v.Stage() == nil || v.Stage().Name != st.Name:
		return nil, v.Errorf(v.keyword, "the name of a stage stands outside of blocks")
	case len(v.mountFlags) != len(in.mountFlags):
		return nil, v.Errorf(v.keyword, "--mount of a FROM stands outside of blocks: put the condition on the RUN that uses the mount")
	}
	return v, v.checkSources()
}

// First returns the instruction with the lines of the first branch of each block; the
// instruction itself where that is a mistake.
func (in *Instruction) First() *Instruction {
	if v, err := in.firstVariant(); err == nil {
		return v
	}
	return in
}

// firstVariant returns the instruction with the lines of the first branch of each
// block.
func (in *Instruction) firstVariant() (*Instruction, error) {
	taken := map[*Block]*Branch{}
	for _, block := range in.lines.blocks {
		taken[block] = block.Branches[0]
	}
	return in.Variant(taken)
}

// jsonForm reports whether the command looks like a JSON array with all its
// lines.
func (in *Instruction) jsonForm() bool {
	text := in.Line[in.arguments.Start:in.arguments.End]
	return strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
}

// json reports whether upstream read the words of the instruction as JSON.
func (in *Instruction) json() bool {
	node := in.Node
	for in.OnBuild && node.Next != nil && len(node.Next.Children) > 0 {
		node = node.Next.Children[0]
	}
	return node.Attributes["json"]
}

// body returns the heredoc without the lines that are off; nil when there is
// none.
func (in *Instruction) body(off func(int) bool) *string {
	if in.lines.heredoc == 0 {
		return nil
	}
	var out strings.Builder
	for n := in.lines.heredoc; n <= in.EndLine; n++ {
		if line, _ := in.file.index.line(n); !off(n) {
			out.Write(line)
		}
	}
	text := out.String()
	return &text
}
