package tree

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	units "github.com/docker/go-units"
)

// Shown is a path as people read it: one with bytes that are no printable UTF-8 is quoted as Go does.
func Shown(path string) string {
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
