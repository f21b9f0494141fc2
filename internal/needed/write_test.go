package needed

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asStep does what Main does, below other directories, and returns what it says.
func asStep(t *testing.T, tree, into, to, out string, sources ...string) string {
	t.Helper()
	err := Copy{Tree: tree, Into: into, Out: out}.run(t.Context(), append([]string{to}, sources...), "/usr/bin:/bin")
	if err == nil {
		return ""
	}
	text := oneLine(err)
	if strings.Contains(text, "\n") || len(tree) > 1 && strings.Contains(text, tree) || into != "" && strings.Contains(text, into) {
		t.Errorf("the message is not for users: %s", text)
	}
	return text
}

// listing is what a directory has in it.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		name := strings.TrimPrefix(at, dir)
		if target, err := os.Readlink(at); err == nil {
			name += "=" + target
		} else if d.IsDir() {
			name += "/"
		}
		all = append(all, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// What is written: the trees are files and links (see builtTree.fill), the source is
// /app/tool, and it comes to /app/tool in the destination unless to says otherwise.
func TestWrite(t *testing.T) {
	t.Parallel()
	const (
		script = ">/app/tool #!/opt/sh\n"
		usual  = script + ">/usr/opt/dash x\n/opt = usr/opt\n/usr/opt/sh = dash"
	)
	for _, c := range []struct{ name, tree, into, to, want string }{
		{"an empty destination", usual, script, "", "/opt=usr/opt /usr/ /usr/opt/ /usr/opt/dash /usr/opt/sh=dash"},
		{"directories that exist", usual, script + ">/usr/opt/other x", "", "/opt=usr/opt /usr/ /usr/opt/ /usr/opt/dash /usr/opt/sh=dash"},
		{"all exists", usual, usual, "", ""},
		{"some exists", usual, script + "/opt = usr/opt\n>/usr/opt/dash x", "", "/usr/ /usr/opt/ /usr/opt/sh=dash"},
		{"other content", usual, script + ">/usr/opt/dash y", "", "error: the destination has another /usr/opt/dash than /app/tool needs"},
		{"a longer file", usual, script + ">/usr/opt/dash xx", "", "error: the destination has another /usr/opt/dash than /app/tool needs"},
		{"a file for a link", usual, script + ">/usr/opt/sh x", "", "/opt=usr/opt"},
		{"a directory for a file", usual, script + ">/usr/opt/dash/x x", "", "error: the destination has another /usr/opt/dash than /app/tool needs"},
		{"a file for a directory", usual, script + ">/usr/opt x", "", "error: the destination has another /usr/opt than /app/tool needs"},
		{"another link to the same", usual, script + "/opt = /usr/opt\n>/usr/opt/dash x", "", "/usr/ /usr/opt/ /usr/opt/sh=dash"},
		{"a directory for a link to one", usual, script + ">/opt/x x", "", "/opt/ /opt/dash /opt/sh=dash"},
		{"a link for a directory", script + ">/opt/sh x", script + "/opt = srv/a\n>/srv/a/x x", "", "/srv/ /srv/a/ /srv/a/sh"},
		{"a link that leads nowhere", script + ">/opt/sh x", script + "/opt = srv/a", "", "error: the destination has another /opt than /app/tool needs"},
		{"a link in a loop", script + ">/opt/sh x", script + "/opt = opt", "", "error: the destination has another /opt than /app/tool needs"},
		{"a link out of the tree", script + ">/opt/sh x", script + "/opt = ../../../../../../../../tmp", "", "error: the destination has another /opt than /app/tool needs"},
		{"a link of the source out of the tree", script + "/opt/sh = ../../../../../../etc/passwd\n>/etc/passwd x", script, "", "/etc/ /etc/passwd /opt/ /opt/sh=../../../../../../etc/passwd"},
		{"a directory that the COPY makes for a link", usual, "", "/opt/x", "/opt/ /opt/dash /opt/sh=dash"},
		{"a link that the COPY makes nothing of", usual, ">/srv/x x\n/app = srv", "", "/opt=usr/opt /usr/ /usr/opt/ /usr/opt/dash /usr/opt/sh=dash"},
		{"a program of another place", usual, ">/bin/x #!/opt/sh", "/bin/x", "/opt=usr/opt /usr/ /usr/opt/ /usr/opt/dash /usr/opt/sh=dash"},
		{"a program found by another PATH", ">/app/tool #!/opt/env x\n>/opt/env x\n>/bin/x x", ">/app/tool #!/opt/env x\n>/usr/bin/x y", "", "error: the destination has a /usr/bin/x of its own, which /app/tool would use there"},

		{"ORIGIN", "/app/tool needs=liba.so runpath=$ORIGIN\n/app/liba.so", "/app/tool needs=liba.so runpath=$ORIGIN", "", "/app/ /app/liba.so LOADER"},
		{"ORIGIN under another name", "/app/tool needs=liba.so runpath=$ORIGIN\n/app/liba.so", "/app/x needs=liba.so runpath=$ORIGIN", "/app/x", "/app/ /app/liba.so LOADER"},
		{"ORIGIN elsewhere", "/app/tool needs=liba.so runpath=$ORIGIN\n/app/liba.so", "/bin/tool needs=liba.so runpath=$ORIGIN", "/bin/", "error: /app/tool lies in /app, and its search for libraries, or that of one of them, uses $ORIGIN, the directory of the file: copy it to the same path"},
		{"ORIGIN of a library elsewhere", "/app/tool needs=liba.so\n/lib/liba.so needs=libb.so runpath=$ORIGIN/b\n/lib/b/libb.so", "/bin/tool needs=liba.so", "/bin/", "error: /app/tool lies in /app, and its search for libraries, or that of one of them, uses $ORIGIN, the directory of the file: copy it to the same path"},
		{"a cache", "/app/tool needs=liba.so\n/opt/liba.so\n+liba.so /opt/liba.so", "/app/tool needs=liba.so", "", "/etc/ /etc/ld.so.cache LOADER /opt/ /opt/liba.so"},
		{"a cache of its own", "/app/tool needs=liba.so\n/opt/liba.so\n+liba.so /opt/liba.so", "/app/tool needs=liba.so\n+libx.so /opt/libx.so", "", "error: the destination has another /etc/ld.so.cache than /app/tool needs: only the source's leads to its libraries"},
		{"the same cache", "/app/tool needs=liba.so\n/opt/liba.so\n+liba.so /opt/liba.so", "/app/tool needs=liba.so\n+liba.so /opt/liba.so", "", "LOADER /opt/ /opt/liba.so"},
		{"a library of its own comes first", "/app/tool needs=liba.so\n/usr/lib/liba.so", "/app/tool needs=liba.so\n/lib/liba.so rpath=/x", "", "error: the destination has a /lib/liba.so of its own, which /app/tool would use there"},
		{"a copy of the library of its own comes first", "/app/tool needs=liba.so\n/usr/lib/liba.so", "/app/tool needs=liba.so\n/lib/liba.so", "", "LOADER /usr/ /usr/lib/ /usr/lib/liba.so"},
		{"a cache of its own that leads elsewhere", "/app/tool needs=liba.so\n/lib/liba.so", "/app/tool needs=liba.so\n/opt/liba.so rpath=/x\n+liba.so /opt/liba.so", "", "error: the destination has a /opt/liba.so of its own, which /app/tool would use there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBuiltTree(t)
			l, err := testLoader(t, b)
			if err != nil {
				t.Fatal(err)
			}
			into := &builtTree{tb: t, root: t.TempDir(), stubs: b.stubs, loader: b.loader}
			for tree, files := range map[*builtTree]string{b: c.tree, into: c.into} {
				tree.fill(files, l.obj.abi)
			}
			out := t.TempDir()
			to := c.to
			if to == "" {
				to = "/app/tool"
			}
			got := asStep(t, b.root, into.root, to, out, "/app/tool")
			if want, ok := strings.CutPrefix(c.want, "error: "); ok {
				if got != want || listing(t, out) != "" {
					t.Errorf("got %s (%s)\nwant %s", got, listing(t, out), want)
				}
				return
			}
			if got != "" {
				t.Fatal(got)
			}
			loader := pathOf(b.loader)
			want := strings.Fields(strings.ReplaceAll(c.want, "LOADER", loader))
			if diff := cmp.Diff(sorted(want), sorted(strings.Fields(listing(t, out)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// pathOf is a file and the directories that lead to it, as listing has them.
func pathOf(file string) string {
	var all []string
	for dir := filepath.Dir(file); dir != "/"; dir = filepath.Dir(dir) {
		all = append(all, dir+"/")
	}
	return strings.Join(append(all, file), " ")
}

// Modes, times, owners and attributes are kept, of directories too.
func TestWriteKeepsMetadata(t *testing.T) {
	t.Parallel()
	b := newBuiltTree(t)
	b.fill(">/app/tool #!/opt/deep/sh\n>/opt/deep/dash x\n/opt/deep/sh = dash", abi{})
	at := func(name string) string { return filepath.Join(b.root, name) }
	then := time.Unix(1_000_000_000, 5000)
	for name, mode := range map[string]os.FileMode{"opt/deep/dash": 0o751 | os.ModeSetuid, "opt/deep": 0o711 | os.ModeSetgid, "opt": 0o777 | os.ModeSticky} {
		if os.Geteuid() == 0 {
			if err := os.Chown(at(name), 12, 34); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	attributes := syscall.Setxattr(at("opt/deep/dash"), "user.stagecraft", []byte("x"), 0) == nil
	for _, name := range []string{"opt/deep/dash", "opt/deep", "opt"} {
		if err := os.Chtimes(at(name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	if got := asStep(t, b.root, t.TempDir(), "/app/tool", out, "/app/tool"); got != "" {
		t.Fatal(got)
	}
	for _, name := range []string{"opt", "opt/deep", "opt/deep/dash", "opt/deep/sh"} {
		want, err := os.Lstat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.Lstat(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		a, b := want.Sys().(*syscall.Stat_t), got.Sys().(*syscall.Stat_t)
		if a.Mode != b.Mode || a.Mtim != b.Mtim || a.Uid != b.Uid || a.Gid != b.Gid {
			t.Errorf("%s: %o %v %d, want %o %v %d", name, b.Mode, b.Mtim, b.Uid, a.Mode, a.Mtim, a.Uid)
		}
	}
	into := t.TempDir()
	if err := os.Mkdir(filepath.Join(into, "opt"), 0o710); err != nil {
		t.Fatal(err)
	}
	out = t.TempDir()
	if got := asStep(t, b.root, into, "/app/tool", out, "/app/tool"); got != "" {
		t.Fatal(got)
	}
	if info, err := os.Stat(filepath.Join(out, "opt")); err != nil || info.Mode().Perm() != 0o710 {
		t.Errorf("a directory of the destination would be changed: %v %v", info.Mode(), err)
	}
	if attributes {
		value := make([]byte, 8)
		if n, err := syscall.Getxattr(filepath.Join(out, "opt/deep/dash"), "user.stagecraft", value); err != nil || string(value[:n]) != "x" {
			t.Errorf("%q %v", value, err)
		}
	}
}

// Programs of the machine run in a tree of what they need and nothing else.
func TestProgramsRunElsewhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"git", "node", "bash", "gcc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(name)
			if err != nil {
				t.Fatal(err)
			}
			if program, err = filepath.EvalSymlinks(program); err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			text, err := os.ReadFile(program)
			if err == nil {
				err = os.MkdirAll(filepath.Join(root, filepath.Dir(program)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(root, program), text, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			(&builtTree{tb: t, root: root}).file("/dev/null", "") // git opens it
			out := t.TempDir()
			if os.Geteuid() == 0 {
				if got := asStep(t, "/", root, program, out, program); got != "" {
					t.Fatal(got)
				}
			} else {
				writeAsUser(t, program, out)
			}
			if text, err := exec.CommandContext(t.Context(), "cp", "-a", out+"/.", root).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			cmd := exec.CommandContext(t.Context(), program, "--version")
			cmd.Dir, cmd.Env = "/", []string{}
			cmd.SysProcAttr = inTree(root)
			got, err := cmd.CombinedOutput()
			if os.IsPermission(err) && len(got) == 0 {
				t.Logf("not run: %v", err)
				return
			}
			if err != nil || !slices.ContainsFunc(got, func(c byte) bool { return '0' <= c && c <= '9' }) {
				t.Errorf("%v: %s", err, got)
			}
		})
	}
}

// writeAsUser writes what a program of the machine needs under an owner of its own: nobody
// else may give files away.
func writeAsUser(t *testing.T, program, out string) {
	t.Helper()
	r, err := Find(t.Context(), "/", Options{Sources: []string{program}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Entries {
		at := filepath.Join(out, e.Path)
		switch {
		case e.Mode.IsDir():
			err = os.Mkdir(at, 0o755)
		case e.Mode.IsRegular():
			var text []byte
			if text, err = os.ReadFile(e.Source); err == nil {
				err = os.WriteFile(at, text, 0o755)
			}
		default:
			err = os.Symlink(e.Target, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
