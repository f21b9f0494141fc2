//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestReplay guards that what a build takes is in its provenance: a replay of it, from a
// git context, gives the same image after the base has moved, locked or not.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, lock := range []bool{true, false} {
		t.Run(map[bool]string{true: "locked", false: "unlocked"}[lock], func(t *testing.T) {
			t.Parallel()
			name := "replay" + strings.ReplaceAll(unique(), ".", "-") + "/base:1"
			base(t, name, "one")
			made := strings.Replace(name, "base:1", "made:1", 1)
			base(t, made, "V=one")
			file := syntaxLine + "IMPORT ./lib.Dockerfile AS lib\nFROM busybox AS test\nRUN true\nFROM " + made + " AS made\nFROM --after=test " + name + " AS app\nCOPY --from=lib.tool(V=3) /x /x\nLABEL --from=made --file=/text V\nCOPY text /text\n"
			files := map[string]string{"lib.Dockerfile": "FROM " + name + " AS tool\nARG V\nRUN echo $V > /x\n", "text": "hi\n"}
			if lock {
				file = strings.Replace(file, "IMPORT", "LOCK\nIMPORT", 1)
				dir := t.TempDir()
				for path, text := range files {
					writeFile(t, filepath.Join(dir, path), []byte(text))
				}
				writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(file))
				buildx(t, dir, "--target=:lock", "--output=.").ok(t)
				data, err := os.ReadFile(filepath.Join(dir, "Dockerfile.lock"))
				if err != nil {
					t.Fatal(err)
				}
				files["Dockerfile.lock"] = string(data)
			}
			archive := "-- Dockerfile --\n" + file
			for path, text := range files {
				archive += "-- " + path + " --\n" + text
			}
			_, gitURL, _ := repository(t, archive)
			out := t.TempDir()
			image := registry(t) + "/" + strings.TrimSuffix(name, "base:1") + "app:1"
			run(t, out, "buildx", "build", "--progress=plain", "--provenance=mode=max", "--output=type=registry,name="+image, "--output=type=oci,tar=false,dest=first", gitURL+"#main").ok(t)
			base(t, name, "two")
			base(t, made, "V=two")
			want := imageManifest(t, filepath.Join(out, "first"))
			modes := []string{"materials"} // which takes the digests of the provenance
			if lock {
				modes = append(modes, "frontend") // which does not: a lock has them
			}
			for _, mode := range modes {
				runWith(t, out, []string{"BUILDX_EXPERIMENTAL=1"}, "buildx", "replay", "build", "--progress=plain", "--replay-mode="+mode, "--output=type=oci,tar=false,dest="+mode, "docker-image://"+image).ok(t)
				if got := imageManifest(t, filepath.Join(out, mode)); got != want {
					t.Errorf("the replay (%s) gives %s, not %s", mode, got, want)
				}
			}
		})
	}
}

// imageManifest returns the digest of the image in a layout, of which attestations are
// no part.
func imageManifest(t *testing.T, layout string) string {
	t.Helper()
	var index ocispecs.Index
	readJSON(t, filepath.Join(layout, "index.json"), &index)
	for len(index.Manifests) == 1 && index.Manifests[0].MediaType == ocispecs.MediaTypeImageIndex {
		path := filepath.Join(layout, "blobs", "sha256", index.Manifests[0].Digest.Encoded())
		index = ocispecs.Index{}
		readJSON(t, path, &index)
	}
	for _, m := range index.Manifests {
		if m.Annotations["vnd.docker.reference.type"] == "" {
			return m.Digest.String()
		}
	}
	t.Fatalf("%s has no image", layout)
	return ""
}
