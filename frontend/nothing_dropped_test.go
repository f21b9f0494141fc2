package frontend_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// extended is a file in which every line has an effect but for those of the stage
// test and of the mount m, which are there for an extension to use.
var extended = []string{
	"ARG NEVER",
	"ARG V=0",
	"MOUNT m type=cache,target=/m",
	"MOUNT n type=cache,target=/n",
	"IMPORT ./lib.Dockerfile AS lib",
	"FROM alpine AS test",
	"RUN step test",
	"FROM alpine AS build",
	"ARG V=0",
	"ARG NEVER",
	"COPY --from=lib.tool /x /x",
	"RUN step build $V $NEVER",
	"FROM --mount=n alpine AS app",
	"ARG EMPTY",
	"COPY a b",
	"ADD c d",
	"RUN --mount=type=tmpfs,target=/t step app $EMPTY",
	"ENV E=1",
	"LABEL l=1",
	"WORKDIR /w",
	"COPY --from=build /x /y",
}

// An extension is put into the file, and holds tells by the build whether it is in
// force; nil for one that cannot be where it is not refused.
type extension struct {
	text  string
	holds func(with, base, withoutLine *outcome) bool
	// fits reports whether it is a mistake where it has no effect.
	fits func(line string) bool
}

var extensions = []extension{
	{text: "--after=test", holds: func(with, _, _ *outcome) bool { return slices.Contains(with.steps, "test - linux/amd64") }},
	{text: "--with=test", holds: func(with, _, _ *outcome) bool { return slices.Contains(with.steps, "test - linux/amd64") }},
	{text: "--reset", holds: func(with, base, _ *outcome) bool { return with.ops != base.ops }},
	{text: "--reset=ENV,LABEL", holds: func(with, base, _ *outcome) bool { return with.ops != base.ops }},
	{text: "--squash", holds: func(with, base, _ *outcome) bool { return with.ops != base.ops }},
	{text: "--bake=tags=t", holds: func(with, _, _ *outcome) bool { return strings.Contains(with.baked, `"tags"`) }},
	{text: "--mount=m", holds: func(with, _, _ *outcome) bool { return with.mounts["/m"] }},
	{text: "--if=NEVER", holds: isOff},
	{text: `--if='NEVER == "1"'`, holds: isOff},
	{text: "--required", fits: func(line string) bool { return !strings.HasPrefix(line, "ARG V") }},
	{text: "--oneof=a,b", fits: func(line string) bool {
		return !strings.HasPrefix(line, "ARG NEVER") && !strings.HasPrefix(line, "ARG EMPTY")
	}},
	{text: "--if-exists", holds: func(with, base, _ *outcome) bool { return with.ops != base.ops }},
	{text: "--from=build", holds: func(with, base, _ *outcome) bool { return with.ops != base.ops }},
	{text: "--from=build(V=7)", holds: func(with, _, _ *outcome) bool { return slices.Contains(with.steps, "build 7 linux/amd64") }},
	{text: "--arg=V=7"},
	{text: "--unknown=x"},
	{text: ""}, // what stands around it
}

// isOff reports whether the line is as if it were not there: of the FROM of app,
// the stage.
func isOff(with, _, withoutLine *outcome) bool {
	return with.ops == withoutLine.ops || !slices.ContainsFunc(with.steps, func(step string) bool { return strings.HasPrefix(step, "app ") })
}

// around is what people write behind an extension.
var around = []string{"", "", "", " # a remark", " extra words", " \\", " --", " == \"1\"", " && x", "\t", " ,", " --if=NEVER", " --required"}

// TestNothingIsDropped puts extensions where they belong and where they do not:
// each is in force, or the file has an error or a warning more.
func TestNothingIsDropped(t *testing.T) {
	t.Parallel()
	base := build(t, extended)
	overSeeds(t, 4000, 6, func(t *testing.T, r *rand.Rand) { requireNothingDropped(t, r, base) })
}

func FuzzNothingIsDropped(f *testing.F) {
	for i := range byte(255) {
		f.Add([]byte{i, i ^ 0x55, i << 3})
	}
	base := build(f, extended)
	f.Fuzz(func(t *testing.T, choices []byte) { requireNothingDropped(t, dockerfilegen.Random(choices), base) })
}

func requireNothingDropped(t *testing.T, r *rand.Rand, base *outcome) {
	t.Helper()
	at := r.IntN(len(extended))
	ext, tail := extensions[r.IntN(len(extensions))], around[r.IntN(len(around))]
	line := extended[at]
	keyword, _, _ := strings.Cut(line, " ")
	inserted := ext.text + tail
	comment := r.IntN(3) == 0
	if strings.HasSuffix(line, " test") || ext.fits != nil && keyword == "ARG" && !ext.fits(line) || !mustHold(keyword, ext.text, tail, comment) {
		return
	}
	with := "#+ " + inserted + "\n" + line
	if !comment {
		ends := places(keyword, line)
		end := ends[r.IntN(len(ends))]
		with = line[:end] + " " + strings.TrimPrefix(inserted, " ") + line[end:]
	}
	lines := slices.Clone(extended)
	lines[at] = with
	got := build(t, lines)
	if got.err != nil || got.warnings > base.warnings {
		return
	}
	off := strings.Contains(tail, "--if=")
	if ext.holds != nil && !strings.HasPrefix(tail, " ==") || off {
		without := build(t, slices.Delete(slices.Clone(extended), at, at+1))
		if ext.holds != nil && ext.holds(got, base, without) || off && isOff(got, base, without) {
			return
		}
	}
	t.Errorf("dropped without a word: %s\n%s", with, strings.Join(lines, "\n"))
}

// TestNoUnsetIsDropped puts UNSETs above the first FROM and between all lines of the stage that
// is built: each changes the build, or the file has an error or a warning more.
func TestNoUnsetIsDropped(t *testing.T) {
	t.Parallel()
	base := build(t, extended)
	app := slices.Index(extended, "FROM --mount=n alpine AS app")
	for at := range len(extended) + 1 {
		if at > slices.Index(extended, "FROM alpine AS test") && at <= app {
			continue // no one asks for the config there
		}
		for _, unset := range []string{"UNSET ENV E", "UNSET ENV BASE", "#+ UNSET LABEL", "UNSET LABEL l", "UNSET WORKDIR", "UNSET CMD", "UNSET USER", "UNSET ONBUILD", "UNSET SHELL"} {
			got := build(t, slices.Insert(slices.Clone(extended), at, unset))
			if got.err == nil && got.warnings <= base.warnings && got.ops == base.ops {
				t.Errorf("dropped without a word: %s on line %d", unset, at+1)
			}
		}
	}
}

// TestNoValueIsDropped puts lines that take values where TestNoUnsetIsDropped puts UNSETs.
func TestNoValueIsDropped(t *testing.T) {
	t.Parallel()
	source := []string{"FROM alpine AS source", "ENV TAKEN=1", "LABEL taken=1"}
	lines := slices.Insert(slices.Clone(extended), slices.Index(extended, "FROM alpine AS test"), source...)
	base := build(t, lines)
	app := slices.Index(lines, "FROM --mount=n alpine AS app")
	for at := range len(lines) + 1 {
		if at > slices.Index(lines, "FROM alpine AS source") && at <= app {
			continue // no one asks for the config there
		}
		for _, line := range []string{"ENV --from=source TAKEN", "#+ ENV --from=source NAME=v$TAKEN", "LABEL --from=source taken", "#+ LABEL --from=source name=$TAKEN", "ENV --from=source(NEVER=1) TAKEN", "ENV --from=source --file=/none", "ENV --from=source", "LABEL --from=app name", "LABEL --file=/x name"} {
			got := build(t, slices.Insert(slices.Clone(lines), at, line))
			if got.err == nil && got.warnings <= base.warnings && got.ops == base.ops {
				t.Errorf("dropped without a word: %s on line %d", line, at+1)
			}
		}
	}
}

// mustHold reports whether the rules say that an extension with a tail, in a
// comment above an instruction or inside of it, is in force or a mistake.
func mustHold(keyword, text, tail string, comment bool) bool {
	flag := strings.HasPrefix(tail, " --") && tail != " --"
	if text == "" && tail == " --required" && keyword == "ARG" {
		return false // as the extension of its own
	}
	switch {
	case comment:
		return text != "" || flag
	case keyword == "MOUNT", keyword == "IMPORT", keyword == "FROM":
		return strings.TrimLeft(text+tail, " \t-") != "" // "--" ends the flags
	case keyword == "ARG": // ignores flags that it does not know, and takes any word as a name
		return (tail == "" || flag) && slices.ContainsFunc([]string{"--if=", "--required", "--oneof"}, func(known string) bool { return strings.HasPrefix(text, known) })
	case strings.HasPrefix(tail, " =="): // as if the expression went on
		return text == "--if=NEVER"
	}
	return text != "" && strings.TrimSpace(tail) == "" // else it ends the flags
}

var flags = regexp.MustCompile(`^([A-Z]+)((?: --\S+)*)`)

// places returns where in a line something may be put: between any words where
// every word is ours to read, else among the flags.
func places(keyword, line string) []int {
	all := line
	if !slices.Contains([]string{"FROM", "ARG", "MOUNT", "IMPORT"}, keyword) {
		all = flags.FindString(line)
	}
	var out []int
	for i := range all {
		if all[i] == ' ' {
			out = append(out, i)
		}
	}
	return append(out, len(all))
}

// outcome is what a build does.
type outcome struct {
	err      error
	warnings int
	// ops are the steps that it solves, the config and the round trips.
	ops    string
	steps  []string
	mounts map[string]bool
	// baked is the bake file, of a file that has attributes for it.
	baked string
}

func build(tb testing.TB, lines []string) *outcome {
	tb.Helper()
	b := gatewaytest.Dockerfile(strings.Join(lines, "\n") + "\n")
	b.Files["dockerfile"]["lib.Dockerfile"] = "FROM busybox AS tool\nRUN step tool\n"
	c := gatewaytest.New(b)
	res, err := frontend.Build(tb.Context(), c)
	out := &outcome{err: err, warnings: len(c.Warnings), mounts: map[string]bool{}}
	if err != nil {
		return out
	}
	for _, req := range c.Solved {
		out.read(tb, req)
	}
	if strings.Contains(strings.Join(lines, "\n"), "--bake") {
		_, rec := bakeOf(tb, b)
		out.baked = rec.Metadata["result.txt"]
	}
	slices.Sort(out.steps)
	config, err := json.Marshal(res.Metadata)
	if err != nil {
		tb.Fatal(err)
	}
	out.ops += string(config) + fmt.Sprint(c.Calls)
	return out
}

func (o *outcome) read(tb testing.TB, req client.SolveRequest) {
	tb.Helper()
	if req.Definition == nil {
		return
	}
	for step := range stepsOf(tb, req.Definition) {
		o.steps = append(o.steps, step)
	}
	if n := len(req.Definition.Def); n > 0 {
		o.ops += string(req.Definition.Def[n-1])
	}
	for _, dt := range req.Definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			tb.Fatal(err)
		}
		if exec := op.GetExec(); exec != nil {
			for _, m := range exec.Mounts {
				o.mounts[m.Dest] = true
			}
		}
	}
}
