package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
)

// FindMain returns the paths in the client's build context at which the main file
// lies: the files of its name that have its text. That in the root goes before all
// others, which are then not looked for.
func (s *Sources) FindMain(ctx context.Context) ([]string, error) {
	name := path.Base(s.Main.Filename)
	if text, err := s.load(ctx, &tree{name: "the build context", local: []oneFileOf{s.contextFile}}, name); err == nil && bytes.Equal(text.Data, s.Main.Data) {
		return []string{name}, nil
	}
	// a byte that means something in a pattern stands for any
	pattern := strings.NewReplacer("*", "?", "[", "?", "]", "?", `\`, "?").Replace(name)
	st, err := s.bc.MainContext(ctx,
		llb.IncludePatterns([]string{"**/" + pattern}),
		llb.ExcludePatterns([]string{".git"}), // not those of .dockerignore
		llb.SharedKeyHint(dockerui.DefaultLocalNameContext+"-find"),
		dockerui.WithInternalName("find "+name),
		llb.Differ(llb.DiffNone, false))
	if err != nil {
		return nil, fmt.Errorf("failed to find the build context: %w", err)
	}
	ref, err := s.solve(ctx, *st, false)
	if err != nil {
		return nil, err
	}
	var found []string
	for dirs := []string{"."}; len(dirs) > 0; dirs = dirs[1:] {
		entries, err := ref.ReadDir(ctx, client.ReadDirRequest{Path: dirs[0]})
		if err != nil {
			return nil, fmt.Errorf("failed to look for %s in the build context: %w", name, err)
		}
		for _, entry := range entries {
			at := path.Join(dirs[0], entry.Path)
			switch mode := os.FileMode(entry.Mode); {
			case mode.IsDir():
				dirs = append(dirs, at)
			case mode.IsRegular() && entry.Path == name:
				data, err := dockerui.ReadFile(ctx, ref, at)
				if err != nil {
					return nil, fmt.Errorf("failed to read %s: %w", at, err)
				}
				if bytes.Equal(data, s.Main.Data) {
					found = append(found, at)
				}
			}
		}
	}
	return found, nil
}
