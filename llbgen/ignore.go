package llbgen

import (
	"context"
	"sync"

	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// readIgnoreFile has the .dockerignore of client's build context read beside the image configs of a
// conversion that begins. Upstream's converter asks for it of every file, and only once it has all
// configs: so this is no round trip more, and saves the time of one. An error is the converter's to
// find, which asks again. The function that it returns ends what goes on when the conversion has failed.
func readIgnoreFile(ctx context.Context, client *dockerui.Client) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		var err error
		defer guard.Recover(&err)
		_, err = client.DockerIgnorePatterns(ctx)
	})
	return func() {
		cancel()
		reading.Wait()
	}
}
