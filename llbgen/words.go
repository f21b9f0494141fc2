package llbgen

import (
	"encoding/json"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// plain are the letters that stand for themselves in every word.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@-"

// quote writes a value so that a Dockerfile's ARG has it to the letter.
func quote(v string) string {
	if v != "" && strings.IndexFunc(v, func(r rune) bool { return !strings.ContainsRune(plain, r) }) < 0 {
		return v
	}
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
