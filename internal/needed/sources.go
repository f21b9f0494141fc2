package needed

import (
	"fmt"
	"path"
	"strings"

	copy "github.com/tonistiigi/fsutil/copy" // its name is fs
)

const (
	// maxFiles bounds the files of all sources.
	maxFiles = 1_000_000
	// maxDepth bounds how deep directories lie in a source.
	maxDepth = 2048
)

// sources returns the files that COPY takes for the sources: a named link is followed,
// one in a directory stays a link.
func (f *finder) sources(root string, sources []string) ([]Program, error) {
	var all []Program
	for _, s := range sources {
		// the copier that BuildKit's COPY uses decides what a pattern means
		matches, err := copy.ResolveWildcards(root, path.Join("/", s), true)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", show(s), plainError(err))
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("source %s: nothing matches", show(s))
		}
		for _, m := range matches {
			name := path.Join("/", m)
			real, n, err := f.tree.resolve(name)
			switch {
			case absent(err):
				return nil, fmt.Errorf("source %s: no such file or directory", show(name))
			case err != nil:
				return nil, err
			case n.isDir():
				f.copied = append(f.copied, copied{real: real, ofDir: true})
				all, err = f.walk(all, real, real, 0)
			case n.isFile():
				all = append(all, Program{Source: name, Real: real, Below: path.Base(name)})
				f.copied = append(f.copied, copied{real: real, below: path.Base(name)})
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// walk adds the files of a directory below a source.
func (f *finder) walk(all []Program, source, dir string, depth int) ([]Program, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: directories lie deeper than %d", show(source), maxDepth)
	}
	names, err := f.tree.names(dir, maxFiles)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		at := path.Join(dir, name)
		n, err := f.tree.lstat(at)
		if err != nil {
			return nil, err
		}
		p := Program{Source: at, Real: at, Below: strings.TrimPrefix(at, strings.TrimSuffix(source, "/")+"/"), OfDir: true}
		if len(f.copied) == maxFiles {
			return nil, fmt.Errorf("the sources have more than %d files", maxFiles)
		}
		f.copied = append(f.copied, copied{real: at, below: p.Below, ofDir: true})
		switch {
		case n.isDir():
			if all, err = f.walk(all, source, at, depth+1); err != nil {
				return nil, err
			}
			continue
		case n.isLink():
			led, err := f.ledOut(source, at, n.target)
			if err != nil {
				return nil, err
			}
			if led == "" {
				continue
			}
			p.Real = led
		case !n.isFile():
			continue
		}
		all = append(all, p)
	}
	return all, nil
}

// ledOut returns the program outside of a source that a link of the source leads to, if it
// does, and keeps it as needed: the link comes alone.
func (f *finder) ledOut(source, link, target string) (string, error) {
	real, n, err := f.tree.resolve(link)
	switch {
	case absent(err):
		return "", nil // it leads nowhere in the tree either
	case err != nil:
		return "", err
	case !n.isFile() || strings.HasPrefix(real, strings.TrimSuffix(source, "/")+"/"):
		return "", nil
	}
	obj, err := f.object(real)
	if err != nil {
		return "", err
	}
	if obj == nil && n.mode&0o111 == 0 {
		return "", nil // data
	}
	if !path.IsAbs(target) {
		target = join(path.Dir(link), target)
	}
	return real, f.need(target, show(link), false)
}
