//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// conditional is a file with conditions on stages and lines, and with sources
// of which some do not exist.
const conditional = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
ARG KIND=small
FROM busybox AS source
RUN mkdir -p /usr/lib/deep && echo lib > /usr/lib/deep/lib && ln -s usr/lib /link && echo plain > /plain

FROM --if='KIND == "small"' scratch AS base
FROM --if='KIND == "big"' busybox AS base

FROM --if='KIND == "none"' no.such.registry.invalid/image AS never

FROM base AS app
COPY --if='KIND == "big"' --from=never /x /x
COPY --if-exists here missing sub/here sub/missing nowhere/at/all *.none /ctx/
COPY --if-exists sub/only /renamed
COPY --if-exists nowhere/only /not-renamed
COPY --if-exists --from=source /link/deep/lib /plain /none /no/such/dir/none /src/
COPY --if-exists tree /tree/
COPY --if-exists --parents deep/down/file deep/down/none /parents/
#+ --if-exists
ADD nothing.tar.gz archive-none.tar /added/
-- here --
here
-- sub/here --
below
-- sub/only --
only
-- tree/a/b --
b
-- deep/down/file --
file
-- fails/Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox
COPY nowhere/at/all /x
`

// conditionalFiles are what an image of the file holds.
var conditionalFiles = map[string]string{
	"/renamed": "only\n", "/src/lib": "lib\n", "/src/plain": "plain\n", "/tree/a/b": "b\n", "/parents/deep/down/file": "file\n",
}

// TestConditions builds a file with conditions, and looks at what is there and
// what is not.
func TestConditions(t *testing.T) {
	t.Parallel()
	dir := project(t, conditional)
	img := buildImage(t, dir)
	for name, want := range conditionalFiles {
		if got := img.read(t, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	// here and sub/here have one name: the later source wins
	if got := img.read(t, "/ctx/here"); got != "below\n" {
		t.Errorf("/ctx/here is %q", got)
	}
	for _, name := range []string{"/ctx/missing", "/not-renamed", "/src/none", "/added/nothing.tar.gz", "/parents/deep/down/none", "/bin/sh"} {
		if img.has(t, name) {
			t.Errorf("%s is there", name)
		}
	}
	buildx(t, dir, "--build-arg=KIND=big").fails(t, "line 12, column 34: stage never is off: line 9 has --if='KIND == \"none\"', where KIND is \"big\"")
	buildx(t, dir, "--build-arg=KIND=other").fails(t, "all stages base are off", "line 6 has --if='KIND == \"small\"'")
	buildx(t, dir, "--file=fails/Dockerfile").fails(t, "/nowhere/at/all", "not found")
	// a file that appears is copied on the next build
	writeFile(t, dir+"/nowhere/only", []byte("now\n"))
	if got := buildImage(t, dir).read(t, "/not-renamed"); got != "now\n" {
		t.Errorf("a file that was made later is %q", got)
	}
	again := buildx(t, dir, "--target=app").ok(t).output()
	if strings.Contains(again, "transferring context: 1.") && ran(again, "COPY --from=source") {
		t.Errorf("the second build copies again:\n%s", again)
	}
}

// TestFileAboveSourceIsShown guards that the error of a source below a file shows the line.
func TestFileAboveSourceIsShown(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox AS a
RUN touch /conf
FROM busybox
COPY --if-exists --from=a /conf/app.toml /etc/
`)
	buildx(t, dir).fails(t, "not a directory", "Dockerfile:5")
}

// TestConditionsOnEngines builds the same on other engines.
func TestConditionsOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, conditional+`-- show/Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox AS base
COPY --if-exists here nowhere/at/all sub/here sub/only /ctx/
RUN --if=TARGETARCH ls /ctx
`)
	onEngines(t, func(t *testing.T, on target) {
		on.build(t, dir).ok(t)
		if got := on.prints(t, dir, []string{"-f", "show/Dockerfile"}, "cat", "/ctx/here", "/ctx/only"); got != "below\nonly\n" {
			t.Errorf("it prints %q", got)
		}
		on.build(t, dir, "--build-arg=KIND=other").fails(t, "all stages base are off")
	})
}
