//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

const (
	// frontendImage is the image under test, as the development engine
	// serves it. Makefile's e2e target builds and pushes it.
	frontendImage = "stagecraft/dockerfile:1"
	// upstreamImage is upstream's frontend of the same BuildKit release.
	upstreamImage = "docker/dockerfile:1"
	// syntaxLine is the first line of a Dockerfile for it.
	syntaxLine = "# syntax=" + frontendImage + "\n"
	// stepTimeout bounds one client command; a slow machine needs seconds.
	stepTimeout = 4 * time.Minute
)

// env returns an environment variable that the development engine sets.
func env(tb testing.TB, name string) string {
	tb.Helper()
	v := os.Getenv(name)
	if v == "" {
		tb.Fatalf("%s is not set: run these tests with make e2e", name)
	}
	return v
}

// registry is the address of the development registry.
func registry(tb testing.TB) string { return env(tb, "STAGECRAFT_REGISTRY") }

// project writes the files of a txtar archive into a new directory, a build
// context.
func project(tb testing.TB, archive string) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		writeFile(tb, filepath.Join(dir, f.Name), f.Data)
	}
	return dir
}

func writeFile(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

// command is one run of a client: where it ran, what it printed, how it ended.
type command struct {
	args           []string
	stdout, stderr string
	err            error
}

// run runs a client command in dir to its end.
func run(tb testing.TB, dir string, args ...string) command {
	tb.Helper()
	return runWith(tb, dir, nil, args...)
}

// runWith is run with further environment variables.
func runWith(tb testing.TB, dir string, environ []string, args ...string) command {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), stepTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("stopped after %s: %w", stepTimeout, err)
	}
	return command{args, stdout.String(), stderr.String(), err}
}

// output is all that the user sees.
func (c command) output() string { return c.stdout + c.stderr }

// ok ends the test unless the command succeeded.
func (c command) ok(tb testing.TB) command {
	tb.Helper()
	if c.err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(c.args, " "), c.err, c.output())
	}
	return c
}

// fails ends the test unless the command failed and printed every one of want.
func (c command) fails(tb testing.TB, want ...string) command {
	tb.Helper()
	if c.err == nil {
		tb.Fatalf("%s did not fail:\n%s", strings.Join(c.args, " "), c.output())
	}
	return c.prints(tb, want...)
}

// prints fails the test for each of want that the output lacks.
func (c command) prints(tb testing.TB, want ...string) command {
	tb.Helper()
	for _, w := range want {
		if !strings.Contains(c.output(), w) {
			tb.Errorf("%s did not print %q but:\n%s", strings.Join(c.args, " "), w, c.output())
		}
	}
	return c
}

// buildx runs buildx build with plain progress on the development engine, with
// dir as the build context.
func buildx(tb testing.TB, dir string, args ...string) command {
	tb.Helper()
	return run(tb, dir, append(append([]string{"buildx", "build", "--progress=plain"}, args...), ".")...)
}
