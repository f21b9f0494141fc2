//go:build e2e

package e2e

import (
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoPlatforms builds an image for two platforms at once: files copied per
// platform, and a program cross-compiled on the build platform.
func TestTwoPlatforms(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM alpine:3.22 AS copied
ARG TARGETARCH
COPY $TARGETARCH.txt /arch.txt
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
COPY app.go .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app app.go
FROM scratch
COPY --from=copied /arch.txt /bin/busybox /
COPY --from=build /app /app
-- amd64.txt --
amd64
-- arm64.txt --
arm64
-- app.go --
package main

func main() { println("hello") }
`)
	out := t.TempDir()
	buildx(t, dir, "--platform=linux/amd64,linux/arm64", "--output=type=local,dest="+out).ok(t)
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		root := filepath.Join(out, "linux_"+arch)
		dt, err := os.ReadFile(filepath.Join(root, "arch.txt"))
		if err != nil || strings.TrimSpace(string(dt)) != arch {
			t.Errorf("%s: arch.txt is %q, %v", arch, dt, err)
		}
		for _, program := range []string{"app", "busybox"} {
			f, err := elf.Open(filepath.Join(root, program))
			if err != nil {
				t.Errorf("%s: %v", arch, err)
				continue
			}
			if f.Machine != machine {
				t.Errorf("%s: %s is for %s", arch, program, f.Machine)
			}
			f.Close()
		}
	}
}

// TestCalls has every docker build --call that buildx knows, as text and JSON.
func TestCalls(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
# VERSION is what the program calls itself
ARG VERSION=1
# build compiles
FROM alpine AS build
ARG VERSION
RUN --mount=type=secret,id=token true
FROM scratch as app
COPY --from=build /etc/alpine-release /
`)
	for call, want := range map[string][]string{
		"outline":              {"VERSION", "what the program calls itself", "token"},
		"targets":              {"build", "compiles", "app (default)"},
		"check":                {"FromAsCasing", "Dockerfile:8"},
		"subrequests.describe": {"outline", "targets", "lint", "convertllb", "subrequests.describe"},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			text := run(t, dir, "buildx", "build", "--call="+call, ".").prints(t, want...)
			if failed := text.err != nil; failed != (call == "check") { // check exits 1 when it warns
				t.Errorf("--call=%s: %v", call, text.err)
			}
			var v any
			asJSON := run(t, dir, "buildx", "build", "--call="+call+",format=json", ".")
			if err := json.Unmarshal([]byte(asJSON.stdout), &v); err != nil {
				t.Errorf("%v in\n%s", err, asJSON.stdout)
			}
		})
	}
	run(t, dir, "buildx", "build", "--call=nosuchcall", ".").fails(t, "unsupported request frontend.nosuchcall")
}

// TestCacheReachesAFreshDaemon exports the build cache and builds from it on a
// daemon that has none.
func TestCacheReachesAFreshDaemon(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM alpine:3.22 AS build
RUN head -c 16 /dev/urandom | od -An -tx1 > /random
FROM scratch
COPY --from=build /random /random
`)
	cache := filepath.Join(t.TempDir(), "cache")
	first, second := t.TempDir(), t.TempDir()
	buildx(t, dir, "--cache-to=type=local,mode=max,dest="+cache, "--output=type=local,dest="+first).ok(t)

	fresh := startDaemon(t)
	run(t, dir, "buildctl", "--addr="+fresh, "build", "--progress=plain", "--frontend=gateway.v0", "--opt=source="+frontendImage,
		"--local=context=.", "--local=dockerfile=.", "--import-cache=type=local,src="+cache,
		"--output=type=local,dest="+second).ok(t).prints(t, "CACHED")
	a, err := os.ReadFile(filepath.Join(first, "random"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(second, "random"))
	if err != nil || string(a) != string(b) {
		t.Errorf("the step ran again: %q is not %q, %v", b, a, err)
	}
}

// TestSBOMAndProvenance guards that attestations are made for what the image
// builds, and that provenance names the frontend image.
func TestSBOMAndProvenance(t *testing.T) {
	t.Parallel()
	scanner := pushScanner(t)
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM scratch\nCOPY f.txt /f.txt\n-- f.txt --\nscanned\n")
	layout := filepath.Join(t.TempDir(), "layout")
	buildx(t, dir, "--attest=type=sbom,generator="+scanner, "--provenance=mode=max", "--output=type=oci,tar=false,dest="+layout).ok(t)
	blobs, err := filepath.Glob(filepath.Join(layout, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var sbom, provenance bool
	for _, blob := range blobs {
		dt, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		sbom = sbom || strings.Contains(string(dt), "scanned by the stand-in")
		provenance = provenance || strings.Contains(string(dt), "slsa.dev/provenance") && strings.Contains(string(dt), "stagecraft/dockerfile")
	}
	if !sbom || !provenance {
		t.Errorf("SBOM found: %t; provenance that names the frontend found: %t", sbom, provenance)
	}
}

// pushScanner pushes an SBOM scanner that follows BuildKit's scanner protocol
// and returns its name.
func pushScanner(t *testing.T) string {
	t.Helper()
	name := registry(t) + "/test/scanner:1"
	dir := project(t, `
-- Dockerfile --
FROM busybox
COPY scan.sh /scan.sh
ENTRYPOINT ["sh", "/scan.sh"]
-- scan.sh --
set -e
test -f "$BUILDKIT_SCAN_SOURCE/f.txt"
echo '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"comment":"scanned by the stand-in"}}' > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
`)
	buildx(t, dir, "--output=type=registry", "--tag="+name).ok(t)
	return name
}
