package frontend

import (
	"context"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
)

const (
	// keyCmdline is set by the daemon, or by another frontend, that has
	// already followed the syntax line: it says which frontend runs now.
	keyCmdline = "cmdline"
	// keySource names the image of the frontend that is to run.
	keySource = "source"
	// argSyntax is the build arg that stands for the file's syntax line.
	argSyntax = "BUILDKIT_SYNTAX"
)

// otherSyntax is a frontend image that the user asked for instead of this one.
type otherSyntax struct {
	image   string
	cmdline string
	// ranges is where the file asks for it; nil when the build arg does.
	ranges []parser.Range
}

// otherFrontend says which frontend the syntax line of the Dockerfile or the
// build arg BUILDKIT_SYNTAX asks for, unless it is this one. Inside the
// frontend image the daemon has already made that choice; in a client's
// process Build has to.
func otherFrontend(opts map[string]string, dockerfile []byte) (otherSyntax, bool) {
	if _, ok := opts[keyCmdline]; ok {
		return otherSyntax{}, false
	}
	var other otherSyntax
	if cmdline, ok := opts["build-arg:"+argSyntax]; ok {
		image, _, _ := strings.Cut(strings.TrimSpace(cmdline), " ")
		other = otherSyntax{image: image, cmdline: cmdline}
	} else if image, cmdline, ranges, ok := parser.DetectSyntax(dockerfile); ok {
		other = otherSyntax{image: image, cmdline: cmdline, ranges: ranges}
	} else {
		return otherSyntax{}, false
	}
	return other, !isStagecraft(other.image)
}

// isStagecraft tells whether image is a copy of this frontend: a repository
// stagecraft/dockerfile, in whatever registry and below whatever prefix.
func isStagecraft(image string) bool {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	return strings.HasSuffix("/"+reference.Path(named), "/stagecraft/dockerfile")
}

// forward hands the whole build over to other.
func forward(ctx context.Context, c client.Client, other otherSyntax) (*client.Result, error) {
	bopts := c.BuildOpts()
	opts := bopts.Opts
	if opts == nil {
		opts = map[string]string{}
	}
	opts[keyCmdline] = other.cmdline
	opts[keySource] = other.image

	req := client.SolveRequest{Frontend: "gateway.v0", FrontendOpt: opts}
	if bopts.Caps.Supports(gwpb.CapFrontendInputs) == nil {
		inputs, err := c.Inputs(ctx)
		if err != nil {
			return nil, fmt.Errorf("failed to get frontend inputs: %w", err)
		}
		req.FrontendInputs = make(map[string]*pb.Definition, len(inputs))
		for name, st := range inputs {
			def, err := st.Marshal(ctx)
			if err != nil {
				return nil, fmt.Errorf("failed to marshal frontend input %s: %w", name, err)
			}
			req.FrontendInputs[name] = def.ToPB()
		}
	}
	return c.Solve(ctx, req)
}

// wrap says where err comes from, unless the other frontend already did.
func (o otherSyntax) wrap(err error, sm *llb.SourceMap) error {
	switch {
	case len(errdefs.Sources(err)) > 0:
		return err
	case o.ranges == nil:
		return fmt.Errorf("failed with build-arg:%s = %s: %w", argSyntax, o.cmdline, err)
	default:
		return withSource(err, sm, o.ranges)
	}
}
