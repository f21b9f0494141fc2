package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// conversions has whole builds of many stages under a gateway client in
// memory, which leaves the work of the frontend alone.
func conversions() ([]row, error) {
	var rows []row
	for _, stages := range []int{10, 100, 1000} {
		text := manyStages(stages)
		upstream := func() error { return convert(text, builder.Build) }
		ours := func() error { return convert(text, frontend.Build) }
		more, err := timeAndMemory(fmt.Sprintf("conversion of %d stages", stages), 1+2000/stages, upstream, ours)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// timeAndMemory compares what two ways take and allocate.
func timeAndMemory(what string, n int, upstream, ours func() error) ([]row, error) {
	r, err := pairs(what, n, upstream, ours)
	if err != nil {
		return nil, err
	}
	a, err := allocated(upstream)
	if err != nil {
		return nil, err
	}
	b, err := allocated(ours)
	return []row{r, once(what+", memory", "MB", a, b)}, err
}

func convert(dockerfile string, build client.BuildFunc) error {
	_, err := build(context.Background(), gatewaytest.New(gatewaytest.Dockerfile(dockerfile)))
	return err
}

// allocated returns the bytes that fn allocates.
func allocated(fn func() error) (int64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc), err
}

// manyStages is a Dockerfile of n stages that the last one gathers.
func manyStages(n int) string {
	var b strings.Builder
	b.WriteString("FROM golang:1.26 AS base\nWORKDIR /src\nCOPY . .\n")
	for i := range n {
		fmt.Fprintf(&b, "FROM base AS build%d\nARG VERSION\nENV N=%d\nRUN go build -o /out/%d ./cmd/%d\n", i, i, i, i)
	}
	b.WriteString("FROM scratch\n")
	for i := range n {
		fmt.Fprintf(&b, "COPY --from=build%d /out/%d /\n", i, i)
	}
	return b.String()
}
