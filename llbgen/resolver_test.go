package llbgen

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
)

// TestPanicInAPart asks for the config of a part on a goroutine of upstream's: a panic
// there is an error.
func TestPanicInAPart(t *testing.T) {
	t.Parallel()
	_, _, _, err := standInResolver{}.ResolveImageConfig(t.Context(), "alpine", sourceresolver.Opt{})
	if err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("the error is %v", err)
	}
}
