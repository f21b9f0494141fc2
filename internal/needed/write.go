package needed

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	copy "github.com/tonistiigi/fsutil/copy" // its name is fs
)

// A Copy says where needed files come from and go to.
type Copy struct {
	Tree string // the directory that Find was given
	Into string // the destination's tree, the sources copied into it; it is only read
	To   string // where COPY put the sources in it: an absolute path that ends with a slash if the text does
	Out  string // an empty directory, which gets what the destination lacks
}

// Write copies what the destination lacks of what is needed, with owners, modes, times and
// extended attributes. It is an error if the programs would not use it there.
func Write(ctx context.Context, c Copy, r Result) error {
	src, err := openTree(ctx, c.Tree)
	if err != nil {
		return err
	}
	defer src.close()
	dst, err := openTree(ctx, c.Into)
	if err != nil {
		return err
	}
	defer dst.close()
	dst.from = src
	entries, err := plan(src, dst, r.Needs)
	if err == nil {
		err = check(dst, c.To, r)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.copy(ctx, e); err != nil {
			return fmt.Errorf("copying %s: %w", show(e.Source), plainError(err))
		}
	}
	// what was put into a directory changed its time
	for _, e := range slices.Backward(entries) {
		if !e.Mode.IsDir() {
			continue
		}
		info, err := os.Lstat(filepath.Join(c.Tree, e.Source))
		if err == nil {
			err = os.Chtimes(filepath.Join(c.Out, e.Path), info.ModTime(), info.ModTime())
		}
		if err != nil {
			return fmt.Errorf("copying %s: %w", show(e.Source), plainError(err))
		}
	}
	return nil
}

// copy copies an entry alone with the copier of BuildKit's COPY, which keeps what that
// keeps. As there, a file system that cannot store an extended attribute is no error.
func (c Copy) copy(ctx context.Context, e Entry) error {
	opts := []copy.Opt{copy.AllowXAttrErrors}
	if e.Mode.IsDir() {
		opts = append(opts, func(i *copy.CopyInfo) { i.ExcludePatterns = []string{"*"} })
	}
	return copy.Copy(ctx, c.Tree, e.Source, c.Out, e.Path, opts...)
}

// check looks at the programs in the destination as it will be: they must find there what
// they find in the source.
func check(dst *tree, to string, r Result) error {
	known := map[string]bool{}
	for _, n := range r.Needs {
		real, _, err := dst.resolve(n.Path)
		if err != nil {
			return fmt.Errorf("in the destination: %w", err)
		}
		known[real] = true
	}
	_, at, err := dst.resolve(to)
	if err != nil && !absent(err) {
		return err
	}
	below := strings.HasSuffix(to, "/") || at.isDir()
	f := newFinder(dst, r.Options.Path)
	for _, p := range r.Programs {
		name := path.Clean(to)
		if below || p.OfDir {
			name = path.Join(to, p.Below)
		}
		real, n, err := dst.resolve(name)
		if err != nil && !absent(err) {
			return err
		}
		if err != nil {
			real = name
		}
		if p.Origin && path.Dir(real) != path.Dir(p.Real) {
			return fmt.Errorf("%s is found in %s, and its search for libraries uses $ORIGIN, its own directory: copy it to the same path", show(p.Source), show(path.Dir(p.Real)))
		}
		if err != nil || !n.isFile() {
			continue
		}
		if _, err := f.program(name, real, p.OfDir); err != nil {
			return fmt.Errorf("in the destination: %w", err)
		}
		known[real] = true
	}
	for _, n := range f.needs {
		real, _, err := dst.resolve(n.Path)
		if err != nil {
			return fmt.Errorf("in the destination: %w", err)
		}
		if !known[real] && !n.Config {
			return fmt.Errorf("the destination has a %s of its own, which %s would use there", show(n.Path), n.By)
		}
	}
	return nil
}
