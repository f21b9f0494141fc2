// Package module makes files modules of stages: it finds the files that others
// import, reads each once, and keeps which file imports which. It knows no
// gateway: a Fetcher reads the sources.
package module

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"golang.org/x/sync/errgroup"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// The limits of a build (docs/reference/imports.md).
const (
	// MaxDepth is how many imports lead to a file.
	MaxDepth = 32
	// MaxFiles is how many files a build has.
	MaxFiles = 1000
)

// Source is a tree of files: the directory of the Dockerfile, the build context,
// or what IMPORT --from names. Two sources are one when their pointers are equal.
type Source struct {
	// Name is how a user knows it.
	Name string
	// Kind says what it is.
	Kind Kind
	// File is set for a source that is one file, of this name.
	File string
	// Unpinned says what may change under it; empty when nothing does, or when
	// the build gave it.
	Unpinned string
}

// Kind is what a source is.
type Kind int

// The kinds of sources.
const (
	// Dockerfiles is the directory from which the client sends the Dockerfile.
	Dockerfiles Kind = iota
	// Context is the build context.
	Context
	// Library is a source of IMPORT --from.
	Library
)

// Fetcher reads sources. Its methods may be called concurrently.
type Fetcher interface {
	// Open returns the source that IMPORT --from names.
	Open(ctx context.Context, from string) (*Source, error)
	// Read returns a file of a source, the same text each time. path is relative
	// and clean. An error says what there is in place of a file, if anything.
	Read(ctx context.Context, s *Source, path string) (*diagnostic.Text, error)
	// Lock says that a file has a LOCK, before anything that it imports is opened.
	Lock(f *File, l *syntax.Lock)
}

// File is a Dockerfile of a build.
type File struct {
	*syntax.File
	// Main is set for the file that the build names.
	Main bool
	// Source holds the file, at Path.
	Source *Source
	Path   string
	// Root is the source that /x means, BuildContext what COPY copies from.
	Root, BuildContext *Source
	// Number counts the files of a build in the order in which they were asked for.
	Number int

	depth   int
	asked   diagnostic.Place
	imports []*File
	err     error // of reading it
}

// Name is how errors and reports show the file.
func (f *File) String() string { return f.Path }

// Library reports whether the file is another project's than other.
func (f *File) Library(other *File) bool { return f.Root != other.Root }

// Set is the files of a build.
type Set struct {
	fetch Fetcher
	main  *File

	mu    sync.Mutex
	files map[key]*File
	data  map[key]*Data
	// asked is where each text but the main one was asked for first.
	asked map[*diagnostic.Text]diagnostic.Place
}

type key struct {
	source, context *Source
	path            string
}

// NewSet starts with the main file, which lies in the source dir and is built in
// context; the same one where the Dockerfile is part of the context.
func NewSet(fetch Fetcher, dir, context *Source, file string) *Set {
	main := &File{Main: true, Source: dir, Path: path.Clean(file), Root: context, BuildContext: context}
	return &Set{fetch: fetch, main: main, files: map[key]*File{{dir, context, main.Path}: main}, data: map[key]*Data{}, asked: map[*diagnostic.Text]diagnostic.Place{}}
}

// Parse reads the main file.
func (s *Set) Parse(ctx context.Context, text *diagnostic.Text) (*File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	s.main.File, err = s.parse(ctx, s.main, text)
	return s.main, err
}

func (s *Set) parse(ctx context.Context, f *File, text *diagnostic.Text) (*syntax.File, error) {
	return syntax.Parse(text, syntax.Options{
		Mount: func(im *syntax.Import, mount string) (string, error) { return s.mount(ctx, f, im, mount) },
		Lock:  func(l *syntax.Lock) { s.fetch.Lock(f, l) },
	})
}

// Asked returns the place in the main file that led to a text: an import, or a
// reference that names the file.
func (s *Set) Asked(text *diagnostic.Text) diagnostic.Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.asked[text]
	for s.main.File != nil && at.Text != nil && at.Text != s.main.Text {
		at = s.asked[at.Text]
	}
	return at
}

// Request asks for a file from another one. Words are expanded.
type Request struct {
	// At is where.
	At diagnostic.Place
	// From is the source as written, empty for that of the importing file.
	From, Path string
	// ShareContext gives a library the build context of the importing file.
	ShareContext bool
}

// ErrFetch is in the errors of a source that cannot be fetched, as opposed to a
// file that it lacks.
var ErrFetch = errors.New("failed to fetch")

// Error is a mistake in one of the words of a request.
type Error struct {
	// From tells a mistake in the source from one in the path.
	From bool
	err  error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the mistake.
func (e *Error) Unwrap() error { return e.err }

// Import returns the file that another one asks for; the same one each time.
// Errors are of type *Error, or those of the file itself.
func (s *Set) Import(ctx context.Context, importer *File, req Request) (*File, error) {
	f, err := s.resolve(ctx, importer, req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(ctx, importer, f)
}

// add returns the file of the set that is f, and reads it the first time.
func (s *Set) add(ctx context.Context, importer, f *File) (*File, error) {
	known, ok := s.files[f.key()]
	if ok {
		f = known
	}
	if chain := f.chainTo(importer); chain != nil {
		return nil, &Error{err: fmt.Errorf("the files import each other: %s", strings.Join(append([]string{importer.String()}, chain...), " → "))}
	}
	importer.uses(f)
	if !ok {
		f.Number = len(s.files)
		s.files[f.key()] = f
		f.err = s.load(ctx, importer, f)
	}
	return f, f.err
}

// load reads and parses f.
func (s *Set) load(ctx context.Context, importer, f *File) error {
	switch {
	case importer.depth == MaxDepth:
		return &Error{err: fmt.Errorf("imports nest more than %d deep", MaxDepth)}
	case s.full():
		return &Error{err: fmt.Errorf("the build has more than %d files", MaxFiles)}
	}
	text, err := s.read(ctx, f)
	if err != nil {
		return err
	}
	f.depth = importer.depth + 1
	if f.File, err = s.parse(ctx, f, text); err == nil {
		err = f.CutOff()
	}
	return f.Locate(err)
}

// full reports whether the build has more files than it may, the one counted that
// is being added.
func (s *Set) full() bool { return len(s.files)+len(s.data) > MaxFiles }

// read returns the text of f.
func (s *Set) read(ctx context.Context, f *File) (*diagnostic.Text, error) {
	text, err := s.fetch.Read(ctx, f.Source, f.Path)
	if err != nil {
		return nil, &Error{From: errors.Is(err, ErrFetch), err: err}
	}
	if _, ok := s.asked[text]; !ok {
		s.asked[text] = f.asked
	}
	return text, nil
}

// Find returns where a file lies that another one asks for.
func (s *Set) Find(ctx context.Context, importer *File, req Request) (*Source, string, error) {
	f, err := s.resolve(ctx, importer, req)
	if err != nil {
		return nil, "", err
	}
	return f.Source, f.Path, nil
}

// Main is the file that the build names, of which the text may not be parsed yet.
func (s *Set) Main() *File { return s.main }

// Prefetch reads files before they are asked for, side by side. What is wrong with
// them Import says; an error of Prefetch is one of ours.
func (s *Set) Prefetch(ctx context.Context, importer *File, list []Request) error {
	var eg errgroup.Group
	eg.SetLimit(8)
	for _, req := range list {
		eg.Go(func() (err error) {
			defer guard.Recover(&err)
			if f, err := s.resolve(ctx, importer, req); err == nil {
				_, _ = s.fetch.Read(ctx, f.Source, f.Path)
			}
			return nil
		})
	}
	return eg.Wait()
}

// resolve finds where a file lies.
func (s *Set) resolve(ctx context.Context, importer *File, req Request) (*File, error) {
	f := &File{Source: importer.Source, Root: importer.Root, BuildContext: importer.BuildContext, asked: req.At}
	if req.From != "" {
		source, err := s.fetch.Open(ctx, req.From)
		if err != nil {
			return nil, &Error{From: true, err: err}
		}
		f.Source, f.Root, f.BuildContext = source, source, source
		if req.ShareContext {
			f.BuildContext = importer.BuildContext
		}
		f.Path = path.Clean(strings.TrimLeft(req.Path, "/"))
		if req.Path == "" && source.File != "" {
			f.Path = source.File
		}
		return f, f.check(req)
	}
	if IsURL(req.Path) { // which is not shown: it may hold a password
		return nil, &Error{err: errors.New("a URL is a source, not a path: write IMPORT --from=URL FILE AS name, without FILE for a URL of one file")}
	}
	if strings.HasPrefix(req.Path, "/") {
		f.Source = f.Root
		f.Path = path.Clean(strings.TrimLeft(req.Path, "/"))
		return f, f.check(req)
	}
	f.Path = path.Join(path.Dir(importer.Path), req.Path)
	return f, f.check(req)
}

// IsURL reports whether a text names a source by itself.
func IsURL(text string) bool {
	git, isGit, err := dfgitutil.ParseGitRef(text)
	return isGit && (err != nil || !git.IndistinguishableFromLocal) || strings.Contains(text, "://")
}

// check refuses paths that are none of the source.
func (f *File) check(req Request) error {
	switch {
	case f.Path == ".." || strings.HasPrefix(f.Path, "../"):
		inside := strings.TrimLeft(f.Path, "./")
		if f.Source.Kind == Dockerfiles {
			return &Error{err: fmt.Errorf("%s leaves the directory of the Dockerfile, which is all that the client sends beside the build context: write its path in the build context, as in /%s", req.Path, inside)}
		}
		return &Error{err: fmt.Errorf("%s leaves %s: a path in it starts at its root with a slash, as in /%s", req.Path, f.Source.Name, inside)}
	case f.Path == "." && f.Source.Kind == Library && req.Path == "":
		return &Error{From: true, err: fmt.Errorf("%s has many files: write which one, as in IMPORT --from=%s Dockerfile AS name", f.Source.Name, f.Source.Name)}
	case f.Path == ".":
		return &Error{err: fmt.Errorf("%s is a directory: write the file in it", req.Path)}
	case f.Source.File != "" && f.Path != f.Source.File:
		return &Error{err: fmt.Errorf("%s is one file: leave the path out, or name an archive or a repository", f.Source.Name)}
	}
	return nil
}

// Shown is the file's name in errors and in the progress.
func (f *File) Shown() string {
	if f.Source.Kind != Library {
		return f.Path
	}
	if f.Source.File != "" {
		return f.Source.Name
	}
	return f.Source.Name + ":" + f.Path
}

func (f *File) key() key { return key{f.Source, f.BuildContext, f.Path} }

// uses notes that f imports another file.
func (f *File) uses(other *File) {
	for _, known := range f.imports {
		if known == other {
			return
		}
	}
	f.imports = append(f.imports, other)
}

// chainTo returns the names of the files that lead from f to another one; nil
// when none do.
func (f *File) chainTo(other *File) []string {
	seen := map[*File]bool{}
	var visit func(*File) []string
	visit = func(f *File) []string {
		if f == other || f.key() == other.key() {
			return []string{f.String()}
		}
		if seen[f] {
			return nil
		}
		seen[f] = true
		for _, next := range f.imports {
			if chain := visit(next); chain != nil {
				return append([]string{f.String()}, chain...)
			}
		}
		return nil
	}
	return visit(f)
}

// mount returns a named mount of an imported file, as a RUN of f writes it out:
// a stage of that file from which it takes something is named through the
// import.
func (s *Set) mount(ctx context.Context, f *File, im *syntax.Import, name string) (string, error) {
	if strings.Contains(im.Path+im.From, "$") || im.In.If != nil {
		return "", fmt.Errorf("the import on line %d has a variable or a condition: its mounts cannot be known here", im.In.StartLine)
	}
	at := im.In.Place(im.PathSpan)
	other, err := s.resolve(ctx, f, Request{At: at, From: im.From, Path: im.Path, ShareContext: im.Context != ""})
	if err == nil {
		other, err = s.add(ctx, f, other) // a parse holds the lock
	}
	var elsewhere *diagnostic.Diagnostic
	if errors.As(err, &elsewhere) {
		return "", diagnostic.Relate(err, at, "imported on line %d", at.Line())
	}
	if err != nil {
		return "", err
	}
	return other.ImportedMount(im.Alias, name, other.BuildContext != f.BuildContext)
}
