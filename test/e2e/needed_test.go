//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagecraft-build/stagecraft/internal/needed"
)

// needs has programs of a tree with their libraries: some are made to find theirs in one way or
// another.
const needs = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM debian AS debian

FROM scratch AS bash
COPY --needed --from=debian /bin/bash /bin/bash

FROM bash AS more
COPY --needed --chown=7:8 --chmod=700 --from=debian /usr/bin/env /usr/bin/

FROM alpine AS git

FROM scratch AS gits
COPY --needed --from=git /usr/libexec/standin/git /usr/libexec/standin/git
RUN ["/usr/libexec/standin/git", "--version"]

FROM --platform=linux/arm64 busybox AS foreign

FROM scratch AS static
COPY --needed --from=foreign /bin/busybox /bin/busybox

FROM debian AS script
RUN printf '#!/usr/bin/env bash\necho "script $0"\n' > /usr/local/bin/hi && chmod +x /usr/local/bin/hi

FROM scratch AS scripts
COPY --needed --from=script /usr/local/bin/hi /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/hi"]

FROM debian AS lost
RUN rm /lib/x86_64-linux-gnu/libtinfo.so.6

FROM scratch AS missing
COPY --needed --from=lost /bin/bash /bin/bash

FROM scratch AS other
COPY lib /lib/x86_64-linux-gnu/libc.so.6
COPY --needed --from=debian /bin/bash /bin/bash
-- lib --
another one
`

// TestNeededRunsOnScratch guards that programs run in an image that has nothing but them and what
// they need.
func TestNeededRunsOnScratch(t *testing.T) {
	t.Parallel()
	dir := project(t, needs)
	for _, c := range []struct {
		target string
		argv   []string
		want   string
	}{
		{"bash", []string{"/bin/bash", "-c", "echo it runs"}, "it runs\n"},
		{"more", []string{"/usr/bin/env", "bash", "-c", "echo both run"}, "both run\n"},
		{"scripts", []string{"/usr/local/bin/hi"}, "script /usr/local/bin/hi\n"},
	} {
		t.Run(c.target, func(t *testing.T) {
			t.Parallel()
			img := buildImage(t, dir, "--target="+c.target)
			if got := img.exec(t, []string{"PATH=/usr/bin:/bin"}, c.argv...).ok(t).stdout; !strings.HasPrefix(got, c.want) {
				t.Errorf("it prints %q", got)
			}
			if len(img.Manifest.Layers) > 2 {
				t.Errorf("%d layers: a COPY makes one", len(img.Manifest.Layers))
			}
			if img.has(t, "/bin/cat") || img.has(t, "/usr/bin/dpkg") {
				t.Errorf("more was copied than is needed")
			}
		})
	}
	buildx(t, dir, "--target=gits", "--no-cache-filter=gits").ok(t).prints(t, "git version")
}

// TestNeededOfAnotherPlatform guards that nothing is run to find what is needed.
func TestNeededOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	img := buildImage(t, project(t, needs), "--target=static")
	if tree := img.tree(t); len(tree) != 1 {
		t.Errorf("the image has %v, not a static program alone", tree)
	}
}

// lists has what the loader of a tree maps for each program of it: real paths, in a file of that
// program's name.
const lists = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM debian AS lists
RUN mkdir /lists && for program in /bin/* /usr/bin/*; do \
      libraries=$(/lib64/ld-linux-x86-64.so.2 --list "$program" 2> /dev/null) || continue; \
      echo "$libraries" | grep -o '/[^ ]* (0x' | cut -d ' ' -f 1 | xargs realpath | sort -u > "/lists/$(echo "$program" | tr / :)"; \
    done
`

// TestNeededIsWhatTheLoaderTakes guards that for every program of a Debian image the libraries are
// those that the loader in that image maps.
func TestNeededIsWhatTheLoaderTakes(t *testing.T) {
	t.Parallel()
	img := buildImage(t, project(t, lists))
	entries, err := os.ReadDir(filepath.Join(img.rootfs, "lists"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		program := strings.ReplaceAll(e.Name(), ":", "/")
		result, err := needed.Find(t.Context(), img.rootfs, needed.Options{Sources: []string{strings.ReplaceAll(program, "[", "[[]")}})
		if err != nil {
			t.Errorf("%s: %v", program, err)
			continue
		}
		got := []string{}
		for _, entry := range result.Entries {
			if entry.Mode.IsRegular() && !strings.HasSuffix(entry.Source, "/ld.so.cache") {
				got = append(got, entry.Source)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(strings.Fields(img.read(t, "/lists/"+e.Name())), slices.Compact(got)); diff != "" {
			t.Errorf("%s: what the loader maps (-) and what is found (+):\n%s", program, diff)
		}
	}
	if len(entries) < 80 {
		t.Errorf("only %d programs were compared", len(entries))
	}
}

// TestNeededMistakes guards what is said of a library that is missing, and of one that the
// destination has with other content.
func TestNeededMistakes(t *testing.T) {
	t.Parallel()
	dir := project(t, needs)
	buildx(t, dir, "--target=missing").fails(t, "COPY --needed: ", "libtinfo.so.6", "/bin/bash", ">>> COPY --needed --from=lost /bin/bash /bin/bash")
	buildx(t, dir, "--target=other").fails(t, "COPY --needed: ", "libc.so.6", ">>> COPY --needed --from=debian /bin/bash /bin/bash")
}

// TestNeededIsCached guards that an unchanged build looks at nothing again.
func TestNeededIsCached(t *testing.T) {
	t.Parallel()
	dir := project(t, needs)
	buildx(t, dir, "--target=more").ok(t)
	if out := buildx(t, dir, "--target=more").ok(t).output(); ran(out, "what /bin/bash needs") || ran(out, "what /usr/bin/env needs") {
		t.Errorf("it ran again:\n%s", out)
	}
}

// TestNeededOnEngines guards it on engines of which some do not say what image the frontend has.
func TestNeededOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, needs)
	onEngines(t, func(t *testing.T, on target) {
		if got := on.prints(t, dir, []string{"--target=bash"}, "/bin/bash", "-c", "echo it runs"); got != "it runs\n" {
			t.Errorf("it prints %q", got)
		}
		on.refuses(t, dir, []string{"--target=missing"}, "COPY --needed: ", "libtinfo.so.6")
	})
}
