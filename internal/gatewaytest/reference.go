package gatewaytest

import (
	"context"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/gateway/client"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// reference is a solved local source; files is nil for everything else, whose
// content no frontend reads.
type reference struct {
	client *Client
	files  map[string]string
}

func (r *reference) ToState() (llb.State, error) { return llb.Scratch(), nil }

func (r *reference) Evaluate(context.Context) error { return r.client.count("Evaluate") }

func (r *reference) ReadFile(_ context.Context, req client.ReadRequest) ([]byte, error) {
	if err := r.client.count("ReadFile"); err != nil {
		return nil, err
	}
	text, err := r.file(req.Filename)
	if err != nil || req.Range == nil {
		return []byte(text), err
	}
	text = text[min(req.Range.Offset, len(text)):]
	return []byte(text[:min(req.Range.Length, len(text))]), nil
}

func (r *reference) StatFile(_ context.Context, req client.StatRequest) (*fstypes.Stat, error) {
	if err := r.client.count("StatFile"); err != nil {
		return nil, err
	}
	if path.Clean(req.Path) == "/" {
		return &fstypes.Stat{Mode: uint32(os.ModeDir | 0o755)}, nil
	}
	text, err := r.file(req.Path)
	if err != nil {
		return nil, err
	}
	return &fstypes.Stat{Path: path.Base(req.Path), Mode: 0o644, Size: int64(len(text))}, nil
}

func (r *reference) ReadDir(_ context.Context, req client.ReadDirRequest) ([]*fstypes.Stat, error) {
	out := map[string]*fstypes.Stat{}
	for name, text := range r.files {
		inside, ok := strings.CutPrefix("/"+name, strings.TrimSuffix(path.Clean("/"+req.Path), "/")+"/")
		entry, _, isDir := strings.Cut(inside, "/")
		switch {
		case !ok || req.IncludePattern != "" && (entry != req.IncludePattern || !isDir):
		case isDir:
			out[entry] = &fstypes.Stat{Path: entry, Mode: uint32(os.ModeDir | 0o755)}
		default:
			out[entry] = &fstypes.Stat{Path: entry, Mode: 0o644, Size: int64(len(text))}
		}
	}
	return slices.SortedFunc(maps.Values(out), func(a, b *fstypes.Stat) int { return strings.Compare(a.Path, b.Path) }), r.client.count("ReadDir")
}

func (r *reference) file(name string) (string, error) {
	text, ok := r.files[strings.TrimPrefix(path.Clean(name), "/")]
	if !ok {
		return "", &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return text, nil
}
