//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// diskSize is that of the disk of a daemon, in bytes: the images take less than half of it.
const diskSize = 128 << 20

// TestFullDisk guards builds on a daemon whose disk is full in the middle of what they do: a file that is imported,
// a step, a step of the program, what a stage copies. When somebody makes room, the same daemon builds. The disk
// is a file system in memory.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, registry(t))
	if err := syscall.Mount("tmpfs", filepath.Join(d.dir, "root"), "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		t.Fatal(err)
	}
	d.start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, diskSize))
	}))
	t.Cleanup(server.Close)
	next := &held{token: unique(), dir: project(t, "-- Dockerfile --\nLET X = \"right\"\nFROM busybox AS made\nARG X\nRUN echo $X > /result\nFROM scratch\nCOPY --from=made /result /\n")}
	next.builds(t, d.addr)
	ballast := filepath.Join(d.dir, "root", "ballast")
	free := func() int64 {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(filepath.Dir(ballast), &disk); err != nil {
			t.Fatal(err)
		}
		return int64(disk.Bavail) * disk.Bsize
	}
	writeFile(t, ballast, make([]byte, diskSize/8))
	most := free() * 6 / 10 / 1024 // KiB: they fit once
	for _, c := range []struct {
		name, dockerfile string
		line             string
	}{
		{"importing", "IMPORT --from=" + server.URL + "/lib.Dockerfile AS lib\nFROM lib.last\n", "line 1, column 15: failed to fetch " + server.URL + "/lib.Dockerfile: "},
		{"a step", fmt.Sprintf("LET X = \"\"\nFROM busybox\nRUN dd if=/dev/zero of=/large bs=1024 count=%d && cp /large /second\n", most), ">>> RUN dd if=/dev/zero"},
		{"a step of the program", fmt.Sprintf(`
FROM busybox AS tool
RUN mkdir /opt && dd if=/dev/zero of=/opt/interpreter bs=1024 count=%d && chmod 755 /opt/interpreter && echo '#!/opt/interpreter' > /tool && chmod 755 /tool
FROM scratch
COPY --needed --from=tool /tool /tool
`, most), ">>> COPY --needed --from=tool /tool /tool"},
		{"a copy", fmt.Sprintf("LET X = \"\"\nFROM busybox AS large\nRUN dd if=/dev/zero of=/large bs=1024 count=%d\nFROM scratch\nCOPY --from=large /large /\n", most), ">>> COPY --from=large /large /"},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeFile(t, ballast, make([]byte, diskSize/8))
			h := &held{token: unique(), dir: project(t, "-- Dockerfile --\n"+c.dockerfile)}
			cmd, printed, out := h.start(t, d.addr)
			h.ended(t, cmd, printed, out, "no space left on device", "No space left on device")
			if !strings.Contains(printed.String(), c.line) {
				t.Errorf("the client does not print %q but\n%s", c.line, printed)
			}
			if err := os.Remove(ballast); err != nil { // somebody makes room
				t.Fatal(err)
			}
			next.builds(t, d.addr, "--no-cache")
			run(t, "", "buildctl", "--addr="+d.addr, "prune", "--all").ok(t)
		})
	}
}
