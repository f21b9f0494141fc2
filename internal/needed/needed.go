// Package needed finds what programs of a finished tree need to run elsewhere, and
// copies it: shared libraries, ELF interpreters, the interpreters of scripts, and the
// links that lead to them. It reads files and never runs one, so the tree may be of any
// platform, and it may be hostile.
//
// What a program opens by itself (dlopen: modules of NSS, gconv, plugins) is not known.
package needed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Options say what to look at.
type Options struct {
	// Sources are paths in the tree, or patterns, as COPY has them. Of a directory
	// every file counts.
	Sources []string
	// Path is where env looks for programs, as PATH has it.
	Path string
}

// A Result is what programs need, each path once, in order.
type Result struct {
	Programs []Program
	Needs    []Need
	// Entries are all that stands at Needs and on the way to them, as a tree that has
	// nothing of it would get it.
	Entries []Entry

	options Options
	copied  []copied
}

// A copied is what COPY itself copies: a file or, of a directory, all that is in it.
type copied struct {
	real  string
	below string
	ofDir bool
}

// A Program is a file of the sources.
type Program struct {
	Source string // as the sources lead to it
	Real   string // without links
	Below  string // where COPY puts it, below a destination that is a directory
	OfDir  bool   // a directory was named, not the file
	Origin bool   // its search for libraries, or one of theirs, uses $ORIGIN
}

// A Need is a path that is opened when a program runs, by the program's loader or the
// kernel.
type Need struct {
	Path   string
	By     string // what needs it, for people
	Config bool   // a loader's cache or path file
}

// An Entry is a file, directory or link.
type Entry struct {
	Path   string // where it is to stand, without links
	Source string // where it stands in the tree
	Mode   fs.FileMode
	Target string // of a link
	By     string // what needs it, for people
}

// Find returns what the sources need of the tree at root. An error names the file at
// fault, and who needs what is missing.
func Find(ctx context.Context, root string, opt Options) (Result, error) {
	t, err := openTree(ctx, root)
	if err != nil {
		return Result{}, err
	}
	defer t.close()
	f := newFinder(t, opt.Path)
	programs, err := f.sources(root, opt.Sources)
	if err != nil {
		return Result{}, err
	}
	for i := range programs {
		if programs[i].Origin, err = f.program(programs[i].Source, programs[i].Real, programs[i].OfDir); err != nil {
			return Result{}, err
		}
	}
	r := Result{Programs: programs, options: opt, copied: f.copied}
	for _, n := range f.needs {
		r.Needs = append(r.Needs, *n)
	}
	slices.SortFunc(r.Needs, func(a, b Need) int { return strings.Compare(a.Path, b.Path) })
	r.Entries, err = plan(t, &tree{ctx: ctx, nodes: map[string]node{}}, r.Needs)
	return r, err
}

// maxTexts bounds the names and search paths of all ELF files together, in bytes.
const maxTexts = 256 << 20

// A finder looks for what programs of one tree need.
type finder struct {
	tree       *tree
	path       string
	copied     []copied
	needs      map[string]*Need
	objects    map[string]*object // by real path; nil is no ELF file
	loaders    map[string]*loader // by name
	variantsOf map[variantKey][]string
	texts      int             // bytes of the names and search paths of objects
	done       map[string]bool // programs by real path: their $ORIGIN is used
}

func newFinder(t *tree, paths string) *finder {
	return &finder{
		tree: t, path: paths, needs: map[string]*Need{}, objects: map[string]*object{},
		loaders: map[string]*loader{}, variantsOf: map[variantKey][]string{}, done: map[string]bool{},
	}
}

type variantKey struct {
	loader *loader
	dir    string
}

// need keeps a path as needed. It must lead to a file.
func (f *finder) need(name, by string, config bool) error {
	if n, ok := f.needs[name]; ok {
		n.Config = n.Config || config
		return nil
	}
	f.needs[name] = &Need{Path: name, By: by, Config: config}
	return f.tree.step()
}

// object returns the ELF file at a real path, nil if it is none.
func (f *finder) object(real string) (*object, error) {
	if obj, ok := f.objects[real]; ok {
		return obj, nil
	}
	file, err := f.tree.open(real)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	obj, err := readELF(file)
	if errors.Is(err, errNotELF) {
		obj, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", show(real), err)
	}
	if obj != nil {
		if f.texts += obj.strings; f.texts > maxTexts {
			return nil, fmt.Errorf("%s: the names in ELF files are longer than %d bytes together", show(real), maxTexts)
		}
	}
	f.objects[real] = obj
	return obj, nil
}

// show is a path or name in a message: of one line, whatever bytes it has.
func show(name string) string {
	if name == "" || strings.ContainsAny(name, " \"'") {
		return strconv.Quote(name)
	}
	if q := strconv.Quote(name); len(q) != len(name)+2 {
		return q
	}
	return name
}

// join keeps ".." after a link what it is to the kernel.
func join(dir, name string) string {
	if strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
