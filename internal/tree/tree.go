// Package tree measures finished file trees: what runs inside a build, as a step that reads the
// stages which it is about. It follows no link, opens no file, and needs as much memory as a tree has
// directories open at once and files with several names.
package tree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
)

// Report is the sizes of a tree, and of the states that led to it. Sizes are in bytes: the lengths of
// regular files, holes counted, a file with several names once.
type Report struct {
	// Steps are the states in their order; the last one is the tree.
	Steps []Step `json:"steps"`
	// Files and Directories are how many the tree has; a file has a length.
	Files       int `json:"files"`
	Directories int `json:"directories"`
	// LargestDirectories and LargestFiles are the largest of the tree, the first of each first.
	// None of which one below has more than half of the bytes; the root only for files of its own.
	LargestDirectories []Entry `json:"largestDirectories"`
	LargestFiles       []Entry `json:"largestFiles"`
}

// Step is what one state is against the state before it, the first one against nothing.
type Step struct {
	// Size is that of the whole tree.
	Size int64 `json:"size"`
	// Adds are the bytes of files that are new or changed, Hides those of files of the
	// state before that are changed or gone. Size is that of the state before, plus Adds, less Hides.
	Adds  int64 `json:"adds"`
	Hides int64 `json:"hides"`
}

// Entry is a file or directory with its size. A name that is not UTF-8 is quoted as Go does.
type Entry struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// Size returns the size of the tree in bytes.
func (r *Report) Size() int64 { return r.Steps[len(r.Steps)-1].Size }

// Top is how many entries the lists of a report have at most.
const Top = 10

// Measure measures the tree that the last of some directories has, of which each is a state of the
// same tree; without any it is empty. Errors are those of reading directories, and of ctx.
func Measure(ctx context.Context, states ...string) (*Report, error) {
	if len(states) == 0 {
		states = []string{""}
	}
	m := &measurer{ctx: ctx, out: Report{Steps: make([]Step, len(states))}, links: make([]map[inode]*linked, len(states))}
	for i := range m.links {
		m.links[i] = map[inode]*linked{}
	}
	if _, err := m.directory(slices.Clone(states), "/"); err != nil {
		return nil, err
	}
	for i := range m.out.Steps {
		step, before := &m.out.Steps[i], int64(0)
		if i > 0 {
			before = m.out.Steps[i-1].Size
			for _, l := range m.links[i-1] {
				if l.goes && !l.kept {
					step.Hides += l.size
				}
			}
		}
		step.Hides = max(step.Hides, before-step.Size) // files that became one
		step.Adds = step.Size - before + step.Hides
	}
	m.out.LargestDirectories, m.out.LargestFiles = m.directories.list, m.files.list
	return &m.out, nil
}

type measurer struct {
	ctx                context.Context
	out                Report
	directories, files largest
	// links are for each state the files that have several names.
	links []map[inode]*linked
}

type inode struct{ device, number uint64 }

// linked is a file with several names. One goes where none of its names is kept as it is.
type linked struct {
	size       int64
	goes, kept bool
}

// directory measures what the states have at a path, each below its own directory; empty for
// a state that has none there. It returns the size of it in the last state.
func (m *measurer) directory(states []string, at string) (size int64, err error) {
	if err := m.ctx.Err(); err != nil {
		return 0, context.Cause(m.ctx)
	}
	lists := make([][]fs.DirEntry, len(states))
	for i, dir := range states {
		if dir == "" {
			continue
		}
		if lists[i], err = os.ReadDir(dir); err != nil {
			return 0, readable(err, at)
		}
	}
	var most, own int64 // that a directory below has, and the files of this one
	for {
		name, ok := first(lists)
		if !ok {
			break
		}
		infos, below := make([]fs.FileInfo, len(states)), make([]string, len(states))
		any := false
		for i, list := range lists {
			if len(list) == 0 || list[0].Name() != name {
				continue
			}
			lists[i] = list[1:]
			if infos[i], err = list[0].Info(); err != nil {
				return 0, readable(err, path.Join(at, name))
			}
			if infos[i].IsDir() {
				below[i], any = states[i]+"/"+name, true
			}
		}
		file := m.file(infos, path.Join(at, name))
		size, own = size+file, own+file
		if !any {
			continue
		}
		in, err := m.directory(below, path.Join(at, name))
		if err != nil {
			return 0, err
		}
		size += in
		most = max(most, in)
	}
	if last := states[len(states)-1]; last != "" {
		m.out.Directories++
		if most <= size/2 && size > 0 && (at != "/" || own > size/2) {
			m.directories.add(at, size)
		}
	}
	return size, nil
}

// first returns the first name of all sorted lists.
func first(lists [][]fs.DirEntry) (name string, ok bool) {
	for _, list := range lists {
		if len(list) > 0 && (!ok || list[0].Name() < name) {
			name, ok = list[0].Name(), true
		}
	}
	return name, ok
}

// file measures what the states have under one name, and returns the size of the file in the last
// one, if it is not counted under another name.
func (m *measurer) file(infos []fs.FileInfo, at string) (size int64) {
	for i, info := range infos {
		if i > 0 && regular(infos[i-1]) {
			before := infos[i-1]
			kept := info != nil && alike(info, before)
			if l, _ := m.linkOf(i-1, before); l != nil {
				l.goes, l.kept = l.goes || !kept, l.kept || kept
			} else if !kept {
				m.out.Steps[i].Hides += before.Size()
			}
		}
		if !regular(info) {
			continue
		}
		if _, known := m.linkOf(i, info); known {
			continue
		}
		m.out.Steps[i].Size += info.Size()
		if i == len(infos)-1 {
			m.out.Files++
			m.files.add(at, info.Size())
			size = info.Size()
		}
	}
	return size
}

// linkOf returns what is known of a file of a state with several names, and whether it was known
// before; nil for one with a single name.
func (m *measurer) linkOf(state int, info fs.FileInfo) (l *linked, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Nlink < 2 {
		return nil, false
	}
	id := inode{st.Dev, st.Ino}
	if l, known = m.links[state][id]; !known {
		l = &linked{size: info.Size()}
		m.links[state][id] = l
	}
	return l, known
}

func regular(info fs.FileInfo) bool { return info != nil && info.Mode().IsRegular() }

// alike reports whether two states have the same file under a name: as BuildKit tells layers
// apart, by what a directory knows of it.
func alike(a, b fs.FileInfo) bool {
	return a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && ownerOf(a) == ownerOf(b)
}

func ownerOf(info fs.FileInfo) [2]uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return [2]uint32{st.Uid, st.Gid}
	}
	return [2]uint32{}
}

// readable is an error with the path as it is in the tree.
func readable(err error, at string) error {
	if of := new(fs.PathError); errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("failed to read %s: %w", Shown(at), err)
}

// largest are the largest of many entries.
type largest struct{ list []Entry }

func (l *largest) add(at string, size int64) {
	if len(l.list) == Top && size <= l.list[Top-1].Size {
		return
	}
	e := Entry{Shown(at), size}
	n, _ := slices.BinarySearchFunc(l.list, e, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Path, b.Path))
	})
	l.list = slices.Insert(l.list, n, e)
	l.list = l.list[:min(len(l.list), Top)]
}
