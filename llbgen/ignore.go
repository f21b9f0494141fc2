package llbgen

import (
	"context"
	"sync"

	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// ReadAhead has the .dockerignore of the build context read beside the image configs, by the first Image
// that is sure to ask for it. Upstream's converter asks for it of every file, and only once it has all
// configs: in a build that succeeds this is no round trip more, and saves the time of one. An error is
// the converter's to find, which asks again.
//
// The context of Image has to be one for all platforms, which ends with the first mistake: they wait for
// one answer. The function that is returned waits for what then still goes on.
func (g *Generator) ReadAhead() (wait func()) {
	var once sync.Once
	var reading sync.WaitGroup
	client := g.opt.Client
	g.ahead = func(ctx context.Context) {
		once.Do(func() {
			reading.Go(func() {
				var err error
				defer guard.Recover(&err)
				_, err = client.DockerIgnorePatterns(ctx)
			})
		})
	}
	return reading.Wait
}
