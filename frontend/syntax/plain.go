package syntax

import (
	"bytes"
	"regexp"
)

// Plain reports whether data surely holds no extension, not even one in a
// variable, by looking for what each needs. It costs a fraction of Parse: a
// plain Dockerfile is upstream's to parse.
func Plain(data []byte) bool {
	if bytes.Contains(data, []byte(extensionPrefix)) {
		return false // a comment
	}
	for _, at := range sourceFlag.FindAllIndex(data, -1) {
		// the value of a flag or of a field, a call or a variable; a quote or
		// an escape may hide one
		value := data[at[1]:]
		if end := bytes.IndexAny(value, " \t\r\n,"); end >= 0 {
			value = value[:end]
		}
		if len(value) == 0 || bytes.ContainsAny(value, "($\"'\\`") {
			return false
		}
	}
	for _, line := range fromLine.FindAll(data, -1) {
		if bytes.ContainsAny(line, "($\\`") {
			return false
		}
	}
	return !addFrom.Match(data) && !cutWord.Match(data)
}

var (
	sourceFlag = regexp.MustCompile(`(?i)from=`)
	fromLine   = regexp.MustCompile(`(?im)^(?:\x{feff})?\s*FROM\s.*$`)
	// cutWord is a line that may end in the middle of a word looked for here.
	cutWord = regexp.MustCompile(`(?im)(?:^|[\s,-])(?:f|fr|fro|from|a|ad)[\\` + "`" + `][ \t]*\r?$`)
	// addFrom is an ADD with --from in the same line, or one that goes on.
	addFrom = regexp.MustCompile(`(?im)^(?:\x{feff})?\s*(?:ONBUILD\s.*)?ADD\s.*(?:--from|[\\` + "`" + `]\s*$)`)
)
