// Package glob matches names that users write as patterns.
package glob

import (
	"path"
	"strings"
)

// Match reports whether a pattern, as package path has them, means a name; a star crosses
// slashes too. Its error is path.ErrBadPattern.
func Match(pattern, name string) (bool, error) { return path.Match(flat(pattern), flat(name)) }

func flat(text string) string { return strings.ReplaceAll(text, "/", "\x00") }
