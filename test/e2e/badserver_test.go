//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// fault sends a right answer wrongly. It is the answer to the nth request of a server, the first one is 1.
type fault func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, n int)

// faults are what servers do wrong, by name.
var faults = map[string]fault{
	"slow": func(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder, _ int) {
		time.Sleep(200 * time.Millisecond)
		head(w, answer, answer.Body.Len())
		for text := answer.Body.Bytes(); len(text) > 0; {
			part := min(len(text), answer.Body.Len()/8+1)
			_, _ = w.Write(text[:part])
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
			text = text[part:]
		}
	},
	"cut": func(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder, _ int) {
		head(w, answer, answer.Body.Len())
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	},
	"more": func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, _ int) {
		raw(w, r, answer, answer.Body.Len()+100)
	},
	"less": func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, _ int) {
		raw(w, r, answer, answer.Body.Len()/2)
	},
	"500 twice": func(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder, n int) {
		if n <= 2 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		head(w, answer, answer.Body.Len())
		_, _ = w.Write(answer.Body.Bytes())
	},
}

// head writes the head of an answer, with a length.
func head(w http.ResponseWriter, answer *httptest.ResponseRecorder, length int) {
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(length))
	w.WriteHeader(answer.Code)
}

// raw sends an answer with a length that is not its own, and ends the connection.
func raw(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, length int) {
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	answer.Header().Set("Content-Length", fmt.Sprint(length))
	answer.Header().Set("Connection", "close")
	fmt.Fprintf(out, "HTTP/1.1 %d %s\r\n", answer.Code, http.StatusText(answer.Code))
	_ = answer.Header().Write(out)
	_, _ = out.WriteString("\r\n")
	if r.Method != http.MethodHead {
		_, _ = out.Write(answer.Body.Bytes())
	}
	_ = out.Flush()
}

// badServer serves what a handler does, wrongly until it is mended.
type badServer struct {
	address string // host and port
	next    http.Handler
	only    string // what the paths contain that it serves wrongly
	mu      sync.Mutex
	fault   fault
	n       int
}

func newBadServer(t *testing.T, next http.Handler, only string, fault fault) *badServer {
	t.Helper()
	s := &badServer{next: next, only: only, fault: fault}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *badServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault := s.fault
	if !strings.Contains(r.URL.Path, s.only) {
		fault = nil
	}
	if fault != nil {
		s.n++
	}
	n := s.n
	s.mu.Unlock()
	answer := httptest.NewRecorder()
	s.next.ServeHTTP(answer, r)
	if fault == nil || answer.Body.Len() == 0 && r.Method != http.MethodHead {
		head(w, answer, answer.Body.Len())
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	fault(w, r, answer, n)
}

// mend makes it right.
func (s *badServer) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
}

// imageServer is a registry that has one image, of one layer with these files, whatever it is asked for by name.
func imageServer(t *testing.T, files map[string]string) http.Handler {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	add := func(mediaType string, data []byte) ocispecs.Descriptor {
		d := ocispecs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		blobs[d.Digest.String()] = data
		return d
	}
	addJSON := func(mediaType string, value any) ocispecs.Descriptor {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return add(mediaType, data)
	}
	layerDesc := add(ocispecs.MediaTypeImageLayer, layer.Bytes())
	config := addJSON(ocispecs.MediaTypeImageConfig, ocispecs.Image{
		Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{layerDesc.Digest}},
	})
	manifest := addJSON(ocispecs.MediaTypeImageManifest, ocispecs.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest, Config: config, Layers: []ocispecs.Descriptor{layerDesc},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if strings.Contains(r.URL.Path, "/manifests/") {
			name = manifest.Digest.String()
			w.Header().Set("Content-Type", manifest.MediaType)
			w.Header().Set("Docker-Content-Digest", name)
		}
		data, ok := blobs[name]
		if !ok && r.URL.Path != "/v2/" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	})
}
