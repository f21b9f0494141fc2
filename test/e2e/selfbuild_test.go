//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend"
)

// TestImageBuildsItself builds the frontend image with bake once more, through
// the frontend image.
func TestImageBuildsItself(t *testing.T) {
	t.Parallel()
	layout := filepath.Join(t.TempDir(), "layout")
	run(t, "../..", "buildx", "bake", "--progress=plain", "--allow=fs.write=*", "image", "--provenance=false",
		"--set=image.args.BUILDKIT_SYNTAX="+frontendImage, "--set=image.output=type=oci,tar=false,dest="+layout).ok(t)
	built := image{layout: layout}
	built.load(t)

	manifest, config := pullFrontend(t)
	if !slices.EqualFunc(built.Manifest.Layers, manifest.Layers, equalDigest) {
		t.Errorf("layers %v, under test are %v", built.Manifest.Layers, manifest.Layers)
	}
	if len(manifest.Layers) != 1 {
		t.Errorf("%d layers, not one", len(manifest.Layers))
	}
	// what the daemon reads off the image is what the program says
	if got, want := config.Config.Labels["moby.buildkit.frontend.caps"], strings.Join(frontend.Caps(), ","); got != want {
		t.Errorf("the label of the capabilities is %q, not %q", got, want)
	}
	if config.Config.Labels["moby.buildkit.frontend.network.none"] != "true" {
		t.Error("the image does not say that it needs no network")
	}
	if len(config.Config.Entrypoint) != 1 {
		t.Errorf("the entrypoint is %v", config.Config.Entrypoint)
	}
	for _, key := range []string{"title", "description", "url", "source", "licenses"} {
		if built.Manifest.Annotations["org.opencontainers.image."+key] == "" {
			t.Errorf("the manifest has no annotation %s", key)
		}
	}
}

// TestVersion runs the program of the image as a person would.
func TestVersion(t *testing.T) {
	t.Parallel()
	img := buildImage(t, project(t, "-- Dockerfile --\nFROM "+frontendImage+"\n"))
	img.run(t, "--version").ok(t).prints(t, "stagecraft-frontend ", "BuildKit "+buildKitRelease(t))
	img.run(t, "--help").ok(t).prints(t, "# syntax=stagecraft/dockerfile:1")
	bare := img.run(t).fails(t, "# syntax=stagecraft/dockerfile:1")
	if bare.stdout != "" {
		t.Errorf("stdout has %q", bare.stdout)
	}
}

// pullFrontend reads the image under test from the development registry.
func pullFrontend(t *testing.T) (ocispecs.Manifest, ocispecs.Image) {
	t.Helper()
	repository, tag, _ := strings.Cut(frontendImage, ":")
	var manifest ocispecs.Manifest
	get(t, repository+"/manifests/"+tag, &manifest)
	var config ocispecs.Image
	get(t, repository+"/blobs/"+manifest.Config.Digest.String(), &config)
	return manifest, config
}

func get(t *testing.T, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry(t)+"/v2/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", ocispecs.MediaTypeImageManifest)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	dt, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, res.Status, err)
	}
	if err := json.Unmarshal(dt, into); err != nil {
		t.Fatal(err)
	}
}
