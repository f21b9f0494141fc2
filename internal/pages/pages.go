// Package pages reads the tables, headings and links of Markdown pages, for tests that
// hold documentation to the code.
package pages

import (
	"regexp"
	"strings"
	"unicode"
)

// Section returns what stands below a heading of the second level, up to the next one;
// empty where there is no such heading.
func Section(text, heading string) string {
	_, rest, ok := strings.Cut("\n"+text, "\n## "+heading+"\n")
	if !ok {
		return ""
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return section
}

// Rows returns the cells of all rows of tables, without their heads.
func Rows(text string) [][]string {
	var rows [][]string
	head := true // whether the rows are those above the line of dashes
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			head = true
		case strings.HasPrefix(line, "| ---"):
			head = false
		case !head:
			rows = append(rows, cells(line))
		}
	}
	return rows
}

// cells parts a row at its bars, but for those behind a backslash.
func cells(line string) []string {
	const bar = "\x00"
	line = strings.ReplaceAll(strings.Trim(line, "|"), `\|`, bar)
	var out []string
	for cell := range strings.SplitSeq(line, "|") {
		out = append(out, strings.TrimSpace(strings.ReplaceAll(cell, bar, "|")))
	}
	return out
}

var code = regexp.MustCompile("`([^`]+)`")

// Code returns the pieces of a text that stand in backquotes.
func Code(text string) []string {
	var out []string
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

var (
	fence = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	link  = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	head  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
)

// Links returns the targets of the links of a page, in the order of the page. What stands in
// blocks of code and in backquotes is none.
func Links(text string) []string {
	var out []string
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), "code"), -1) {
		out = append(out, m[1])
	}
	return out
}

// Anchors returns what GitHub calls the headings of a page in links.
func Anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range head.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		var anchor strings.Builder
		for _, r := range strings.ToLower(link.ReplaceAllString(m[1], "$1")) {
			switch {
			case r == ' ':
				anchor.WriteByte('-')
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				anchor.WriteRune(r)
			}
		}
		out[anchor.String()] = true
	}
	return out
}
