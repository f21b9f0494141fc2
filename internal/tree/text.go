package tree

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	units "github.com/docker/go-units"
)

// longest is how many bytes of a path are shown at its start, and at its end.
const longest = 500

// Shown is a path as people read it: one with bytes that are no printable UTF-8 is quoted as Go does,
// and a very long one lacks its middle.
func Shown(path string) string {
	if len(path) > 2*longest {
		path = strings.ToValidUTF8(path[:longest], "") + "…" + strings.ToValidUTF8(path[len(path)-longest:], "")
	}
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}

// Bytes is a size in decimal units, three digits of it: 6.24MB.
func Bytes(size int64) string {
	if size < 0 {
		return "-" + Bytes(-size)
	}
	return units.HumanSizeWithPrecision(float64(size), 3)
}
