//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/identity"
	"golang.org/x/sync/errgroup"
)

// TestCancelledInEveryPhase guards that a client that is interrupted, wherever the build stands, leaves no
// process, no output and a daemon that builds.
func TestCancelledInEveryPhase(t *testing.T) {
	t.Parallel()
	for phase := range phases {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			addr := env(t, "BUILDKIT_HOST")
			h := newHeld(t, phase)
			cmd, printed, out := h.startHeld(t, addr)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			h.ended(t, cmd, printed, out, "context canceled")
			h.builds(t, addr)
		})
	}
}

// TestDaemonKilledInEveryPhase guards that a daemon that is killed, wherever the build stands, leaves no
// output and no process of the frontend, and builds when it is started again.
func TestDaemonKilledInEveryPhase(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, registry(t))
	d.start(t)
	for _, phase := range slices.Sorted(maps.Keys(phases)) {
		t.Run(phase, func(t *testing.T) {
			h := newHeld(t, phase)
			cmd, printed, out := h.startHeld(t, d.addr)
			d.end(t, os.Kill)
			if h.outlives { // nobody but the daemon knows of it: BuildKit does not end it either when it is back
				h.signal(t, "sleep\x00", syscall.SIGKILL)
			}
			h.ended(t, cmd, printed, out, "error reading from server: EOF", "connection reset by peer")
			d.start(t)
			h.builds(t, d.addr)
		})
	}
}

// TestStoppedFrontend guards that a frontend which stands still for ten seconds goes on when it may, and that
// one which never does is gone with its client.
func TestStoppedFrontend(t *testing.T) {
	t.Parallel()
	const program = "/bin/stagecraft-frontend\x00"
	t.Run("goes on", func(t *testing.T) {
		t.Parallel()
		h := newHeld(t, "importing")
		cmd, printed, out := h.startHeld(t, env(t, "BUILDKIT_HOST"))
		h.signal(t, program, syscall.SIGSTOP)
		h.gate.open()
		time.Sleep(10 * time.Second)
		h.signal(t, program, syscall.SIGCONT)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
		if got := readText(t, filepath.Join(out, "result")); got != "right\n" {
			t.Errorf("the build gives %q", got)
		}
		h.nothingLeft(t)
	})
	t.Run("is left", func(t *testing.T) {
		t.Parallel()
		h := newHeld(t, "importing")
		cmd, printed, out := h.startHeld(t, env(t, "BUILDKIT_HOST"))
		h.signal(t, program, syscall.SIGSTOP)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		h.ended(t, cmd, printed, out, "context canceled")
		h.builds(t, env(t, "BUILDKIT_HOST"))
	})
}

// TestManyBuildsAtOnce builds a hundred different files at once on one daemon, and guards that each comes out
// as its own.
func TestManyBuildsAtOnce(t *testing.T) {
	// not parallel: it takes all of the machine
	id := unique()
	var builds errgroup.Group
	for i := range 100 {
		dir := project(t, fmt.Sprintf(`
-- Dockerfile --
IMPORT ./lib%[1]d.Dockerfile AS lib
FROM scratch
COPY --from=lib.made(V=%[1]d) /result%[1]d /second%[1]d /
-- lib%[1]d.Dockerfile --
FROM scratch AS made
ARG V
COPY text /result%[1]d
COPY <<EOT /second%[1]d
%[2]s $V
EOT
-- text --
text %[1]d
`, i, id))
		h := &held{token: "token-" + identity.NewID(), dir: dir}
		cmd, printed, out := h.start(t, env(t, "BUILDKIT_HOST"))
		builds.Go(func() error {
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("build %d: %w\n%s", i, err, printed)
			}
			if entries, err := os.ReadDir(out); err != nil || len(entries) != 2 {
				return fmt.Errorf("build %d exports %v: %w", i, entries, err)
			}
			first, err := os.ReadFile(filepath.Join(out, fmt.Sprintf("result%d", i)))
			second, err2 := os.ReadFile(filepath.Join(out, fmt.Sprintf("second%d", i)))
			if got, want := string(first)+string(second), fmt.Sprintf("text %d\n%s %[1]d\n", i, id); got != want {
				return fmt.Errorf("build %d gives %q, not %q: %w", i, got, want, errors.Join(err, err2))
			}
			return nil
		})
	}
	if err := builds.Wait(); err != nil {
		t.Error(err)
	}
}
