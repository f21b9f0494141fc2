package needed

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Which files sources are, and what of them is needed; "error:" as above.
func TestSources(t *testing.T) {
	t.Parallel()
	const files = ">/app/a #!/opt/a\n>/app/b #!/opt/b\n>/app/deep/c #!/opt/c\n>/app/data x\n" +
		"/app/in = deep/c\n/app/out = ../srv/d\n/app/nowhere = gone\n/app/loop = loop\n/app/up = ..\n/app/text = /srv/text\n" +
		">/srv/d #!/opt/d\n>/srv/text x\n>/opt/a x\n>/opt/b x\n>/opt/c x\n>/opt/d x\n/way = app\n/etc/escape = /../../app/a\n" +
		">/names/a\xff\x1b[31m\u00a0 x\n" +
		">/odd/a #!/nowhere\n>/odd/b #!/opt/b\n>/odd/c #!/usr/bin/env nothing\n>/usr/bin/env x\n"
	for _, c := range []struct{ name, sources, want string }{
		{"a file", "/app/a", "/app/a: /opt/a"},
		{"a file without its slash", "app/a", "/app/a: /opt/a"},
		{"several", "/app/a /app/b", "/app/a /app/b: /opt/a /opt/b"},
		{"a pattern", "/app/[ab]", "/app/a /app/b: /opt/a /opt/b"},
		{"a pattern behind a link", "/way/[ab]", "/app/a /app/b: /opt/a /opt/b"},
		{"a path behind a link", "/way/a", "/way/a: /opt/a"},
		{"a link", "/app/out", "/app/out: /opt/d"},
		{"a link that seems to lead out", "/etc/escape", "/etc/escape: /opt/a"},
		{"dots", "/../../app/../app/a", "/app/a: /opt/a"},
		{"a directory", "/app", "/app/a /app/b /app/data /app/deep/c /app/out: /app/../srv/d /opt/a /opt/b /opt/c /opt/d"},
		{"a directory with a slash", "/app/deep/", "/app/deep/c: /opt/c"},
		{"scripts of a directory that nothing runs", "/odd", "/odd/a /odd/b /odd/c: /opt/b /usr/bin/env"},
		{"such a script by its name", "/odd/a", "error: /odd/a: its interpreter /nowhere is missing"},
		{"names of any bytes", "/names", "/names/a\xff\x1b[31m\u00a0:"},
		{"a missing file", "/app/x", "error: source /app/x: no such file or directory"},
		{"a pattern of nothing", "/app/x*", "error: source /app/x*: nothing matches"},
		{"a link in a loop", "/app/loop", "error: source /app/loop: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &builtTree{tb: t, root: t.TempDir()}
			b.fill(files, abi{})
			if err := syscall.Mkfifo(filepath.Join(b.root, "app/fifo"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(b.root, "srv/text"), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := Find(t.Context(), b.root, Options{Sources: strings.Fields(c.sources)})
			if want, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var programs, needs []string
			for _, p := range r.Programs {
				programs = append(programs, p.Source)
			}
			for _, n := range r.Needs {
				needs = append(needs, n.Path)
			}
			got := strings.TrimSuffix(strings.Join(programs, " ")+": "+strings.Join(needs, " "), " ")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever stands where a loader or the kernel looks, Find ends with an error of one line.
func TestHostileTrees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, files, want string }{
		{"a library in a loop", "/bin/prog needs=liba.so runpath=/opt\n/opt/liba.so = liba.so", "/bin/prog needs liba.so, which is missing"},
		{"a library that is a directory", "/bin/prog needs=liba.so runpath=/opt\n>/opt/liba.so/x x", "the loader ends at /opt/liba.so, which is no library"},
		{"a library that is a pipe", "/bin/prog needs=liba.so runpath=/opt\n|/opt/liba.so", "the loader ends at /opt/liba.so, which is no library"},
		{"an interpreter that is a pipe", ">/bin/prog #!/opt/sh\n|/opt/sh", "/opt/sh is not a regular file"},
		{"a cache that is a pipe", "/bin/prog needs=liba.so\n|/etc/ld.so.cache", "/etc/ld.so.cache is not a regular file"},
		{"a cache of nonsense", "/bin/prog needs=liba.so\n>/etc/ld.so.cache x", "/etc/ld.so.cache: not a loader's cache"},
		{"a cache that promises much", "/bin/prog needs=liba.so\n>/etc/ld.so.cache " + newMagic + strings.Repeat("\xff", 28), "/etc/ld.so.cache: the cache is cut off"},
		{"an ELF file that is cut off", ">/bin/prog \x7fELF\x02\x01\x01", "/bin/prog: malformed: the header is cut off"},
		{"control characters", "/bin/prog needs=lib\x1b[31ma.so", `/bin/prog needs "lib\x1b[31ma.so", which is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBuiltTree(t)
			var files []string
			for line := range strings.SplitSeq(c.files, "\n") {
				if pipe, ok := strings.CutPrefix(line, "|"); ok {
					b.file(pipe, "")
					if err := os.Remove(filepath.Join(b.root, pipe)); err != nil {
						t.Fatal(err)
					}
					if err := syscall.Mkfifo(filepath.Join(b.root, pipe), 0o777); err != nil {
						t.Fatal(err)
					}
					continue
				}
				files = append(files, line)
			}
			b.fill(strings.Join(files, "\n"), abi{})
			if got := asStep(t, b.root, t.TempDir(), "/bin/prog", t.TempDir(), "/bin/prog"); !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A search that a hostile program makes as long as it may is of bounded time and memory.
func TestHostileSearchIsBounded(t *testing.T) {
	// not parallel: what others allocate counts
	b := newBuiltTree(t)
	var needs []string
	for range maxElements / 2 {
		needs = append(needs, "/"+strings.Repeat("x/", 20))
	}
	paths := strings.Join(needs[1:], ":")
	b.make("/bin/prog needs=liba.so rpath=" + paths + ":/opt")
	b.make("/opt/liba.so needs=libb.so rpath=" + paths)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	got := asStep(t, b.root, t.TempDir(), "/bin/prog", t.TempDir(), "/bin/prog")
	runtime.ReadMemStats(&after)
	if !strings.Contains(got, "which is missing") || len(got) > 2000 {
		t.Errorf("got %s", got)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%v", took)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
		t.Errorf("%d bytes", used)
	}
}
