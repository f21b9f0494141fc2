package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// The images as the development registry has them.
const (
	upstreamImage = "docker/dockerfile:1"
	ourImage      = "stagecraft/dockerfile:1"
)

// cachedBuilds times the stock client on a build in which nothing is left to do
// but to start the frontend and to look everything up.
func cachedBuilds() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	dockerfile := "FROM alpine:3.22 AS build\nCOPY . /src\nRUN cp -r /src /out\nFROM scratch\nCOPY --from=build /out /\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return nil, err
	}
	r, err := pairs("fully cached build", 30, build(upstreamImage, dir), build(ourImage, dir))
	return []row{r}, err
}

// processStart times the program of each image, started as BuildKit does, up to where it would talk
// to the daemon.
func processStart() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	run := map[string]func() error{}
	for image, program := range map[string]string{upstreamImage: "bin/dockerfile-frontend", ourImage: "bin/stagecraft-frontend"} {
		context := filepath.Join(dir, filepath.Base(program))
		if err := os.MkdirAll(context, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte("FROM "+image+"\n"), 0o644); err != nil {
			return nil, err
		}
		if err := quiet("buildx", "build", "--output=type=local,dest="+filepath.Join(context, "tree"), context); err != nil {
			return nil, err
		}
		run[image] = func() error {
			return quiet("env", "BUILDKIT_SESSION_ID=bench", filepath.Join(context, "tree", program), "--version")
		}
	}
	r, err := pairs("process start", 50, run[upstreamImage], run[ourImage])
	return []row{r}, err
}

// imageSizes compares what is pulled, and what it unpacks to.
func imageSizes() ([]row, error) {
	upstream, err := sizes(upstreamImage)
	if err != nil {
		return nil, err
	}
	ours, err := sizes(ourImage)
	if err != nil {
		return nil, err
	}
	return []row{
		once("image, compressed", "MB", upstream.compressed, ours.compressed),
		once("image, unpacked", "MB", upstream.unpacked, ours.unpacked),
	}, nil
}

type size struct{ compressed, unpacked int64 }

// sizes unpacks the image with the client and packs it again, level with level:
// the registry holds the two images compressed by different rules.
func sizes(image string) (size, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return size{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+image+"\n"), 0o644); err != nil {
		return size{}, err
	}
	layout := filepath.Join(dir, "layout")
	if err := quiet("buildx", "build", "--provenance=false", "--output=type=oci,tar=false,compression=gzip,force-compression=true,dest="+layout, dir); err != nil {
		return size{}, err
	}
	var index ocispecs.Index
	var manifest ocispecs.Manifest
	if err := readJSON(filepath.Join(layout, "index.json"), &index); err != nil {
		return size{}, err
	}
	blob := func(d ocispecs.Descriptor) string { return filepath.Join(layout, "blobs/sha256", d.Digest.Encoded()) }
	if err := readJSON(blob(index.Manifests[0]), &manifest); err != nil {
		return size{}, err
	}
	var s size
	for _, layer := range manifest.Layers {
		s.compressed += layer.Size
		out, err := exec.Command("sh", "-c", "gzip -dc < '"+blob(layer)+"' | wc -c").Output()
		if err != nil {
			return size{}, fmt.Errorf("failed to unpack a layer of %s: %w", image, err)
		}
		var n int64
		if _, err := fmt.Sscan(string(out), &n); err != nil {
			return size{}, err
		}
		s.unpacked += n
	}
	return s, nil
}

func readJSON(path string, into any) error {
	dt, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(dt, into)
}

// quiet runs a command and shows its output only when it fails.
func quiet(args ...string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
