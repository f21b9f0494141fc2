package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// randomBuild makes up a build whose stages look at much that may differ between
// two calls.
func randomBuild(seed uint64) build {
	r := rand.New(rand.NewPCG(seed, 1))
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	names := []string{"A", "B", "C"}
	name := func() string { return names[r.IntN(len(names))] }
	value := func() string { return one("1", "2", "12", "''", `"1:2"`, "$A", "${B:-1}", "$TARGETARCH", "$BUILDARCH") }
	condition := func() string {
		return one("A", "not B", `A == "1"`, `C != "2"`, `TARGETARCH == "arm64"`, `TARGETSTAGE == "s1"`)
	}
	maybe := func(text string) string {
		if r.IntN(3) > 0 {
			return ""
		}
		return text
	}
	file := func(prefix string, stages int, imports bool) string {
		var out strings.Builder
		for _, n := range names {
			fmt.Fprintf(&out, "ARG %s%s%s\n", maybe("--global "), n, one("", "=1", "=$TARGETARCH"))
		}
		if imports {
			fmt.Fprintf(&out, "IMPORT %s./lib.Dockerfile AS lib\n", one("", "--arg=A=2 ", "--arg=B=$C "))
		}
		for i := range stages {
			base := one("scratch", "alpine", "alpine:$A", "tool")
			reference := func() string {
				if i == 0 {
					return "busybox"
				}
				target := fmt.Sprintf("%s%d", prefix, r.IntN(i))
				if imports && r.IntN(3) == 0 {
					target = "lib.l0"
				}
				switch r.IntN(3) {
				case 0:
					return target
				case 1:
					return fmt.Sprintf("%s(TARGETPLATFORM=%s)", target, one("linux/amd64", "linux/arm64"))
				}
				return fmt.Sprintf("%s(%s=%s)", target, name(), value())
			}
			if i > 0 && r.IntN(2) == 0 {
				base = reference()
			}
			gate := ""
			if i > 0 && r.IntN(4) == 0 {
				gate = fmt.Sprintf("--after=%s%d ", prefix, r.IntN(i))
			}
			fmt.Fprintf(&out, "FROM %s%s%s AS %s%d\n", gate, maybe("--platform=$BUILDPLATFORM "), base, prefix, i)
			for range r.IntN(5) {
				switch r.IntN(6) {
				case 0:
					fmt.Fprintf(&out, "%sARG %s\n", maybe("ONBUILD "), name())
				case 1:
					fmt.Fprintf(&out, "ARG %s=%s\n", name(), value())
				case 2:
					fmt.Fprintf(&out, "ENV %s=%s\n", name(), value())
				case 3:
					fmt.Fprintf(&out, "RUN %secho $%s\n", maybe("--if='"+condition()+"' "), name())
				case 4:
					fmt.Fprintf(&out, "%sENV %s=%s\n", maybe("ONBUILD "), name(), value())
				case 5:
					fmt.Fprintf(&out, "COPY %s--from=%s /x /y\n", maybe("--if='"+condition()+"' "), reference())
				}
			}
		}
		return out.String()
	}
	text := file("s", 1+r.IntN(3), true)
	last := strings.Count(text, " AS s") - 1
	text += "FROM scratch\n"
	n := name()
	for _, binding := range []string{n + "=1", n + "=2", "TARGETPLATFORM=linux/amd64", "TARGETPLATFORM=linux/arm64"} {
		text += fmt.Sprintf("COPY --from=s%d(%s) /x /y/\n", last, binding)
	}
	b := build{text: text, files: map[string]string{"lib.Dockerfile": file("l", 2, false)}}
	b.args = map[string]string{one("A", "B", "D"): one("", "1", "x")}
	b.contexts = [][]string{nil, {"tool"}, {"tool::linux/arm64"}, {"s0::linux/arm64"}, {"s1"}, {"s1::linux/arm64"}, {"s2::linux/arm64"}, {"busybox::linux/amd64"}}[r.IntN(8)]
	b.platform = one("", "linux/amd64", "linux/arm64")
	return b
}

// TestSharedInstancesAreEqual plans builds with instances shared and with each use
// of a stage planned anew: two uses are one instance only if they are the same.
func TestSharedInstancesAreEqual(t *testing.T) {
	t.Parallel()
	planned, shared := 0, 0
	for seed := range uint64(1500) {
		if requireSame(t, seed, &shared) {
			planned++
		}
		if t.Failed() {
			return
		}
	}
	if planned < 1000 || shared < 200 {
		t.Errorf("only %d builds had a plan, %d of them with shared instances", planned, shared)
	}
}

// FuzzSharedInstances does it for seeds that a fuzzer chooses.
func FuzzSharedInstances(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		shared := 0
		requireSame(t, seed, &shared)
	})
}

func requireSame(t *testing.T, seed uint64, shared *int) bool {
	t.Helper()
	b := randomBuild(seed)
	b.apart = true
	apart, err := b.plan(t)
	if err != nil {
		b.apart = false
		if _, other := b.plan(t); other == nil || other.Error() != err.Error() {
			t.Errorf("seed %d\n%s\ngives %v apart and %v shared", seed, b.text, err, other)
		}
		return false
	}
	b.apart = false
	together, err := b.plan(t)
	if err != nil {
		t.Errorf("seed %d\n%s\nhas no plan when instances are shared: %v", seed, b.text, err)
		return false
	}
	if len(together.Instances) < len(apart.Instances) {
		*shared++
	}
	if diff := cmp.Diff(tell(t, apart.Root), tell(t, together.Root)); diff != "" {
		t.Errorf("seed %d\n%s\n%s\napart (-) and with shared instances (+):\n%s", seed, b.text, b.files["lib.Dockerfile"], diff)
	}
	return true
}
