package frontend_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestCallsCostTheRoundTripsOfCopiedStages compares N calls with N stages written
// out by hand: one look-up for each image and platform, one read of each file,
// one solve for each platform.
func TestCallsCostTheRoundTripsOfCopiedStages(t *testing.T) {
	t.Parallel()
	for name, opts := range platformSets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(dockerfilegen.Copies(30, 5), opts...), builder.Build)
			if err != nil || want.Error != "" {
				t.Fatal(err, want.Error)
			}
			got, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(dockerfilegen.Calls(30, 5), opts...), frontend.Build)
			if err != nil || got.Error != "" {
				t.Fatal(err, got.Error)
			}
			if diff := cmp.Diff(want.Calls, got.Calls); diff != "" {
				t.Errorf("round trips of copied stages (-) and calls (+):\n%s", diff)
			}
		})
	}
}

// manyWays uses sub-builds in every way that llbgen converts apart.
const manyWays = `FROM --platform=$BUILDPLATFORM golang:1.26 AS base
COPY go.mod .
FROM base AS build
ARG PKG
ARG HTTP_PROXY
ARG TARGETARCH
COPY $PKG $PKG
RUN GOARCH=$TARGETARCH go build $PKG
FROM build(PKG=./a,TARGETPLATFORM=linux/s390x) AS tools
COPY tools .
RUN tool
FROM alpine AS app
COPY config /config
COPY --from=build(PKG=[./a,./b],TARGETPLATFORM=[*]) /out /out/$PKG-$TARGETARCH
COPY --from=build(PKG=./c,HTTP_PROXY=http://proxy) /out /out/c
COPY --from=tools() /out /out/tools
COPY --from=tools /out /out/tools2
COPY --from=build(PKG=./a) /out /out/d
RUN --mount=from=build(PKG=./a,TARGETPLATFORM=linux/s390x),target=/x true
`

var instanceStep = regexp.MustCompile(`(?m)^\d+ (\[.*\] (?:RUN|COPY) .*) ← `)

func TestEachVertexAppearsOnce(t *testing.T) {
	t.Parallel()
	for name, opts := range platformSets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := gatewaytest.New(gatewaytest.Dockerfile(manyWays, opts...))
			if _, err := frontend.Build(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			for _, req := range c.Solved {
				text, err := gatewaytest.Vertices(req.Definition) // fails for equal vertices
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(text, "load build context"); n > 1 {
					t.Errorf("the build context is transferred %d times", n)
				}
				seen := map[string]int{}
				for _, step := range instanceStep.FindAllStringSubmatch(text, -1) {
					seen[step[1]]++
				}
				for step, n := range seen {
					if n > 1 {
						t.Errorf("%s stands %d times in\n%s", step, n, text)
					}
				}
			}
			for call, n := range c.Calls {
				if strings.HasPrefix(call, "ResolveImageConfig ") && n > 1 {
					t.Errorf("%s: %d times", call, n)
				}
			}
		})
	}
}

// TestPlatformOrderChangesNothing builds for the same platforms in every order,
// and each one by itself.
func TestPlatformOrderChangesNothing(t *testing.T) {
	t.Parallel()
	run := func(platforms ...string) gatewaytest.Record {
		rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(manyWays, "platform", strings.Join(platforms, ",")), frontend.Build)
		if err != nil || rec.Error != "" {
			t.Fatal(err, rec.Error)
		}
		delete(rec.Metadata, "refs.platforms") // lists them as they were asked for
		return rec
	}
	want := run("linux/amd64", "linux/arm64", "linux/arm/v7")
	for _, order := range [][]string{
		{"linux/arm64", "linux/amd64", "linux/arm/v7"},
		{"linux/arm/v7", "linux/arm64", "linux/amd64"},
		{"linux/amd64", "linux/arm/v7", "linux/arm64"},
	} {
		if diff := cmp.Diff(want, run(order...)); diff != "" {
			t.Errorf("%v gives another result:\n%s", order, diff)
		}
	}
}

func TestBuildsAreDeterministic(t *testing.T) {
	t.Parallel()
	var want gatewaytest.Record
	for i := range 20 {
		got, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(manyWays, "platform", "linux/amd64,linux/arm64"), frontend.Build)
		if err != nil || got.Error != "" {
			t.Fatal(err, got.Error)
		}
		if i == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("run %d differs from the first:\n%s", i, diff)
		}
	}
}

// TestPlainStagesKeepTheirDigests adds extensions elsewhere in a file.
func TestPlainStagesKeepTheirDigests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			text, opts := dockerfilegen.Generate(seed)
			names := stageNames.FindAllStringSubmatch(text, -1)
			if len(names) == 0 {
				return
			}
			plain := gatewaytest.Dockerfile(text)
			maps.Copy(plain.Opts, opts)
			plain.Opts["target"] = names[len(names)-1][1]
			want, err := gatewaytest.Run(t.Context(), plain, builder.Build)
			if err != nil {
				t.Fatal(err)
			}
			if want.Error != "" {
				return
			}
			extended := gatewaytest.Dockerfile(text + "\nFROM scratch AS extension\nARG X\nFROM scratch AS more\nCOPY --from=extension(X=1) /x /x\n")
			extended.Opts = plain.Opts
			got, err := gatewaytest.Run(t.Context(), extended, frontend.Build)
			if err != nil || got.Error != "" {
				t.Fatal(err, got.Error)
			}
			digests := regexp.MustCompile(`(?m)^sha256:\w+`)
			for i, req := range want.Solved {
				if diff := cmp.Diff(digests.FindAllString(req, -1), digests.FindAllString(got.Solved[i], -1)); diff != "" && plain.Opts["attest:sbom"] == "" {
					t.Errorf("%s\nops of upstream (-) and beside an extension (+):\n%s", text, diff)
				}
			}
			for _, key := range slices.Sorted(maps.Keys(want.Metadata)) {
				if want.Metadata[key] != got.Metadata[key] {
					t.Errorf("%s differs: %s", key, cmp.Diff(want.Metadata[key], got.Metadata[key]))
				}
			}
		})
	}
}

// TestSBOMScansEveryInstance names a called stage in the list of stages to scan.
func TestSBOMScansEveryInstance(t *testing.T) {
	t.Parallel()
	extras := regexp.MustCompile(`dest:"/run/src/extras/[^"]*"`)
	scans := func(text, stages string, build client.BuildFunc) []string {
		rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(text,
			"attest:sbom", "generator=scanner:1", "build-arg:BUILDKIT_SBOM_SCAN_STAGE", stages), build)
		if err != nil || rec.Error != "" {
			t.Fatal(err, rec.Error)
		}
		return slices.Sorted(slices.Values(extras.FindAllString(strings.Join(rec.Solved, ""), -1)))
	}
	want := scans("ARG BUILDKIT_SBOM_SCAN_STAGE\n"+dockerfilegen.Copies(3, 1), "build0,build1,build2", builder.Build)
	got := scans("ARG BUILDKIT_SBOM_SCAN_STAGE\n"+dockerfilegen.Calls(3, 1), "build", frontend.Build)
	if len(got) != len(want) || len(want) != 3 {
		t.Errorf("scanned are %q for three calls, %q for three copied stages", got, want)
	}
}
