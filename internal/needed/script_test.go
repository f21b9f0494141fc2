package needed

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What scripts need, in a tree of files (see builtTree.fill).
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, files, want string }{
		{"an interpreter", ">/bin/prog #! /opt/sh -e\n>/opt/sh x", "/opt/sh"},
		{"an interpreter and its libraries", ">/bin/prog #!/opt/sh\n/opt/sh needs=liba.so\n/lib/liba.so", "/lib/liba.so /opt/sh LOADER"},
		{"an interpreter behind links", ">/bin/prog #!/opt/sh\n/opt/sh = ../srv/dash\n>/srv/dash x", "/srv/dash"},
		{"an interpreter that is a script", ">/bin/prog #!/opt/sh\n>/opt/sh #!/opt/x\n>/opt/x x", "/opt/sh /opt/x"},
		{"a script that runs itself", ">/bin/prog #!/bin/prog", "/bin/prog"},
		{"no interpreter", ">/bin/prog #!", ""},
		{"text", ">/bin/prog hello", ""},
		{"a missing interpreter", ">/bin/prog #!/opt/sh", "error: /bin/prog: its interpreter /opt/sh is missing"},
		{"a line of Windows", ">/bin/prog #!/opt/sh\r\n>/opt/sh x", `error: /bin/prog: its interpreter "/opt/sh\r" is missing`},
		{"a relative interpreter", ">/bin/prog #!opt/sh\n>/opt/sh x", "error: /bin/prog: its interpreter opt/sh is no absolute path"},
		{"an interpreter that is a directory", ">/bin/prog #!/opt\n>/opt/sh x", "error: /bin/prog: /opt is not a regular file"},
		{"env", ">/bin/prog #!/usr/bin/env sh\n>/usr/bin/env x\n>/opt/sh x\n>/opt/other/sh x", "/opt/sh /usr/bin/env"},
		{"env by the order of PATH", ">/bin/prog #!/usr/bin/env sh\n>/usr/bin/env x\n>/usr/local/bin/sh x\n>/opt/sh x", "/opt/sh /usr/bin/env"},
		{"env with an argument", ">/bin/prog #!/usr/bin/env sh -e\n>/usr/bin/env x\n>/opt/sh x", `error: /bin/prog: what env runs, "sh -e", is missing in PATH=/opt:/usr/local/bin; env takes arguments after -S only`},
		{"env -S", ">/bin/prog #!/usr/bin/env -S sh -e\n>/usr/bin/env x\n>/opt/sh x", "/opt/sh /usr/bin/env"},
		{"env -S with options and values", ">/bin/prog #!/usr/bin/env -S -i -u A B=c PATH=/srv sh\n>/usr/bin/env x\n>/opt/sh x\n>/srv/sh x", "/srv/sh /usr/bin/env"},
		{"env -S with quotes behind", ">/bin/prog #!/usr/bin/env -S sh -c 'a b'\n>/usr/bin/env x\n>/opt/sh x", "/opt/sh /usr/bin/env"},
		{"env -S that cannot be told", ">/bin/prog #!/usr/bin/env -S ${SH}\n>/usr/bin/env x", "error: /bin/prog: what env -S runs cannot be told from ${SH}"},
		{"env of a path", ">/bin/prog #!/usr/bin/env /opt/sh\n>/usr/bin/env x\n>/opt/sh x", "/opt/sh /usr/bin/env"},
		{"env of what is missing", ">/bin/prog #!/usr/bin/env sh\n>/usr/bin/env x\n>/srv/sh x", "error: /bin/prog: what env runs, sh, is missing in PATH=/opt:/usr/local/bin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBuiltTree(t)
			b.fill(c.files, abi{})
			r, err := Find(t.Context(), b.root, Options{Sources: []string{"/bin/prog"}, Path: "/opt:/usr/local/bin"})
			if want, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, e := range r.Entries {
				if e.Mode.IsRegular() {
					got = append(got, e.Path)
				}
			}
			want := strings.Fields(strings.ReplaceAll(c.want, "LOADER", b.loader))
			if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The kernel's reading of the first line of a script.
func FuzzShebang(f *testing.F) {
	for _, s := range []string{"#!/bin/sh\n", "#! /bin/sh -e\n", "#!\t/usr/bin/env  -S a b \n", "#!", "#!/x\x00y\n", "#!" + strings.Repeat("/a", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		interpreter, argument, err := shebang(head[:min(len(head), headLength)])
		if err == nil && (strings.ContainsAny(interpreter, " \t\n\x00") || strings.ContainsAny(argument, "\n\x00")) {
			t.Errorf("%q: %q %q", head, interpreter, argument)
		}
		_, _, _ = envProgram(argument, "/bin")
	})
}
