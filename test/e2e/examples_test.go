//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExamples builds and runs what examples/ shows.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*/Dockerfile*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	greetings := map[string]string{"hello/Dockerfile": "Hello, world, from version 1.0.\n", "hello/Dockerfile.single": "Hello, world, from version 1.0.\n"}
	for _, file := range files {
		dir, name := filepath.Split(file)
		example := filepath.Join(filepath.Base(dir), name)
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			want, ok := greetings[example]
			if !ok {
				t.Fatal("this example has no check")
			}
			img := buildImage(t, dir, "--file="+name)
			if got := img.exec(t, nil, append(img.Config.Config.Entrypoint, "-once")...).ok(t).stdout; got != want {
				t.Errorf("it prints %q, not %q", got, want)
			}
		})
	}
}

var dockerfileBlock = regexp.MustCompile("(?s)```dockerfile\n(.*?)```")

// TestDocumentedDockerfiles builds every Dockerfile of README.md and docs/ with
// a Go program as its context.
func TestDocumentedDockerfiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	for _, page := range append(pages, "../../README.md") {
		dt, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range dockerfileBlock.FindAllStringSubmatch(string(dt), -1) {
			built++
			if !strings.HasPrefix(block[1], syntaxLine) {
				t.Errorf("%s: a Dockerfile without the syntax line:\n%s", page, block[1])
			}
			dir := project(t, "-- main.go --\npackage main\n\nfunc main() { println(\"hello\") }\n-- go.mod --\nmodule app\n")
			writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(block[1]))
			img := buildImage(t, dir)
			img.run(t).ok(t).prints(t, "hello")
		}
	}
	if built == 0 {
		t.Error("no Dockerfile found in the documentation")
	}
}
