package needed

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	copy "github.com/tonistiigi/fsutil/copy" // its name is fs
)

// A Copy says where needed files come from and go to.
type Copy struct {
	Tree string // the directory that Find was given
	Into string // the destination's tree before the COPY, or empty for none; it is only read
	To   string // where COPY puts the sources in it: an absolute path that ends with a slash if the text does
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
	dst := &tree{ctx: ctx, nodes: map[string]node{}}
	if c.Into != "" {
		if dst, err = openTree(ctx, c.Into); err != nil {
			return err
		}
	}
	defer dst.close()
	dst.from = src
	places, err := place(src, dst, c.To, r.copied)
	if err != nil {
		return err
	}
	entries, err := plan(src, dst, r.Needs)
	if err == nil {
		err = check(dst, places, r)
	}
	if err != nil {
		return err
	}
	return c.write(ctx, dst, entries)
}

// write writes entries. COPY gives a directory that exists the metadata of the one that it copies: so the
// directories on the way have those that they have in the destination.
func (c Copy) write(ctx context.Context, dst *tree, entries []Entry) error {
	made := map[string]bool{"/": true}
	var dirs []func() error
	put := func(from, source, to string) error {
		if err := c.copy(ctx, from, source, to); err != nil {
			return fmt.Errorf("copying %s: %w", show(source), plainError(err))
		}
		info, err := os.Lstat(filepath.Join(from, source))
		if err == nil && info.IsDir() {
			made[to] = true
			dirs = append(dirs, func() error {
				return os.Chtimes(filepath.Join(c.Out, to), info.ModTime(), info.ModTime())
			})
		}
		return err
	}
	for _, e := range entries {
		var parents []string
		for dir := path.Dir(e.Path); !made[dir]; dir = path.Dir(dir) {
			parents = append(parents, dir)
		}
		for _, dir := range slices.Backward(parents) {
			n, err := dst.lstat(dir)
			switch {
			case err != nil:
			case n.source != "":
				err = put(c.Tree, n.source, dir)
			case n.planned: // the COPY makes it
				made[dir] = true
				err = os.Mkdir(filepath.Join(c.Out, dir), 0o755)
			default:
				err = put(c.Into, dir, dir)
			}
			if err != nil {
				return err
			}
		}
		if err := put(c.Tree, e.Source, e.Path); err != nil {
			return err
		}
	}
	// what was put into a directory changed its time
	for _, restore := range slices.Backward(dirs) {
		if err := restore(); err != nil {
			return fmt.Errorf("copying: %w", plainError(err))
		}
	}
	return nil
}

// copy copies a file, a link, or a directory without what is in it with the copier of BuildKit's COPY, which keeps
// what that keeps. As there, a file system that cannot store an extended attribute is no error.
func (c Copy) copy(ctx context.Context, from, source, to string) error {
	opts := []copy.Opt{copy.AllowXAttrErrors}
	info, err := os.Lstat(filepath.Join(from, source))
	if err != nil {
		return err
	}
	if info.IsDir() {
		opts = append(opts, func(i *copy.CopyInfo) { i.ExcludePatterns = []string{"*"} })
	}
	return copy.Copy(ctx, from, source, c.Out, to, opts...)
}
