package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// latency is what a registry far away takes for each answer.
const latency = 200 * time.Millisecond

// lockedBuilds times a cached build whose images come from a slow registry: without its lock, which
// asks for the digest of every tag, and with it.
func lockedBuilds() ([]row, error) {
	host, stop, err := slowRegistry(os.Getenv("STAGECRAFT_REGISTRY"))
	if err != nil {
		return nil, err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var file, gathered strings.Builder
	file.WriteString("LOCK\n")
	for _, image := range []string{"alpine", "busybox", "debian", "golang"} {
		fmt.Fprintf(&file, "FROM %s/library/%s AS %s\nRUN echo x > /%s\n", host, image, image, image)
		fmt.Fprintf(&gathered, "COPY --from=%s /%s /\n", image, image)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file.String()+"FROM scratch\n"+gathered.String()), 0o644); err != nil {
		return nil, fmt.Errorf("failed to write a Dockerfile: %w", err)
	}
	if err := quiet("buildx", "build", "--build-arg=BUILDKIT_SYNTAX="+ourImage, "--target=:lock", "--output="+dir, dir); err != nil {
		return nil, err
	}
	r, err := pairs("locked build of 4 images, registry of 200 ms, against unlocked", 10,
		build(ourImage, dir, "--build-arg=STAGECRAFT_LOCK=off"), build(ourImage, dir))
	return []row{r}, err
}

// slowRegistry serves a registry, each answer later, and returns its host.
func slowRegistry(of string) (host string, stop func(), err error) {
	if of == "" {
		return "", nil, errors.New("STAGECRAFT_REGISTRY names no registry: run make bench")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("failed to listen: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: of})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return listener.Addr().String(), func() { _ = server.Close() }, nil
}
