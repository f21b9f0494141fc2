//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/identity"
)

// TestOddDockerfiles guards that whatever a Dockerfile holds, the user is told
// what upstream's image tells.
func TestOddDockerfiles(t *testing.T) {
	t.Parallel()
	for name, dockerfile := range map[string]string{
		"empty":              "",
		"a comment":          "# nothing\n",
		"16 MiB":             "FROM scratch\n" + strings.Repeat("# sixteen bytes\n", 1<<20),
		"just below 16 MiB":  "FROM scratch\nCOPY f /\n" + strings.Repeat("# sixteen bytes\n", 1<<20-2),
		"a line of 1 MiB":    "FROM scratch\n# " + strings.Repeat("x", 1<<20) + "\nCOPY f /\n",
		"carriage returns":   "FROM scratch\rCOPY f /\r",
		"CRLF":               "FROM scratch\r\nCOPY f \\\r\n  /\r\n",
		"NUL":                "FROM scratch\nCOPY \x00f /\n",
		"NUL in a comment":   "FROM scratch\n# \x00\nCOPY f /\n",
		"not UTF-8":          "FROM scratch\nCOPY f /\xff\nLABEL a=\xfe\n",
		"unknown":            "FROM scratch\nCOPYY f /\n",
		"unknown flag":       "FROM scratch\nCOPY --form=x f /\n",
		"missing source":     "FROM scratch\nCOPY nosuchfile /\n",
		"failing step":       "FROM busybox\nRUN echo before; exit 7\n",
		"missing stage":      "FROM busybox\nCOPY --from=nosuchstage/at/all:1 / /\n",
		"unterminated":       "FROM busybox\nRUN <<EOT\necho\n",
		"later stage":        "FROM nosuchimage AS a\nFROM a AS nosuchimage\n",
		"lint":               "FROM scratch as base\nMAINTAINER me\nCOPY f /\n",
		"lint as an error":   "# check=error=true\nFROM scratch as base\nCOPY f /\n",
		"a blank line":       "\n",
		"instruction before": "RUN true\nFROM scratch\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(dockerfile))
			writeFile(t, filepath.Join(dir, "f"), []byte("f"))
			want := buildx(t, dir, "--output=type=cacheonly", "--build-arg=BUILDKIT_SYNTAX="+upstreamImage)
			got := buildx(t, dir, "--output=type=cacheonly", "--build-arg=BUILDKIT_SYNTAX="+frontendImage)
			if (want.err == nil) != (got.err == nil) || verdict(got) != verdict(want) {
				t.Errorf("upstream says (%v):\n%s\nstagecraft says (%v):\n%s", want.err, verdict(want), got.err, verdict(got))
			}
		})
	}
}

func TestMissingDockerfile(t *testing.T) {
	t.Parallel()
	buildx(t, t.TempDir(), "--build-arg=BUILDKIT_SYNTAX="+frontendImage).fails(t, "open Dockerfile: no such file or directory")
}

// varying is what differs between two runs of one build: progress lines, times,
// references, sizes of messages that hold the name of the frontend, what the client's
// HTTP library logs when the daemon is gone before it.
var varying = regexp.MustCompile(`(?m)^#\d+ .*\n|^\d{4}/\d\d/\d\d [\d:]{8} http2: .*\n|^\d+\.\d+ |ref \S+::\S+|\(\d+ vs\. |(stagecraft|docker)/dockerfile:1`)

// terminal are the codes that colour a text.
var terminal = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// verdict is what a build says after its progress: source excerpts, warnings
// and the error. Clients list warnings in the order in which they arrive, which
// is any, so their lines are sorted.
func verdict(c command) string {
	text := terminal.ReplaceAllString(varying.ReplaceAllString(c.stderr, ""), "")
	var warnings, rest []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " - ") {
			warnings = append(warnings, line)
		} else {
			rest = append(rest, line)
		}
	}
	slices.Sort(warnings)
	return strings.TrimSpace(strings.Join(append(rest, warnings...), ""))
}

// TestPanicReachesTheUser builds through an image whose frontend panics, in a
// goroutine of BuildKit's converter, and guards that the user is told and that
// the daemon goes on.
func TestPanicReachesTheUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "frontend"), "./panicfrontend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY frontend /\nENTRYPOINT [\"/frontend\"]\n"))
	panicking := registry(t) + "/test/panic:" + identity.NewID()
	buildx(t, dir, "--output=type=registry", "--tag="+panicking).ok(t)

	app := project(t, "-- Dockerfile --\nFROM busybox\nRUN true\n")
	buildx(t, app, "--build-arg=BUILDKIT_SYNTAX="+panicking).fails(t,
		"internal error: on purpose", "main.faulty.ResolveImageConfig (main.go:", "https://github.com/stagecraft-build/stagecraft/issues")
	buildx(t, app, "--output=type=cacheonly", "--build-arg=BUILDKIT_SYNTAX="+frontendImage).ok(t)
}

// TestCancelledBuild guards that an interrupted client ends the build's
// processes and leaves a daemon that builds.
func TestCancelledBuild(t *testing.T) {
	t.Parallel()
	// the process is recognised by a number of seconds nobody else sleeps
	seconds := fmt.Sprint(100_000 + time.Now().UnixNano()%100_000)
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nRUN sleep "+seconds+"\n")
	ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "buildx", "build", "--progress=plain", dir)
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !waitFor(ctx, func() bool { return running("sleep\x00" + seconds) }) {
		t.Fatalf("the step never ran:\n%s", &out)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the interrupted client reports success")
	}
	if !waitFor(ctx, func() bool { return !running("sleep\x00" + seconds) }) {
		t.Error("the step still runs")
	}
	buildx(t, project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox\nRUN true\n")).ok(t)
}

// waitFor polls until cond holds; false when ctx ends first.
func waitFor(ctx context.Context, cond func() bool) bool {
	for !cond() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return true
}

// running tells whether a process of this machine has text in its arguments.
func running(text string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		dt, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(dt), text) && !strings.Contains(string(dt), "/bin/sh") {
			return true
		}
	}
	return false
}

// TestErrorsKeepTheirWords guards that what is added to an error of the daemon reaches the
// user, who else reads the daemon's own text.
func TestErrorsKeepTheirWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files string
		want  []string
	}{
		"platform": {`
-- Dockerfile --
FROM busybox AS web
RUN touch /web
FROM scratch
COPY --from=web(TARGETPLATFORM=darwin/arm64) /web /web
`, []string{"busybox has no darwin/arm64; stage web is built for it by the call on line 5. Write FROM --platform=$BUILDPLATFORM", "in web(TARGETPLATFORM=darwin/arm64), called on line 5", ">>> FROM busybox AS web", ">>> COPY --from=web("}},
		"misspelled": {`
-- Dockerfile --
FROM busybox AS build
RUN touch /x
FROM --after=build scratch
COPY --from=biuld /x /x
`, []string{"biuld:latest: not found (did you mean build?)", ">>> COPY --from=biuld /x /x"}},
		"chain": {`
-- Dockerfile --
IMPORT ./l.Dockerfile AS l
FROM busybox
COPY --from=l.s(V=9) /x /x
-- l.Dockerfile --
FROM busybox:nonexist AS base
FROM base AS s
ARG V
RUN echo $V
`, []string{"l.Dockerfile: line 1: busybox:nonexist: ", "in l.s(V=9), called on line 4", ">>> FROM busybox:nonexist AS base", ">>> COPY --from=l.s(V=9) /x /x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, strings.TrimPrefix(c.files, "\n"))
			path := filepath.Join(dir, "Dockerfile")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, append([]byte(syntaxLine), text...))
			buildx(t, dir, "--output=type=cacheonly").fails(t, c.want...)
		})
	}
}
