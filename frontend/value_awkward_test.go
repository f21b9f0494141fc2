package frontend_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// valueFile declares ARGs in every way: with and without defaults, globally, and
// made of each other.
const valueFile = `ARG A
ARG V
ARG G=pre-$A
FROM alpine AS base
ARG A
ENV FROM_BASE=$A
FROM base AS build
ARG A=default
ARG B
ARG G
ENV E="$A"
LABEL l="$G"
RUN echo "$A" "$B" "$G"
`

// awkwardValues are values that were, or could be, taken for something else.
var awkwardValues = []string{
	"", " ", "x", "a b", "line1\nline2", "line1\r\nline2", "line1\\\nline2", "ends in \\", `\`, `\\`, "`", "#", "# no comment", "\n#", "\n",
	"fix\nFROM evil.example/img AS alpine\nRUN echo pwned\n#", "x'\nRUN echo pwned #", "'", `"`, `'"'"'`, `a'b"c`, "$A", "${A:?no}", `\$A`, "$", "<<EOF", "<<EOF\nx\nEOF",
	"--flag=1", "-- ", "[", `["a"]`, "a\x00b", "\xff", "a\xffb", "\u00a0", "\ufeff", "\u2028", "\t", "x\t ", "alpine,target=/m echo pwned;", "linux/amd64",
	strings.Repeat("x", 49_999), strings.Repeat("x", 60_001), strings.Repeat("# ", 30_000), strings.Repeat(`\`, 40_000), strings.Repeat("é", 30_000),
}

func TestAwkwardValues(t *testing.T) {
	t.Parallel()
	for i, value := range awkwardValues {
		for _, other := range []string{"2", "two\nlines"} {
			t.Run(fmt.Sprint(i, " ", len(other)), func(t *testing.T) {
				t.Parallel()
				requireAwkwardValue(t, value, other)
			})
		}
	}
	t.Run("random", func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		letters := []string{"a", "\n", "\r", "\\", "'", `"`, "$", "#", " ", "`", "<<E", "E", "\x00", "\xfe", "ü", "RUN x", "--", "[", "{", "}"}
		for range 300 {
			var value strings.Builder
			for range r.IntN(8) {
				value.WriteString(letters[r.IntN(len(letters))])
			}
			requireAwkwardValue(t, value.String(), letters[r.IntN(len(letters))])
		}
	})
}

func FuzzAwkwardValue(f *testing.F) {
	for _, value := range awkwardValues {
		f.Add(value, "2")
		f.Add("2", value)
	}
	f.Fuzz(func(t *testing.T, value, other string) { requireAwkwardValue(t, value, other) })
}

// requireAwkwardValue fails unless calls give what upstream gives when A is value and B is
// other, by whatever way these come to the call.
func requireAwkwardValue(t *testing.T, value, other string) {
	t.Helper()
	c := boundCall{dockerfile: valueFile, stage: "build", values: map[string]string{"A": value, "B": other}}
	theirs, err := gatewaytest.Run(t.Context(), c.upstream(), builder.Build)
	if err != nil {
		return // what cannot be encoded
	}
	if theirs.Error != "" {
		return
	}
	const list = "\nFROM scratch\n"
	for name, b := range map[string]gatewaytest.Build{
		"build arg":           c.ours(valueFile+list+"COPY --from=build(B=$V) / /\n", "build-arg:A", value, "build-arg:V", other),
		"two bindings":        c.ours(valueFile+"FROM scratch\nARG V\nCOPY --from=build(A=$A,B=$V) / /\n", "build-arg:A", value, "build-arg:V", other),
		"beside other values": c.ours(valueFile+list+"COPY --from=build(A=1,B=$V) / /\nCOPY --from=build(A=\"\",B=3) / /\nCOPY --from=build(B=$V) / /\n", "build-arg:A", value, "build-arg:V", other),
		"default":             c.ours("ARG W=none\n"+valueFile+list+"COPY --from=build(A=$W,B=$V) / /\n", "build-arg:W", value, "build-arg:V", other),
		"import":              imported(c.ours("ARG W\nARG V\nIMPORT --arg=A=$W ./lib.Dockerfile AS lib\nFROM scratch\nCOPY --from=lib.build(B=$V) / /\n", "build-arg:W", value, "build-arg:V", other)),
		"base":                c.ours(valueFile+"FROM build(B=$V)\nRUN true\n", "build-arg:A", value, "build-arg:V", other),
	} {
		client := gatewaytest.New(b)
		_, err := frontend.Build(t.Context(), client)
		if err != nil {
			t.Fatalf("%s: A=%.200q B=%.200q: %v", name, value, other, err)
		}
		if name == "base" {
			continue
		}
		requireHead(t, c, client.Solved)
		requireRuns(t, client, `echo "$A" "$B" "$G"`)
	}
	ours, err := gatewaytest.Run(t.Context(), c.ours(valueFile, "target", "build(B=$V)", "build-arg:A", value, "build-arg:V", other), frontend.Build)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs.Metadata["containerimage.config"], ours.Metadata["containerimage.config"]); diff != "" || ours.Error != "" {
		t.Errorf("A=%.200q B=%.200q: %s\nconfigs of upstream (-) and stagecraft (+):\n%s", value, other, ours.Error, diff)
	}
}

func imported(b gatewaytest.Build) gatewaytest.Build {
	b.Files["dockerfile"]["lib.Dockerfile"] = valueFile
	return b
}

// requireRuns fails when anything runs but one command, or comes from another image
// than alpine.
func requireRuns(t *testing.T, c *gatewaytest.Client, command string) {
	t.Helper()
	for _, req := range c.Solved {
		for _, dt := range req.Definition.GetDef() {
			var op pb.Op
			if err := op.UnmarshalVT(dt); err != nil {
				t.Fatal(err)
			}
			if args := op.GetExec().GetMeta().GetArgs(); args != nil && args[len(args)-1] != command {
				t.Errorf("%q runs", args)
			}
			if id := op.GetSource().GetIdentifier(); strings.HasPrefix(id, "docker-image:") && !strings.HasPrefix(id, "docker-image://docker.io/library/alpine:latest@") {
				t.Errorf("%s is used", id)
			}
		}
	}
}

// TestValueInAPath copies from paths that hold a value.
func TestValueInAPath(t *testing.T) {
	t.Parallel()
	for _, value := range awkwardValues {
		c := gatewaytest.New(gatewaytest.Dockerfile("ARG V\nFROM alpine AS build\nARG A\nRUN echo \"$A\"\nFROM scratch\nCOPY --from=build(A=$V) $A /out/\n", "build-arg:V", value))
		_, err := frontend.Build(t.Context(), c)
		if err != nil {
			if strings.Contains(err.Error(), "internal error") {
				t.Errorf("%.100q: %v", value, err)
			}
			continue
		}
		requireRuns(t, c, `echo "$A"`)
	}
}
