package frontend_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

const twoStages = `# a comment
ARG BASE=alpine:3.22
FROM golang:1.26 AS build
ARG VERSION
RUN --mount=type=secret,id=token echo $VERSION
COPY . .

# the image
FROM ${BASE} AS app
COPY --from=build /out /out
COPY --from=shared /x /x
`

// TestParityOverOptions has every frontend option that the daemon and clients
// pass, valid and not.
func TestParityOverOptions(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]string{
		{"target", "build"},
		{"target", "BUILD"},
		{"target", "biuld"},
		{"build-arg:VERSION", "1.2", "build-arg:BASE", "debian", "build-arg:UNKNOWN", "x"},
		{"label:a", "b", "label:c", "d"},
		{"platform", "linux/arm/v7"},
		{"platform", "linux/nope/x/y/z"},
		{"platform", "linux/amd64,linux/arm64", "multi-platform", "false"},
		{"multi-platform", "true"},
		{"multi-platform", "maybe"},
		{"build-arg:BUILDKIT_MULTI_PLATFORM", "1"},
		{"no-cache", ""},
		{"no-cache", "build,other"},
		{"cache-from", "a/b:1,c/d"},
		{"cache-imports", `[{"Type":"gha","Attrs":{"scope":"x"}}]`},
		{"cache-imports", `[`},
		{"context:shared", "docker-image://busybox"},
		{"context:shared", "https://github.com/acme/shared.git#main"},
		{"context:shared", "https://example.com/shared.tar.gz"},
		{"context:shared", "local:shared", "local-sessionid:shared", "other"},
		{"context:shared", "input:shared", "input-metadata:shared", `{"containerimage.config":"eyJjb25maWciOnsiRW52IjpbIkE9MSJdfX0="}`},
		{"context:shared", "input:nosuch"},
		{"context:shared", "oci-layout://store@sha256:" + strings.Repeat("a", 64)},
		{"context:shared", "nonsense"},
		{"context:build", "docker-image://busybox"},
		{"context:alpine:3.22::linux/arm64", "docker-image://busybox", "platform", "linux/amd64,linux/arm64"},
		{"context", "https://github.com/acme/app.git#v1:sub"},
		{"contextsubdir", "sub"},
		{"filename", "other/Containerfile"},
		{"filename", "missing"},
		{"dockerfilekey", "elsewhere"},
		{"contextkey", "elsewhere"},
		{"add-hosts", "a=10.0.0.1,b=10.0.0.2"},
		{"add-hosts", "a"},
		{"ulimit", "nofile=1:2"},
		{"ulimit", "nofile"},
		{"shm-size", "4096"},
		{"shm-size", "big"},
		{"force-network-mode", "none"},
		{"force-network-mode", "carrier pigeon"},
		{"memory", "1048576", "memswap", "-1", "cpushares", "2", "cpuquota", "5", "cpuperiod", "9", "cpusetcpus", "0", "cpusetmems", "0"},
		{"memory", "much"},
		{"cgroup-parent", "/parent"},
		{"hostname", "h"},
		{"build-arg:BUILDKIT_SANDBOX_HOSTNAME", "h"},
		{"build-arg:BUILDKIT_CACHE_MOUNT_NS", "ns"},
		{"build-arg:BUILDKIT_DOCKERFILE_CHECK", "skip=all"},
		{"build-arg:BUILDKIT_DOCKERFILE_CHECK", "error=true"},
		{"build-arg:BUILDKIT_DOCKERFILE_CHECK", "nonsense"},
		{"build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR", "1", "context", "https://github.com/acme/app.git"},
		{"build-arg:BUILDKIT_GIT_ADVICE", "1"},
		{"build-arg:BUILDKIT_DISABLE_FILEOP", "1"},
		{"build-arg:SOURCE_DATE_EPOCH", "1700000000"},
		{"build-arg:SOURCE_DATE_EPOCH", "yesterday"},
		{"build-arg:SOURCE_DATE_EPOCH", "context"},
		{"image-resolve-mode", "local"},
		{"image-resolve-mode", "sometimes"},
		{"override-copy-image", "x"},
		{"attest:sbom", "generator=scanner:1,PARAM=x", "build-arg:BUILDKIT_SBOM_SCAN_STAGE", "true", "build-arg:BUILDKIT_SBOM_SCAN_CONTEXT", "true"},
		{"attest:sbom", "generator=scanner:1", "platform", "linux/amd64,linux/arm64", "no-cache", ""},
		{"attest:sbom", "generator=missing:1"},
		{"attest:sbom", ""},
		{"attest:provenance", "mode=max"},
		{"frontend.caps", "moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts+forward"},
		{"frontend.caps", "moby.buildkit.frontend.nope"},
		{"frontend.caps", "moby.buildkit.frontend.nope+forward"},
		{"frontend.caps", "moby.buildkit.frontend.nope+forward,moby.buildkit.frontend.never"},
		{"requestid", "frontend.outline"},
		{"requestid", "frontend.outline", "target", "build"},
		{"requestid", "frontend.targets"},
		{"requestid", "frontend.lint"},
		{"requestid", "frontend.lint", "target", "build"},
		{"requestid", "frontend.convertllb"},
		{"requestid", "frontend.nosuch"},
		{"requestid", ""},
	} {
		t.Run(strings.Join(opts, " "), func(t *testing.T) {
			t.Parallel()
			b := gatewaytest.Dockerfile(twoStages, opts...)
			b.Files["dockerfile"]["other/Containerfile"] = "FROM busybox\nCOPY . .\n"
			b.Files["dockerfile"]["other/Containerfile.dockerignore"] = "*.md\n"
			b.Files["context"] = map[string]string{".dockerignore": "node_modules\n!keep\n"}
			b.Files["elsewhere"] = map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n"}
			b.Files["shared"] = map[string]string{".dockerignore": "*.tmp\n"}
			b.Inputs = map[string]llb.State{"shared": llb.Image("busybox")}
			b.Missing = []string{"docker.io/library/missing:1"}
			requireParity(t, b)
		})
	}
}

func TestParityOverOddFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":            "",
		"only comments":    "# nothing here\n",
		"only an ARG":      "ARG A=1\n",
		"carriage returns": "FROM alpine\rRUN true\r",
		"CRLF":             "FROM alpine\r\nRUN one \\\r\n && two\r\n",
		"byte order mark":  "\xef\xbb\xbf# syntax=stagecraft/dockerfile:1\nFROM alpine\n",
		"NUL":              "FROM alpine\nRUN echo \x00 > /out\n",
		"NUL in a name":    "FROM al\x00pine\n",
		"not UTF-8":        "FROM alpine\nRUN echo \xff\xfe\nLABEL a=\xff\n",
		"no newline":       "FROM scratch",
		"a very long line": "FROM alpine\nRUN echo " + strings.Repeat("x", 70_000) + "\n",
		"missing base":     "FROM missing:1\nRUN true\n",
		"unknown check":    "# check=skip=Nonsense;error=true\nFROM alpine\nMAINTAINER me\n",
		"lint error":       "# check=error=true\nfrom alpine as Base\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := gatewaytest.Dockerfile(text)
			b.Missing = []string{"docker.io/library/missing:1"}
			requireParity(t, b)
		})
	}
}

// TestSyntaxLineInClientProcess guards that a build in a client's process
// hands a file over to the frontend that it names, unless that is this one.
func TestSyntaxLineInClientProcess(t *testing.T) {
	t.Parallel()
	// in a client's process nobody has followed the syntax line yet
	build := func(text string, opts ...string) gatewaytest.Build {
		b := gatewaytest.Dockerfile(text, opts...)
		delete(b.Opts, "cmdline")
		delete(b.Opts, "source")
		b.Inputs = map[string]llb.State{"in": llb.Image("busybox")}
		return b
	}
	for _, b := range []gatewaytest.Build{
		build("# syntax=docker/dockerfile:1\nFROM alpine\n"),
		build("# syntax = acme/frontend:2 --flag\nFROM alpine\n"),
		build("FROM alpine\n", "build-arg:BUILDKIT_SYNTAX", "acme/frontend:2 --flag"),
		build("# syntax=docker/dockerfile:1\nFROM alpine\n", "frontend.caps", "moby.buildkit.frontend.nope+forward"),
		build("FROM alpine\n", "frontend.caps", "moby.buildkit.frontend.nope+forward"),
		build("FROM alpine\n"),
	} {
		requireParity(t, b)
	}
	for _, own := range []string{
		"# syntax=stagecraft/dockerfile:1\nFROM alpine\n",
		"# syntax=registry.example/mirror/stagecraft/dockerfile:1.2@sha256:" + strings.Repeat("a", 64) + "\nFROM alpine\n",
	} {
		rec, err := gatewaytest.Run(t.Context(), build(own), frontend.Build)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Error != "" || len(rec.Refs) == 0 {
			t.Errorf("%q was not built: %s", own, rec.Error)
		}
		for _, req := range rec.Solved {
			if strings.Contains(req, "gateway.v0") {
				t.Errorf("%q was handed over to another frontend: %s", own, req)
			}
		}
	}
}

func TestDescribeListsEverySubrequest(t *testing.T) {
	t.Parallel()
	rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile("FROM alpine\n", "requestid", "frontend.subrequests.describe"), frontend.Build)
	if err != nil {
		t.Fatal(err)
	}
	var described []struct{ Name string }
	if err := json.Unmarshal([]byte(rec.Metadata["result.json"]), &described); err != nil {
		t.Fatal(err)
	}
	want := []string{"outline", "targets", "lint", "convertllb", "subrequests.describe", "graph", "graph.mermaid", "graph.dot", "lock", "bake", "size", "expand"}
	if len(described) != len(want) {
		t.Errorf("described are %v, not %v", described, want)
	}
	for _, name := range want {
		if !strings.Contains(rec.Metadata["result.json"], `"frontend.`+name+`"`) {
			t.Errorf("%s is not in the JSON form", name)
		}
		if !strings.Contains(rec.Metadata["result.txt"], "\n"+name+" ") {
			t.Errorf("%s is not in the text form", name)
		}
		if name == "size" {
			continue // it reads what a build makes
		}
		// and each other one that is described is answered
		rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile("FROM alpine\n", "requestid", "frontend."+name), frontend.Build)
		if err != nil || rec.Error != "" {
			t.Errorf("%s is described but fails: %v %s", name, err, rec.Error)
		}
	}
}
