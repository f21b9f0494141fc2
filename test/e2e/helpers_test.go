//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/report"
)

func equalDigest(a, b ocispecs.Descriptor) bool { return a.Digest == b.Digest }

// secrets serves values by secret ID to a build in this process.
func secrets(values map[string][]byte) []session.Attachable {
	return []session.Attachable{secretsprovider.FromMap(values)}
}

// serve serves a folder over HTTP, at its root and below /repo.git, and returns
// the URL. A bare repository can be cloned from it.
func serve(tb testing.TB, dir string) string {
	tb.Helper()
	files := http.FileServer(http.Dir(dir))
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.Handle("/repo.git/", http.StripPrefix("/repo.git", files))
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return server.URL
}

// buildKitRelease returns the release of BuildKit that go.mod names.
func buildKitRelease(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		tb.Fatal(err)
	}
	match := regexp.MustCompile(`github\.com/moby/buildkit (v\S+)`).FindSubmatch(text)
	if match == nil {
		tb.Fatal("go.mod names no BuildKit")
	}
	return string(match[1])
}

// readText returns what a file has.
func readText(tb testing.TB, path string) string {
	tb.Helper()
	dt, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(dt)
}

// callSize returns what --call=size tells of a build for one platform.
func callSize(tb testing.TB, dir string, args ...string) report.SizeBuild {
	tb.Helper()
	c := buildx(tb, dir, append(args, "--call=size,format=json")...).ok(tb)
	var s report.Size
	if err := json.Unmarshal([]byte(c.stdout), &s); err != nil || len(s.Builds) != 1 {
		tb.Fatalf("--call=size tells of %d builds: %v: %s", len(s.Builds), err, c.stdout)
	}
	return s.Builds[0]
}
