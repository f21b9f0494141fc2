package module_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

type panicking struct{}

func (panicking) Lock(*module.File, *syntax.Lock) {}

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

// counting counts how often each file is read.
type counting map[string]int

func (counting) Lock(*module.File, *syntax.Lock) {}

func (counting) Open(context.Context, string) (*module.Source, error) {
	return nil, errors.New("there is none")
}

func (c counting) Read(_ context.Context, _ *module.Source, path string) (*diagnostic.Text, error) {
	c[path]++
	if path == "large.json" {
		return &diagnostic.Text{Name: path, Data: []byte("[" + strings.Repeat(" ", 1<<20) + "]")}, nil
	}
	return &diagnostic.Text{Name: path, Data: []byte(`{"x": 1}`)}, nil
}

// TestDataIsReadOnce guards that data is one value in a build, and that a file that is
// too large is no part of the error.
func TestDataIsReadOnce(t *testing.T) {
	t.Parallel()
	dir, reads := &module.Source{}, counting{}
	set := module.NewSet(reads, dir, dir, "Dockerfile")
	main, err := set.Parse(t.Context(), &diagnostic.Text{Data: []byte("FROM scratch\n")})
	if err != nil {
		t.Fatal(err)
	}
	var first *module.Data
	for _, path := range []string{"./x.json", "/x.json", "./a/../x.json"} {
		d, err := set.Data(t.Context(), main, module.Request{Path: path})
		if err != nil || first != nil && d != first {
			t.Errorf("%s: %v, %v", path, d, err)
		}
		first = d
	}
	if reads["x.json"] != 1 {
		t.Errorf("read %d times", reads["x.json"])
	}
	var located *diagnostic.Diagnostic
	if _, err := set.Data(t.Context(), main, module.Request{Path: "./large.json"}); err == nil || errors.As(err, &located) || !strings.Contains(err.Error(), "the limit of data is 1048576") {
		t.Errorf("got %v", err)
	}
}
