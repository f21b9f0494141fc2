package module_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
)

type panicking struct{}

func (panicking) Open(context.Context, string) (*module.Source, error) { panic("none") }

func (panicking) Read(context.Context, *module.Source, string) (*diagnostic.Text, error) {
	panic("none")
}

// TestPrefetchReportsPanics guards that a panic beside the build neither ends the
// process nor is lost.
func TestPrefetchReportsPanics(t *testing.T) {
	t.Parallel()
	dir := &module.Source{}
	set := module.NewSet(panicking{}, dir, dir, "Dockerfile")
	main, err := set.Parse(t.Context(), &diagnostic.Text{Data: []byte("FROM scratch\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []module.Request{{From: "https://example.com/x", Path: "x"}, {Path: "./x"}} {
		if err := set.Prefetch(t.Context(), main, []module.Request{req, req}); err == nil || !strings.Contains(err.Error(), "internal error: none") {
			t.Errorf("got %v", err)
		}
	}
}
