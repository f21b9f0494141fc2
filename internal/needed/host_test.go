package needed

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loaded returns the real paths of the libraries that the loader of the machine maps for
// a program, and false if it does not take the program.
func loaded(t *testing.T, loader, program string) ([]string, bool) {
	t.Helper()
	// as the kernel does: $ORIGIN is where the program itself lies
	program, err := filepath.EvalSymlinks(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), loader, "--list", program)
	cmd.Env = []string{}
	text, err := cmd.CombinedOutput()
	if err != nil {
		return []string{string(text)}, false
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		at := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "/") })
		if at < 0 {
			continue // the kernel's own
		}
		if len(fields) > at+2 && fields[at+1] == "=>" {
			at += 2
		}
		real, err := filepath.EvalSymlinks(fields[at])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, real)
	}
	return slices.Compact(sorted(all)), true
}

// found returns the real paths of the libraries that a program of a tree needs.
func found(t *testing.T, root, program string) ([]string, error) {
	t.Helper()
	r, err := Find(t.Context(), root, Options{Sources: []string{strings.ReplaceAll(program, "[", "[[]")}})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range r.Entries {
		if e.Mode.IsRegular() {
			all = append(all, e.Source)
		}
	}
	return slices.Compact(sorted(all)), nil
}

// hostLoader is the loader of the program that runs the tests of this machine.
func hostLoader(t *testing.T) string {
	t.Helper()
	for _, l := range commonLoaders {
		if _, err := os.Stat(l.glibc); err == nil && exec.Command(l.glibc, "--version").Run() == nil {
			return l.glibc
		}
	}
	t.Fatal("the machine has no loader of glibc")
	return ""
}

// Every program of the machine loads what the loader of the machine says.
func TestLoaderOfTheMachine(t *testing.T) {
	t.Parallel()
	loader := hostLoader(t)
	compared := 0
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			file, err := os.Open(name)
			if err != nil {
				continue // a link that leads nowhere
			}
			obj, err := readELF(file)
			file.Close()
			if err != nil || obj.interpreter != loader {
				continue
			}
			want, ok := loaded(t, loader, name)
			if !ok {
				t.Logf("%s: %s", name, want)
				continue
			}
			got, err := found(t, "/", name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			// a variant for some processors is none that this one takes
			got = slices.DeleteFunc(got, func(p string) bool {
				return (strings.Contains(p, "/glibc-hwcaps/") || strings.HasSuffix(p, "/ld.so.cache")) && !slices.Contains(want, p)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			compared++
		}
	}
	if compared < 20 {
		t.Fatalf("only %d programs were compared", compared)
	}
	t.Logf("%d programs", compared)
}
