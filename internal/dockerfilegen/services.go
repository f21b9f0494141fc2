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
	out.WriteString("FROM base AS build\nARG PKG\n" + serviceSteps + "FROM alpine:3.22\n")
	for i := range n {
		fmt.Fprintf(&out, "COPY --from=build(PKG=./cmd/s%d) /out/app /usr/bin/s%d\n", i, i)
	}
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
	out.WriteString("FROM alpine:3.22\n")
	for i := range n {
		fmt.Fprintf(&out, "COPY --from=build%d /out/app /usr/bin/s%d\n", i, i)
	}
	return out.String()
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

// Linked returns the same build for clients that link targets: a stage that is
// built once for each service, and one that copies from the named contexts s0,
// s1 and so on.
func Linked(n, base int) string {
	var out strings.Builder
	out.WriteString(sharedBase(base))
	out.WriteString("FROM base AS build\nARG PKG\n" + serviceSteps + "FROM alpine:3.22 AS app\n")
	for i := range n {
		fmt.Fprintf(&out, "COPY --from=s%d /out/app /usr/bin/s%d\n", i, i)
	}
	return out.String()
}
