package frontend_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestInterpreterEqualsItsImagesWrittenOut guards that blocks, tables and data give
// what 36 plain Dockerfiles give, and that the example counts its lines right.
func TestInterpreterEqualsItsImagesWrittenOut(t *testing.T) {
	t.Parallel()
	const dir = "../examples/interpreter/"
	read := func(name string) string {
		dt, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(dt)
	}
	text, versions := read("Dockerfile"), read("versions.json")
	var data map[string]map[string]string
	if err := json.Unmarshal([]byte(versions), &data); err != nil {
		t.Fatal(err)
	}
	images := dockerfilegen.Interpreters(data)
	plainLines, reads := 0, map[string]bool{} // the requests for versions.json
	for _, image := range images {
		plain := image.Plain()
		plainLines += strings.Count(plain, "\n")
		ours := gatewaytest.Dockerfile(text, "build-arg:VERSION", image.Version, "build-arg:VARIANT", image.Variant, "build-arg:THREADS", image.Threads)
		ours.Files["dockerfile"]["versions.json"] = versions
		want, err := buildResult(t, gatewaytest.Dockerfile(plain), builder.Build)
		if err != nil {
			t.Fatal(err)
		}
		got, err := buildResult(t, ours, frontend.Build)
		for line := range strings.Lines(got) {
			if strings.HasPrefix(line, "sha256:") && !strings.Contains(want, line) {
				reads[line] = true
				got = strings.Replace(got, line, "", 1)
			}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s %s %s: %v\nwritten out (-) and from data (+):\n%s", image.Version, image.Variant, image.Threads, err, diff)
		}
	}
	if len(reads) != 1 {
		t.Errorf("beside versions.json something else is asked for: %v", reads)
	}
	lines := strings.Count(text, "\n") + strings.Count(versions, "\n")
	for _, row := range []string{
		fmt.Sprintf("| this Dockerfile and versions.json | %d |", lines),
		fmt.Sprintf("| the same images written out as %d plain Dockerfiles | %d |", len(images), plainLines),
	} {
		if !strings.Contains(read("README.md"), row) {
			t.Errorf("README.md lacks the row %s", row)
		}
	}
}
