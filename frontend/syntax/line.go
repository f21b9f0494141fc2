package syntax

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// logicalLine is an instruction's text with its continuation lines joined, as
// upstream's parser joins them, and the way back to the file.
type logicalLine struct {
	text string
	// pieces are the parts of the text that stand in one line of the file.
	pieces []piece
}

// piece says that the text from offset at on is the file's from offset file on.
type piece struct {
	at, file int
}

// add appends text that stands at offset file.
func (l *logicalLine) add(text string, file int) {
	if text == "" {
		return
	}
	l.pieces = append(l.pieces, piece{len(l.text), file})
	l.text += text
}

// offset returns the file's offset of the text's offset at. An offset between
// two pieces belongs to the first one when end is set.
func (l *logicalLine) offset(at int, end bool) int {
	found := piece{}
	for _, p := range l.pieces {
		if p.at > at || end && p.at == at && at > 0 {
			break
		}
		found = p
	}
	return found.file + at - found.at
}

// append appends other.
func (l *logicalLine) append(other logicalLine) {
	for i, p := range other.pieces {
		end := len(other.text)
		if i+1 < len(other.pieces) {
			end = other.pieces[i+1].at
		}
		l.add(other.text[p.at:end], p.file)
	}
}

// slice returns the part of l between two offsets.
func (l *logicalLine) slice(from, to int) logicalLine {
	var out logicalLine
	for i, p := range l.pieces {
		end := len(l.text)
		if i+1 < len(l.pieces) {
			end = l.pieces[i+1].at
		}
		if a, b := max(p.at, from), min(end, to); a < b {
			out.add(l.text[a:b], p.file+a-p.at)
		}
	}
	return out
}

// insert puts other into l at offset at.
func (l *logicalLine) insert(at int, other logicalLine) {
	out := l.slice(0, at)
	out.append(other)
	out.append(l.slice(at, len(l.text)))
	*l = out
}

// lineIndex knows where the lines of a file start.
type lineIndex struct {
	data   []byte
	starts []int
}

func newLineIndex(data []byte) *lineIndex {
	x := &lineIndex{data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' && i+1 < len(data) {
			x.starts = append(x.starts, i+1)
		}
	}
	return x
}

// line returns line n, counted from 1, with its line end, and its offset.
func (x *lineIndex) line(n int) ([]byte, int) {
	start := x.starts[n-1]
	return x.data[start:x.end(n)], start
}

// end returns the offset behind line n.
func (x *lineIndex) end(n int) int {
	if n < len(x.starts) {
		return x.starts[n]
	}
	return len(x.data)
}

// position returns line and column, both counted from 1; columns are bytes.
func (x *lineIndex) position(offset int) parser.Position {
	lo, hi := 0, len(x.starts)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; x.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return parser.Position{Line: lo + 1, Character: offset - x.starts[lo] + 1}
}

// joiner joins continuation lines under an escape token.
type joiner struct {
	index        *lineIndex
	escape       []byte
	continuation *regexp.Regexp
}

func newJoiner(index *lineIndex, escape rune) *joiner {
	token := regexp.QuoteMeta(string(escape))
	return &joiner{index, []byte(string(escape)), regexp.MustCompile(`([^` + token + `])` + token + `[ \t]*$|^` + token + `[ \t]*$`)}
}

// join returns the logical line that starts at line first, and the line behind
// it: that of its first heredoc body if it has one. last is where the
// instruction ends at most. dangling is set when the last line would go on.
func (j *joiner) join(first, last int) (l logicalLine, next int, dangling bool) {
	part, at := j.line(first)
	trimmed := bytes.TrimLeftFunc(part, unicode.IsSpace)
	part, at = trimmed, at+len(part)-len(trimmed)
	end := j.continues(part)
	if end < 0 {
		return logicalLine{string(part), []piece{{0, at}}}, first + 1, false
	}
	var text strings.Builder
	add := func(part []byte, file int) {
		if len(part) > 0 {
			l.pieces = append(l.pieces, piece{text.Len(), file})
			text.Write(part)
		}
	}
	add(part[:end], at)
	dangling = true
	for next = first + 1; next <= last; next++ {
		part, at = j.line(next)
		if trimmed = bytes.TrimLeftFunc(part, unicode.IsSpace); len(trimmed) == 0 || trimmed[0] == '#' {
			continue // empty and comment lines between continuation lines
		}
		if end = j.continues(part); end < 0 {
			add(part, at)
			next++
			dangling = false
			break
		}
		add(part[:end], at)
	}
	l.text = text.String()
	return l, next, dangling
}

// line returns line n without its line end and a byte order mark, and its offset.
func (j *joiner) line(n int) ([]byte, int) {
	raw, at := j.index.line(n)
	if n == 1 {
		trimmed := bytes.TrimPrefix(raw, []byte(byteOrderMark))
		raw, at = trimmed, at+len(raw)-len(trimmed)
	}
	return bytes.TrimRight(raw, "\r\n"), at
}

// continues returns how much of a line counts when the next one continues it,
// and -1 when it does not.
func (j *joiner) continues(part []byte) int {
	if !bytes.HasSuffix(bytes.TrimRight(part, " \t"), j.escape) {
		return -1
	}
	match := j.continuation.FindSubmatchIndex(part)
	switch {
	case match == nil:
		return -1
	case match[2] >= 0:
		return match[3]
	}
	return match[0]
}

// firstWord returns where the first word of s starts and ends.
func firstWord(s string) (start, end int) {
	start = len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	end = start
	for end < len(s) && !isSpace(s[end]) {
		end++
	}
	return start, end
}

// maxLine is how long a line may get: upstream's parser takes 64 KiB.
const maxLine = 60_000

// Wrap breaks a logical line that is too long, where joining it again gives the same.
func Wrap(line string, escape rune) string {
	if len(line) <= maxLine {
		return line
	}
	var out strings.Builder
	for len(line) > maxLine {
		at := maxLine
		for at > 1 && (line[at] == ' ' || line[at] == '\t' || line[at] == '#' || rune(line[at-1]) == escape || line[at]&0xc0 == 0x80) {
			at--
		}
		out.WriteString(line[:at])
		out.WriteRune(escape)
		out.WriteByte('\n')
		line = line[at:]
	}
	out.WriteString(line)
	return out.String()
}
