package needed

import (
	"encoding/binary"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loaderCases are trees: what is made in them (see builtTree.make; LINK = TARGET is a
// link), and what /bin/prog needs. One that begins with "error:" is part of the error.
var loaderCases = []struct {
	name  string
	files string
	want  string
	// what a loader adds to want on some processors
	some string
}{
	{name: "RPATH holds for libraries of libraries",
		files: "/bin/prog needs=liba.so rpath=/opt/a\n/opt/a/liba.so needs=libb.so\n/opt/a/libb.so",
		want:  "/opt/a/liba.so /opt/a/libb.so"},
	{name: "RUNPATH holds for the object alone",
		files: "/bin/prog needs=liba.so runpath=/opt/a\n/opt/a/liba.so needs=libb.so\n/opt/a/libb.so",
		want:  "error: /opt/a/liba.so of /bin/prog needs libb.so, which is missing for 64-bit"},
	{name: "RUNPATH puts RPATHs out of force",
		files: "/bin/prog needs=liba.so rpath=/opt/a\n/opt/a/liba.so needs=libb.so runpath=/opt/none\n/opt/a/libb.so",
		want:  "error: /opt/a/liba.so of /bin/prog needs libb.so, which is missing"},
	{name: "an RPATH holds beyond an object with RUNPATH",
		files: "/bin/prog needs=liba.so rpath=/opt/a\n/opt/a/liba.so needs=libb.so runpath=/opt/a\n/opt/a/libb.so needs=libc1.so\n/opt/a/libc1.so",
		want:  "/opt/a/liba.so /opt/a/libb.so /opt/a/libc1.so"},
	{name: "the RPATH of a library comes before that of the program",
		files: "/bin/prog needs=liba.so rpath=/opt/a\n/opt/a/liba.so needs=libb.so rpath=/opt/b\n/opt/a/libb.so\n/opt/b/libb.so",
		want:  "/opt/a/liba.so /opt/b/libb.so"},
	{name: "ORIGIN of program and library",
		files: "/bin/prog needs=liba.so runpath=$ORIGIN/../opt/a\n/opt/a/liba.so needs=libb.so runpath=${ORIGIN}/deep\n/opt/a/deep/libb.so",
		want:  "/opt/a/deep/libb.so /opt/a/liba.so"},
	{name: "ORIGIN of a program behind a link",
		files: "/app/real needs=liba.so runpath=$ORIGIN\n/app/liba.so\n/bin/prog = ../app/real",
		want:  "/app/liba.so"},
	{name: "ORIGIN of a library is where it was opened",
		files: "/bin/prog needs=liba.so runpath=/opt/way\n/opt/way/liba.so = ../a/liba.so\n/opt/a/liba.so needs=libb.so runpath=$ORIGIN\n/opt/way/libb.so\n/opt/a/libb.so",
		want:  "/opt/a/liba.so /opt/way/libb.so"},
	{name: "dots after a link go where the link leads",
		files: "/bin/prog needs=liba.so runpath=/opt/way/../lib\n/opt/way = /srv/x/y\n/srv/x/y/z.so\n/srv/x/lib/liba.so\n/opt/lib/liba.so",
		want:  "/srv/x/lib/liba.so"},
	{name: "no token within a word",
		files: "/bin/prog needs=liba.so runpath=/opt/$ORIGINAL\n/opt/$ORIGINAL/liba.so",
		want:  "/opt/$ORIGINAL/liba.so"},
	{name: "LIB", files: "/bin/prog needs=liba.so runpath=/opt/$LIB\n/opt/LIB/liba.so", want: "/opt/LIB/liba.so"},
	{name: "PLATFORM", files: "/bin/prog needs=liba.so runpath=/opt/$PLATFORM\n/opt/x86_64/liba.so\n/opt/haswell/liba.so",
		some: "/opt/haswell/liba.so /opt/x86_64/liba.so"},
	{name: "the first of two places", files: "/bin/prog needs=liba.so runpath=/opt/b:/opt/a\n/opt/a/liba.so\n/opt/b/liba.so\n/lib/liba.so", want: "/opt/b/liba.so"},
	{name: "a default directory", files: "/bin/prog needs=liba.so\n/usr/lib/liba.so", want: "/usr/lib/liba.so"},
	{name: "an earlier default directory", files: "/bin/prog needs=liba.so\n/usr/lib/liba.so\n/lib/liba.so", want: "/lib/liba.so"},
	{name: "a directory that no loader looks in", files: "/bin/prog needs=liba.so\n/usr/local/lib/liba.so", want: "error: /bin/prog needs liba.so, which is missing"},
	{name: "a cycle", files: "/bin/prog needs=liba.so\n/lib/liba.so needs=libb.so\n/lib/libb.so needs=liba.so", want: "/lib/liba.so /lib/libb.so"},
	{name: "links to links", files: "/bin/prog needs=liba.so.1\n/lib/liba.so.1 = liba.so.1.2\n/lib/liba.so.1.2 = /opt/now/liba.so\n/opt/now = ../srv/a\n/srv/a/liba.so soname=liba.so.1", want: "/srv/a/liba.so"},
	{name: "a loaded library serves by its soname", files: "/bin/prog needs=liba.so,libb.so runpath=/opt/a\n/opt/a/liba.so soname=libz.so\n/opt/a/libb.so needs=libz.so\n/lib/libz.so", want: "/opt/a/liba.so /opt/a/libb.so"},
	{name: "a loaded library serves by its name", files: "/bin/prog needs=liba.so,libb.so runpath=/opt/a\n/opt/a/liba.so soname=libz.so\n/opt/a/libb.so needs=liba.so\n/lib/liba.so", want: "/opt/a/liba.so /opt/a/libb.so"},
	{name: "a name with a slash", files: "/bin/prog needs=/opt/a/liba.so\n/opt/a/liba.so", want: "/opt/a/liba.so"},
	{name: "a name with a slash and a token", files: "/bin/prog needs=$ORIGIN/../opt/liba.so\n/opt/liba.so", want: "/opt/liba.so"},
	{name: "a missing name with a slash", files: "/bin/prog needs=/opt/a/liba.so\n/lib/liba.so", want: "error: /bin/prog needs /opt/a/liba.so, which is missing"},
	{name: "no default directories", files: "/bin/prog needs=liba.so flag=-z,nodefaultlib\n/lib/liba.so", want: "error: /bin/prog needs liba.so, which is missing"},
	{name: "a filter", files: "/bin/prog needs=liba.so\n/lib/liba.so flag=-F,libf.so\n/lib/libf.so", want: "/lib/liba.so /lib/libf.so"},
	{name: "an auxiliary filter", files: "/bin/prog needs=liba.so\n/lib/liba.so flag=-f,libf.so\n/lib/libf.so", want: "/lib/liba.so /lib/libf.so"},
	{name: "an auxiliary filter may be missing", files: "/bin/prog needs=liba.so\n/lib/liba.so flag=-f,libf.so", want: "/lib/liba.so"},
	{name: "a library of another machine is passed over", files: "/bin/prog needs=liba.so runpath=/opt/a:/opt/b\n/opt/a/liba.so !\n/opt/b/liba.so", want: "/opt/b/liba.so"},
	{name: "what is no library ends the search", files: "/bin/prog needs=liba.so runpath=/opt/a:/opt/b\n/opt/a/liba.so ?\n/opt/b/liba.so", want: "error: /bin/prog needs liba.so: the loader ends at /opt/a/liba.so, which is no library"},
	{name: "hwcaps", files: "/bin/prog needs=liba.so runpath=/opt\n/opt/liba.so\n/opt/glibc-hwcaps/x86-64-v2/liba.so\n/opt/glibc-hwcaps/x86-64-v3/liba.so needs=libb.so\n/lib/libb.so",
		want: "", some: "/opt/liba.so /lib/libb.so /opt/glibc-hwcaps/x86-64-v2/liba.so /opt/glibc-hwcaps/x86-64-v3/liba.so"},
	{name: "the cache", files: "/bin/prog needs=liba.so\n/opt/c/liba.so\n+liba.so /opt/c/liba.so", want: "/etc/ld.so.cache /opt/c/liba.so"},
	{name: "the cache comes before default directories", files: "/bin/prog needs=liba.so\n/lib/liba.so\n/opt/c/liba.so\n+liba.so /opt/c/liba.so", want: "/etc/ld.so.cache /opt/c/liba.so"},
	{name: "the first of two in the cache", files: "/bin/prog needs=liba.so\n/opt/c/liba.so\n/opt/d/liba.so\n+liba.so /opt/c/liba.so\n+liba.so /opt/d/liba.so", want: "/etc/ld.so.cache /opt/c/liba.so"},
	{name: "a cache of what default directories have does not come", files: "/bin/prog needs=liba.so\n/lib/liba.so\n+liba.so /lib/liba.so", want: "/lib/liba.so"},
	{name: "hwcaps of the cache", files: "/bin/prog needs=liba.so\n/opt/c/liba.so\n/opt/hw/liba.so\n+liba.so /opt/hw/liba.so x\n+liba.so /opt/c/liba.so",
		want: "/etc/ld.so.cache", some: "/opt/c/liba.so /opt/hw/liba.so"},
	{name: "a cache that is out of date", files: "/bin/prog needs=liba.so\n/lib/liba.so\n+liba.so /opt/gone/liba.so", want: "/lib/liba.so"},
	{name: "no cache of default directories without them", files: "/bin/prog needs=liba.so flag=-z,nodefaultlib\n/lib/liba.so\n+liba.so /lib/liba.so", want: "error: needs liba.so, which is missing"},
	{name: "a search path comes before the cache", files: "/bin/prog needs=liba.so runpath=/opt/a\n/opt/a/liba.so\n/opt/c/liba.so\n+liba.so /opt/c/liba.so", want: "/opt/a/liba.so"},
}

// What Find finds is what the tree's own loader loads.
func TestLoaderOfTheTree(t *testing.T) {
	t.Parallel()
	for _, c := range loaderCases {
		if c.name == "PLATFORM" && runtime.GOARCH != "amd64" {
			continue // the names are of this one
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBuiltTree(t)
			data, err := testLoader(t, b)
			if err != nil {
				t.Fatal(err)
			}
			lib := data.lib
			b.fill(strings.ReplaceAll(c.files, "/LIB/", "/"+lib+"/"), data.obj.abi)
			want := strings.Fields(strings.ReplaceAll(c.want, "/LIB/", "/"+lib+"/"))
			got, err := found(t, b.root, "/bin/prog")
			real, text, ran := b.list("/bin/prog")
			if wanted, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), wanted) {
					t.Errorf("got %v %v, want %s", err, got, wanted)
				}
				if ran && real != nil && !strings.Contains(text, "not found") {
					t.Errorf("the loader takes it: %s", text)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v; the loader: %s", err, text)
			}
			some := strings.Fields(c.some)
			if diff := cmp.Diff(sorted(append(slices.Concat(want, some), data.real)), got); diff != "" {
				t.Errorf("want, got: %s; the loader: %s", diff, text)
			}
			if !ran {
				return
			}
			// the loader does not list itself, nor its cache, and of variants those of its processor
			got = slices.DeleteFunc(got, func(p string) bool {
				return p == data.real || p == "/etc/ld.so.cache" || slices.Contains(some, p) && !slices.Contains(real, p)
			})
			if diff := cmp.Diff(real, got); diff != "" || len(real) == 0 {
				t.Errorf("the loader, got: %s; %s", diff, text)
			}
		})
	}
}

// muslCases are as loaderCases, for the loader of musl.
var muslCases = []struct{ name, files, want string }{
	{"libc is the loader", "/bin/prog needs=libc.so,libpthread.so.0,libc.musl-x86_64.so.1", ""},
	{"RUNPATH holds for libraries of libraries",
		"/bin/prog needs=liba.so runpath=/opt/a\n/opt/a/liba.so needs=libb.so runpath=/opt/none\n/opt/a/libb.so",
		"/opt/a/liba.so /opt/a/libb.so"},
	{"the search path of a library comes first",
		"/bin/prog needs=liba.so runpath=/opt/a\n/opt/a/liba.so needs=libb.so rpath=/opt/b\n/opt/a/libb.so\n/opt/b/libb.so",
		"/opt/a/liba.so /opt/b/libb.so"},
	{"ORIGIN", "/bin/prog needs=liba.so runpath=$ORIGIN/../opt:${ORIGIN}/x\n/opt/liba.so", "/opt/liba.so"},
	{"a token of glibc puts a search path out of force", "/bin/prog needs=liba.so runpath=/opt/a:/opt/$LIB\n/opt/a/liba.so\n/usr/lib/liba.so", "/usr/lib/liba.so"},
	{"a default directory", "/bin/prog needs=liba.so\n/usr/local/lib/liba.so\n/usr/lib/liba.so", "/usr/local/lib/liba.so"},
	{"no soname serves", "/bin/prog needs=liba.so,libb.so\n/lib/liba.so soname=libz.so\n/lib/libb.so needs=libz.so\n/usr/lib/libz.so", "/lib/liba.so /lib/libb.so /usr/lib/libz.so"},
	{"the path file", "/bin/prog needs=liba.so\n/opt/p/liba.so\n>/etc/ld-musl-x86_64.path /lib:/opt/p", "/etc/ld-musl-x86_64.path /opt/p/liba.so"},
	{"the path file stands for the default directories", "/bin/prog needs=liba.so\n/usr/lib/liba.so\n>/etc/ld-musl-x86_64.path /lib:/opt/p", "error: /bin/prog needs liba.so, which is missing"},
	{"a path file that says nothing new does not come", "/bin/prog needs=liba.so\n/usr/lib/liba.so\n>/etc/ld-musl-x86_64.path /opt/p:/usr/lib", "/usr/lib/liba.so"},
	{"what is no library ends the search", "/bin/prog needs=liba.so runpath=/opt/a\n/opt/a/liba.so ?\n/lib/liba.so", "error: the loader ends at /opt/a/liba.so"},
	{"a missing library", "/bin/prog needs=liba.so", "error: /bin/prog needs liba.so, which is missing for 64-bit"},
	{"a cycle", "/bin/prog needs=liba.so\n/lib/liba.so needs=libb.so\n/lib/libb.so needs=liba.so", "/lib/liba.so /lib/libb.so"},
}

// What Find finds is what musl's loader loads.
func TestLoaderOfMusl(t *testing.T) {
	t.Parallel()
	for _, c := range muslCases {
		c.files, c.want = ofThisMachine(c.files), ofThisMachine(c.want)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, isReal := newMuslTree(t)
			b.fill(c.files, abi{})
			got, err := found(t, b.root, "/bin/prog")
			var real []string
			var text string
			if isReal {
				real, text, isReal = b.list("/bin/prog")
			}
			if wanted, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), wanted) || real != nil {
					t.Errorf("got %v %v, want %s; the loader: %s", err, got, wanted, text)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v; the loader: %s", err, text)
			}
			if diff := cmp.Diff(sorted(append(strings.Fields(c.want), b.loader)), got); diff != "" {
				t.Errorf("want, got: %s; the loader: %s", diff, text)
			}
			got = slices.DeleteFunc(got, func(p string) bool { return strings.HasSuffix(p, ".path") })
			if diff := cmp.Diff(real, got); isReal && diff != "" {
				t.Errorf("the loader, got: %s; %s", diff, text)
			}
		})
	}
}

// A static program needs nothing, and a library what it would load.
func TestWithoutInterpreter(t *testing.T) {
	t.Parallel()
	b := newBuiltTree(t)
	b.fill("/opt/liba.so needs=libb.so\n/lib/libb.so", abi{})
	b.gcc(filepath.Join(b.root, "static"), "-nostdlib", "-static", "-Wl,-e,start")
	b.gcc(filepath.Join(b.root, "pie"), "-nostdlib", "-static-pie", "-Wl,-e,start")
	for program, want := range map[string]string{"/static": "", "/pie": "", "/opt/liba.so": "/lib/libb.so"} {
		got, err := found(t, b.root, program)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %s %v, want %s", program, got, err, want)
		}
	}
}

// testLoader reads the loader of a tree.
func testLoader(t *testing.T, b *builtTree) (*loader, error) {
	t.Helper()
	tree, err := openTree(t.Context(), b.root)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	return newFinder(tree, "").readLoader(b.loader)
}

// fill makes what lines say. A "!" makes a library one of another machine, a "?" a text;
// "+NAME PATH" is an entry of the loader's cache (for some processors with a word behind it), ">NAME TEXT" a file.
func (b *builtTree) fill(lines string, a abi) {
	b.tb.Helper()
	var entries [][3]string
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n")
		link, target, isLink := strings.Cut(line, " = ")
		name, other := strings.CutSuffix(line, " !")
		plain, text := strings.CutSuffix(line, " ?")
		entry, cache := strings.CutPrefix(line, "+")
		switch {
		case isLink:
			b.link(link, target)
		case strings.HasPrefix(line, ">"):
			name, content, _ := strings.Cut(line[1:], " ")
			b.file(name, content)
		case text:
			b.file(plain, "/* GNU ld script */ GROUP ( libother.so )\n                                                    ")
		case cache:
			words := append(strings.Fields(entry), "")
			entries = append(entries, [3]string{words[0], words[1], words[2]})
		case other:
			b.make(name)
			b.patch(name, func(head []byte) { binary.LittleEndian.PutUint16(head[18:], 2) })
		default:
			b.make(line)
		}
	}
	if entries != nil {
		b.file("/etc/ld.so.cache", cacheText(binary.LittleEndian, cacheFlags[a][0], entries...))
	}
}
