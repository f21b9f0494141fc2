package source

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/frontend/gateway/client"
)

// IgnoreFile returns the name of the ignore file of the main file, which stands beside it and
// takes the place of .dockerignore; empty where there is none, or where the build context is
// no folder of the client, of which nothing is left out.
func (s *Sources) IgnoreFile(ctx context.Context) (string, error) {
	if !s.clients {
		return "", nil
	}
	name := s.Main.Filename + ".dockerignore"
	ref, err := s.solve(ctx, *s.Main.State, false) // the folder as the main file was read from it
	if err != nil {
		return "", err
	}
	if _, err := ref.StatFile(ctx, client.StatRequest{Path: name}); err != nil {
		return "", nil //nolint:nilerr // upstream takes each error for a file that is not there
	}
	st, err := s.bc.MainContext(ctx)
	if err != nil {
		return "", fmt.Errorf("failed to find the build context: %w", err)
	}
	def, err := st.Marshal(ctx, s.constraints()...)
	if err != nil {
		return "", fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	if local, _ := localOf(def); local == "" {
		return "", nil
	}
	return name, nil
}
