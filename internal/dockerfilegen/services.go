package dockerfilegen

import (
	"fmt"
	"strings"
)

// Calls returns a Dockerfile that builds n services by n calls of one stage, over
// a shared base of some instructions.
func Calls(n, base int) string {
	var out strings.Builder
	out.WriteString(sharedBase(base))
	out.WriteString("FROM base AS build\nARG PKG\n" + serviceSteps)
	gather(&out, n, func(i int) string { return fmt.Sprintf("build(PKG=./cmd/s%d)", i) })
	return out.String()
}

// Copies returns the same build without calls: a copy of the stage for each
// service.
func Copies(n, base int) string {
	var out strings.Builder
	out.WriteString(sharedBase(base))
	for i := range n {
		fmt.Fprintf(&out, "FROM base AS build%d\nARG PKG=./cmd/s%d\n%s", i, i, serviceSteps)
	}
	gather(&out, n, func(i int) string { return fmt.Sprintf("build%d", i) })
	return out.String()
}

// Linked returns the same build for clients that link targets: a stage that is
// built once for each service, and one that copies from the named contexts s0,
// s1 and so on.
func Linked(n, base int) string {
	var out strings.Builder
	out.WriteString(sharedBase(base))
	out.WriteString("FROM base AS build\nARG PKG\n" + serviceSteps)
	gather(&out, n, func(i int) string { return fmt.Sprintf("s%d", i) })
	return out.String()
}

// group is how many services a stage gathers: an image of many more layers than
// that is none that engines take.
const group = 100

// gather writes the stage app, which copies from all services: straight away,
// or through a stage for each group.
func gather(out *strings.Builder, n int, service func(int) string) {
	copies := func(from, to int) {
		for i := from; i < to; i++ {
			fmt.Fprintf(out, "COPY --from=%s /out/app /usr/bin/s%d\n", service(i), i)
		}
	}
	if n > group {
		for i := 0; i < n; i += group {
			fmt.Fprintf(out, "FROM scratch AS group%d\n", i/group)
			copies(i, min(i+group, n))
		}
	}
	out.WriteString("FROM alpine:3.22 AS app\n")
	if n <= group {
		copies(0, n)
		return
	}
	for i := 0; i < n; i += group {
		fmt.Fprintf(out, "COPY --from=group%d / /\n", i/group)
	}
}

// sharedBase is the stage base, with n instructions below its FROM.
func sharedBase(n int) string {
	var out strings.Builder
	out.WriteString("FROM alpine:3.22 AS base\n")
	for i := range n {
		fmt.Fprintf(&out, "RUN echo %d\n", i)
	}
	return out.String()
}

// serviceSteps are what a service's stage does.
const serviceSteps = `COPY . /src
RUN mkdir -p /out && echo $PKG > /out/app
`
