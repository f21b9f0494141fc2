//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/identity"
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

// notStarted is what BuildKit says where the program of a frontend is silent for the ten seconds that its
// HTTP library gives a client: on two slow cores some of a hundred may not have started by then.
const notStarted = "failed to solve: frontend grpc server closed unexpectedly"

// TestManyBuildsAtOnce builds a hundred different files at once on one daemon, and guards that each comes out
// as its own. Those whose frontend the machine could not start in time are built once more, each alone.
func TestManyBuildsAtOnce(t *testing.T) {
	// not parallel: it takes all of the machine
	addr := env(t, "BUILDKIT_HOST")
	id := unique()
	builds := make([]*numbered, 100)
	for i := range builds {
		builds[i] = newNumbered(t, i, id)
		builds[i].start(t, addr)
	}
	late := 0
	for _, b := range builds {
		err := b.end()
		if err != nil && strings.Contains(b.printed.String(), notStarted) {
			late++
			b.start(t, addr)
			err = b.end()
		}
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d frontends were started too late", late, len(builds))
	if late == len(builds) {
		t.Error("that is no matter of a slow machine any more")
	}
}

// numbered is one of many builds, each of which gives two files of its own.
type numbered struct {
	held
	number  int
	id      string
	cmd     *exec.Cmd
	printed *bytes.Buffer
	out     string
}

func newNumbered(t *testing.T, number int, id string) *numbered {
	t.Helper()
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
`, number, id))
	return &numbered{held: held{token: "token-" + identity.NewID(), dir: dir}, number: number, id: id}
}

func (n *numbered) start(t *testing.T, addr string) {
	t.Helper()
	n.cmd, n.printed, n.out = n.held.start(t, addr)
}

// end waits for the build, and returns what is wrong with it.
func (n *numbered) end() error {
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("build %d: %w\n%s", n.number, err, n.printed)
	}
	if entries, err := os.ReadDir(n.out); err != nil || len(entries) != 2 {
		return fmt.Errorf("build %d exports %v: %w", n.number, entries, err)
	}
	first, err := os.ReadFile(filepath.Join(n.out, fmt.Sprintf("result%d", n.number)))
	second, err2 := os.ReadFile(filepath.Join(n.out, fmt.Sprintf("second%d", n.number)))
	if got, want := string(first)+string(second), fmt.Sprintf("text %d\n%s %[1]d\n", n.number, n.id); got != want {
		return fmt.Errorf("build %d gives %q, not %q: %w", n.number, got, want, errors.Join(err, err2))
	}
	return nil
}
