package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
)

// Block is what stands between IF and END.
type Block struct {
	// Branches are those of IF, of each ELSE IF and of ELSE, in this order. The
	// first one whose condition holds counts, and no other.
	Branches []*Branch
	// Parent is the branch in which the block stands; nil at the top.
	Parent *Branch

	kind   blockKind
	closed bool
}

// Branch is one side of a block.
type Branch struct {
	Block *Block
	// Marker is the line that starts it. Its If is the condition, nil for ELSE.
	Marker *Instruction
	// filled is set once something stands in it.
	filled bool
}

// blockKind is what a block holds.
type blockKind int

const (
	unknownBlock blockKind = iota
	globalBlock            // lines of the global part
	lineBlock              // instructions of one stage
	stageBlock             // whole stages
)

// The markers of blocks.
const (
	ifWord   = "if"
	elseWord = "else"
	endWord  = "end"
)

// strangers are words of other languages for the markers.
var strangers = map[string]string{
	"endif": endMarker, "fi": endMarker, "done": endMarker, "elsefi": endMarker,
	"elif": elseIfMarker, "elsif": elseIfMarker, "elseif": elseIfMarker,
}

// blocks are those that are open at a line of a file.
type blocks struct {
	file *File
	open *Branch
	// inStage is set behind the first FROM.
	inStage bool
	// missed is the line of a comment above that is nearly an IF; 0 for none.
	missed int
	// ended is a block of stages that ended; only a stage may follow.
	ended *Block
	// all are the blocks so far; inner says that they stand between the lines of
	// one instruction.
	all   []*Block
	inner bool
}

// isMarker reports whether a word starts a line of a block, or was meant to.
func (b *blocks) isMarker(word string) bool {
	lower := strings.ToLower(word)
	_, stranger := strangers[lower]
	return lower == ifWord || lower == elseWord || lower == endWord || stranger && len(b.all) > 0
}

// marker reads a line that is IF, ELSE IF, ELSE or END.
func (b *blocks) marker(line logicalLine) error {
	in := &Instruction{file: b.file, Line: line.text, logical: line}
	in.StartLine = b.file.index.position(line.offset(0, false)).Line
	in.EndLine = b.file.index.position(line.offset(len(line.text), true)).Line
	if err := b.read(in); err != nil {
		return in.Locate(err)
	}
	return nil
}

func (b *blocks) read(in *Instruction) error {
	start, end := firstWord(in.Line)
	word := in.Line[start:end]
	in.keyword, in.Keyword = Span{start, end}, strings.ToLower(word)
	rest := trim(in.Line, Span{end, len(in.Line)})
	if meant, ok := strangers[in.Keyword]; ok {
		return errorAt(start, end, "unknown instruction: %s (did you mean %s?)", word, meant)
	}
	switch in.Keyword {
	case ifWord:
		block := &Block{Parent: b.open}
		b.all = append(b.all, block)
		return b.enter(in, block, rest)
	case elseWord:
		if b.open == nil {
			return b.noIf(start, end, elseMarker)
		}
		block := b.open.Block
		if block.Branches[len(block.Branches)-1].Marker.If == nil {
			return errorAt(start, end, "the block has an ELSE on line %d already", block.Branches[len(block.Branches)-1].Marker.StartLine)
		}
		if rest.Start < rest.End {
			from, to := firstWord(in.Line[rest.Start:rest.End])
			if second := in.Line[rest.Start+from : rest.Start+to]; !strings.EqualFold(second, ifWord) {
				return errorAt(rest.Start, rest.End, "only IF and an expression may stand behind ELSE")
			}
			return b.enter(in, block, trim(in.Line, Span{rest.Start + to, rest.End}))
		}
		block.add(in)
		b.open = block.Branches[len(block.Branches)-1]
		b.ended = nil
		return nil
	}
	return b.end(in, rest)
}

// enter starts a branch with a condition.
func (b *blocks) enter(in *Instruction, block *Block, expression Span) error {
	if expression.Start >= expression.End {
		return errorAt(in.keyword.Start, len(strings.TrimSpace(in.Line)), `an expression is missing: write IF TARGETARCH == "arm64"`)
	}
	if startsFlag(in.Line[expression.Start:expression.End]) {
		return errorAt(expression.Start, expression.End, "%s takes no flags: write them on an instruction", strings.ToUpper(in.Keyword))
	}
	c, err := in.bare(expression, false)
	if err != nil {
		return err
	}
	in.If = c
	block.add(in)
	b.open = block.Branches[len(block.Branches)-1]
	b.ended = nil
	return nil
}

func (block *Block) add(in *Instruction) {
	block.Branches = append(block.Branches, &Branch{Block: block, Marker: in})
}

// noIf refuses a marker outside of blocks.
func (b *blocks) noIf(start, end int, marker string) error {
	if b.missed > 0 {
		return errorAt(start, end, "there is no IF above this %s: line %d is a comment (did you mean #+ IF?)", marker, b.missed)
	}
	return errorAt(start, end, "there is no IF above this %s", marker)
}

// end closes the innermost block.
func (b *blocks) end(in *Instruction, rest Span) error {
	switch {
	case b.open == nil:
		return b.noIf(in.keyword.Start, in.keyword.End, endMarker)
	case rest.Start < rest.End:
		return errorAt(rest.Start, rest.End, "nothing may stand behind END")
	}
	block := b.open.Block
	if block.kind == unknownBlock {
		return errorAt(in.keyword.Start, in.keyword.End, "nothing stands in the block that begins on line %d", block.line())
	}
	block.closed = true
	b.open = block.Parent
	b.ended = nil
	if block.kind == stageBlock {
		b.ended = block
	}
	return nil
}

func (block *Block) line() int { return block.Branches[0].Marker.StartLine }

// place gives an instruction its branch, and refuses it where it would cut a
// stage in two.
func (b *blocks) place(in *Instruction, keyword string) error {
	kind := lineBlock
	switch {
	case keyword == command.From:
		kind = stageBlock
		b.inStage = true
	case !b.inStage:
		kind = globalBlock
	}
	if b.ended != nil && kind != stageBlock {
		return errorAt(in.keyword.Start, in.keyword.End, "a stage ends with the block of stages above it (line %d): this line belongs into the block, or behind a FROM", b.ended.line())
	}
	b.ended = nil
	in.Branch = b.open
	for branch := b.open; branch != nil; branch = branch.Block.Parent {
		block := branch.Block
		within := kind
		if block.kind == stageBlock && kind == lineBlock && branch.filled {
			within = stageBlock // a line of a stage that stands in the branch
		}
		switch {
		case block.kind == unknownBlock:
			block.kind = within
		case block.kind == within:
		case within == stageBlock && block.kind == globalBlock:
			return errorAt(in.keyword.Start, in.keyword.End, "the block that begins on line %d holds lines of the global part: end it above the FROM", block.line())
		case within == stageBlock:
			return errorAt(in.keyword.Start, in.keyword.End, "the block that begins on line %d would cut a stage in two: end it above the FROM, or begin it with a FROM", block.line())
		default:
			return errorAt(in.keyword.Start, in.keyword.End, "the block that begins on line %d holds stages: this branch begins with a FROM too", block.line())
		}
		branch.filled = true
	}
	return nil
}

// finish refuses a block that nothing closes.
func (b *blocks) finish() error {
	if b.open == nil {
		return nil
	}
	marker := b.open.Block.Branches[0].Marker
	return marker.Errorf(marker.keyword, "the block is not closed: write END behind its last line")
}

// Taken returns the branch that counts: the first one whose condition holds; nil
// for none. lookup gives the value of a name, empty when it has none. Errors are
// located.
func (block *Block) Taken(lookup func(name string) any) (*Branch, error) {
	for _, branch := range block.Branches {
		on, err := branch.Marker.Holds(lookup)
		if err != nil || on {
			return branch, err
		}
	}
	return nil, nil
}

// Guard is one of the conditions under which a line is there, in words.
type Guard struct {
	// Text follows the words "line 3": " has --if='X'", " stands in IF X (line 2)".
	Text  string
	Names []condition.Name
}

// Conditions returns the conditions under which the instruction is there, the
// outermost first.
func (in *Instruction) Conditions() []Guard {
	var out []Guard
	for branch := in.Branch; branch != nil; branch = branch.Block.Parent {
		g := Guard{Text: fmt.Sprintf(" stands in %s (line %d)", branch, branch.Marker.StartLine)}
		for _, other := range branch.Block.Branches {
			if other.Marker.If != nil {
				g.Names = append(g.Names, other.Marker.If.Names...)
			}
			if other == branch {
				break
			}
		}
		out = append(out, g)
	}
	slices.Reverse(out)
	if in.If != nil {
		out = append(out, Guard{" has --if='" + in.If.Text + "'", in.If.Names})
	}
	return out
}

// String returns the line that starts the branch.
func (b *Branch) String() string { return strings.TrimSpace(b.Marker.Line) }

// When returns the condition of the instruction as one expression; empty for none.
func (in *Instruction) When() string {
	var parts []string
	for branch := in.Branch; branch != nil; branch = branch.Block.Parent {
		own := ""
		for _, other := range branch.Block.Branches {
			if other == branch {
				break
			}
			own = and(own, "not ("+other.Marker.If.Text+")")
		}
		if c := branch.Marker.If; c != nil {
			own = and(own, c.Text)
		}
		parts = append(parts, own)
	}
	out := ""
	for _, part := range parts {
		out = and(part, out)
	}
	if in.If != nil {
		out = and(out, in.If.Text)
	}
	return out
}

func and(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + " && " + b
}
