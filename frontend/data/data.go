// Package data reads the JSON files that IMPORT makes names of expressions: all
// scalars are strings, as the file writes them.
package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The limits of a data file (docs/reference/limits.md).
const (
	// MaxSize is how many bytes it has.
	MaxSize = 1 << 20
	// MaxDepth is how deep objects and lists nest.
	MaxDepth = 64
)

// Error is a mistake in a data file, between two offsets in bytes.
type Error struct {
	Start, End int
	Err        error
}

// Error says what is wrong, not where.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the mistake.
func (e *Error) Unwrap() error { return e.Err }

const byteOrderMark = "\ufeff"

// Read returns what a file holds: a map[string]any, or a []any, of these and of
// strings. A key whose value is null is missing; in a list null is nil. Errors are
// of type *Error.
func Read(text []byte) (any, error) {
	if len(text) > MaxSize {
		return nil, &Error{0, 0, fmt.Errorf("the file has %d bytes, the limit of data is %d", len(text), MaxSize)}
	}
	if at := invalid(text); at < len(text) {
		return nil, &Error{at, at + 1, errors.New("the file is not UTF-8")}
	}
	r := &reader{text: text, at: len(text) - len(bytes.TrimPrefix(text, []byte(byteOrderMark)))}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.space()
	switch r.text[r.at] {
	case '{', '[':
		return r.value(0)
	}
	return nil, &Error{r.at, r.scalarEnd(), errors.New("data is an object or a list, not a single value")}
}

// invalid returns the offset of the first byte that is not UTF-8; that of the end
// when all are.
func invalid(text []byte) int {
	at := 0
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

// reader goes through a text that is JSON.
type reader struct {
	text []byte
	at   int
}

// check has encoding/json say what is no JSON.
func (r *reader) check() error {
	var all json.RawMessage
	err := json.Unmarshal(r.text[r.at:], &all)
	var broken *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &broken):
		return &Error{r.at, r.at, err}
	case len(bytes.TrimSpace(r.text[r.at:])) == 0:
		return &Error{r.at, r.at, errors.New("the file is empty: data is an object or a list")}
	case int(broken.Offset) >= len(r.text)-r.at && strings.HasPrefix(broken.Error(), "unexpected end"):
		return &Error{len(r.text), len(r.text), errors.New("the JSON ends too early: a bracket or a quote is not closed")}
	}
	start := r.at + max(int(broken.Offset)-1, 0)
	_, n := utf8.DecodeRune(r.text[start:])
	return &Error{start, start + n, fmt.Errorf("the JSON is broken: %w", broken)}
}

func (r *reader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// scalarEnd returns the end of the number or word that starts here, or of the
// string.
func (r *reader) scalarEnd() int {
	if r.text[r.at] != '"' {
		n := bytes.IndexAny(r.text[r.at:], ",]} \t\r\n")
		if n < 0 {
			return len(r.text)
		}
		return r.at + n
	}
	end := r.at + 1
	for r.text[end] != '"' {
		if r.text[end] == '\\' {
			end++
		}
		end++
	}
	return end + 1
}

// value reads what starts here; of nested values, outer ones are around it.
func (r *reader) value(outer int) (any, error) {
	switch r.text[r.at] {
	case '{', '[':
		if outer == MaxDepth {
			return nil, &Error{r.at, r.at + 1, fmt.Errorf("objects and lists nest more than %d deep", MaxDepth)}
		}
		if r.text[r.at] == '{' {
			return r.object(outer + 1)
		}
		return r.list(outer + 1)
	case '"':
		return r.string()
	}
	start := r.at
	r.at = r.scalarEnd()
	if text := string(r.text[start:r.at]); text != "null" {
		return text, nil
	}
	return nil, nil
}

func (r *reader) string() (string, error) {
	start := r.at
	r.at = r.scalarEnd()
	quoted := r.text[start:r.at]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		return "", &Error{start, r.at, err}
	}
	// encoding/json puts another letter in the place of half of one
	if strings.Count(out, "\ufffd") > bytes.Count(quoted, []byte("\ufffd"))+bytes.Count(bytes.ToLower(quoted), []byte(`\ufffd`)) {
		return "", &Error{start, r.at, errors.New("the string holds half of a surrogate pair, which is no letter")}
	}
	return out, nil
}

// more goes behind the bracket or the comma here, to the next element; false at
// the end, which it passes.
func (r *reader) more(end byte) bool {
	if r.text[r.at] != end {
		r.at++
		r.space()
	}
	if r.text[r.at] == end {
		r.at++
		return false
	}
	return true
}

func (r *reader) list(outer int) (any, error) {
	out := []any{}
	for r.more(']') {
		v, err := r.value(outer)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		r.space()
	}
	return out, nil
}

func (r *reader) object(outer int) (any, error) {
	out, seen := map[string]any{}, map[string]int{}
	for r.more('}') {
		start := r.at
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if first, twice := seen[key]; twice {
			return nil, &Error{start, r.at, fmt.Errorf("the key %.80q stands here a second time: the first one is on line %d", key, Line(r.text, first))}
		}
		seen[key] = start
		r.space()
		r.at++ // the colon
		r.space()
		v, err := r.value(outer)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[key] = v
		}
		r.space()
	}
	return out, nil
}

// Line returns the line on which an offset stands, counted from 1.
func Line(text []byte, at int) int { return bytes.Count(text[:at], []byte("\n")) + 1 }

// Column returns its column, counted from 1 in bytes.
func Column(text []byte, at int) int { return at - bytes.LastIndexByte(text[:at], '\n') }
