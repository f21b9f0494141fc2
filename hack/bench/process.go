package main

import (
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/memory"
)

// convertCommand makes this program a frontend that converts one file and ends.
const convertCommand = "convert"

// convertHere converts one file as the process of a frontend's image does.
func convertHere(who, what string) error {
	const n, base = 1000, 30
	texts := map[string]func() string{
		"stages": func() string { return manyStages(n) },
		"copies": func() string { return dockerfilegen.Copies(n, base) },
		"calls":  func() string { return dockerfilegen.Calls(n, base) },
	}
	text, ok := texts[what]
	if !ok {
		return fmt.Errorf("nothing is called %q", what)
	}
	if who == "upstream" {
		return convert(text(), builder.Build)
	}
	memory.Tune() // as the program of our image
	return convert(text(), frontend.Build)
}

// wholeProcess compares processes that each convert one file, the start of the process
// and its garbage collector as they are in the image.
func wholeProcess() ([]row, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	run := func(who, what string) func() error {
		return func() error { return quiet(program, convertCommand, who, what) }
	}
	var rows []row
	for _, m := range []struct{ what, upstream, ours string }{
		{"conversion of 1000 stages, whole process", "stages", "stages"},
		{"1000 calls against copies, whole process", "copies", "calls"},
	} {
		r, err := pairs(m.what, 20, run("upstream", m.upstream), run("ours", m.ours))
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}
