package needed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

const (
	// maxLinks is how many links the kernel follows in one path.
	maxLinks = 40
	// maxSteps bounds what a hostile tree can make us look up: a whole
	// distribution takes some hundred thousand.
	maxSteps = 20_000_000
	// maxNodes bounds what is kept of a hostile tree.
	maxNodes = 1_000_000
	// maxEntries is how many names are read of one directory of variants.
	maxEntries = 1000
)

var (
	errSteps = fmt.Errorf("the tree asks for more than %d look-ups", maxSteps)
	errNodes = fmt.Errorf("the tree asks for more than %d paths", maxNodes)
)

// A node is what stands at a path, links not followed. The zero node is that
// nothing stands there.
type node struct {
	mode    fs.FileMode
	size    int64
	target  string // of a link
	exists  bool
	planned bool   // it is not in the tree yet
	source  string // where the source tree has it, of what is planned; empty for a new directory
}

func (n node) isDir() bool  { return n.exists && n.mode.IsDir() }
func (n node) isFile() bool { return n.exists && n.mode.IsRegular() }
func (n node) isLink() bool { return n.exists && n.mode&fs.ModeSymlink != 0 }

// A tree is a directory seen as the root by those who live in it: no link and no
// ".." leads out of it. Paths begin with a slash; a real path has no link in it.
// A tree must not change while it is read.
type tree struct {
	ctx   context.Context
	root  *os.Root // nil: an empty tree
	nodes map[string]node
	from  *tree // which has the files of nodes that are planned only
	steps int
}

func openTree(ctx context.Context, dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the tree: %w", err)
	}
	return &tree{ctx: ctx, root: root, nodes: map[string]node{}}, nil
}

func (t *tree) close() {
	if t.root != nil {
		t.root.Close()
	}
}

func (t *tree) step() error {
	if t.steps++; t.steps > maxSteps {
		return errSteps
	}
	if t.steps%1024 == 0 {
		return t.ctx.Err()
	}
	return nil
}

// within is a path as os.Root has it.
func within(real string) string {
	if real == "/" {
		return "."
	}
	return real[1:]
}

// lstat returns the node at a real path.
func (t *tree) lstat(real string) (node, error) {
	if err := t.step(); err != nil {
		return node{}, err
	}
	if n, ok := t.nodes[real]; ok {
		return n, nil
	}
	if len(t.nodes) == maxNodes {
		return node{}, errNodes
	}
	n, err := t.stat(real)
	if err != nil {
		return node{}, fmt.Errorf("reading %s: %w", show(real), plainError(err))
	}
	t.nodes[real] = n
	return n, nil
}

func (t *tree) stat(real string) (node, error) {
	if t.root == nil {
		return node{mode: fs.ModeDir, exists: real == "/"}, nil
	}
	info, err := t.root.Lstat(within(real))
	switch {
	case absent(err) || errors.Is(err, syscall.ENAMETOOLONG):
		return node{}, nil
	case err != nil:
		return node{}, err
	}
	n := node{mode: info.Mode(), size: info.Size(), exists: true}
	if n.isLink() {
		n.target, err = t.root.Readlink(within(real))
	}
	return n, err
}

// absent reports whether an error says that nothing stands at a path.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// resolve follows the links of a path and returns the real path and what is
// there. absent holds for the error of a path that leads nowhere.
func (t *tree) resolve(name string) (string, node, error) {
	at, n := "/", node{mode: fs.ModeDir, exists: true}
	links := 0
	for todo := split(name); len(todo) > 0; {
		c := todo[0]
		todo = todo[1:]
		if !n.isDir() {
			return "", node{}, &fs.PathError{Op: "resolve", Path: name, Err: syscall.ENOTDIR}
		}
		if c == ".." {
			at = path.Dir(at)
			continue
		}
		to := path.Join(at, c)
		next, err := t.lstat(to)
		switch {
		case err != nil:
			return "", node{}, err
		case !next.exists:
			return "", node{}, &fs.PathError{Op: "resolve", Path: name, Err: syscall.ENOENT}
		case next.isLink():
			if links++; links > maxLinks {
				return "", node{}, &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
			}
			todo = append(split(next.target), todo...)
			if path.IsAbs(next.target) {
				at = "/"
			}
		default:
			at, n = to, next
		}
	}
	return at, n, nil
}

// split returns the components of a path that lead somewhere.
func split(name string) []string {
	parts := strings.Split(name, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			kept = append(kept, p)
		}
	}
	return kept
}

// open opens the regular file at a real path for reading.
func (t *tree) open(real string) (*os.File, error) {
	if source := t.nodes[real].source; source != "" {
		return t.from.open(source)
	}
	// what is no regular file must not be waited for
	f, err := t.root.OpenFile(within(real), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", show(real), plainError(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening %s: %w", show(real), err)
	}
	return f, nil
}

// read returns a whole file, or an error if it is longer than limit bytes.
func (t *tree) read(real string, limit int64) ([]byte, error) {
	f, err := t.open(real)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", show(real), err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %s: longer than %d bytes", show(real), limit)
	}
	return data, nil
}

// list returns the names in the directory that a path leads to, sorted; none of
// a path that leads to no directory.
func (t *tree) list(name string) ([]string, error) {
	real, n, err := t.resolve(name)
	if absent(err) || err == nil && !n.isDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := t.names(real, maxEntries)
	if err != nil || t.from == nil {
		return names, err
	}
	for at, n := range t.nodes {
		if n.planned && path.Dir(at) == real {
			names = append(names, path.Base(at))
		}
	}
	return slices.Compact(sorted(names)), nil
}

// names returns the sorted names in the directory at a real path, or an error if there are
// more than limit.
func (t *tree) names(real string, limit int) ([]string, error) {
	if t.root == nil || t.nodes[real].planned {
		return nil, nil
	}
	d, err := t.root.Open(within(real))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", show(real), plainError(err))
	}
	defer d.Close()
	names, err := d.Readdirnames(limit + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %s: %w", show(real), plainError(err))
	}
	if len(names) > limit {
		return nil, fmt.Errorf("%s has more than %d entries", show(real), limit)
	}
	return sorted(names), nil
}

// plainError is an error without the path of a file, which is one of this machine.
func plainError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
