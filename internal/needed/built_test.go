package needed

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A builtTree is a tree of programs and libraries that the C compiler makes: none of
// them does anything, a loader maps them all the same.
type builtTree struct {
	tb     testing.TB
	root   string
	loader string // as programs name it
	stubs  map[string]string
}

func newBuiltTree(t *testing.T) *builtTree {
	t.Helper()
	loader := hostLoader(t)
	text, err := os.ReadFile(loader)
	if err != nil {
		t.Fatal(err)
	}
	b := &builtTree{tb: t, root: t.TempDir(), stubs: map[string]string{}, loader: loader}
	b.file(b.loader, string(text))
	return b
}

// envMusl names a loader of musl for the tests.
const envMusl = "STAGECRAFT_TEST_MUSL"

// newMuslTree returns a tree with the loader of musl that the environment names, or
// with a file that has the texts of one; the second result says which.
func newMuslTree(t *testing.T) (*builtTree, bool) {
	t.Helper()
	b := &builtTree{tb: t, root: t.TempDir(), stubs: map[string]string{}, loader: ofThisMachine("/lib/ld-musl-x86_64.so.1")}
	if at := os.Getenv(envMusl); at != "" {
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		b.file(b.loader, string(text))
		return b, true
	}
	b.make(b.loader + " soname=libc.so")
	text, err := os.ReadFile(filepath.Join(b.root, b.loader))
	if err != nil {
		t.Fatal(err)
	}
	b.file(b.loader, string(text)+ofThisMachine("\x00%.*s/etc/ld-musl-x86_64.path")+"\x00/lib:/usr/local/lib:/usr/lib\x00")
	return b, false
}

// ofThisMachine puts the name that musl has for this machine in the place of that for amd64.
func ofThisMachine(text string) string {
	name := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "ppc64le": "powerpc64le"}[runtime.GOARCH]
	return strings.ReplaceAll(text, "x86_64", cmp.Or(name, runtime.GOARCH))
}

func (b *builtTree) file(name, text string) {
	b.tb.Helper()
	at := filepath.Join(b.root, name)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil {
		err = os.WriteFile(at, []byte(text), 0o755)
	}
	if err != nil {
		b.tb.Fatal(err)
	}
}

func (b *builtTree) link(name, target string) {
	b.tb.Helper()
	at := filepath.Join(b.root, name)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil {
		err = os.Symlink(target, at)
	}
	if err != nil {
		b.tb.Fatal(err)
	}
}

// make makes what a line says: a path, and words KEY=VALUE: needs (names with commas),
// soname, rpath, runpath, flag. A path with ".so" in it is a library, and its soname its name.
func (b *builtTree) make(line string) {
	b.tb.Helper()
	words := strings.Fields(line)
	at := filepath.Join(b.root, words[0])
	args := []string{"-nostdlib", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"}
	soname := filepath.Base(words[0])
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "needs":
			for n := range strings.SplitSeq(value, ",") {
				args = append(args, b.stub(n))
			}
		case "soname":
			soname = value
		case "rpath":
			args = append(args, "-Wl,--disable-new-dtags,-rpath,"+value)
		case "runpath":
			args = append(args, "-Wl,--enable-new-dtags,-rpath,"+value)
		case "flag":
			args = append(args, "-Wl,"+value)
		default:
			b.tb.Fatal(w)
		}
	}
	if strings.Contains(soname, ".so") {
		args = append(args, "-shared", "-Wl,-soname,"+soname)
	} else {
		args = append(args, "-pie", "-Wl,-e,start", "-Wl,--dynamic-linker="+b.loader)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		b.tb.Fatal(err)
	}
	b.gcc(at, args...)
}

func (b *builtTree) gcc(out string, args ...string) {
	b.tb.Helper()
	args = append([]string{"-o", out, "-xc", "-fPIC", "-", "-xnone"}, args...)
	cmd := exec.CommandContext(b.tb.Context(), "gcc", args...)
	cmd.Stdin = strings.NewReader("void start(void) {}\n")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.tb.Fatalf("%v: %s", err, text)
	}
}

// stub returns a library to link with, so that what is linked needs that name.
func (b *builtTree) stub(soname string) string {
	if at, ok := b.stubs[soname]; ok {
		return at
	}
	at := filepath.Join(b.tb.TempDir(), "stub.so")
	b.gcc(at, "-nostdlib", "-shared", "-Wl,-soname,"+soname)
	b.stubs[soname] = at
	return at
}

// patch changes a file.
func (b *builtTree) patch(name string, change func([]byte)) {
	b.tb.Helper()
	text, err := os.ReadFile(filepath.Join(b.root, name))
	if err != nil {
		b.tb.Fatal(err)
	}
	change(text)
	b.file(name, string(text))
}

// list returns what the tree's own loader maps for a program, run with the tree as
// its root; the second result is false if this machine lets nobody do that.
func (b *builtTree) list(program string) (libraries []string, text string, ok bool) {
	b.tb.Helper()
	tree, err := openTree(b.tb.Context(), b.root)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer tree.close()
	program, _, err = tree.resolve(program) // as the kernel names it
	if err != nil {
		b.tb.Fatal(err)
	}
	cmd := exec.CommandContext(b.tb.Context(), b.loader, "--list", program)
	cmd.Path, cmd.Err, cmd.Env, cmd.Dir = b.loader, nil, []string{}, "/"
	cmd.SysProcAttr = inTree(b.root)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.tb.Logf("not compared with the loader: %v", err)
		return nil, "", false
	}
	if err := cmd.Wait(); err != nil {
		return nil, out.String(), true
	}
	for line := range strings.Lines(out.String()) {
		for _, f := range slices.Backward(strings.Fields(line)) {
			if !strings.HasPrefix(f, "/") {
				continue
			}
			real, _, err := tree.resolve(f)
			if err != nil {
				b.tb.Fatal(err)
			}
			libraries = append(libraries, real)
			break
		}
	}
	return slices.Compact(sorted(libraries)), out.String(), true
}

// inTree makes a directory the root of a process, in a user namespace if we may not.
func inTree(root string) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Chroot: root}
	if os.Geteuid() != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	}
	return attr
}

// cacheText is a loader's cache, of the newer format, with entries of name, path and
// hwcap bits.
func cacheText(order binary.AppendByteOrder, flags uint32, entries ...[3]string) string {
	table, texts := []byte{}, []byte{}
	start := newHeader + newEntry*len(entries)
	place := func(text string) uint32 {
		at := start + len(texts)
		texts = append(append(texts, text...), 0)
		return uint32(at)
	}
	for _, e := range entries {
		table = order.AppendUint32(table, flags)
		table = order.AppendUint32(table, place(e[0]))
		table = order.AppendUint32(table, place(e[1]))
		table = order.AppendUint32(table, 0)
		table = order.AppendUint64(table, uint64(len(e[2])))
	}
	head := order.AppendUint32([]byte(newMagic), uint32(len(entries)))
	head = order.AppendUint32(head, uint32(len(texts)))
	return string(head) + string(make([]byte, newHeader-len(head))) + string(table) + string(texts)
}
