//go:build e2e

package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// base pushes an image that holds text under a name that the engine finds on its mirror.
func base(t *testing.T, name, text string) {
	t.Helper()
	dir := project(t, "-- Dockerfile --\nFROM busybox\nCOPY text /text\n-- text --\n"+text+"\n")
	buildx(t, dir, "--output=type=registry,name="+registry(t)+"/"+name).ok(t)
}

// TestLock guards the life of a lock: a build without one, its writing, a tag that moves, its
// verification and renewal, and a call that fails.
func TestLock(t *testing.T) {
	t.Parallel()
	name := "lock" + strings.ToLower(strings.ReplaceAll(unique(), ".", "-")) + "/base:1"
	base(t, name, "one")
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nFROM "+name+" AS build\nRUN cp /text /out\nFROM busybox\nCOPY --from=build /out /\nCMD cat /out\n")
	file := filepath.Join(dir, "Dockerfile.lock")
	read := func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	prints := func(want string, args ...string) {
		t.Helper()
		if got := buildImage(t, dir, args...).run(t).ok(t).stdout; got != want+"\n" {
			t.Errorf("the image prints %q, not %s", got, want)
		}
	}
	buildx(t, dir, "--output=type=cacheonly").fails(t, "line 2, column 1: there is no file Dockerfile.lock", "docker build --target=:lock -o . .")
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	first := read()
	if !strings.Contains(first, "FROM "+name+"@sha256:") || !strings.Contains(first, "FROM busybox:latest@sha256:") {
		t.Errorf("the lock is\n%s", first)
	}
	if got := buildx(t, dir, "--call=lock").ok(t).stdout; got != first {
		t.Errorf("--call=lock prints\n%s\nnot\n%s", got, first)
	}
	prints("one")

	base(t, name, "two")
	prints("one")
	prints("two", "--build-arg=STAGECRAFT_LOCK=off")
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	if read() != first {
		t.Errorf("writing changed entries that stand:\n%s", read())
	}
	buildx(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").fails(t, "Dockerfile.lock, line 3: "+name+" is sha256:")
	buildx(t, dir, "--target=:lock", "--output=.", "--build-arg=STAGECRAFT_LOCK=update:nothing").fails(t, "has no such source")
	if read() != first {
		t.Errorf("a call that failed changed the lock:\n%s", read())
	}
	buildx(t, dir, "--target=:lock", "--output=.", "--build-arg=STAGECRAFT_LOCK=update:"+strings.TrimSuffix(name, ":1")).ok(t)
	buildx(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").ok(t).prints(t, "up to date")
	prints("two")

	alone := ""
	for line := range strings.Lines(read()) {
		if !strings.HasPrefix(line, "FROM "+name) {
			alone += line
		}
	}
	writeFile(t, file, []byte(alone))
	buildx(t, dir, "--output=type=cacheonly").fails(t, "Dockerfile:3", name+": not in Dockerfile.lock")
	writeFile(t, file, []byte("FROM busybox:latest@sha256:"+strings.Repeat("0", 64)+"\n"))
	buildx(t, dir, "--output=type=cacheonly", "--build-arg=STAGECRAFT_LOCK=loose").fails(t, "Dockerfile:5", "which is not there any more", "STAGECRAFT_LOCK=update:busybox:latest")
	buildx(t, dir, "--call=check").fails(t, "NotLocked", name+" is not in Dockerfile.lock")
}

// TestLockOnEngines guards that other engines write a lock and keep to it.
func TestLockOnEngines(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, on target) {
		name := "lock" + strings.ToLower(strings.ReplaceAll(unique(), ".", "-")) + "/base:1"
		base(t, name, "one")
		dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nFROM "+name+" AS build\nRUN cp /text /out\nFROM busybox\nCOPY --from=build /out /\n")
		on.build(t, dir).fails(t, "there is no file Dockerfile.lock")
		on.build(t, dir, "--target=:lock", "--output=.").ok(t)
		base(t, name, "two")
		for want, args := range map[string][]string{"one": nil, "two": {"--build-arg=STAGECRAFT_LOCK=off"}} {
			if got := on.prints(t, dir, args, "cat", "/out"); got != want+"\n" {
				t.Errorf("with %v it prints %q", args, got)
			}
		}
		on.call(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").fails(t, "Dockerfile.lock, line 3: "+name+" is sha256:")
	})
}

// TestLockedSources guards that repositories and files come as the lock pins them, also
// where what their names mean moves.
func TestLockedSources(t *testing.T) {
	t.Parallel()
	repo, gitURL, commit := repository(t, "-- lib.Dockerfile --\nFROM busybox AS tool\nCOPY text /\n-- text --\none\n")
	files := t.TempDir()
	writeFile(t, filepath.Join(files, "tool.txt"), []byte("one\n"))
	fileURL := serve(t, files)
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nIMPORT --from="+gitURL+"#v1 lib.Dockerfile AS lib\nFROM busybox\nADD "+gitURL+"#main /git\nADD "+fileURL+"/tool.txt /\nCOPY --from=lib.tool /text /lib\nCMD cat /git/text /tool.txt /lib\n")
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	lock, err := os.ReadFile(filepath.Join(dir, "Dockerfile.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{gitURL + "?tag=v1&checksum=" + commit, gitURL + "?branch=main&checksum=" + commit, fileURL + "/tool.txt /"} {
		if !bytes.Contains(lock, []byte(want)) {
			t.Errorf("the lock lacks %s:\n%s", want, lock)
		}
	}
	prints := func(want string) {
		t.Helper()
		if got := buildImage(t, dir, "--no-cache").run(t).ok(t).stdout; got != want {
			t.Errorf("the image prints %q, not %q", got, want)
		}
	}
	prints("one\none\none\n")
	writeFile(t, filepath.Join(repo, "text"), []byte("two\n"))
	for _, args := range [][]string{
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-a", "-m", "y"}, {"tag", "-f", "v1"}, {"update-server-info"},
	} {
		run(t, repo, append([]string{"git"}, args...)...).ok(t)
	}
	prints("one\none\none\n")
	buildx(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").fails(t, gitURL+"#v1 is ", gitURL+"#main is ")
	writeFile(t, filepath.Join(files, "tool.txt"), []byte("two\n"))
	prints("one\none\none\n") // the engine has the file that the lock pins
	_, rest, _ := bytes.Cut(lock, []byte("--checksum=sha256:"))
	writeFile(t, filepath.Join(dir, "Dockerfile.lock"), bytes.ReplaceAll(lock, rest[:64], []byte(strings.Repeat("0", 64))))
	buildx(t, dir, "--output=type=cacheonly").fails(t, "Dockerfile.lock pins "+fileURL+"/tool.txt to sha256:0000", "STAGECRAFT_LOCK=update:"+fileURL+"/tool.txt", "digest mismatch", "Dockerfile:6")
	writeFile(t, filepath.Join(dir, "Dockerfile.lock"), lock)
	buildx(t, dir, "--target=:lock", "--output=.", "--build-arg=STAGECRAFT_LOCK=update:*").ok(t)
	prints("two\ntwo\ntwo\n")
}

// recorder is a registry that says what it was asked for, and that can be another one.
type recorder struct {
	mu      sync.Mutex
	asked   []string
	instead http.HandlerFunc // for all but the frontend; nil for nothing
	next    http.Handler
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	frontend := strings.HasPrefix(req.URL.Path, "/v2/stagecraft/")
	r.mu.Lock()
	instead := r.instead
	if !frontend && req.URL.Path != "/v2/" {
		r.asked = append(r.asked, req.Method+" "+req.URL.Path)
	}
	r.mu.Unlock()
	if instead != nil && !frontend {
		instead(w, req)
		return
	}
	r.next.ServeHTTP(w, req)
}

// take returns what was asked for since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *recorder) answer(instead http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instead = instead
}

// TestLockedBuildAsksForDigests counts what a locked build asks a registry for: digests when it
// is new, nothing at all when all of it is cached. What the registry says then does
// not matter; a new build fails when it lies or has nothing.
func TestLockedBuildAsksForDigests(t *testing.T) {
	t.Parallel()
	target, err := url.Parse("http://" + registry(t))
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{next: httputil.NewSingleHostReverseProxy(target)}
	server := httptest.NewServer(rec)
	t.Cleanup(server.Close)
	addr := startDaemonOn(t, strings.TrimPrefix(server.URL, "http://"))
	builder := newBuilder(t, addr)
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nFROM alpine AS build\nRUN echo hi > /x\nFROM busybox\nCOPY --from=build /x /x\n")
	build := func(args ...string) command {
		return buildx(t, dir, append([]string{"--builder=" + builder, "--output=type=cacheonly"}, args...)...)
	}
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	build().ok(t)
	for _, asked := range rec.take() {
		if strings.Contains(asked, "/manifests/") && !strings.Contains(asked, "/manifests/sha256:") {
			t.Errorf("a locked build asks for %s", asked)
		}
	}
	build().ok(t)
	if asked := rec.take(); len(asked) > 0 {
		t.Errorf("a cached locked build asks for %v", asked)
	}
	rec.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	build().ok(t)

	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(syntaxLine+"LOCK\nFROM golang\nRUN true\n"))
	rec.answer(nil)
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	rec.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	build().fails(t, "Dockerfile:3", "golang:latest", "which is not there any more")
	rec.answer(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		_, _ = w.Write([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `","size":2},"layers":[]}`))
	})
	build().fails(t, "Dockerfile:3")
}

// TestClientsPolicyOverALock guards what wins where a lock pins an image and the client has a
// word on it: a source policy sees the image with its digest, as if that stood in the file, and
// a named context comes before both.
func TestClientsPolicyOverALock(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nFROM busybox\nRUN test -e /etc/alpine-release && echo alpine > /x || echo busybox > /x\nCMD cat /x\n-- alpine/Dockerfile --\n"+syntaxLine+"FROM alpine\n")
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	pinOf := func(text string) string {
		_, rest, _ := strings.Cut(text, "@")
		pin, _, _ := strings.Cut(rest, "\n")
		return pin
	}
	const busybox, alpine = "docker-image://docker.io/library/busybox:latest", "docker-image://docker.io/library/alpine:latest"
	pinned := busybox + "@" + pinOf(readText(t, filepath.Join(dir, "Dockerfile.lock")))
	instead := alpine + "@" + pinOf(buildx(t, filepath.Join(dir, "alpine"), "--call=lock").ok(t).stdout)
	convert := func(from string) string {
		return `{"rules":[{"action":"CONVERT","selector":{"identifier":"` + from + `"},"updates":{"identifier":"` + instead + `"}}]}`
	}
	build := func(policy, output string, args ...string) command {
		file := filepath.Join(t.TempDir(), "policy.json")
		writeFile(t, file, []byte(policy))
		args = append([]string{"buildx", "build", "--progress=plain", "--output=type=local,dest=" + output}, append(args, ".")...)
		return runWith(t, dir, []string{"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=" + file}, args...)
	}
	for _, tc := range []struct {
		name, policy, want string
		args               []string
	}{
		{"of the tag alone", convert(busybox), "busybox", nil},
		{"of the locked image", convert(pinned), "alpine", nil},
		{"of all tags", convert(busybox + "*"), "alpine", nil},
		{"none, a named context", `{"rules":[]}`, "alpine", []string{"--build-context=busybox=docker-image://alpine"}},
	} {
		out := t.TempDir()
		build(tc.policy, out, tc.args...).ok(t)
		if got := strings.TrimSpace(readText(t, filepath.Join(out, "x"))); got != tc.want {
			t.Errorf("a policy %s: the image is %s, not %s", tc.name, got, tc.want)
		}
	}
	deny := `{"rules":[{"action":"DENY","selector":{"identifier":"` + pinned + `"}}]}`
	build(deny, t.TempDir()).fails(t, "Dockerfile:3", "denied by policy")
}

// TestExpandedLock guards that the plain form of a locked build has the pins of repositories and
// files, and builds to what was locked when their names mean something else.
func TestExpandedLock(t *testing.T) {
	t.Parallel()
	repo, gitURL, commit := repository(t, "-- text --\none\n-- sub/text --\ntwo\n")
	files := t.TempDir()
	writeFile(t, filepath.Join(files, "tool-amd64.txt"), []byte("amd64\n"))
	writeFile(t, filepath.Join(files, "tool-arm64.txt"), []byte("arm64\n"))
	fileURL := serve(t, files)
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nFROM busybox\nARG TARGETARCH\nADD "+gitURL+"#main /git\nADD --keep-git-dir=false "+gitURL+"#v1:sub /sub\nADD "+fileURL+"/tool-$TARGETARCH.txt /tool\n")
	buildx(t, dir, "--target=:lock", "--output=.", "--platform=linux/amd64,linux/arm64").ok(t)
	writeFile(t, filepath.Join(repo, "text"), []byte("moved\n"))
	for _, args := range [][]string{
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-a", "-m", "y"}, {"tag", "-f", "v1"}, {"update-server-info"},
	} {
		run(t, repo, append([]string{"git"}, args...)...).ok(t)
	}
	text := expands(t, dir)
	for _, want := range []string{"?branch=main&checksum=" + commit + "&fetch-by-commit=true /git\n", "?tag=v1&checksum=" + commit + "&fetch-by-commit=true&subdir=sub /sub\n", "ADD --checksum=sha256:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plain file lacks %q:\n%s", want, text)
		}
	}
	both := buildx(t, dir, "--call=expand", "--platform=linux/amd64,linux/arm64").ok(t).stdout
	if strings.Count(both, "ADD --checksum=sha256:") != 2 {
		t.Errorf("the plain file has not one pin for each platform:\n%s", both)
	}
}
