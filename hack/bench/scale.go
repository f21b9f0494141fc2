package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// requests are the questions of which the costs are measured, by the word that --call has.
var requests = []struct{ call, id string }{{"build", ""}, {"check", "frontend.lint"}, {"graph", "frontend.graph"}}

// scale compares, in memory, files near the limits with files of a quarter of their size: what is
// linear costs four times as much.
func scale() ([]row, error) {
	const calls, files, platforms = 9600, 960, 100
	var rows []row
	for _, m := range []struct {
		what  string
		n     int
		build func(n int) gatewaytest.Build
	}{
		{"calls", calls, func(n int) gatewaytest.Build { return gatewaytest.Dockerfile(dockerfilegen.Calls(n, 30)) }},
		{"files", files, importing},
		{"platforms in a set", platforms, set},
	} {
		for _, r := range requests {
			more, err := timeAndMemory(fmt.Sprintf("%s of %d %s against %d", r.call, m.n, m.what, m.n/4), 3, ask(m.build(m.n/4), r.id), ask(m.build(m.n), r.id))
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
		}
	}
	return rows, nil
}

// ask sends a request, or builds.
func ask(b gatewaytest.Build, request string) func() error {
	b.Opts = maps.Clone(b.Opts)
	if request != "" {
		b.Opts["requestid"] = request
	}
	return func() error {
		_, err := frontend.Build(context.Background(), gatewaytest.New(b))
		return err
	}
}

// set is a build of one stage for n platforms.
func set(n int) gatewaytest.Build {
	var platforms []string
	for i := range n {
		platforms = append(platforms, fmt.Sprintf("linux/arm/v%d", i+1))
	}
	return gatewaytest.Dockerfile("FROM --platform=$BUILDPLATFORM golang:1.26 AS build\nWORKDIR /src\nCOPY . .\nARG TARGETOS TARGETARCH TARGETVARIANT\nRUN go build -o /out/app .\n" +
		"FROM scratch\nCOPY --from=build(TARGETPLATFORM=[" + strings.Join(platforms, ",") + "]) /out/app /app-$TARGETARCH-$TARGETVARIANT\n")
}
