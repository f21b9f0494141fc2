package llbgen

import (
	"encoding/json"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// quote writes a value so that a Dockerfile's ARG has it to the letter.
func quote(v string) string {
	return "'" + strings.ReplaceAll(v, "'", `'"'"'`) + "'"
}

// spell writes the arguments of a COPY.
func spell(c *plan.Copy) string {
	if !c.JSON {
		return strings.Join(c.Words, " ")
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(c.Words) // strings always encode
	return strings.TrimSuffix(out.String(), "\n")
}

// maxLine is how long a line of the text gets: upstream's parser takes 64 KiB.
const maxLine = 60_000

// wrap breaks a line that is too long, where joining it again gives the same.
func wrap(line string, escape byte) string {
	var out strings.Builder
	for len(line) > maxLine {
		at := maxLine
		for at > 1 && (line[at] == ' ' || line[at] == '\t' || line[at] == '#' || line[at-1] == escape || line[at]&0xc0 == 0x80) {
			at--
		}
		out.WriteString(line[:at])
		out.WriteByte(escape)
		out.WriteByte('\n')
		line = line[at:]
	}
	out.WriteString(line)
	return out.String()
}
