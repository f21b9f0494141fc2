package locked

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// own is the lock of an imported file. It holds for what stands in that file, as far as
// the main file's lock does not name it.
type own struct {
	file *module.File
	line *syntax.Lock

	once    sync.Once
	lock    *lock.Lock
	missing bool // there is no lock that could be read
	err     error
}

// name is that of the file.
func (o *own) name() string {
	if o == nil {
		return ""
	}
	return o.file.Shown()
}

func (o *own) read(ctx context.Context, p *Pins) (*lock.Lock, error) {
	o.once.Do(func() {
		defer guard.Recover(&o.err)
		if p.Wrong != nil {
			o.err = diagnostic.At(o.line.Place, p.Wrong)
			return
		}
		file, err := p.Sources.LockFile(ctx, o.file, o.line)
		if err == nil {
			var text *diagnostic.Text
			if text, err = p.Sources.ReadLock(ctx, file); err == nil {
				o.lock, err = lock.Parse(text)
			} else {
				if errors.Is(err, os.ErrNotExist) {
					err = fmt.Errorf("%w: to write it, run docker build --file=%s --target=:lock -o %s . in the directory of that file", err, path.Base(o.file.Path), path.Dir(strings.TrimLeft(o.line.Path, "/")))
				}
				err = diagnostic.At(o.line.Place, err)
			}
		}
		if err != nil && file != nil && p.mode == Ask && ctx.Err() == nil {
			p.notify(o.line.Place, "the lock of %s cannot be read: %s", o.file, err)
			o.lock, o.missing, err = &lock.Lock{Name: file.Path}, true, nil
		}
		o.err = err
	})
	return o.lock, o.err
}

// mainLock returns the lock of the main file; nil when it has none.
func (p *Pins) mainLock(ctx context.Context) (*lock.Lock, error) {
	if !p.active() {
		return nil, nil
	}
	return p.Lock(ctx)
}

// Locks reports whether there is a lock: that of the build, or one of an imported file.
func (p *Pins) Locks() bool {
	return p.active() || p.ownOf(func(*module.File) bool { return true }) != nil
}

// ownOf returns the lock of an imported file; nil for none.
func (p *Pins) ownOf(is func(*module.File) bool) *own {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == Off {
		return nil
	}
	for _, o := range p.owns {
		if is(o.file) {
			return o
		}
	}
	return nil
}

// ownEntry returns the entry of a source in the lock of its file alone.
func (p *Pins) ownEntry(ctx context.Context, s lock.Source, of *own) (*lock.Pinned, error) {
	l, err := of.read(ctx, p)
	if err != nil {
		return nil, err
	}
	if e, _ := l.Find(s); e != nil {
		return &lock.Pinned{Entry: *e, Before: e.Pin}, nil
	}
	if p.mode == Loose || p.mode == Ask {
		if !of.missing {
			p.notify(of.line.Place, "%s is not in %s, the lock of %s", s, l.Name, of.file)
		}
		return nil, nil
	}
	return nil, fmt.Errorf("%s is not in %s, the lock of %s: write that one anew, or write LOCK into the file that is built", s, l.Name, of.file)
}

// Image returns an image as the lock of the file that names it pins it, where that
// counts; else empty. With Everywhere that of the build counts too. It is for plan.Options.
func (p *Pins) Image(ctx context.Context, f *module.File, image string) (string, error) {
	of := p.ownOf(func(other *module.File) bool { return other == f })
	if of == nil && (!p.Everywhere || !p.active()) {
		return "", nil
	}
	s, done, err := lock.ImageSource(image)
	if err != nil || done {
		return "", err
	}
	if of == nil {
		e, err := p.pin(ctx, s, nil, diagnostic.Place{}, nil)
		if e == nil || err != nil {
			return "", err
		}
		return s.String() + "@" + e.Pin, nil
	}
	main, err := p.mainLock(ctx)
	if err != nil {
		return "", err
	}
	if main != nil {
		own, err := of.read(ctx, p)
		e, _ := main.Find(s)
		if e != nil && p.Everywhere {
			return s.String() + "@" + e.Pin, nil
		}
		if err != nil || e != nil || p.renews(s) {
			return "", err // the main lock decides
		}
		if theirs, _ := own.Find(s); theirs == nil {
			return "", nil
		}
	}
	e, err := p.pin(ctx, s, of, diagnostic.Place{}, nil)
	if e == nil || err != nil {
		return "", err
	}
	return s.String() + "@" + e.Pin, nil
}

// ownOfVertex returns the lock of the file out of which a vertex of def comes; nil for none.
func (p *Pins) ownOfVertex(def *pb.Definition, vertex string) *own {
	p.mu.Lock()
	any := len(p.owns) > 0
	p.mu.Unlock()
	if !any {
		return nil
	}
	info, _ := placeOf(def, vertex)
	if info == nil {
		return nil
	}
	return p.ownOf(func(f *module.File) bool { return f.File != nil && bytes.Equal(f.Data, info.Data) })
}

// placeOf returns where a vertex comes from, or the first one that uses it.
func placeOf(def *pb.Definition, vertex string) (*pb.SourceInfo, []*pb.Range) {
	users := map[string]bool{vertex: true}
	for _, dt := range def.Def {
		dgst := digest.FromBytes(dt).String()
		var op pb.Op
		if op.UnmarshalVT(dt) != nil {
			return nil, nil
		}
		for _, in := range op.Inputs {
			users[dgst] = users[dgst] || users[in.Digest]
		}
		if !users[dgst] {
			continue
		}
		for _, location := range def.Source.GetLocations()[dgst].GetLocations() {
			if i := int(location.SourceIndex); i < len(def.Source.Infos) && len(location.Ranges) > 0 {
				return def.Source.Infos[i], location.Ranges
			}
		}
	}
	return nil, nil
}
