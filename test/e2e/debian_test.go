//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// debianPrograms puts programs of Debian's packages on scratch.
const debianPrograms = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM scratch AS curl
COPY --needed --from=packages /usr/bin/curl /usr/bin/curl

FROM scratch AS git
COPY --needed --from=packages /usr/bin/git /usr/bin/git

FROM scratch AS python
ARG LIB
COPY --needed --from=packages /usr/bin/python3 /usr/bin/python3
COPY --from=packages $LIB $LIB
COPY --needed --from=packages $LIB/lib-dynload $LIB/lib-dynload
-- Dockerfile.dockerignore --
*
`

// TestDebianProgramsOnScratch guards that large programs of a distribution run in an image that
// has nothing but them and what they need: they tell their version, and do something.
func TestDebianProgramsOnScratch(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("a page"))
	}))
	defer server.Close()
	packages := debianTree(t, "curl", "git", "python3")
	whole := image{rootfs: packages}.size(t)
	libs, err := filepath.Glob(filepath.Join(packages, "usr/lib/python3.*"))
	if err != nil || len(libs) != 1 {
		t.Fatalf("the libraries of python are %v: %v", libs, err)
	}
	dir := project(t, debianPrograms)
	args := []string{"--build-context=packages=" + packages, "--build-arg=LIB=/usr/lib/" + filepath.Base(libs[0])}
	for target, programs := range map[string][]struct{ command, want string }{
		"curl": {{"/usr/bin/curl --version", "curl "}, {"/usr/bin/curl --silent " + server.URL, "a page"}},
		"git":  {{"/usr/bin/git --version", "git version "}, {"/usr/bin/git init /repo", "Initialized empty Git repository"}},
		// modules that are libraries, with libraries of their own
		"python": {{"/usr/bin/python3 --version", "Python 3."}, {"/usr/bin/python3 -c import\tbz2,lzma,sqlite3,ssl;print(ssl.OPENSSL_VERSION)", "OpenSSL "}},
	} {
		t.Run(target, func(t *testing.T) {
			img := buildImage(t, dir, append(args, "--target="+target)...)
			t.Logf("%d bytes, of %d of all packages", img.size(t), whole)
			if img.has(t, "/usr/bin/dpkg") || img.has(t, "/usr/bin/tar") {
				t.Error("more was copied than is needed")
			}
			writeFile(t, filepath.Join(img.rootfs, "dev/null"), nil) // an engine gives it to every container
			for _, p := range programs {
				if got := img.exec(t, nil, strings.Split(p.command, " ")...).ok(t).stdout; !strings.HasPrefix(got, p.want) {
					t.Errorf("%s prints %q", p.command, got)
				}
			}
		})
	}
}

// TestMuslLoader guards what is found for programs of musl: the tests of package needed compare it
// with a loader that is there, and a program with a library on the loader's path runs on scratch.
func TestMuslLoader(t *testing.T) {
	t.Parallel()
	packages := debianTree(t, "musl")
	const libs, loader, own = "usr/lib/x86_64-linux-musl", "lib/ld-musl-x86_64.so.1", "opt/own"
	run(t, "../..", "env", "STAGECRAFT_TEST_MUSL="+filepath.Join(packages, libs, "libc.so"), "go", "test", "-count=1", "-run=^TestLoaderOfMusl$", "./internal/needed").ok(t)

	writeFile(t, filepath.Join(packages, "etc/ld-musl-x86_64.path"), []byte("/"+libs+"\n/"+own+"\n"))
	writeFile(t, filepath.Join(packages, "x.c"), []byte("const char *text(void) { return \"found\"; }"))
	writeFile(t, filepath.Join(packages, "tool.c"), []byte(`int puts(const char *); void exit(int); const char *text(void);
__attribute__((force_align_arg_pointer)) void _start(void) { exit(puts(text()) < 0); }`))
	compile := func(args ...string) {
		run(t, packages, append([]string{"gcc", "-nostdlib", "-nostdinc"}, args...)...).ok(t)
	}
	writeFile(t, filepath.Join(packages, own, ".keep"), nil)
	compile("-shared", "-fPIC", "-Wl,-soname,libx.so", "-o", own+"/libx.so", "x.c")
	compile("-no-pie", "-Wl,--dynamic-linker=/"+loader, "-o", "usr/bin/tool", "tool.c", "-L"+own, "-lx", "-L"+libs, "-lc")
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM scratch\nCOPY --needed --from=packages /usr/bin/tool /usr/bin/tool\n")
	img := buildImage(t, dir, "--build-context=packages="+packages)
	if got := img.exec(t, nil, "/usr/bin/tool").ok(t).stdout; got != "found\n" {
		t.Errorf("the program prints %q", got)
	}
	if img.has(t, "/x.c") || img.has(t, "/usr/share") {
		t.Error("more was copied than is needed")
	}
}

// checkDistroless is the check of examples/distroless: packages stand in for its stage of them.
func checkDistroless(t *testing.T, dir, _ string) {
	packages := debianTree(t, "curl", "ca-certificates")
	whole := image{rootfs: packages}.size(t)
	// installing the package writes the bundle
	const bundle = "etc/ssl/certs/ca-certificates.crt"
	writeFile(t, filepath.Join(packages, bundle), []byte(readText(t, "/"+bundle)))
	replaced := "--build-context=packages=" + packages
	img := buildImage(t, dir, replaced)
	if img.Config.Config.User != "nobody" || img.has(t, "/usr/bin/dpkg") {
		t.Errorf("the user is %q, or there is more than curl", img.Config.Config.User)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("a page"))
	}))
	defer server.Close()
	if got := img.run(t, "--silent", "--insecure", server.URL).ok(t).stdout; got != "a page" {
		t.Errorf("it prints %q", got)
	}
	img.run(t, server.URL).fails(t, "SSL certificate problem: self-signed certificate") // the bundle was read

	size := callSize(t, dir, replaced)
	adds := map[string]int64{}
	for _, line := range size.Lines {
		adds[strings.Join(strings.Fields(line.Text)[:2], " ")] += line.Adds
	}
	requireWritten(t, filepath.Join(dir, "README.md"), map[string][]int64{
		"all packages": {whole}, "`COPY --needed` of curl": {adds["COPY --needed"]},
		"certificates": {adds["COPY --from=packages"]}, "the image": {size.Size},
	})
	small := filepath.Join(t.TempDir(), "Dockerfile")
	writeFile(t, small, []byte(strings.Replace(readText(t, filepath.Join(dir, "Dockerfile")), "--max-size=25MB", "--max-size=10MB", 1)))
	buildx(t, dir, "--file="+small, replaced).fails(t, "more than --max-size=10MB", "most was added here:", "COPY --needed --from=packages /usr/bin/curl")
}

// unpackPackages unpacks packages, and all that they depend on, into the working directory as an
// installation of today has them: merged into /usr, and with the loader's cache. What was loaded once is kept in
// the directory of its first argument; the machine's own package lists and packages count for nothing.
const unpackPackages = `
state=$1
shift
mkdir -p "$state"/lists/partial "$state"/cache/archives/partial
: > "$state"/status
apt() {
  apt-get -qq -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root --no-install-recommends "$@"
}
apt update
mkdir -p usr/bin usr/lib usr/lib64 usr/sbin etc
ln -s usr/bin usr/lib usr/lib64 usr/sbin .
apt autoclean
apt --yes --download-only install "$@"
for deb in "$state"/cache/archives/*.deb; do
  case ${deb##*/} in perl* | libperl*) continue ;; esac # git starts without
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink
done
PATH=$PATH:/sbin:/usr/sbin ldconfig -r .
`

// debianTree is the tree of packages of the distribution of this machine.
func debianTree(t *testing.T, packages ...string) string {
	t.Helper()
	root := t.TempDir()
	state := filepath.Join(env(t, "STAGECRAFT_STATE"), "packages", strings.Join(packages, "-"))
	run(t, root, append([]string{"bash", "-euo", "pipefail", "-c", unpackPackages, "unpack", state}, packages...)...).ok(t)
	return root
}
