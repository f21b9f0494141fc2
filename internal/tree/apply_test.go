package tree

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestApplyGivesTheOtherTree guards that changes made in a tree as it was before give the tree
// after: modes, links and times included.
func TestApplyGivesTheOtherTree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		root := t.TempDir()
		dirs := map[string]string{}
		for _, name := range []string{"before", "after", "to", "empty"} {
			dirs[name] = filepath.Join(root, name)
			must(t, os.Mkdir(dirs[name], 0o755))
		}
		for range r.IntN(12) {
			change(t, r, dirs["before"])
		}
		clone(t, dirs["before"], dirs["after"])
		clone(t, dirs["before"], dirs["to"])
		for range r.IntN(12) {
			change(t, r, dirs["after"])
		}
		must(t, Apply(t.Context(), dirs["before"], dirs["after"], dirs["to"]))
		must(t, Apply(t.Context(), "", dirs["after"], dirs["empty"]))
		want := listing(t, dirs["after"])
		for _, name := range []string{"to", "empty"} {
			if got := listing(t, dirs[name]); got != want {
				t.Errorf("seed %d, %s:\n%s\nwant:\n%s\nbefore:\n%s", seed, name, got, want, listing(t, dirs["before"]))
			}
		}
	}
}

// TestApplyLeavesTheRest guards what is in a tree beside the changes, and that no link of it leads
// them elsewhere.
func TestApplyLeavesTheRest(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for path, text := range map[string]string{
		"before/tmp/a": "a", "after/tmp/a": "a", "after/tmp/new": "new", // a was there
		"before/gone": "x", "before/bin/tool": "t", "after/bin/tool": "changed",
		"to/tmp/a": "own", "to/gone": "x", "to/usr/bin/tool": "its own", "to/kept": "k",
		"before/off/x": "x",
	} {
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o644))
	}
	info, err := os.Stat(filepath.Join(root, "before/tmp/a"))
	must(t, err)
	must(t, os.Chtimes(filepath.Join(root, "after/tmp/a"), time.Time{}, info.ModTime()))
	for _, tree := range []string{"before", "after"} { // what a directory is comes with what is new in it
		must(t, os.Chmod(filepath.Join(root, tree, "tmp"), 0o777|fs.ModeSticky))
	}
	must(t, os.Symlink("usr/bin", filepath.Join(root, "to/bin")))
	must(t, os.Symlink("usr", filepath.Join(root, "to/off")))
	must(t, os.WriteFile(filepath.Join(root, "to/usr/x"), nil, 0o644))
	must(t, os.Mkdir(filepath.Join(root, "after/off"), 0o755))
	must(t, Apply(t.Context(), filepath.Join(root, "before"), filepath.Join(root, "after"), filepath.Join(root, "to")))
	read := func(path string) string {
		dt, err := os.ReadFile(filepath.Join(root, "to", path))
		must(t, err)
		return string(dt)
	}
	for path, want := range map[string]string{"tmp/a": "own", "tmp/new": "new", "bin/tool": "changed", "usr/bin/tool": "its own", "kept": "k", "usr/x": ""} {
		if got := read(path); got != want {
			t.Errorf("%s is %q, not %q", path, got, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "to/gone")); err == nil {
		t.Error("what is gone is there")
	}
	if info, err := os.Lstat(filepath.Join(root, "to/tmp")); err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("/tmp is %v, %v", info.Mode(), err)
	}
}

// listing tells all of a tree but what is in its files.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	first := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		must(t, err)
		name := strings.TrimPrefix(path, dir)
		fmt.Fprint(&out, name, " ", info.Mode())
		if e.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			must(t, err)
			fmt.Fprintln(&out, " to", target)
			return nil
		}
		if st := info.Sys().(*syscall.Stat_t); e.Type().IsRegular() {
			fmt.Fprint(&out, " ", info.ModTime().UnixNano())
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			fmt.Fprint(&out, " ", info.Size(), " first ", first[st.Ino])
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}
