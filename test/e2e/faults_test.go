//go:build e2e

package e2e

import (
	"bytes"
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

// gaveUp is what BuildKit says of a frontend that is silent for ten seconds after its start, which is what its
// HTTP library gives a client: a slow machine does not start a hundred programs in that time.
const gaveUp = "frontend grpc server closed unexpectedly"

// TestManyBuildsAtOnce guards that a hundred different builds that one daemon has at once come out as their own:
// each is held where it imports, until all stand there, and all go on in one moment.
func TestManyBuildsAtOnce(t *testing.T) {
	// not parallel: it takes all of the machine
	const (
		count    = 100
		starting = 4 // at most so many are on the way to the gate
	)
	addr := env(t, "BUILDKIT_HOST")
	id := unique()
	files := map[string]string{}
	g := newGate(t, files)
	builds := make([]*numbered, count)
	for i := range builds {
		builds[i] = newNumbered(t, g, i, id)
		files[builds[i].path] = builds[i].imported
	}
	for i := range builds {
		if i >= starting {
			builds[i-starting].stands(t, addr)
		}
		builds[i].start(t, addr)
	}
	for _, b := range builds { // the first of them still do
		b.stands(t, addr)
	}
	g.open()
	for _, b := range builds {
		if err := b.end(); err != nil {
			t.Error(err)
		}
	}
}

// numbered is one of many builds, each of which gives three files of its own.
type numbered struct {
	held
	number         int
	id             string
	path, imported string // of the file that the gate holds
	cmd            *exec.Cmd
	ended          chan error // what its client came to
	printed        *bytes.Buffer
	out            string
}

func newNumbered(t *testing.T, g *gate, i int, id string) *numbered {
	t.Helper()
	n := &numbered{number: i, id: id, path: fmt.Sprintf("/held/made%d.Dockerfile", i)}
	n.imported = fmt.Sprintf("FROM scratch AS made\nCOPY <<EOT /third%d\n%s %[1]d\nEOT\n", i, id)
	dir := project(t, fmt.Sprintf(`
-- Dockerfile --
IMPORT ./lib%[1]d.Dockerfile AS lib
IMPORT --from=%[3]s AS held
FROM scratch
COPY --from=lib.made(V=%[1]d) /result%[1]d /second%[1]d /
COPY --from=held.made /third%[1]d /
-- lib%[1]d.Dockerfile --
FROM scratch AS made
ARG V
COPY text /result%[1]d
COPY <<EOT /second%[1]d
%[2]s $V
EOT
-- text --
text %[1]d
`, i, id, g.url+n.path))
	n.held = held{token: "token-" + identity.NewID(), dir: dir, gate: g, reached: func() bool { return g.wasAsked(n.path) }}
	return n
}

func (n *numbered) start(t *testing.T, addr string) {
	t.Helper()
	n.cmd, n.printed, n.out = n.held.start(t, addr)
	n.ended = make(chan error, 1)
	go func() { n.ended <- n.cmd.Wait() }()
	t.Cleanup(func() { _ = n.cmd.Process.Kill() }) // where the test ends before the build
}

// stands waits until the build is held, and fails the test where that never is. One that BuildKit gave up, or
// that a busy machine kept on its way for longer than a fault may take, is started again, twice at most.
func (n *numbered) stands(t *testing.T, addr string) {
	t.Helper()
	for try := range 3 {
		if try > 0 {
			n.start(t, addr)
		}
		onItsWay := !soon(t, func() bool { return n.reached() || len(n.ended) > 0 })
		if !onItsWay && len(n.ended) == 0 {
			return
		}
		_ = n.cmd.Process.Kill()
		if err := <-n.ended; !onItsWay && !strings.Contains(n.printed.String(), gaveUp) {
			t.Fatalf("build %d does not stand at the gate: %v\n%s", n.number, err, n.printed)
		}
		t.Logf("build %d did not come to the gate in time, and printed\n%s", n.number, n.printed)
	}
	t.Fatalf("build %d never comes to the gate", n.number)
}

// end waits for the build, and returns what is wrong with it.
func (n *numbered) end() error {
	if err := <-n.ended; err != nil {
		return fmt.Errorf("build %d: %w\n%s", n.number, err, n.printed)
	}
	want := map[string]string{
		"result": fmt.Sprintf("text %d\n", n.number),
		"second": fmt.Sprintf("%s %d\n", n.id, n.number),
		"third":  fmt.Sprintf("%s %d\n", n.id, n.number),
	}
	if entries, err := os.ReadDir(n.out); err != nil || len(entries) != len(want) {
		return fmt.Errorf("build %d exports %v: %w", n.number, entries, err)
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(n.out, fmt.Sprint(name, n.number)))
		if err != nil || string(got) != text {
			return fmt.Errorf("build %d gives %q in %s, not %q: %w", n.number, got, name, text, err)
		}
	}
	return nil
}
