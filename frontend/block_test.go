package frontend_test

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// unit is a part of a file that blocks hold whole: lines, and for a stage the
// units below the FROM.
type unit struct {
	lines []string
	below []unit
	// inner says that blocks may stand between the lines.
	inner bool
}

// more are units that are added to files, with lines for blocks.
var more = []string{
	"RUN set -e; \\\n  one; \\\n  two; \\\n  three; \\\n  four\n",
	"RUN <<EOF\none\ntwo \\\n  three\nfour\nEOF\n",
	"RUN [ \\\n \"one\", \\\n \"two\", \\\n \"three\" ]\n",
	"ENV A=1 \\\n B=2 \\\n C=3 \\\n # a remark\n D=$A\n",
	"COPY one \\\n two \\\n three \\\n /dest/\n",
	"ONBUILD RUN one; \\\n two; \\\n three\n",
	"LABEL a=1 \\\n b=\"2 \\\n 3\" \\\n c=4\n",
}

// blocked puts blocks into a Dockerfile, around instructions, stages and lines of
// them, and returns it with the Dockerfile that has the lines which count.
func blocked(seed uint64, text string) (ours, theirs string) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil || !strings.HasSuffix(text, "\n") || parsed.EscapeToken != '\\' {
		return "", ""
	}
	b := &blocker{rand.New(rand.NewPCG(seed, 4))}
	lines := strings.SplitAfter(text, "\n")
	var global, stages []unit
	at := parsed.AST.Children[0].StartLine - 1
	head := strings.Join(lines[:at], "")
	for _, node := range parsed.AST.Children {
		u := unit{lines: lines[at:node.EndLine]}
		at = node.EndLine
		switch {
		case strings.EqualFold(node.Value, command.From):
			stages = append(stages, u)
		case len(stages) == 0:
			global = append(global, u)
		default:
			last := &stages[len(stages)-1]
			last.below = append(last.below, u)
			if b.IntN(3) == 0 {
				last.below = append(last.below, unit{lines: strings.SplitAfter(more[b.IntN(len(more))], "\n"), inner: true})
			}
		}
	}
	global = append(global, unit{lines: []string{"ARG ONE=1 \\\n", "  TWO=2 \\\n", "  THREE=3 \\\n", "  FOUR=$TWO\n"}, inner: true})
	ours, theirs = b.units(global, true, 0)
	more, left := b.units(stages, true, 0)
	tail := strings.Join(lines[at:], "")
	return head + ours + more + tail, head + theirs + left + tail
}

type blocker struct{ *rand.Rand }

// units writes units with blocks, and without the lines that are off.
func (b *blocker) units(list []unit, on bool, depth int) (ours, theirs string) {
	for len(list) > 0 {
		if depth < 3 && b.IntN(4) == 0 {
			n := min(1+b.IntN(3), len(list))
			all, left := b.block(on, b.IntN(2) == 0, n, func(from, to int, on bool) (string, string) { return b.units(list[from:to], on, depth+1) })
			ours, theirs, list = ours+all, theirs+left, list[n:]
			continue
		}
		all, left := b.unit(list[0], on)
		below, rest := b.units(list[0].below, on, depth)
		ours, theirs, list = ours+all+below, theirs+left+rest, list[1:]
	}
	return ours, theirs
}

func (b *blocker) unit(u unit, on bool) (ours, theirs string) {
	if !u.inner {
		ours = strings.Join(u.lines, "")
	} else {
		last := len(u.lines) - 1
		for u.lines[last] == "" {
			last--
		}
		all, left := b.lines(u.lines[1:last], true, 0)
		if left == "" {
			all = strings.Join(u.lines[1:last], "") // a heredoc keeps a line
			left = all
		}
		ours, theirs = u.lines[0]+all+u.lines[last], u.lines[0]+left+u.lines[last]
		if on {
			return ours, theirs
		}
	}
	if !on {
		return ours, ""
	}
	return ours, ours
}

// lines writes the lines of one instruction with blocks between them.
func (b *blocker) lines(list []string, on bool, depth int) (ours, theirs string) {
	for len(list) > 0 {
		n := 1
		all, left := list[0], list[0]
		if depth < 2 && b.IntN(3) == 0 {
			n = min(1+b.IntN(2), len(list))
			all, left = b.block(on, true, n, func(from, to int, on bool) (string, string) { return b.lines(list[from:to], on, depth+1) })
		} else if !on {
			left = ""
		}
		ours, theirs, list = ours+all, theirs+left, list[n:]
	}
	return ours, theirs
}

// block writes a block of n parts, between branches of which at most one counts.
func (b *blocker) block(on, comment bool, n int, part func(from, to int, on bool) (string, string)) (ours, theirs string) {
	marker := func(text string) string {
		indent := strings.Repeat(" ", b.IntN(3))
		if comment {
			return indent + "#+ " + text + "\n"
		}
		return indent + text + "\n"
	}
	taken := false
	for i, from := 0, 0; from < n; i++ {
		to := from + 1 + b.IntN(n-from)
		holds := b.IntN(2) == 0
		condition := map[bool]string{true: `TARGETOS != "plan9" && "yes"`, false: `TARGETOS == 'plan9'`}[holds]
		switch {
		case i == 0:
			ours += marker("IF " + condition)
		case to == n && b.IntN(2) == 0:
			ours, holds = ours+marker("ELSE"), true
		default:
			ours += marker("ELSE IF " + condition)
		}
		all, left := part(from, to, on && holds && !taken)
		ours, theirs, taken, from = ours+all, theirs+left, taken || holds, to
	}
	return ours + marker("END"), theirs
}

// TestBlocksEqualFilesWithoutTheLines guards that a block is as if only the branch
// that counts stood there, without the markers.
func TestBlocksEqualFilesWithoutTheLines(t *testing.T) {
	t.Parallel()
	compareFiles(t, 300, requireSameWithoutBlocks)
}

func FuzzBlocks(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireSameWithoutBlocks(t, seed) })
}

func requireSameWithoutBlocks(t *testing.T, seed uint64) bool {
	t.Helper()
	text, opts := dockerfilegen.Generate(seed)
	delete(opts, "target")
	delete(opts, "attest:sbom")
	ours, theirs := blocked(seed, text)
	if theirs == "" {
		return false
	}
	build := func(text string) gatewaytest.Build {
		b := gatewaytest.Dockerfile(text)
		maps.Copy(b.Opts, opts)
		return b
	}
	want, err := buildResult(t, build(theirs), builder.Build)
	if err != nil {
		return false
	}
	got, err := buildResult(t, build(ours), frontend.Build)
	if err != nil && (strings.Contains(err.Error(), "is off") || strings.Contains(err.Error(), "are off") || strings.Contains(err.Error(), "invalid stage index")) {
		return false // a reference that means an image once the stage is gone
	}
	if _, mistake := buildResult(t, build(text), builder.Build); err != nil && mistake != nil {
		return false // a line that is off has to be an instruction all the same
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s\nis not\n%s\n%v\nupstream (-) and stagecraft (+):\n%s", ours, theirs, err, diff)
	}
	return true
}
