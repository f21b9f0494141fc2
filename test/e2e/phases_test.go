//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/identity"
)

// faultTimeout bounds what a fault may take: a client that ends, a process that goes.
const faultTimeout = time.Minute

// gate is a server of files, some of which it holds back.
type gate struct {
	url     string
	mu      sync.Mutex
	files   map[string]string
	asked   map[string]bool
	release chan struct{}
}

// newGate starts one; files below /held/ come when it is opened, all others at once.
func newGate(t *testing.T, files map[string]string) *gate {
	t.Helper()
	g := &gate{files: files, asked: map[string]bool{}, release: make(chan struct{})}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // a request that is held ends here
	g.url = server.URL
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	text, ok := g.files[r.URL.Path]
	g.asked[r.URL.Path] = true
	g.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/held/") {
		select {
		case <-g.release:
		case <-r.Context().Done():
			return
		}
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(text))
}

// open lets all go that is held.
func (g *gate) open() { close(g.release) }

// wasAsked reports whether a file was asked for.
func (g *gate) wasAsked(path string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[path]
}

// held is a build that stands still in one phase, until it is let go. All its processes have its
// token in their arguments or in their environment.
type held struct {
	token string
	dir   string
	gate  *gate
	args  []string // further ones of buildctl
	hold  []string // those that hold it
	// reached reports whether it stands there; not is what its progress then lacks.
	reached func() bool
	not     string
	// outlives is set where a process of a RUN stays behind when the daemon is killed.
	outlives bool
}

// phases make a build that is held in each phase. Let go, it gives /result with the text right.
var phases = map[string]func(t *testing.T, h *held){
	"reading": func(t *testing.T, h *held) {
		h.gate = newGate(t, map[string]string{"/held/Dockerfile": heldSteps})
		h.args = []string{"--opt=context=" + h.gate.url + "/held/Dockerfile"}
		h.reached = func() bool { return h.gate.wasAsked("/held/Dockerfile") }
		h.not = "load metadata for docker.io/library/busybox"
	},
	"importing": func(t *testing.T, h *held) {
		h.gate = newGate(t, map[string]string{"/held/lib.Dockerfile": heldSteps})
		h.dir = project(t, "-- Dockerfile --\nIMPORT --from="+h.gate.url+"/held/lib.Dockerfile AS lib\nFROM lib.last\n")
		h.reached = func() bool { return h.gate.wasAsked("/held/lib.Dockerfile") }
		h.not = "load metadata for docker.io/library/busybox"
	},
	"planning": func(t *testing.T, h *held) {
		h.gate = newGate(t, map[string]string{"/lib.Dockerfile": heldSteps})
		var heavy strings.Builder // ten seconds of expressions that come out false
		for i := range 300 {
			fmt.Fprintf(&heavy, "COPY --if='V matches \"(a|a?){150}b%d\"' nothing /\n", i)
		}
		h.dir = project(t, "-- Dockerfile --\nARG V\nIMPORT --from="+h.gate.url+"/lib.Dockerfile AS lib\nFROM lib.last\n"+heavy.String())
		h.hold = []string{"--opt=build-arg:V=" + strings.Repeat("a", 4000)}
		served := time.Time{}
		h.reached = func() bool {
			if served.IsZero() && h.gate.wasAsked("/lib.Dockerfile") {
				served = time.Now()
			}
			return !served.IsZero() && time.Since(served) > time.Second
		}
		h.not = "load metadata for docker.io/library/busybox"
	},
	"a step of the program": func(t *testing.T, h *held) {
		// each script is looked for in each directory of PATH
		h.dir = project(t, `
-- Dockerfile --
FROM busybox AS scripts
ARG FILES=2
RUN mkdir -p /last /usr/bin /`+h.token+` && cp /bin/busybox /last/tool && cp /bin/busybox /usr/bin/env && cd /`+h.token+` && \
    for i in $(seq 1 $FILES); do echo '#!/usr/bin/env tool' > $i; done && chmod 755 * && echo right > /result
ARG DIRECTORIES
ENV PATH=${DIRECTORIES}/last
FROM scratch
COPY --needed --from=scripts /`+h.token+`/ /t/
COPY --from=scripts /result /
`)
		var directories strings.Builder
		for i := range 1000 { // the most that a search takes
			fmt.Fprintf(&directories, "/d%d:", i)
		}
		h.hold = []string{"--opt=build-arg:DIRECTORIES=" + directories.String(), "--opt=build-arg:FILES=5000"}
		h.reached = func() bool { return runs("/bin/stagecraft-frontend\x00needed", h.token) }
	},
	"solving": func(t *testing.T, h *held) {
		h.dir = project(t, "-- Dockerfile --\nFROM busybox AS slow\nARG TOKEN\nARG HOLD=0\nRUN echo right > /result; exec sleep $HOLD\nFROM scratch\nCOPY --from=slow /result /\n")
		h.hold = []string{"--opt=build-arg:HOLD=1000"}
		h.outlives = true
		h.reached = func() bool { return runs("sleep\x001000", h.token) }
	},
}

// heldSteps are what a file of a gate says.
const heldSteps = "FROM busybox AS slow\nRUN echo right > /result\nFROM scratch AS last\nCOPY --from=slow /result /\n"

func newHeld(t *testing.T, phase string) *held {
	t.Helper()
	h := &held{token: "token-" + identity.NewID()}
	phases[phase](t, h)
	return h
}

// start starts a build of it on a daemon, and returns the client, what it prints, and where it exports
// to.
func (h *held) start(t *testing.T, addr string, further ...string) (cmd *exec.Cmd, printed *bytes.Buffer, out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out")
	args := []string{"--addr=" + addr, "build", "--progress=plain", "--frontend=gateway.v0", "--opt=source=" + frontendImage, "--opt=build-arg:TOKEN=" + h.token, "--output=type=local,dest=" + out}
	if h.dir != "" {
		args = append(args, "--local=context="+h.dir, "--local=dockerfile="+h.dir)
	}
	cmd = exec.Command("buildctl", append(append(args, h.args...), further...)...)
	printed = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, printed, out
}

// startHeld starts it held, and returns when it stands in its phase.
func (h *held) startHeld(t *testing.T, addr string) (cmd *exec.Cmd, printed *bytes.Buffer, out string) {
	t.Helper()
	cmd, printed, out = h.start(t, addr, h.hold...)
	if !soon(t, h.reached) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the build never stood in its phase:\n%s", printed)
	}
	time.Sleep(200 * time.Millisecond)
	if found := processes(h.token); len(found) < 2 || !h.reached() { // the client is one
		t.Errorf("the build does not stand still; its processes are %v and it prints\n%s", found, printed)
	}
	return cmd, printed, out
}

// ended waits for the client of a held build, which has to fail with one of the errors and to leave no
// process and no output.
func (h *held) ended(t *testing.T, cmd *exec.Cmd, printed *bytes.Buffer, out string, want ...string) {
	t.Helper()
	timer := time.AfterFunc(faultTimeout, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err == nil {
		t.Errorf("the client reports success:\n%s", printed)
	}
	if !containsOne(printed.String(), want) {
		t.Errorf("the client prints none of %q but\n%s", want, printed)
	}
	if h.not != "" && strings.Contains(printed.String(), h.not) {
		t.Errorf("the build was beyond its phase:\n%s", printed)
	}
	h.nothingLeft(t)
	requireNothing(t, out)
}

// signal sends a signal to its processes that have text in their arguments.
func (h *held) signal(t *testing.T, text string, signal syscall.Signal) {
	t.Helper()
	for _, p := range processes(h.token) {
		if strings.Contains(p.command, text) {
			if err := syscall.Kill(p.pid, signal); err != nil {
				t.Error(err)
			}
		}
	}
}

// nothingLeft fails the test when a process of the build does not go by itself, long before it has done its work.
func (h *held) nothingLeft(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	if !waitFor(ctx, func() bool { return len(processes(h.token)) == 0 }) {
		t.Errorf("processes are left: %v", processes(h.token))
	}
}

// builds lets the build go, and builds it once more: now it is right.
func (h *held) builds(t *testing.T, addr string, further ...string) {
	t.Helper()
	if h.gate != nil {
		h.gate.open()
	}
	cmd, printed, out := h.start(t, addr, further...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the next build fails: %v\n%s", err, printed)
	}
	if got := readText(t, filepath.Join(out, "result")); got != "right\n" {
		t.Errorf("the next build gives %q", got)
	}
}

// requireNothing fails the test when something was exported.
func requireNothing(t *testing.T, out string) {
	t.Helper()
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
		t.Errorf("%s was exported", entries[0].Name())
	}
}

func containsOne(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// soon polls until cond holds; false when that takes longer than a fault may.
func soon(t *testing.T, cond func() bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), faultTimeout)
	defer cancel()
	return waitFor(ctx, cond)
}

// task is a process of this machine.
type task struct {
	pid     int
	command string
}

// processes returns those that have a token in their arguments or in their environment.
func processes(token string) []task {
	var found []task
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		command, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if bytes.Contains(command, []byte(token)) || bytes.Contains(environ, []byte(token)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			found = append(found, task{pid, string(command)})
		}
	}
	return found
}

// runs reports whether a process of a token has text in its arguments.
func runs(text, token string) bool {
	for _, p := range processes(token) {
		if strings.Contains(p.command, text) {
			return true
		}
	}
	return false
}
