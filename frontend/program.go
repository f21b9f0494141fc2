package frontend

import (
	"errors"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/gateway/client"
)

// program returns what gives the filesystem of the image that this program runs in: the engine
// knows it, or the build names it.
func program(c client.Client) func() (llb.State, error) {
	return func() (llb.State, error) {
		if c, ok := c.(interface{ CurrentFrontend() (*llb.State, error) }); ok {
			st, err := c.CurrentFrontend()
			if err != nil {
				return llb.State{}, err
			}
			if st != nil {
				return *st, nil
			}
		}
		// what this one was started as: older engines do not say what it is
		if source := c.BuildOpts().Opts["source"]; source != "" {
			return llb.Image(source), nil
		}
		return llb.State{}, errors.New("this needs the image of the frontend, and the frontend runs in the client here: build with docker build, or pass --build-arg BUILDKIT_SYNTAX=stagecraft/dockerfile:1")
	}
}
