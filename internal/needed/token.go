package needed

import (
	"path"
	"slices"
	"strings"
)

// The names that glibc's loader replaces in paths, as $NAME and ${NAME}.
const (
	tokenOrigin   = "ORIGIN"
	tokenLib      = "LIB"
	tokenPlatform = "PLATFORM"
)

// token returns the name at the beginning of a text that follows a dollar sign, and its
// length with braces; length 0 is none.
func token(text string) (string, int) {
	name, braces := strings.CutPrefix(text, "{")
	for _, t := range []string{tokenOrigin, tokenPlatform, tokenLib} {
		rest, ok := strings.CutPrefix(name, t)
		if !ok {
			continue
		}
		if braces && strings.HasPrefix(rest, "}") {
			return t, len(t) + 2
		}
		if !braces && (rest == "" || !isWord(rest[0])) {
			return t, len(t)
		}
	}
	return "", 0
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// usesOrigin reports whether a search path or name has $ORIGIN in it.
func usesOrigin(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "$")
		if !ok {
			return false
		}
		if t, _ := token(rest); t == tokenOrigin {
			return true
		}
		text = rest
	}
}

// expand replaces the tokens of a text that an object has. $PLATFORM gives several.
func (k *linking) expand(m *mapped, text string) []string {
	all := []string{text}
	if strings.Contains(text, "$"+tokenPlatform) || strings.Contains(text, "${"+tokenPlatform+"}") {
		all = slices.Repeat(all, len(platforms[m.obj.machine]))
	}
	for i := range all {
		var b strings.Builder
		for rest := all[i]; ; {
			before, after, ok := strings.Cut(rest, "$")
			b.WriteString(before)
			if !ok {
				break
			}
			name, n := token(after)
			switch name {
			case tokenOrigin:
				b.WriteString(m.origin())
			case tokenLib:
				b.WriteString(k.loader.lib)
			case tokenPlatform:
				b.WriteString(platforms[m.obj.machine][i])
			default:
				b.WriteByte('$')
			}
			rest = after[n:]
		}
		all[i] = b.String()
	}
	return all
}

// only returns a name of a library without its tokens, for the processor that
// every other can stand for; false if none is known.
func (k *linking) only(m *mapped, name string) (string, bool) {
	if !strings.Contains(name, "$") {
		return name, true
	}
	all := k.expand(m, name)
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

// expandPath returns the directories of a search path. Those that depend on the working
// directory of a process are left out: it is not known.
func (k *linking) expandPath(m *mapped, text string) []searchDir {
	var dirs []searchDir
	for element := range strings.SplitSeq(text, ":") {
		all := k.expand(m, element)
		for i, dir := range all {
			if path.IsAbs(dir) {
				dirs = append(dirs, searchDir{name: dir, some: i < len(all)-1})
			}
		}
	}
	return dirs
}
