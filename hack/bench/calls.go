package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
)

// plannedCalls compares, in memory, a file with n calls of one stage with the
// file in which a user copied the stage n times.
func plannedCalls() ([]row, error) {
	var rows []row
	const n = 1000
	for _, base := range []int{1, 30} {
		copies, calls := dockerfilegen.Copies(n, base), dockerfilegen.Calls(n, base)
		upstream := func() error { return convert(copies, builder.Build) }
		ours := func() error { return convert(calls, frontend.Build) }
		more, err := timeAndMemory(fmt.Sprintf("%d calls, base of %d steps", n, base), 15, upstream, ours)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	small, large := dockerfilegen.Calls(n, 30), dockerfilegen.Calls(4*n, 30)
	more, err := timeAndMemory("4000 calls against 1000", 3,
		func() error { return convert(small, frontend.Build) },
		func() error { return convert(large, frontend.Build) })
	return append(rows, more...), err
}

// builtCalls compares them on the daemon, cold and with everything cached.
func builtCalls() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var rows []row
	for _, n := range []int{3, 30, 300} {
		copies, err := newContext(dir, fmt.Sprintf("copies%d", n), dockerfilegen.Copies(n, 3))
		if err != nil {
			return nil, err
		}
		calls, err := newContext(dir, fmt.Sprintf("calls%d", n), dockerfilegen.Calls(n, 3))
		if err != nil {
			return nil, err
		}
		for _, kind := range []struct {
			name string
			runs int
			flag string
		}{{"cold", max(1, 9/n), "--no-cache"}, {"cached", 9, "--no-cache=false"}} {
			r, err := pairs(fmt.Sprintf("%d calls against copies, %s", n, kind.name), kind.runs,
				build(upstreamImage, copies, kind.flag), build(ourImage, calls, kind.flag))
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// linkedTargets compares calls with what bake has for the same: a target for
// each service, linked to the one that gathers them.
func linkedTargets() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var rows []row
	for _, n := range []int{3, 30, 100} {
		calls, err := newContext(dir, fmt.Sprintf("calls%d", n), dockerfilegen.Calls(n, 3))
		if err != nil {
			return nil, err
		}
		linked, err := newContext(dir, fmt.Sprintf("linked%d", n), dockerfilegen.Linked(n, 3))
		if err != nil {
			return nil, err
		}
		if err := writeBake(filepath.Join(linked, "bake.json"), linked, n); err != nil {
			return nil, err
		}
		r, err := pairs(fmt.Sprintf("%d calls against linked bake targets, cached", n), max(2, 30/n),
			func() error {
				return quiet("buildx", "bake", "--allow=fs.read="+linked, "--file="+filepath.Join(linked, "bake.json"), "app")
			},
			build(ourImage, calls))
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// gates compares a build of two steps, one of them a gate, with one of a single
// step: a gate runs beside the build, so the second step costs nothing.
func gates() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	const step = "RUN sleep 5\n"
	one, err := newContext(dir, "one", "FROM busybox\n"+step)
	if err != nil {
		return nil, err
	}
	two, err := newContext(dir, "two", "FROM busybox AS test\nRUN sleep 5 # test\nFROM --after=test busybox\n"+step)
	if err != nil {
		return nil, err
	}
	r, err := pairs("a step of 5 s and a gate of 5 s against the step", 3, build(upstreamImage, one, "--no-cache"), build(ourImage, two, "--no-cache"))
	return []row{r}, err
}

// writeBake writes a bake file of n services and the target app.
func writeBake(path, dir string, n int) error {
	type target struct {
		Context  string            `json:"context"`
		Target   string            `json:"target"`
		Args     map[string]string `json:"args"`
		Contexts map[string]string `json:"contexts,omitempty"`
		Output   []string          `json:"output"`
	}
	targets := map[string]target{}
	app := target{Context: dir, Target: "app", Args: map[string]string{"BUILDKIT_SYNTAX": upstreamImage}, Contexts: map[string]string{}, Output: []string{"type=cacheonly"}}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		app.Contexts[name] = "target:" + name
		targets[name] = target{Context: dir, Target: "build", Args: map[string]string{"BUILDKIT_SYNTAX": upstreamImage, "PKG": "./cmd/" + name}, Output: []string{"type=cacheonly"}}
	}
	targets["app"] = app
	dt, err := json.MarshalIndent(map[string]any{"target": targets}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, dt, 0o644)
}

// newContext writes a build context with a Dockerfile and a file to copy.
func newContext(dir, name, dockerfile string) (string, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644)
}

// build builds dir with a frontend image.
func build(image, dir string, flags ...string) func() error {
	return func() error {
		args := append([]string{"buildx", "build", "--build-arg=BUILDKIT_SYNTAX=" + image, "--output=type=cacheonly"}, flags...)
		return quiet(append(args, dir)...)
	}
}
