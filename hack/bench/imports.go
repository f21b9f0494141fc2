package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/builder"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// imports compares, in memory, stages of other files with the same stages in one
// file.
func imports() ([]row, error) {
	const n = 200
	apart := func(n int) func() error {
		b := importing(n)
		return func() error {
			_, err := frontend.Build(context.Background(), gatewaytest.New(b))
			return err
		}
	}
	one := func() error { return convert(manyStages(n), builder.Build) }
	rows, err := timeAndMemory(fmt.Sprintf("%d imported files against one file", n), 15, one, apart(n))
	if err != nil {
		return nil, err
	}
	more, err := timeAndMemory(fmt.Sprintf("%d imported files against %d", 4*n, n), 5, apart(n), apart(4*n))
	if err != nil {
		return nil, err
	}
	rows = append(rows, more...)

	const calls = 1000
	text := dockerfilegen.Calls(calls, 30)
	at := strings.Index(text, "FROM scratch AS group0")
	b := gatewaytest.Dockerfile("IMPORT ./lib.Dockerfile AS lib\n" + strings.ReplaceAll(text[at:], "--from=build(", "--from=lib.build("))
	b.Files["dockerfile"]["lib.Dockerfile"] = text[:at]
	copies := dockerfilegen.Copies(calls, 30)
	more, err = timeAndMemory(fmt.Sprintf("%d calls into an imported file, base of 30 steps", calls), 15,
		func() error { return convert(copies, builder.Build) },
		func() error {
			_, err := frontend.Build(context.Background(), gatewaytest.New(b))
			return err
		})
	return append(rows, more...), err
}

// importing is the build of manyStages with each stage in a file of its own.
func importing(n int) gatewaytest.Build {
	var imports, copies strings.Builder
	b := gatewaytest.Dockerfile("")
	for i := range n {
		fmt.Fprintf(&imports, "IMPORT ./build%d.Dockerfile AS f%d\n", i, i)
		fmt.Fprintf(&copies, "COPY --from=f%d.build /out/%d /\n", i, i)
		b.Files["dockerfile"][fmt.Sprintf("build%d.Dockerfile", i)] = fmt.Sprintf("FROM golang:1.26 AS build\nARG VERSION\nENV N=%d\nRUN go build -o /out/%d ./cmd/%d\n", i, i, i)
	}
	b.Files["dockerfile"]["Dockerfile"] = imports.String() + "FROM scratch\n" + copies.String()
	return b
}
