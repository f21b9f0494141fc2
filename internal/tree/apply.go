package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	contfs "github.com/containerd/continuity/fs"
	fscopy "github.com/tonistiigi/fsutil/copy"

	"github.com/stagecraft-build/stagecraft/internal/step"
)

// MergeOperands is the subcommand "merge", for engines that cannot merge by themselves: it makes in
// the directory of the step's result, which is a base, what operands changed. args say which trees
// belong together, an operand after another: 0:1 for tree 1 against tree 0, :2 for all of tree 2.
func MergeOperands(ctx context.Context, args []string, _ func(string) string) error {
	for _, arg := range args {
		before, after, ok := strings.Cut(arg, ":")
		for _, number := range []string{before, after} {
			if _, err := strconv.Atoi(number); err != nil && (number != "" || number == after) || !ok {
				return fmt.Errorf("merge takes pairs of trees, not %q", arg)
			}
		}
		if before != "" {
			before = path.Join(step.Dir, before)
		}
		if err := Apply(ctx, before, path.Join(step.Dir, after), step.OutDir); err != nil {
			return err
		}
	}
	return nil
}

// Apply makes the changes that lead from one tree to another in a third one: files and directories
// that are new or changed replace what is there, and what is gone goes. Without a tree before, all of
// after is new. Links are never followed: a directory takes the place of a link. Owners, modes, times,
// extended attributes and hard links between what changes are kept. A directory in which something
// changed becomes as it is in after, as in BuildKit's own merges, which have it in the layer of the change.
func Apply(ctx context.Context, before, after, to string) error {
	a := &applier{ctx: ctx, after: after, to: to, links: map[inode]string{}, changed: map[string]bool{}}
	err := contfs.Changes(ctx, before, after, func(kind contfs.ChangeKind, at string, info os.FileInfo, err error) error {
		switch {
		case err != nil:
		case kind == contfs.ChangeKindDelete:
			err = a.remove(at)
		case kind == contfs.ChangeKindUnmodified: // it has several names
			err = a.keep(at, info)
		default:
			err = a.put(at, info)
		}
		if err != nil {
			return readable(err, at)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.setTimes()
}

type applier struct {
	ctx       context.Context
	after, to string
	// links are the files with several names that were put, by what they are in after.
	links map[inode]string
	// changed are the directories that are as in after, in which something has changed.
	changed map[string]bool
}

// remove removes a path; a directory on the way that is a link is another one.
func (a *applier) remove(at string) error {
	for dir := path.Dir(at); dir != "/"; dir = path.Dir(dir) {
		info, err := os.Lstat(filepath.Join(a.to, dir))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if err := a.parents(path.Dir(at)); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(a.to, at))
}

// put puts what after has at a path there.
func (a *applier) put(at string, info os.FileInfo) error {
	if err := a.parents(path.Dir(at)); err != nil {
		return err
	}
	if info.IsDir() {
		return a.directory(at)
	}
	target := filepath.Join(a.to, at)
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 && info.Mode().IsRegular() {
		id := inode{st.Dev, st.Ino}
		if other, known := a.links[id]; known {
			return os.Link(filepath.Join(a.to, other), target)
		}
		a.links[id] = at
	}
	return a.copy(at)
}

// keep makes one file of a path that has not changed and of its other names that have.
func (a *applier) keep(at string, info os.FileInfo) error {
	target := filepath.Join(a.to, at)
	there, err := os.Lstat(target)
	st, ok := info.Sys().(*syscall.Stat_t)
	if err != nil || !ok || !regular(info) || !alike(there, info) {
		return nil //nolint:nilerr // another one has taken its place
	}
	id := inode{st.Dev, st.Ino}
	other, known := a.links[id]
	if !known {
		a.links[id] = at
		return nil
	}
	if now, err := os.Lstat(filepath.Join(a.to, other)); err != nil || os.SameFile(now, there) {
		return err
	}
	if err := a.parents(path.Dir(at)); err != nil {
		return err
	}
	if err := os.Remove(target); err != nil {
		return err
	}
	return os.Link(filepath.Join(a.to, other), target)
}

// parents makes directories of a path and of all above it.
func (a *applier) parents(dir string) error {
	if dir == "/" {
		a.changed[dir] = true
		return nil
	}
	if err := a.parents(path.Dir(dir)); err != nil { // first: a link above leads elsewhere
		return err
	}
	return a.directory(dir)
}

// directory makes a directory as after has it.
func (a *applier) directory(at string) error {
	if a.changed[at] {
		return nil
	}
	a.changed[at] = true
	target := filepath.Join(a.to, at)
	there, err := os.Lstat(target)
	if err == nil && there.IsDir() { // the copier would leave it as it is
		info, err := os.Lstat(filepath.Join(a.after, at))
		if err == nil && ownerOf(info) != ownerOf(there) {
			owner := ownerOf(info)
			err = os.Lchown(target, int(owner[0]), int(owner[1]))
		}
		if err == nil {
			err = os.Chmod(target, info.Mode())
		}
		return err
	}
	if err == nil {
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	return a.copy(at, func(i *fscopy.CopyInfo) { i.ExcludePatterns = []string{"*"} })
}

// copy copies one entry into the directory of its path, as BuildKit's COPY does.
func (a *applier) copy(at string, opts ...fscopy.Opt) error {
	return fscopy.Copy(a.ctx, a.after, at, a.to, path.Dir(at), append(opts, fscopy.AllowXAttrErrors)...)
}

// setTimes gives directories in which something has changed the times that they have in after, the
// deepest first.
func (a *applier) setTimes() error {
	var dirs []string
	for dir := range a.changed {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(x, y string) int { return strings.Compare(y, x) })
	for _, dir := range dirs {
		info, err := os.Lstat(filepath.Join(a.after, dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Chtimes(filepath.Join(a.to, dir), info.ModTime(), info.ModTime())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return readable(err, dir)
		}
	}
	return nil
}
