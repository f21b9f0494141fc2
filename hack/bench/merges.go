package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// merges times two steps of five seconds, in one stage as a plain Dockerfile has them, and in
// two stages that a FROM --with merges.
func merges() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	const plain = "FROM busybox\nARG ID\nRUN sleep 5; echo $ID > /a\nRUN sleep 5; echo $ID > /b\n"
	const merged = "FROM busybox AS a\nARG ID\nRUN sleep 5; echo $ID > /a\nFROM busybox AS b\nARG ID\nRUN sleep 5; echo $ID > /b\nFROM --with=a,b busybox\n"
	run := func(name, image, text string) func() error {
		file := filepath.Join(dir, name)
		return func() error {
			if err := os.WriteFile(file, []byte("# syntax="+image+"\n"+text), 0o644); err != nil {
				return fmt.Errorf("failed to write a Dockerfile: %w", err)
			}
			id := fmt.Sprint("--build-arg=ID=", name, time.Now().UnixNano())
			return quiet("buildx", "build", "--file="+file, id, "--output=type=cacheonly", dir)
		}
	}
	r, err := pairs("two steps of 5 s, merged", 3, run("plain", upstreamImage, plain), run("merged", ourImage, merged))
	return []row{r}, err
}
