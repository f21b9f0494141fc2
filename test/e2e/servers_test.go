//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// served is what a build takes from a server: a Dockerfile in which %s is its address, and what the
// build prints when the server does something wrong, by fault. It fails then, and prints line too; it is right where
// nothing is printed.
type served struct {
	dockerfile string
	line       string
	want       map[string]string
	// only is what the paths contain that are served wrongly; all for nothing.
	only  string
	serve func(t *testing.T, text string) http.Handler
}

// imported is what a file that is imported gives.
const imported = " lib.Dockerfile AS lib\nFROM scratch\nCOPY --from=lib.last /result /\n"

// takenFromServers are the ways in which something outside becomes part of a build.
var takenFromServers = map[string]served{
	"IMPORT of a file": {
		"IMPORT --from=http://%s/lib.Dockerfile" + strings.TrimPrefix(imported, " lib.Dockerfile"),
		"Dockerfile:2\n", map[string]string{
			"slow": "", "cut": "line 2, column 15: failed to fetch http://%s/lib.Dockerfile: failed to load cache key: unexpected EOF", "more": "unexpected EOF",
			"less": "http://%s/lib.Dockerfile: line 2: unterminated heredoc", "500 twice": "http://%s/lib.Dockerfile: failed to load cache key: invalid response status 500",
		}, "", func(_ *testing.T, text string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(libraryOf(text))) })
		},
	},
	"IMPORT of a repository": {
		"IMPORT --from=http://%s/repo.git#v1" + imported,
		">>> IMPORT --from=http://%s/repo.git#v1", map[string]string{
			"slow": "", "cut": "line 2, column 15: failed to fetch http://%s/repo.git#v1: ", "more": "failed to fetch http://%s/repo.git#v1: ",
			"less": "http://%s/repo.git#v1: failed to load cache key: repository does not contain ref v1", "500 twice": "The requested URL returned error: 500",
		}, "", func(t *testing.T, text string) http.Handler {
			dir := project(t, "-- lib.Dockerfile --\n"+libraryOf(text))
			commitAll(t, dir)
			return http.StripPrefix("/repo.git", http.FileServer(http.Dir(filepath.Join(dir, ".git"))))
		},
	},
	"IMPORT of an image": {
		"IMPORT --from=docker-image://%s/lib:1" + imported,
		">>> IMPORT --from=docker-image://%s/lib:1", map[string]string{
			"slow": "", "more": "line 2, column 15: failed to fetch docker-image://%s/lib:1: short read", "500 twice": "docker-image://%s/lib:1: unexpected status from HEAD request",
		}, "", func(t *testing.T, text string) http.Handler {
			return imageServer(t, map[string]string{"lib.Dockerfile": libraryOf(text)})
		},
	},
	"FROM": {
		"LET X = \"\"\nFROM %s/base:1\n",
		">>> FROM %s/base:1", map[string]string{
			"cut": "%s/base:1: short read", "less": "%s/base:1: failed commit on ref",
		}, "", func(t *testing.T, text string) http.Handler { return imageServer(t, map[string]string{"result": text}) },
	},
	"blobs of FROM": {
		"LET X = \"\"\nFROM %s/base:1\nCOPY Dockerfile /\n",
		">>> FROM %s/base:1", map[string]string{"cut": "%s/base:1: short read", "500 twice": ""}, "/blobs/",
		func(t *testing.T, text string) http.Handler { return imageServer(t, map[string]string{"result": text}) },
	},
}

// TestServersThatFail guards builds whose servers are slow, cut the line, lie about the length of what they
// send, or fail at first. A server that is slow is waited for; what others do ends the build with an error at the
// line that needs them, with nothing exported and nothing kept that a later build would take.
func TestServersThatFail(t *testing.T) {
	t.Parallel()
	for kind, taken := range takenFromServers {
		for name, want := range taken.want {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				text := "right " + unique() + "\n"
				server := newBadServer(t, taken.serve(t, text), taken.only, faults[name])
				at := func(text string) string { return strings.ReplaceAll(text, "%s", server.address) }
				dir := project(t, "-- Dockerfile --\n"+syntaxLine+at(taken.dockerfile))
				out := filepath.Join(t.TempDir(), "out")
				c := buildx(t, dir, "--output=type=local,dest="+out)
				if want != "" {
					c.fails(t, at(taken.line), at(want))
					requireNothing(t, out)
					server.mend()
					buildx(t, dir, "--output=type=local,dest="+out).ok(t)
				} else {
					c.ok(t)
				}
				if got := readText(t, filepath.Join(out, "result")); got != text {
					t.Errorf("the build gives %q, not %q", got, text)
				}
			})
		}
	}
}

// libraryOf is a file whose last stage has /result with a text.
func libraryOf(text string) string {
	return fmt.Sprintf("FROM scratch AS last\nCOPY <<EOT /result\n%sEOT\nLABEL last=line\n", text)
}
