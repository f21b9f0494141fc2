//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func equalDigest(a, b ocispecs.Descriptor) bool { return a.Digest == b.Digest }

// secrets serves values by secret ID to a build in this process.
func secrets(values map[string][]byte) []session.Attachable {
	return []session.Attachable{secretsprovider.FromMap(values)}
}

// serveGit serves a bare repository over git's plain HTTP protocol and returns
// its URL.
func serveGit(tb testing.TB, gitDir string) string {
	tb.Helper()
	server := httptest.NewServer(http.StripPrefix("/repo.git", http.FileServer(http.Dir(gitDir))))
	tb.Cleanup(server.Close)
	return server.URL + "/repo.git"
}
