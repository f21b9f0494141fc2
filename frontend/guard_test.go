package frontend_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestPanicBecomesError guards that no panic ends the process, in whatever
// goroutine a gateway call is made. A panic that escapes ends the test binary.
func TestPanicBecomesError(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Solve", "ReadFile", "Inputs", "ResolveImageConfig", "ResolveSourceMetadata", "Warn"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			b := gatewaytest.Dockerfile("FROM busybox AS a\nfrom alpine\nCOPY --from=a / /\n",
				"platform", "linux/amd64,linux/arm64", "attest:sbom", "generator=scanner:1")
			c := gatewaytest.New(b)
			c.Fail = func(kind string) error {
				if kind == call {
					var none []int
					_ = none[len(kind)]
				}
				return nil
			}
			res, err := frontend.Build(t.Context(), c)
			if err == nil {
				t.Fatalf("no error but %v", res)
			}
			for _, want := range []string{
				"internal error: runtime error: index out of range",
				"at frontend_test.TestPanicBecomesError", "guard_test.go:",
				"https://github.com/stagecraft-build/stagecraft/issues",
			} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

// TestPanicLaterInBuild guards the goroutine of each platform: the second
// Solve and those after it are made there.
func TestPanicLaterInBuild(t *testing.T) {
	t.Parallel()
	c := gatewaytest.New(gatewaytest.Dockerfile("FROM alpine\n", "platform", "linux/amd64,linux/arm64"))
	var solved atomic.Int32
	c.Fail = func(kind string) error {
		if kind == "Solve" && solved.Add(1) > 1 {
			panic("late")
		}
		return nil
	}
	if _, err := frontend.Build(t.Context(), c); err == nil || !strings.Contains(err.Error(), "internal error: late") {
		t.Errorf("got %v", err)
	}
}
