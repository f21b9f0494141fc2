//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mergedTrees are the stages of a made-up file of which a test compares the trees.
const mergedTrees = `
FROM --with=a,b base AS ab
FROM --with=b,a base AS ba
FROM --with=a,b,a,a base AS again
FROM --with=below,common base AS nothing
FROM --reset ab AS reset
FROM --squash ab AS squash
FROM scratch AS copied
COPY --from=ab / /
`

// TestMadeMerges guards what holds for all merges, in made-up trees, with BuildKit's ops and by
// copies: order decides conflicts alone, what the base is built on adds nothing, an operand
// counts as often as once, and reset and squash change no file.
func TestMadeMerges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 20))
			var file strings.Builder
			file.WriteString(syntaxLine)
			fmt.Fprintf(&file, "FROM busybox AS common\nRUN mkdir /d /e && for i in 0 1 2 3; do echo $i > /d/$i; echo $i > /e/$i; done\n%s", madeSteps(r, "common"))
			for _, stage := range [][2]string{{"below", "common"}, {"base", "below"}, {"a", "common"}, {"b", "common"}} {
				fmt.Fprintf(&file, "FROM %s AS %s\n%s", stage[1], stage[0], madeSteps(r, stage[0]))
			}
			file.WriteString(mergedTrees + "FROM scratch AS all\n")
			for _, stage := range []string{"common", "a", "b", "base", "ab", "ba", "again", "nothing", "reset", "squash", "copied"} {
				fmt.Fprintf(&file, "COPY --from=%s / /%s/\n", stage, stage)
			}
			dir := project(t, "-- Dockerfile --\n"+file.String())
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(file.String())
				}
			})
			out := filepath.Join(t.TempDir(), "tree.tar")
			buildx(t, dir, "--output=type=tar,dest="+out).ok(t)
			trees := requireMerges(t, entriesOf(t, out))
			onEngines(t, func(t *testing.T, on target) {
				if diff := cmp.Diff(trees["ab"], requireMerges(t, on.tree(t, dir))["ab"]); diff != "" {
					t.Errorf("the tree of the development engine (-) and of this one (+):\n%s", diff)
				}
			})
		})
	}
}

// requireMerges returns the trees of the stages of a made-up file.
func requireMerges(t *testing.T, entries map[string]string) map[string]map[string]string {
	t.Helper()
	trees := map[string]map[string]string{}
	for path, entry := range entries {
		stage, path, _ := strings.Cut(path, "/")
		if path == "" {
			continue
		}
		if trees[stage] == nil {
			trees[stage] = map[string]string{}
		}
		trees[stage][path] = strings.ReplaceAll(entry, " "+stage+"/", " ") // the target of a hard link
	}
	for stage, same := range map[string]string{"again": "ba", "nothing": "base", "reset": "ab", "squash": "ab", "copied": "ab"} {
		if diff := cmp.Diff(trees[same], trees[stage]); diff != "" {
			t.Errorf("the tree of %s (-) and of %s (+):\n%s", same, stage, diff)
		}
	}
	touched := func(stage string) map[string]bool {
		out := map[string]bool{}
		for path := range differing(trees["common"], trees[stage]) {
			for ; path != "."; path = filepath.Dir(path) {
				out[path] = true
			}
		}
		return out
	}
	a, b := touched("a"), touched("b")
	for path := range differing(trees["ab"], trees["ba"]) {
		if !conflict(a, path) || !conflict(b, path) {
			t.Errorf("/%s is %q in one order and %q in the other, and not both operands change it", path, trees["ab"][path], trees["ba"][path])
		}
	}
	return trees
}

// conflict reports whether what was touched has a path or a directory above it.
func conflict(touched map[string]bool, path string) bool {
	for ; path != "."; path = filepath.Dir(path) {
		if touched[path] {
			return true
		}
	}
	return false
}

// differing returns the paths at which two trees differ.
func differing(a, b map[string]string) map[string]bool {
	out := map[string]bool{}
	for path := range a {
		out[path] = a[path] != b[path]
	}
	for path := range b {
		out[path] = a[path] != b[path]
	}
	maps.DeleteFunc(out, func(_ string, differs bool) bool { return !differs })
	return out
}

// madeSteps returns one to three steps that change a small tree. Files are deleted where no
// directory is: BuildKit's merge of both leaves a name that nothing can open (docs/reference/composition.md).
func madeSteps(r *rand.Rand, who string) string {
	var out strings.Builder
	for step := range 1 + r.IntN(3) {
		var commands []string
		for n := range 1 + r.IntN(4) {
			path := "/" + []string{"d", "e", "n"}[r.IntN(3)]
			file := fmt.Sprintf("%s/%d", path, r.IntN(6))
			text := fmt.Sprintf("%s-%d-%d", who, step, n)
			commands = append(commands, []string{
				fmt.Sprintf("mkdir -p %s && rm -rf %s && echo %s > %s", path, file, text, file),
				fmt.Sprintf("rm -rf /d/%d", n),
				"rm -rf /n",
				fmt.Sprintf("mkdir -p %s && rm -rf %s && mkdir %s && echo %s > %s/deep", path, file, file, text, file),
				fmt.Sprintf("mkdir -p %s && rm -rf %s && ln -s %s %s", path, file, text, file),
				fmt.Sprintf("mkdir -p %s && chmod 7%d5 %s", path, r.IntN(8), path),
				fmt.Sprintf("mkdir -p %s && chown %d:%d %s", path, r.IntN(3), r.IntN(3), path),
				fmt.Sprintf("mkdir -p %s && rm -rf %s && echo %s > %s && ln -f %s %s.link", path, file, text, file, file, file),
			}[r.IntN(8)])
		}
		fmt.Fprintf(&out, "RUN %s\n", strings.Join(commands, " && \\\n    "))
	}
	return out.String()
}
