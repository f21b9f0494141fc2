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

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
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
	images, err := pairs("locked build of 4 images, registry of 200 ms, against unlocked", 10,
		build(ourImage, dir, "--build-arg=STAGECRAFT_LOCK=off"), build(ourImage, dir))
	if err != nil {
		return nil, err
	}
	frontend, err := digestOf(host, "stagecraft/dockerfile", "1")
	if err != nil {
		return nil, err
	}
	all, err := pairs("locked build of 4 images and a frontend by digest, registry of 200 ms, against unlocked by tag", 10,
		build(host+"/"+ourImage, dir, "--build-arg=STAGECRAFT_LOCK=off"), build(host+"/stagecraft/dockerfile@"+frontend, dir))
	return []row{images, all}, err
}

// digestOf asks a registry for the digest that a tag has now.
func digestOf(host, repository, tag string) (string, error) {
	request, err := http.NewRequest(http.MethodHead, "http://"+host+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", ocispecs.MediaTypeImageIndex+", "+ocispecs.MediaTypeImageManifest)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("failed to look the frontend's image up: %w", err)
	}
	defer response.Body.Close()
	digest := response.Header.Get("Docker-Content-Digest")
	if digest == "" {
		return "", fmt.Errorf("the registry gave %s and no digest for %s:%s", response.Status, repository, tag)
	}
	return digest, nil
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
