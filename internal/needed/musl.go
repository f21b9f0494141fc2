package needed

import (
	"path"
	"slices"
	"strings"
)

// muslSearch searches for a library as musl's loader does: whichever of the two search
// paths an object has, it holds for all that the object loads too.
func (k *linking) muslSearch(by *mapped, name string) (hits []hit, tried []string, err error) {
	dirs := dirNames(by.chain)
	if h, ok, err := k.first(dirs, name); ok || err != nil {
		return []hit{h}, nil, err
	}
	if h, ok, err := k.first(k.loader.dirs, name); ok || err != nil {
		if err == nil && k.loader.configFile != "" {
			other, _, err := k.first(k.loader.builtIn, name)
			if h.config = err != nil || other.real != h.real; !h.config {
				h.also = other.name
			}
		}
		return []hit{h}, nil, err
	}
	tried = slices.Concat(dirs, k.loader.dirs)
	if k.loader.configFile != "" {
		tried = append(tried, k.loader.configFile)
	}
	return nil, tried, nil
}

// first returns the library of a name in the first directory that has it.
func (k *linking) first(dirs []string, name string) (hit, bool, error) {
	for _, dir := range dirs {
		if !path.IsAbs(dir) {
			continue
		}
		if h, ok, err := k.open(join(dir, name)); ok || err != nil {
			return h, ok, err
		}
	}
	return hit{}, false, nil
}

// muslPath returns the search path of an object. One with a token that musl does not know
// is none.
func (k *linking) muslPath(m *mapped) (_, dirs []searchDir) {
	text := m.obj.rpath.text
	if m.obj.runpath.set {
		text = m.obj.runpath.text
	}
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "$")
		if !ok {
			break
		}
		if !strings.HasPrefix(after, "ORIGIN") && !strings.HasPrefix(after, "{ORIGIN}") {
			return nil, nil
		}
		rest = after
	}
	text = strings.NewReplacer("${ORIGIN}", m.origin(), "$ORIGIN", m.origin()).Replace(text)
	for _, dir := range muslSplit(text) {
		dirs = append(dirs, searchDir{name: dir})
	}
	return nil, dirs
}

// muslSplit splits a list of directories, which ends of lines separate too.
func muslSplit(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '\n' })
}

// muslOwn reports whether a library is the loader itself, which has all of libc in it.
func muslOwn(name string) bool {
	name, ok := strings.CutPrefix(name, "lib")
	if !ok {
		return false
	}
	first, _, ok := strings.Cut(name, ".")
	return ok && slices.Contains([]string{"c", "pthread", "rt", "m", "dl", "util", "xnet"}, first)
}
