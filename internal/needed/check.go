package needed

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// place notes in dst what COPY copies, and returns where each file comes to stand, by where it
// stands in the source.
func place(src, dst *tree, to string, all []copied) (map[string][]string, error) {
	_, at, err := dst.resolve(to)
	if err != nil && !absent(err) {
		return nil, err
	}
	below := strings.HasSuffix(to, "/") || at.isDir()
	places := map[string][]string{}
	for _, c := range all {
		name := path.Clean(to)
		if below || c.ofDir {
			name = path.Join(to, c.below)
		}
		n, err := src.lstat(c.real)
		if err != nil {
			return nil, err
		}
		dir, ok, err := makeDir(dst, path.Dir(name))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue // the COPY itself tells
		}
		real := path.Join(dir, path.Base(name))
		if old, there, err := dst.resolve(name); err == nil && (!c.ofDir || there.isDir()) {
			real = old
			if there.isDir() {
				continue
			}
		} else if err != nil && !absent(err) {
			return nil, err
		}
		n.planned, n.source = true, c.real
		dst.nodes[real] = n
		places[c.real] = append(places[c.real], real)
	}
	return places, nil
}

// makeDir notes the directories that lead to a path, and returns its real path. It is false
// if something else stands there.
func makeDir(t *tree, name string) (string, bool, error) {
	at := "/"
	for _, c := range split(name) {
		to := path.Join(at, c)
		n, err := t.lstat(to)
		if err != nil {
			return "", false, err
		}
		if !n.exists {
			t.nodes[to] = node{mode: fs.ModeDir | 0o755, exists: true, planned: true}
		}
		if at, n, err = t.resolve(to); absent(err) || err == nil && !n.isDir() {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
	}
	return at, true, nil
}

// check looks at the programs in the destination as it will be: they must find there what
// they find in the source.
func check(dst *tree, places map[string][]string, r Result) error {
	known := map[string]bool{}
	for _, all := range places {
		for _, real := range all {
			known[real] = true
		}
	}
	for _, n := range r.Needs {
		real, _, err := dst.resolve(n.Path)
		if err != nil {
			return fmt.Errorf("in the destination: %w", err)
		}
		known[real] = true
	}
	f := newFinder(dst, r.options.Path)
	for _, p := range r.Programs {
		for _, real := range places[p.Real] {
			if p.Origin && path.Dir(real) != path.Dir(p.Real) {
				return fmt.Errorf("%s lies in %s, and its search for libraries, or that of one of them, uses $ORIGIN, the directory of the file: copy it to the same path", show(p.Source), show(path.Dir(p.Real)))
			}
			if _, err := f.program(real, real, p.OfDir); err != nil {
				return fmt.Errorf("in the destination: %w", err)
			}
		}
	}
	for _, n := range f.needs {
		real, _, err := dst.resolve(n.Path)
		if err != nil {
			return fmt.Errorf("in the destination: %w", err)
		}
		if known[real] || n.Config {
			continue
		}
		same, err := copyOf(dst, real, known)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("the destination has a %s of its own, which %s would use there", show(n.Path), n.By)
		}
	}
	return nil
}

// copyOf reports whether a file has the name and the content of one that is known.
func copyOf(t *tree, real string, known map[string]bool) (bool, error) {
	for other := range known {
		n, err := t.lstat(other)
		if err != nil {
			return false, err
		}
		if !n.isFile() || path.Base(other) != path.Base(real) {
			continue
		}
		a, err := t.open(real)
		if err != nil {
			return false, err
		}
		defer a.Close()
		b, err := t.open(other)
		if err != nil {
			return false, err
		}
		defer b.Close()
		if same, err := sameText(a, b); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
