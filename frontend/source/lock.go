package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Locks hears of the LOCK of files, and pins what imports come from.
type Locks interface {
	// Declare is called when a file says that it is locked.
	Declare(f *module.File, l *syntax.Lock)
	// Import returns an import's source as the lock pins it, and reports whether it
	// does.
	Import(ctx context.Context, from string) (pinned string, ok bool, err error)
}

// Lock implements module.Fetcher.
func (s *Sources) Lock(f *module.File, l *syntax.Lock) {
	if s.Locks != nil {
		s.Locks.Declare(f, l)
	}
}

// LockFile is a lock file that may not exist.
type LockFile struct {
	// Path is its path in the build context, or from the directory of the Dockerfile.
	Path string
	// InContext is set for one in the build context.
	InContext bool
	source    *module.Source
	named     bool // by its LOCK
}

// LockFile finds the lock file of a file, the main one or an imported one: the one that its
// LOCK names, else the one beside it. A Dockerfile that comes without its directory, or out of
// a git context, has Dockerfile.lock in the root of the context.
func (s *Sources) LockFile(ctx context.Context, f *module.File, l *syntax.Lock) (*LockFile, error) {
	found := &LockFile{source: f.Source, Path: lock.NameFor(f.Path)}
	main := s.Files.Main()
	inContext := f.Main && f.Source == f.Root || f.Source == main.Source && s.Alone()
	switch {
	case l != nil && l.Path != "":
		var err error
		found.named = true
		if found.source, found.Path, err = s.Files.Find(ctx, f, module.Request{At: l.Place, Path: l.Path}); err != nil {
			return nil, diagnostic.At(l.Place, err)
		}
	case inContext && f.Main:
		found.Path = lock.NameFor(dockerui.DefaultDockerfileName)
	}
	switch {
	case inContext:
		found.source = f.Root
	case found.source == main.Source && s.beside != nil: // and nowhere else: there it is that of another file
		found.source = s.beside
	}
	found.InContext = f.Main && found.source == f.Root
	return found, nil
}

// ReadLock reads a lock file. An error is os.ErrNotExist when it is not there.
func (s *Sources) ReadLock(ctx context.Context, f *LockFile) (*diagnostic.Text, error) {
	text, err := s.Read(ctx, f.source, f.Path)
	var dir *directory
	switch {
	case !errors.As(err, &dir):
		return text, err
	case f.named:
		return nil, fmt.Errorf("%s is a directory: write the file in it, as in %s/Dockerfile.lock", f.Path, f.Path)
	}
	return nil, fmt.Errorf("%s is a directory, and the lock is a file of that name: move the directory away", f.Path)
}
