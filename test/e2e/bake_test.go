//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bakeFile returns the bake file of a build in dir.
func bakeFile(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	return run(tb, dir, append([]string{"buildx", "build", "--progress=plain", "--call=bake"}, args...)...).ok(tb).stdout
}

// bake builds targets of a bake file in dir, and exports nothing but where a test says so.
func bake(tb testing.TB, dir, file string, environ []string, args ...string) command {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "in")
	writeFile(tb, path, []byte(file))
	script := `exec buildx bake --progress=plain -f - "$@" < ` + path
	return runWith(tb, dir, environ, append([]string{"sh", "-c", script, "sh"}, args...)...)
}

// TestBakeExamples builds what the bake files of the examples have in their default
// group.
func TestBakeExamples(t *testing.T) {
	t.Parallel()
	for _, example := range []string{
		"fleet/Dockerfile", "gates/Dockerfile", "hello/Dockerfile", "hello/Dockerfile.single", "interpreter/Dockerfile", "matrix/Dockerfile",
		"monorepo/Dockerfile", "release/Dockerfile", "toolchain/services/mail/Dockerfile", "variants/Dockerfile",
	} {
		name, path, _ := strings.Cut(example, "/")
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../../examples/"+name)); err != nil {
			t.Fatal(err)
		}
		file := bakeFile(t, dir, "-f", path, ".")
		bake(t, dir, file, nil, "--set=*.output=type=cacheonly").ok(t)
	}
}

// TestBakeValues has every value arrive in the build as it was given.
func TestBakeValues(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"$A", "${A}", "$${A}", "$$$A", "%{if}", "%%{x", `\${A}`, `"q" 'r'`, "a\nb\tc", "<&>", "é", "${ARG_X}"} {
		dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS build\nARG VALUE\nRUN printf %s \"$VALUE\" > /value\nFROM scratch AS app\nCOPY --from=build /value /value\n")
		file := bakeFile(t, dir, "--build-arg", "VALUE="+value, ".")
		done := bake(t, dir, file, nil, "--set=*.output=type=local,dest=out").ok(t)
		if got, err := os.ReadFile(filepath.Join(dir, "out/value")); err != nil || string(got) != value {
			t.Errorf("%q arrives as %q (%v)", value, got, err)
		}
		if strings.Contains(done.output(), "variable is not set") {
			t.Errorf("%q warns: %s", value, done.output())
		}
	}
}

// TestBakeFolders runs bake where its file says that the context and the Dockerfile are.
func TestBakeFolders(t *testing.T) {
	t.Parallel()
	dockerfile := syntaxLine + "FROM scratch AS app\nCOPY marker /\n"
	files := "-- Dockerfile --\n" + syntaxLine + "FROM no-such-image\n-- marker --\nroot\n-- services/api/Dockerfile --\n" + dockerfile + "-- services/api/marker --\napi\n"
	marker := func(dir, file string, args ...string) string {
		out := t.TempDir()
		bake(t, dir, file, nil, append(args, "--allow=fs="+out, "--set=*.output=type=local,dest="+out)...).ok(t)
		got, err := os.ReadFile(filepath.Join(out, "marker"))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	plain := project(t, files)
	repository := project(t, files)
	run(t, repository, "git", "init", "-q", ".").ok(t)
	for _, tc := range []struct{ name, dir, args, where, want string }{
		{"Dockerfile of a subfolder", plain, "-f services/api/Dockerfile .", ".", "root\n"},
		{"Dockerfile of a subfolder in a repository", repository, "-f services/api/Dockerfile .", ".", "root\n"},
		{"folder of a repository, from the root", repository, "services/api", ".", "api\n"},
		{"folder of a repository, in it", repository, "services/api", "services/api", "api\n"},
	} {
		file := bakeFile(t, tc.dir, strings.Fields(tc.args)...)
		if got := marker(filepath.Join(tc.dir, tc.where), file); got != tc.want {
			t.Errorf("%s: the context is that of %q", tc.name, got)
		}
	}
	if got := marker(plain, bakeFile(t, plain, "services/api"), "--set=*.context=services/api"); got != "api\n" {
		t.Errorf("folder outside of a repository: the context is that of %q", got)
	}
	if got := marker(plain, pipe(t, plain, dockerfile, "buildx", "build", "--call=bake", "-f", "-", ".").ok(t).stdout); got != "root\n" {
		t.Errorf("Dockerfile from standard input: the context is that of %q", got)
	}
}

// TestBakeSecret takes the value of an ARG that opens an import from where bake runs.
func TestBakeSecret(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"ARG TOKEN=x\nIMPORT --if=NEVER --from=https://me:$TOKEN@example.com/x.git x.Dockerfile AS x\nFROM busybox\nARG TOKEN\nRUN test \"$TOKEN\" = hunter2hunter2\n")
	file := bakeFile(t, dir, "--build-arg=TOKEN=hunter2hunter2", ".")
	if strings.Contains(file, "hunter2") {
		t.Errorf("the file shows the secret:\n%s", file)
	}
	bake(t, dir, file, nil, "--set=*.output=type=cacheonly").fails(t, "set ARG_TOKEN in the environment of bake")
	bake(t, dir, file, []string{"ARG_TOKEN=hunter2hunter2"}, "--set=*.output=type=cacheonly").ok(t)
}
