//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// daemon is a buildkitd of a test, with a state of its own.
type daemon struct {
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startDaemon starts another buildkitd, with an empty state and the registry
// of the development engine, and returns its address.
func startDaemon(t *testing.T) string {
	t.Helper()
	return startDaemonOn(t, registry(t))
}

// startDaemonOn starts one that has another registry in its place.
func startDaemonOn(t *testing.T, address string) string {
	t.Helper()
	d := newDaemon(t, address)
	d.start(t)
	return d.addr
}

// newDaemon makes the directory of one, in which its state is that of root. All that is in it goes with
// the test.
func newDaemon(t *testing.T, registryAddress string, args ...string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(env(t, "STAGECRAFT_STATE"), "engine", "buildkitd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{addr: "unix://" + filepath.Join(dir, "sock"), dir: dir}
	text := strings.ReplaceAll(string(config), env(t, "BUILDKIT_HOST"), d.addr)
	text = strings.ReplaceAll(text, registry(t), registryAddress)
	file := filepath.Join(dir, "buildkitd.toml")
	writeFile(t, file, []byte(text))
	for _, name := range []string{"root", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.args = append([]string{"--config", file, "--root", filepath.Join(dir, "root")}, args...)
	t.Cleanup(func() {
		d.end(t, os.Interrupt)
		d.unmount(t)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return d
}

// start starts the daemon, and returns when it answers.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command("buildkitd", d.args...)
	d.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(d.dir, "tmp")) // where it mounts, too
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !soon(t, func() bool { return exec.Command("buildctl", "--addr="+d.addr, "debug", "workers").Run() == nil }) {
		t.Fatalf("buildkitd does not answer:\n%s", d.log(t))
	}
}

// end ends the daemon with a signal.
func (d *daemon) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if d.cmd == nil {
		return
	}
	if err := d.cmd.Process.Signal(signal); err != nil {
		t.Error(err)
	}
	_ = d.cmd.Wait() // an interrupted daemon fails
	d.cmd = nil
}

// log is what the daemon wrote.
func (d *daemon) log(t *testing.T) string {
	t.Helper()
	return readText(t, filepath.Join(d.dir, "log"))
}

// unmount takes away what is mounted below the directory: a daemon that was killed leaves its mounts
// behind, and nothing may be removed through them.
func (d *daemon) unmount(t *testing.T) {
	t.Helper()
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(d.dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range slices.Backward(mounts) {
		if err := syscall.Unmount(m.Mountpoint, syscall.MNT_DETACH); err != nil {
			t.Fatalf("failed to unmount %s: %v", m.Mountpoint, err)
		}
	}
}

// newBuilder makes a builder of buildx that uses a daemon, and returns its name.
func newBuilder(t *testing.T, addr string) string {
	t.Helper()
	builder := "test-" + strings.ReplaceAll(unique(), ".", "-")
	run(t, ".", "buildx", "create", "--name="+builder, "--driver=remote", addr).ok(t)
	t.Cleanup(func() {
		if out, err := exec.Command("buildx", "rm", builder).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return builder
}
