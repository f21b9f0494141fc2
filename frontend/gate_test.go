package frontend_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestGatesRunOncePerPlatform counts the steps of a gate in a build for two
// platforms: one for each, or one in all when its call binds the platform.
func TestGatesRunOncePerPlatform(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]int{"test": 2, "test(TARGETPLATFORM=linux/amd64)": 1} {
		c := gatewaytest.New(gatewaytest.Dockerfile(
			"FROM alpine AS test\nRUN test\nFROM --after="+after+" alpine AS app\n", "platform", "linux/amd64,linux/arm64"))
		if _, err := frontend.Build(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		steps := map[string]bool{}
		for _, req := range c.Solved {
			for _, dt := range req.Definition.Def {
				var op pb.Op
				if err := op.UnmarshalVT(dt); err != nil {
					t.Fatal(err)
				}
				if exec := op.GetExec(); exec != nil && slices.Contains(exec.Meta.Args, "test") {
					steps[string(dt)] = true
				}
			}
		}
		if len(steps) != want {
			t.Errorf("--after=%s makes %d steps, not %d", after, len(steps), want)
		}
	}
}

// TestRequestsRunNoGates asks about a file whose gate would fail.
func TestRequestsRunNoGates(t *testing.T) {
	t.Parallel()
	text := "FROM alpine AS test\nRUN false\nFROM --after=test alpine AS app\n"
	for _, request := range []string{"outline", "targets", "lint", "graph"} {
		c := gatewaytest.New(gatewaytest.Dockerfile(text, "requestid", "frontend."+request))
		if _, err := frontend.Build(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for _, req := range c.Solved {
			if text, err := gatewaytest.Vertices(req.Definition); err != nil || strings.Contains(text, "RUN") {
				t.Errorf("%s solves\n%s%v", request, text, err)
			}
		}
	}
}

// TestGatesOfOldEngines builds under a gateway without the op for it: gates are
// solved beside the image, and one that fails is the error.
func TestGatesOfOldEngines(t *testing.T) {
	t.Parallel()
	text := "FROM alpine AS test\nARG N\nRUN test $N\nFROM --after=test(N=[1,2]) alpine AS app\nRUN app\n"
	b := gatewaytest.Dockerfile(text)
	b.Old = true
	c := gatewaytest.New(b)
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var solved []string
	for _, req := range c.Solved {
		text, err := gatewaytest.Vertices(req.Definition)
		if err != nil {
			t.Fatal(err)
		}
		solved = append(solved, regexp.MustCompile(`RUN .* ←`).FindAllString(text, -1)...)
		if strings.Contains(text, "after") {
			t.Errorf("the op that the engine lacks is there:\n%s", text)
		}
	}
	slices.Sort(solved)
	if want := []string{"RUN app ←", "RUN test 1 ←", "RUN test 2 ←"}; !slices.Equal(solved, want) {
		t.Errorf("solved are %q, not %q", solved, want)
	}
}

// TestGatesKeepTheirNamesInSBOMs encodes a gated stage twice: for the image and
// for the scanner.
func TestGatesKeepTheirNamesInSBOMs(t *testing.T) {
	t.Parallel()
	text := "ARG BUILDKIT_SBOM_SCAN_STAGE=app\nFROM alpine AS test\nRUN test\nFROM --after=test alpine AS app\nRUN app\nFROM scratch\nCOPY --from=app /x /x\n"
	c := gatewaytest.New(gatewaytest.Dockerfile(text, "attest:sbom", "generator=scanner:1"))
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\[app\] after \S+`)
	found := 0
	for _, req := range c.Solved {
		text, err := gatewaytest.Vertices(req.Definition)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names.FindAllString(text, -1) {
			if found++; name != "[app] after test" {
				t.Errorf("the gate is shown as %q", name)
			}
		}
	}
	if found < 2 {
		t.Errorf("the gate is in %d definitions, not in those of the image and the scanner", found)
	}
}

// TestGatesOfGatesOnOldEngines has a stage of gates: these are solved, it has nothing
// to solve.
func TestGatesOfGatesOnOldEngines(t *testing.T) {
	t.Parallel()
	for _, checks := range []string{"checks", "checks()", "more"} {
		b := gatewaytest.Dockerfile("FROM alpine AS test\nRUN test\nFROM --after=test scratch AS checks\nFROM checks AS more\nENV A=1\nFROM --after=" + checks + " alpine AS app\nRUN app\n")
		b.Old = true
		c := gatewaytest.New(b)
		if _, err := frontend.Build(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		runs := map[string]int{}
		for _, req := range c.Solved {
			text, err := gatewaytest.Vertices(req.Definition)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range regexp.MustCompile(`RUN \w+`).FindAllString(text, -1) {
				runs[run]++
			}
		}
		if runs["RUN test"] != 1 || runs["RUN app"] != 1 {
			t.Errorf("--after=%s: solved are %v", checks, runs)
		}
	}
}

// TestGatesOfOldEnginesAreSolvedTogether counts what many gates cost: one definition
// beside that of the image.
func TestGatesOfOldEnginesAreSolvedTogether(t *testing.T) {
	t.Parallel()
	solves := func(list string) int {
		b := gatewaytest.Dockerfile("ARG LIST\nFROM alpine AS test\nARG N\nRUN test $N\nFROM --after=test(N=[$LIST]) alpine AS app\nRUN app\n", "build-arg:LIST", list)
		b.Old = true
		c := gatewaytest.New(b)
		if _, err := frontend.Build(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		return len(c.Solved)
	}
	if one, many := solves("1"), solves(strings.Repeat("1,2,3,4,5,6,7,8,9,", 10)+"0"); one != many {
		t.Errorf("one gate takes %d solves, ten take %d", one, many)
	}
}

// TestCopyIsNoGate builds COPYs whose paths become, by values, what a gate has in the
// text that upstream converts.
func TestCopyIsNoGate(t *testing.T) {
	t.Parallel()
	text := "ARG A=s_\nFROM alpine AS test\nRUN false\nFROM alpine AS x\nFROM --after=test alpine AS app\nARG A\n"
	for n := range 8 {
		text += fmt.Sprintf("COPY --from=x /${A}_%d_i /${A}_%d_i\n", n, n)
	}
	for old := range 2 {
		b := gatewaytest.Dockerfile(text)
		b.Old = old == 1
		c := gatewaytest.New(b)
		if _, err := frontend.Build(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		copies, gates := 0, 0
		for _, req := range c.Solved {
			if req.Definition == nil {
				continue
			}
			vertices, err := gatewaytest.Vertices(req.Definition)
			if err != nil {
				t.Fatal(err)
			}
			copies += strings.Count(vertices, "copy /s__")
			gates += strings.Count(vertices, "after test") + strings.Count(vertices, "wait for gates")
		}
		if copies != 8 || gates != 1 {
			t.Errorf("%d copies and %d gates, not 8 and 1", copies, gates)
		}
	}
}

// TestCopyThatIsAGateToo refuses a COPY that would make the very vertex of a gate.
func TestCopyThatIsAGateToo(t *testing.T) {
	t.Parallel()
	_, err := frontend.Build(t.Context(), gatewaytest.New(gatewaytest.Dockerfile(
		"ARG A=s_\nFROM alpine AS test\nRUN false\nFROM alpine AS y\nARG A\nCOPY --from=test /${A}_0_i /${A}_0_i\n"+
			"FROM --after=test alpine AS b\nFROM alpine AS app\nCOPY --from=y / /\nCOPY --from=b / /b\n")))
	if err == nil || !strings.Contains(err.Error(), "stands for a gate here") {
		t.Errorf("not refused: %v", err)
	}
}
