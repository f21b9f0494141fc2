//go:build e2e

package e2e

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/identity"
)

// canaries are secrets by what they are for. They are looked for wherever a build leaves something behind.
type canaries map[string]string

func newCanaries() canaries {
	c := canaries{}
	for _, name := range []string{"secret", "URL", "token", "login"} {
		c[name] = "canary" + identity.NewID()
	}
	return c
}

// lookIn fails the test when text has one.
func (c canaries) lookIn(t *testing.T, where, text string) {
	t.Helper()
	for name, canary := range c {
		for _, spelling := range []string{canary, base64.StdEncoding.EncodeToString([]byte("user:" + canary)), base64.StdEncoding.EncodeToString([]byte("x-access-token:" + canary))} {
			if at := strings.Index(text, spelling); at >= 0 {
				t.Errorf("the %s is in %s: %s", name, where, text[max(at-200, 0):min(at+100, len(text))])
			}
		}
	}
}

// lookBelow looks in every file of a directory, and returns how many there are.
func (c canaries) lookBelow(t *testing.T, dir string) int {
	t.Helper()
	searched := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		searched++
		dt, err := os.ReadFile(path)
		c.lookIn(t, path, string(dt))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return searched
}

// guarded is a server that asks for a login.
func guarded(user, password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownArguments is a line in which a client that debugs shows how it was called.
var ownArguments = regexp.MustCompile(`\d+ v\S+ \S*buildx --debug build .*?(\n|\\n|$)`)

const secretive = `
-- Dockerfile --
# syntax=` + frontendImage + `
# check=skip=UnpinnedSyntax
LOCK
IMPORT --from=shared AS file
IMPORT --from=repository lib.Dockerfile AS repository
IMPORT --from=http://TOKEN/repo.git#v1 lib.Dockerfile AS token
IMPORT --from=docker-image://LOGIN/lib:1 lib.Dockerfile AS login

FROM --max-size=50MB busybox AS measured
ARG BROKEN=
RUN --mount=type=secret,id=canary test -s /run/secrets/canary && echo used > /used
RUN --mount=type=secret,id=canary,env=CANARY test -n "$CANARY" && test -z "$BROKEN"

FROM busybox AS tool
RUN --mount=type=secret,id=canary,env=CANARY test -n "$CANARY" && cp /bin/busybox /tool && echo "V=1" > /values

FROM scratch AS app
ENV --from=tool --file=/values V
COPY --needed --from=tool /tool /tool
COPY --from=measured /used /f.txt
COPY --from=file.last /result /file
COPY --from=repository.last /result /repository
COPY --from=token.last /result /token
COPY --from=login.last /result /login
`

// TestSecretStaysSecret looks for secrets, logins and the credentials of URLs in all that a user sees
// of a build, and in all that it leaves behind.
func TestSecretStaysSecret(t *testing.T) {
	t.Parallel()
	c := newCanaries()
	repo := project(t, "-- lib.Dockerfile --\n"+libraryOf("lib\n")+"-- broken.Dockerfile --\nFROM a(\n")
	commitAll(t, repo)
	git := http.StripPrefix("/repo.git", http.FileServer(http.Dir(filepath.Join(repo, ".git"))))
	mux := http.NewServeMux()
	mux.Handle("/repo.git/", git)
	mux.HandleFunc("/file.Dockerfile", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(libraryOf("file\n"))) })
	url := newBadServer(t, guarded("user", c["URL"], mux), "", nil)
	token := newBadServer(t, guarded("x-access-token", c["token"], git), "", nil)
	login := newBadServer(t, guarded("user", c["login"], imageServer(t, map[string]string{"lib.Dockerfile": libraryOf("login\n")})), "", nil)

	config := t.TempDir()
	writeFile(t, filepath.Join(config, "config.json"), []byte(`{"auths":{"`+login.address+`":{"auth":"`+base64.StdEncoding.EncodeToString([]byte("user:"+c["login"]))+`"}}}`))
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, []byte(c["secret"]))
	d := newDaemon(t, registry(t), "--debug")
	d.start(t)
	builder := newBuilder(t, d.addr)
	environ := []string{"DOCKER_CONFIG=" + config, "BUILDX_CONFIG=" + filepath.Join(env(t, "DOCKER_CONFIG"), "buildx"), "TOKEN=" + c["token"]}

	dir := project(t, strings.NewReplacer("TOKEN", token.address, "LOGIN", login.address).Replace(secretive))
	withURL := "http://user:" + c["URL"] + "@" + url.address
	build := func(args ...string) command {
		r := runWith(t, dir, environ, append(append([]string{"buildx", "--debug", "build", "--builder=" + builder, "--progress=plain",
			"--secret=id=canary,src=" + secret, "--secret=id=GIT_AUTH_TOKEN." + token.address + ",env=TOKEN",
			"--build-context=shared=" + withURL + "/file.Dockerfile", "--build-context=repository=" + withURL + "/repo.git#v1",
			"--build-context=gone=" + withURL + "/none.git", "--build-context=gonefile=" + withURL + "/none", "--build-context=refused=http://other:" + c["URL"] + "@" + url.address + "/repo.git"}, args...), ".")...)
		c.lookIn(t, "the output of "+args[0], ownArguments.ReplaceAllString(r.output(), ""))
		return r
	}
	build("--target=:lock", "--output=.").ok(t)
	c.lookIn(t, "the lock", readText(t, filepath.Join(dir, "Dockerfile.lock")))
	t.Run("calls", func(t *testing.T) {
		for _, call := range []string{"lock", "size", "graph", "outline", "check", "bake", "expand"} {
			for _, format := range []string{"", ",format=json"} {
				t.Run(call+format, func(t *testing.T) {
					t.Parallel()
					if r := build("--call=" + call + format); call == "expand" {
						r.fails(t, ">>> ENV --from=tool --file=/values V")
					} else {
						r.ok(t)
					}
				})
			}
		}
	})
	out := t.TempDir()
	build("--provenance=mode=max", "--attest=type=sbom,generator="+pushScanner(t), "--metadata-file="+filepath.Join(out, "metadata.json"), "--output=type=oci,tar=false,compression=uncompressed,force-compression=true,dest="+filepath.Join(out, "layout")).ok(t)
	build("--build-arg=BROKEN=1").fails(t, "Dockerfile:12", ">>> RUN --mount=type=secret,id=canary,env=CANARY", "exit code: 1")
	for line, want := range map[string]string{
		"IMPORT --from=repository none.Dockerfile AS x":      "there is no file none.Dockerfile in repository",
		"IMPORT --from=repository broken.Dockerfile AS x":    "repository:broken.Dockerfile",
		"IMPORT --from=gone lib.Dockerfile AS x":             "failed to fetch gone",
		"IMPORT --from=gonefile AS x":                        "failed to fetch gonefile",
		"IMPORT --from=refused lib.Dockerfile AS x":          "failed to fetch refused",
		"IMPORT --from=${FROM}/none.git lib.Dockerfile AS x": "failed to fetch http://xxxxx:xxxxx@" + url.address + "/none.git",
	} {
		writeFile(t, filepath.Join(dir, "Broken.Dockerfile"), []byte(syntaxLine+"ARG FROM\nLET X = \"\"\n"+line+"\nFROM scratch\nCOPY --from=x / /\n"))
		build("--file=Broken.Dockerfile", "--build-arg=FROM="+withURL).fails(t, want, ">>> "+line)
	}
	if searched := c.lookBelow(t, out); searched < 15 { // layout, index, manifests, configs, layers, attestations, metadata
		t.Errorf("only %d files were searched", searched)
	}
	log := d.log(t)
	if !strings.Contains(log, "level=debug") || !strings.Contains(log, url.address) {
		t.Errorf("the daemon's log does not tell of the build:\n%s", log)
	}
	c.lookIn(t, "the daemon's log", ownArguments.ReplaceAllString(log, ""))
	delete(c, "URL") // the history shows the contexts that a client passed, and the daemon keeps what it has to fetch
	for _, args := range [][]string{{"inspect", "--format=json"}, {"logs"}, {"inspect", "--format=json", "^1"}, {"logs", "^1"}} {
		r := runWith(t, "", environ, append([]string{"buildx", "--builder=" + builder, "history"}, args...)...).ok(t)
		c.lookIn(t, strings.Join(args, " "), r.output())
	}
	d.end(t, os.Interrupt)
	c.lookBelow(t, filepath.Join(d.dir, "root"))
}
