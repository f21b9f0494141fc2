package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// variants compares, in memory, all images of examples/interpreter with the plain
// Dockerfiles in which they are written out.
func variants() ([]row, error) {
	const dir = "examples/interpreter/"
	text, err := os.ReadFile(dir + "Dockerfile")
	if err != nil {
		return nil, err
	}
	versions, err := os.ReadFile(dir + "versions.json")
	if err != nil {
		return nil, err
	}
	var data map[string]map[string]string
	if err := json.Unmarshal(versions, &data); err != nil {
		return nil, fmt.Errorf("failed to read the versions: %w", err)
	}
	images := dockerfilegen.Interpreters(data)
	writtenOut := func() error {
		for _, image := range images {
			if err := convert(image.Plain(), builder.Build); err != nil {
				return err
			}
		}
		return nil
	}
	fromData := func() error {
		for _, image := range images {
			b := gatewaytest.Dockerfile(string(text), "build-arg:VERSION", image.Version, "build-arg:VARIANT", image.Variant, "build-arg:THREADS", image.Threads)
			b.Files["dockerfile"]["versions.json"] = string(versions)
			if _, err := frontend.Build(context.Background(), gatewaytest.New(b)); err != nil {
				return err
			}
		}
		return nil
	}
	return timeAndMemory(fmt.Sprintf("%d variants from data against written out", len(images)), 15, writtenOut, fromData)
}
