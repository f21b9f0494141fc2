package frontend

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/buildkit/util/stack"
	"google.golang.org/grpc/codes"
)

// keyCaps is the option with the comma-separated capabilities that the client
// needs of the frontend.
const keyCaps = "frontend.caps"

// Caps returns the frontend capabilities that Build has. The image's label
// moby.buildkit.frontend.caps says the same to the daemon.
func Caps() []string {
	return []string{
		"moby.buildkit.frontend.inputs",
		"moby.buildkit.frontend.subrequests",
		"moby.buildkit.frontend.contexts",
		"moby.buildkit.frontend.gitquerystring",
		"moby.buildkit.frontend.contexts.zstd",
	}
}

// checkCaps returns BuildKit's typed error for a capability in wanted that
// Build lacks. mayForward says that each such capability is marked
// "+forward": it is enough that the frontend to which the Dockerfile forwards
// the build has it.
func checkCaps(wanted string) (mayForward bool, err error) {
	if wanted == "" {
		return false, nil
	}
	for want := range strings.SplitSeq(wanted, ",") {
		name, mark, _ := strings.Cut(want, "+")
		if slices.Contains(Caps(), name) {
			continue
		}
		err = stack.Enable(grpcerrors.WrapCode(errdefs.NewUnsupportedFrontendCapError(name), codes.Unimplemented))
		if !slices.Contains(strings.Split(mark, "+"), "forward") {
			return false, err
		}
		mayForward = true
	}
	return mayForward, err
}
