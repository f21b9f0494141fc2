package tree

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSizesAddUp guards that what steps add and hide is what becomes of the size, and that the
// size is that of a plain walk, whatever was changed, linked, replaced or removed.
func TestSizesAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		root := t.TempDir()
		states := make([]string, 1+r.IntN(4))
		for i := range states {
			states[i] = filepath.Join(root, strconv.Itoa(i))
			must(t, os.Mkdir(states[i], 0o755))
			if i > 0 {
				clone(t, states[i-1], states[i])
			}
			for range r.IntN(12) {
				change(t, r, states[i])
			}
		}
		got, err := Measure(t.Context(), states...)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range got.Steps {
			before := int64(0)
			if i > 0 {
				before = got.Steps[i-1].Size
			}
			if step.Size != walked(t, states[i]) || step.Size != before+step.Adds-step.Hides || step.Adds < 0 || step.Hides < 0 || step.Hides > before {
				t.Errorf("seed %d, state %d: %+v after %d bytes, and a walk finds %d", seed, i, step, before, walked(t, states[i]))
			}
		}
		alone, err := Measure(t.Context(), states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		if alone.Size() != got.Size() || alone.Files != got.Files || alone.Directories != got.Directories {
			t.Errorf("seed %d: alone the tree has %+v, with its states %+v", seed, alone, got)
		}
	}
}

// names of a tree are few, so that changes meet.
func name(r *rand.Rand, dir string) string {
	words := []string{"a", "b", "c", "a/d", "a/e", "b/d", "a/d/f"}
	return filepath.Join(dir, words[r.IntN(len(words))])
}

// change makes a change of a tree; one that cannot be made is none.
func change(t *testing.T, r *rand.Rand, dir string) {
	t.Helper()
	at, other := name(r, dir), name(r, dir)
	switch r.IntN(7) {
	case 0:
		_ = os.RemoveAll(at)
	case 1:
		_ = os.Link(other, at)
	case 2:
		_ = os.Symlink("nowhere", at)
	case 3:
		_ = os.Mkdir(at, 0o755)
	case 4:
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink == 0 {
			must(t, os.Chmod(at, 0o700|fs.FileMode(r.IntN(64))))
		}
	default: // a new file, never what a link leads to
		if f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			must(t, f.Truncate(r.Int64N(1000)))
			must(t, f.Close())
		}
	}
}

// clone copies a tree, links within it too, as a layer on another one has it.
func clone(t *testing.T, from, to string) {
	t.Helper()
	linked, dirs := map[uint64]string{}, map[string]time.Time{}
	must(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := e.Info()
		must(t, err)
		at := filepath.Join(to, strings.TrimPrefix(path, from))
		switch st := info.Sys().(*syscall.Stat_t); {
		case e.IsDir():
			dirs[at] = info.ModTime()
			must(t, os.Mkdir(at, 0o755))
			return os.Chmod(at, info.Mode())
		case info.Mode()&fs.ModeSymlink != 0:
			return os.Symlink("nowhere", at)
		case linked[st.Ino] != "":
			return os.Link(linked[st.Ino], at)
		default:
			linked[st.Ino] = at
		}
		must(t, os.WriteFile(at, make([]byte, info.Size()), 0o644))
		must(t, os.Chmod(at, info.Mode().Perm()))
		return os.Chtimes(at, time.Time{}, info.ModTime())
	}))
	for at, mtime := range dirs { // what was put into them has changed it
		must(t, os.Chtimes(at, time.Time{}, mtime))
	}
}

func walked(t *testing.T, dir string) (size int64) {
	t.Helper()
	seen := map[uint64]bool{}
	must(t, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if st := info.Sys().(*syscall.Stat_t); !seen[st.Ino] {
			seen[st.Ino] = true
			size += info.Size()
		}
		return err
	}))
	return size
}

// TestLargestLeaveOutWhatOneBelowExplains guards that the list of directories is no way down
// to one large file.
func TestLargestLeaveOutWhatOneBelowExplains(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for path, size := range map[string]int{"usr/lib/x/big": 900, "usr/bin/a": 60, "usr/share/doc": 40, "var/\xff\n": 5} {
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, path), make([]byte, size), 0o644))
	}
	r, err := Measure(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	dt, err := json.Marshal(r)
	must(t, err)
	const want = `{"steps":[{"size":1005,"adds":1005,"hides":0}],"files":4,"directories":7,` +
		`"largestDirectories":[{"path":"/usr/lib/x","size":900},{"path":"/usr/bin","size":60},{"path":"/usr/share","size":40},{"path":"/var","size":5}],` +
		`"largestFiles":[{"path":"/usr/lib/x/big","size":900},{"path":"/usr/bin/a","size":60},{"path":"/usr/share/doc","size":40},{"path":"\"/var/\\xff\\n\"","size":5}]}`
	if string(dt) != want {
		t.Errorf("got  %s\nwant %s", dt, want)
	}
}

// TestHolesCountAndLinksLeadNowhere guards what is measured of what is no plain file.
func TestHolesCountAndLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	hole, err := os.Create(filepath.Join(root, "hole"))
	must(t, err)
	must(t, hole.Truncate(1<<40))
	must(t, hole.Close())
	must(t, os.Symlink("/nowhere", filepath.Join(root, "out")))
	must(t, os.Symlink(".", filepath.Join(root, "loop")))
	must(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644))
	r, err := Measure(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != 1<<40 || r.Files != 1 || r.Directories != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestTheMistakeOfALimitSaysWhatToLookAt guards what a user reads whose stage is too large.
func TestTheMistakeOfALimitSaysWhatToLookAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "0"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "0/a"), make([]byte, 1000), 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, "1/opt/x"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "1/opt/x/y"), make([]byte, 5000), 0o644))
	environment := map[string]string{EnvStates: "2", EnvLine + "0": "Dockerfile:1 FROM x", EnvLine + "1": "Dockerfile:2 RUN y"}
	getenv := func(name string) string { return environment[name] }
	r, err := measureStates(t.Context(), dir, getenv)
	must(t, err)
	const want = `app has 5kB (5000 bytes), which is 3kB more than --max-size=1.999kB
largest directories:
  5kB      /opt/x
most was added here:
  5kB      Dockerfile:2 RUN y`
	if err := r.check("app", "1.999kB", 1999, getenv); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if err := r.check("app", "5kB", 5000, getenv); err != nil {
		t.Error(err)
	}
}

// TestMistakesNameThePathOfTheTree guards that no path of the machine is shown.
func TestMistakesNameThePathOfTheTree(t *testing.T) {
	t.Parallel()
	_, err := Measure(t.Context(), filepath.Join(t.TempDir(), "none"))
	if err == nil || err.Error() != "failed to read /: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

// TestPathsOfAnyLengthAreShown guards messages about trees that are deeper than any program reads.
func TestPathsOfAnyLengthAreShown(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/a b/ä":                   "/a b/ä",
		"/a\n":                     `"/a\n"`,
		strings.Repeat("/d", 3000): strings.Repeat("/d", 250) + "…" + strings.Repeat("/d", 250),
	} {
		if got := Shown(path); got != want {
			t.Errorf("%q is shown as %s", path, got)
		}
	}
}

// BenchmarkMeasure measures a tree of 20,000 files in one state and in ten.
func BenchmarkMeasure(b *testing.B) {
	root := b.TempDir()
	for i := range 20000 {
		dir := filepath.Join(root, strconv.Itoa(i/100))
		if i%100 == 0 {
			must(b, os.Mkdir(dir, 0o755))
		}
		must(b, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o644))
	}
	for _, n := range []int{1, 10} {
		states := make([]string, n)
		for i := range states {
			states[i] = root
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Measure(b.Context(), states...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
