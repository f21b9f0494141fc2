//go:build e2e

package e2e

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// services is a file of calls over two programs.
const services = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY . .
ARG PKG
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/app $PKG

FROM alpine:3.22 AS tools
COPY --from=build(PKG=[./cmd/api,./cmd/worker]) /out/app /usr/bin/${PKG##*/}

FROM scratch AS release
COPY --from=build(PKG=./cmd/api,TARGETPLATFORM=[linux/amd64,linux/arm64,darwin/arm64,windows/amd64]) /out/app /api-$TARGETOS-$TARGETARCH

FROM build(PKG=./cmd/api) AS called
RUN echo "PKG is [$PKG]" && /out/app

FROM busybox AS failing
ARG N
RUN echo number $N && false

FROM scratch AS broken
COPY --from=failing(N=7) /x /x
-- go.mod --
module services

go 1.25
-- cmd/api/main.go --
package main

func main() { println("api") }
-- cmd/worker/main.go --
package main

func main() { println("worker") }
`

// TestStageFunctions builds calls through the image with the stock client.
func TestStageFunctions(t *testing.T) {
	t.Parallel()
	dir := project(t, services)

	t.Run("a set of programs", func(t *testing.T) {
		t.Parallel()
		img := buildImage(t, dir, "--target=tools")
		for _, program := range []string{"api", "worker"} {
			img.exec(t, nil, program).ok(t).prints(t, program)
		}
	})
	t.Run("programs for four platforms", func(t *testing.T) {
		t.Parallel()
		img := buildImage(t, dir, "--target=release")
		file := func(name string) string { return filepath.Join(img.rootfs, name) }
		for name, machine := range map[string]elf.Machine{"api-linux-amd64": elf.EM_X86_64, "api-linux-arm64": elf.EM_AARCH64} {
			if f, err := elf.Open(file(name)); err != nil || f.Machine != machine {
				t.Errorf("%s is no ELF program for %s: %v", name, machine, err)
			}
		}
		if f, err := macho.Open(file("api-darwin-arm64")); err != nil || f.Cpu != macho.CpuArm64 {
			t.Errorf("api-darwin-arm64 is no Mach-O program: %v", err)
		}
		if f, err := pe.Open(file("api-windows-amd64")); err != nil || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
			t.Errorf("api-windows-amd64 is no PE program: %v", err)
		}
	})
	t.Run("two platforms in any order", func(t *testing.T) {
		t.Parallel()
		var digests []string
		for _, platforms := range []string{"linux/amd64,linux/arm64", "linux/arm64,linux/amd64"} {
			out := filepath.Join(t.TempDir(), "layout")
			buildx(t, dir, "--target=tools", "--platform="+platforms, "--provenance=false", "--build-arg=SOURCE_DATE_EPOCH=0", "--output=type=oci,tar=false,rewrite-timestamp=true,dest="+out).ok(t)
			digests = append(digests, strings.Join(manifests(t, out), " "))
		}
		if digests[0] != digests[1] {
			t.Errorf("the images are\n%s\n%s", digests[0], digests[1])
		}
	})
	t.Run("a call is a sealed sub-build", func(t *testing.T) {
		t.Parallel()
		buildx(t, dir, "--target=called", "--no-cache-filter=called").ok(t).prints(t, "PKG is []", "api", `[called 2/2] RUN echo "PKG is [$PKG]" && /out/app`)
	})
	t.Run("a call as the target is the stage with its build arg", func(t *testing.T) {
		t.Parallel()
		args := []string{"--build-arg=SOURCE_DATE_EPOCH=0"}
		call := buildImage(t, dir, append(args, "--target=build(PKG=./cmd/worker)")...)
		plain := buildImage(t, dir, append(args, "--target=build", "--build-arg=PKG=./cmd/worker")...)
		if !equalDigest(call.Manifest.Config, plain.Manifest.Config) {
			t.Errorf("configs differ:\n%+v\n%+v", call.Config, plain.Config)
		}
	})
	t.Run("changing the bound value keeps the rest cached", func(t *testing.T) {
		t.Parallel()
		buildx(t, dir, "--target=tools").ok(t)
		again := buildx(t, dir, "--target=tools").ok(t)
		if strings.Contains(again.output(), "go build") && !strings.Contains(again.output(), "CACHED") {
			t.Errorf("the second build is not cached:\n%s", again.output())
		}
	})
	t.Run("no-cache-filter holds for every instance", func(t *testing.T) {
		t.Parallel()
		out := buildx(t, dir, "--target=tools", "--no-cache-filter=build").ok(t).output()
		for _, pkg := range []string{"api", "worker"} {
			if !ran(out, "[build(PKG=./cmd/"+pkg+") 4/4] RUN") {
				t.Errorf("%s was not built anew:\n%s", pkg, out)
			}
		}
	})
	t.Run("a failing step names its instance and its lines", func(t *testing.T) {
		t.Parallel()
		buildx(t, dir, "--target=broken").fails(t,
			"number 7", "[failing(N=7) 2/2] RUN echo number 7 && false",
			"Dockerfile:20", ">>> RUN echo number $N && false", "exit code: 1")
	})
	t.Run("a typo is no pull", func(t *testing.T) {
		t.Parallel()
		writeFile(t, filepath.Join(dir, "typo.Dockerfile"), []byte(syntaxLine+"FROM alpine AS build\nARG PKG\nFROM scratch\nCOPY --from=biuld(PKG=x) / /\n"))
		c := buildx(t, dir, "--file=typo.Dockerfile").fails(t, `line 5, column 13: "biuld" is not a stage of this file`, "did you mean build?", "typo.Dockerfile:5")
		if strings.Contains(c.output(), "library/biuld") {
			t.Errorf("it asked a registry:\n%s", c.output())
		}
	})
}

// ran reports whether a step of the progress ran and was not cached.
func ran(progress, step string) bool {
	for line := range strings.Lines(progress) {
		number, rest, ok := strings.Cut(line, " ")
		if ok && strings.HasPrefix(rest, step) {
			return !strings.Contains(progress, number+" CACHED")
		}
	}
	return false
}

// manifests returns the digests of the images of a layout, sorted.
func manifests(tb testing.TB, layout string) []string {
	tb.Helper()
	var index struct {
		Manifests []struct{ Digest string }
	}
	readJSON(tb, filepath.Join(layout, "index.json"), &index)
	var out []string
	for _, m := range index.Manifests {
		var inner struct {
			Manifests []struct{ Digest string }
		}
		readJSON(tb, filepath.Join(layout, "blobs", strings.Replace(m.Digest, ":", "/", 1)), &inner)
		for _, m := range inner.Manifests {
			out = append(out, m.Digest)
		}
	}
	slices.Sort(out)
	return out
}

// TestStageFunctionsOfOtherClients builds calls with bake, from bake's linked
// targets, with the client library's function, and on other engines.
func TestStageFunctionsOfOtherClients(t *testing.T) {
	t.Parallel()
	t.Run("bake", func(t *testing.T) {
		t.Parallel()
		dir := project(t, services+`
-- docker-bake.hcl --
target "called" {
  target = "build(PKG=./cmd/worker)"
}
target "linked" {
  dockerfile-inline = <<EOT
# syntax=stagecraft/dockerfile:1
FROM alpine AS twice
ARG FROM
COPY --from=called /out/app /app
RUN /app $FROM
FROM scratch
COPY --from=twice(FROM=[a,b]) /app /$FROM
EOT
  contexts = { called = "target:called" }
  output = ["type=cacheonly"]
}
`)
		run(t, dir, "buildx", "bake", "--progress=plain", "linked").ok(t).prints(t, "build(PKG=./cmd/worker) 4/4] RUN", "twice(FROM=a)", "twice(FROM=b)")
	})
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
MOUNT mounted from=note(TEXT=mounted),target=/m
FROM alpine:3.22 AS note
ARG --required TEXT
RUN echo "$TEXT" > /note
FROM busybox
COPY --from=note(TEXT=["good morning","good night"]) /note /notes/$TEXT
RUN --mount=mounted cp /m/note /notes/mounted
`)
	onEngines(t, func(t *testing.T, on target) {
		if got := on.prints(t, dir, nil, "sh", "-c", "cat /notes/*"); got != "good morning\ngood night\nmounted\n" {
			t.Errorf("it prints %q", got)
		}
		on.build(t, dir, "--target=note").fails(t, "line 4", "TEXT")
	})
}

// TestCallsRunSideBySide guards that instances do not wait for each other.
func TestCallsRunSideBySide(t *testing.T) {
	t.Parallel()
	meeting := `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM alpine:3.22 AS meet
ARG ME
ARG OTHER
ARG RUN_ID
RUN --mount=type=cache,id=meeting-$RUN_ID,target=/m touch /m/$ME /met && for i in $(seq 100); do [ -e /m/$OTHER ] && exit 0; sleep 0.2; done; echo $OTHER never came; exit 1
FROM scratch
COPY --from=meet(ME=a,OTHER=b) /met /a
COPY --from=meet(ME=b,OTHER=a) /met /b
`
	buildx(t, project(t, meeting), "--build-arg=RUN_ID="+time.Now().Format("150405.000000")).ok(t)
}

// TestADDFromUnpacks builds the flag that COPY lacks.
func TestADDFromUnpacks(t *testing.T) {
	t.Parallel()
	img := buildImage(t, project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM alpine:3.22 AS pack
ARG NAME
RUN echo "$NAME" > /$NAME && tar cf /all.tar -C / $NAME
FROM scratch
ADD --from=pack(NAME=one) /all.tar /unpacked/
ADD --from=pack(NAME=one) --unpack=false /all.tar /packed/
COPY --from=pack(NAME=one) /all.tar /copied/
CMD ["/"]
`))
	if got := img.read(t, "/unpacked/one"); got != "one\n" {
		t.Errorf("the unpacked file holds %q", got)
	}
	for _, path := range []string{"/packed/all.tar", "/copied/all.tar"} {
		if !img.has(t, path) {
			t.Errorf("%s is missing", path)
		}
	}
	history := ""
	for _, h := range img.Config.History {
		history += h.CreatedBy + "\n"
	}
	if !strings.HasPrefix(history, "ADD /all.tar /unpacked/") {
		t.Errorf("the history is\n%s", history)
	}
	if _, err := os.Stat(filepath.Join(img.rootfs, "unpacked/all.tar")); err == nil {
		t.Error("the archive was copied too")
	}
}
