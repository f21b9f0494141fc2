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

// insert puts other into l at offset at.
func (l *logicalLine) insert(at int, other logicalLine) {
	var out logicalLine
	cut := func(from, to int) {
		for i, p := range l.pieces {
			end := len(l.text)
			if i+1 < len(l.pieces) {
				end = l.pieces[i+1].at
			}
			if a, b := max(p.at, from), min(end, to); a < b {
				out.add(l.text[a:b], p.file+a-p.at)
			}
		}
	}
	cut(0, at)
	for i, p := range other.pieces {
		end := len(other.text)
		if i+1 < len(other.pieces) {
			end = other.pieces[i+1].at
		}
		out.add(other.text[p.at:end], p.file)
	}
	cut(at, len(l.text))
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
	continuation *regexp.Regexp
}

func newJoiner(index *lineIndex, escape rune) *joiner {
	token := regexp.QuoteMeta(string(escape))
	return &joiner{index, regexp.MustCompile(`([^` + token + `])` + token + `[ \t]*$|^` + token + `[ \t]*$`)}
}

// join returns the logical line that starts at line first, and the line behind
// it: that of its first heredoc body if it has one. last is where the
// instruction ends at most.
func (j *joiner) join(first, last int) (l logicalLine, next int) {
	var text strings.Builder
	n := first
	add := func(part []byte, file int) {
		if len(part) > 0 {
			l.pieces = append(l.pieces, piece{text.Len(), file})
			text.Write(part)
		}
	}
	defer func() { l.text = text.String() }()
	for ; n <= last; n++ {
		raw, at := j.index.line(n)
		if n == 1 {
			if trimmed := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")); len(trimmed) < len(raw) {
				raw, at = trimmed, at+len(raw)-len(trimmed)
			}
		}
		part := bytes.TrimRight(raw, "\r\n")
		trimmed := bytes.TrimLeftFunc(part, unicode.IsSpace)
		if n == first {
			part, at = trimmed, at+len(part)-len(trimmed)
		} else if len(trimmed) == 0 || trimmed[0] == '#' {
			continue // empty and comment lines between continuation lines
		}
		match := j.continuation.FindSubmatchIndex(part)
		if match == nil {
			add(part, at)
			return l, n + 1
		}
		end := match[0]
		if match[2] >= 0 {
			end = match[3]
		}
		add(part[:end], at)
	}
	return l, n
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
