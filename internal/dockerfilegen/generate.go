// Package dockerfilegen makes up Dockerfiles, with options to build them, for
// differential tests. Most are valid; some hold a mistake on purpose, for
// errors have to be the same too.
package dockerfilegen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Generate returns the Dockerfile and the frontend options of seed, always the
// same ones.
func Generate(seed uint64) (dockerfile string, opts map[string]string) {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0)), escape: `\`}
	g.file()
	return g.out.String(), g.options()
}

type generator struct {
	rand   *rand.Rand
	out    strings.Builder
	escape string
	// globals are the names of the global ARGs.
	globals []string
	// stages are the names of the stages so far; "" for one without.
	stages []string
}

func (g *generator) file() {
	if g.chance(10) {
		g.escape = "`"
		g.line("# escape=`")
	}
	if g.chance(10) {
		g.line("# check=skip=%s", g.pick("all", "JSONArgsRecommended", "StageNameCasing,FromAsCasing"))
	}
	for range g.rand.IntN(4) {
		g.globalArg()
	}
	for range 1 + g.rand.IntN(5) {
		g.stage()
	}
}

func (g *generator) globalArg() {
	name := g.pick("BASE", "VERSION", "DEBUG", "SOURCE_DATE_EPOCH", "TARGETARCH", "EMPTY")
	switch name {
	case "BASE":
		g.line("ARG BASE=%s", g.pick("alpine", "busybox:latest", "debian:bookworm-slim", "scratch"))
	case "SOURCE_DATE_EPOCH":
		g.line("ARG SOURCE_DATE_EPOCH=%s", g.pick("0", "1700000000"))
	case "TARGETARCH", "EMPTY":
		g.line("ARG %s", name)
	default:
		g.line("ARG %s=%s", name, g.pick("1", "1.2", `"a b"`, "${BASE:-none}"))
	}
	g.globals = append(g.globals, name)
}

func (g *generator) stage() {
	name := ""
	if g.chance(75) {
		name = fmt.Sprintf("%s%d", g.pick("build", "test", "app", "a.b", "my-stage"), len(g.stages))
	}
	platform := ""
	if g.chance(20) {
		platform = "--platform=" + g.pick("$BUILDPLATFORM", "$TARGETPLATFORM", "linux/arm64", "linux/amd64") + " "
	}
	as := ""
	if name != "" {
		as = g.pick(" AS ", " as ") + name
	}
	g.line("%s %s%s%s", g.pick("FROM", "FROM", "FROM", "from"), platform, g.base(), as)
	for range g.rand.IntN(9) {
		g.instruction()
	}
	g.stages = append(g.stages, name) // now: a stage that copies from itself is a mistake
}

// base is what a stage may be built FROM.
func (g *generator) base() string {
	if s := g.stageName(); s != "" && g.chance(40) {
		return s
	}
	if g.chance(15) {
		return g.pick("${BASE:-alpine}", "alpine:${VERSION:-3}")
	}
	if g.chance(2) {
		return g.pick("$NOPE", "$BASE", "a stage", "UPPER")
	}
	return g.pick("alpine:3.22", "busybox", "scratch", "debian:bookworm-slim", "golang:1.26", "nginx", "ghcr.io/acme/app:v1",
		"alpine@sha256:"+strings.Repeat("0123456789abcdef", 4))
}

// stageName returns the name of an earlier stage, or "" when there is none.
func (g *generator) stageName() string {
	if len(g.stages) == 0 {
		return ""
	}
	return g.stages[g.rand.IntN(len(g.stages))]
}

// source is what COPY --from= and mounts may name.
func (g *generator) source() string {
	if len(g.stages) > 1 && g.chance(30) {
		return fmt.Sprint(g.rand.IntN(len(g.stages)))
	}
	if s := g.stageName(); s != "" && g.chance(60) {
		return s
	}
	return g.pick("alpine", "busybox:latest", "named", "nowhere/at/all:1")
}

// options are what a client passes beside the file.
func (g *generator) options() map[string]string {
	opts := map[string]string{}
	if s := g.stageName(); s != "" && g.chance(30) {
		opts["target"] = g.pick(s, s, s, s, strings.ToUpper(s), "nosuchstage")
	}
	switch g.rand.IntN(4) {
	case 0:
		opts["platform"] = "linux/amd64,linux/arm64"
	case 1:
		opts["platform"] = g.pick("linux/arm/v7", "windows/amd64", "linux/arm64")
	}
	for _, arg := range []struct {
		percent    int
		key, value string
	}{
		{20, "build-arg:VERSION", "9"},
		{20, "build-arg:BASE", "ubuntu"},
		{10, "build-arg:SOURCE_DATE_EPOCH", "1600000000"},
		{10, "build-arg:HTTP_PROXY", "http://proxy:3128"},
		{5, "build-arg:BUILDKIT_SANDBOX_HOSTNAME", "box"},
		{5, "build-arg:BUILDKIT_CACHE_MOUNT_NS", "ns"},
		{5, "build-arg:BUILDKIT_MULTI_PLATFORM", "1"},
		{10, "label:owner", "me"},
		{10, "no-cache", g.stageName()},
		{10, "context:named", "docker-image://busybox"},
		{5, "context:alpine", "docker-image://debian"},
		{5, "add-hosts", "example=10.0.0.1"},
		{5, "ulimit", "nofile=1024:2048"},
		{5, "shm-size", "1048576"},
		{5, "force-network-mode", "host"},
		{5, "cache-from", "cache/one,cache/two"},
		{5, "image-resolve-mode", "pull"},
		{5, "attest:sbom", "generator=scanner:1"},
	} {
		if g.chance(arg.percent) {
			opts[arg.key] = arg.value
		}
	}
	return opts
}

func (g *generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func (g *generator) pick(of ...string) string { return of[g.rand.IntN(len(of))] }

func (g *generator) line(format string, args ...any) {
	fmt.Fprintf(&g.out, format+"\n", args...)
}
