//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startDaemon starts another buildkitd, with an empty state and the registry
// of the development engine, and returns its address.
func startDaemon(t *testing.T) string {
	t.Helper()
	return startDaemonOn(t, registry(t))
}

// startDaemonOn starts one that has another registry in its place.
func startDaemonOn(t *testing.T, address string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(env(t, "STAGECRAFT_STATE"), "engine", "buildkitd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	addr := "unix://" + filepath.Join(dir, "sock")
	text := strings.ReplaceAll(string(config), env(t, "BUILDKIT_HOST"), addr)
	text = strings.ReplaceAll(text, registry(t), address)
	file := filepath.Join(dir, "buildkitd.toml")
	writeFile(t, file, []byte(text))
	var log bytes.Buffer
	cmd := exec.Command("buildkitd", "--config", file, "--root", filepath.Join(dir, "root"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // an interrupted daemon fails
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if !waitFor(t.Context(), func() bool { return exec.Command("buildctl", "--addr="+addr, "debug", "workers").Run() == nil }) {
		t.Fatalf("buildkitd does not answer:\n%s", &log)
	}
	return addr
}
