package frontend_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// values are some that a writer of text could stumble over.
var values = []string{
	"", "1", "a b", " a ", `q"uo'te`, "$B", "${A}", `back\slash`, `end\`, "x,y", "x)", "(x", "[a,b]", "ünï", "tab\there", "# no comment",
	"--flag=1", "`", "line1\nline2", "line1\\\nline2", "x'\nRUN echo pwned #", "fix\nFROM evil.example/img AS alpine\nRUN echo pwned\n#",
	"alpine,target=/m echo pwned;", "alpine /x /y\nRUN echo pwned\nCOPY --from=alpine", "linux/amd64 alpine AS q\nRUN echo pwned\nFROM alpine AS z\n#",
	"\r", "\r\nx", "<<EOF", "\x00", "\x01", "\xff\xfe", "\u00a0", "\u2028", "EOF\nRUN x", "'", `"`, `\"`, "$", "$$", "\t", "\n", "stagecraft.invalid/x", "s__0_i",
	"alpine", "busybox:latest", "scratch", "dep", "build", "linux/arm64", "1700000000",
}

// TestValuesAreValues guards that build(A=v) is upstream's build of the target
// build with the build arg A=v, whatever bytes v has and whichever way it comes:
// as a build arg, a binding, an --arg, an element of a set or a default.
func TestValuesAreValues(t *testing.T) {
	t.Parallel()
	var compared atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		overSeeds(t, 2500, 4, func(t *testing.T, r *rand.Rand) {
			a, b := values[r.IntN(len(values))], values[r.IntN(len(values))]
			for r.IntN(3) == 0 {
				a += values[r.IntN(len(values))]
			}
			for r.IntN(4) == 0 {
				a += string(rune(r.IntN(0x300)))
			}
			if requireValue(t, newValued(r, a, b)) {
				compared.Add(1)
			}
		})
	})
	if n := compared.Load(); n < least[int64](1200) && !t.Failed() {
		t.Errorf("only %d builds were compared", n)
	}
}

func FuzzValuesAreValues(f *testing.F) {
	for i, value := range values {
		for way := range byte(ways) {
			f.Add([]byte{way * (256 / ways), byte(i * 5)}, value, values[(i+7)%len(values)])
		}
	}
	f.Fuzz(func(t *testing.T, choices []byte, a, b string) {
		requireValue(t, newValued(dockerfilegen.Random(choices), a, b))
	})
}

// valued is a build in which a stage has values, and the same as upstream's clients
// ask for it.
type valued struct {
	way            int
	ours, upstream gatewaytest.Build
	sealed         bool // else the stage is copied from
}

// ways are how many there are for a value to come.
const ways = 7

// newValued makes a stage that uses the ARGs A and B in some ways, and calls it with
// the values a and b for them.
func newValued(r *rand.Rand, a, b string) *valued {
	a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?") // gRPC refuses others
	way := r.IntN(ways)
	v := &valued{way: way, sealed: r.IntN(3) == 0}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	uses := func(name string) string {
		use := pick("RUN echo $A", `RUN ["x", "$A"]`, "ENV E=$A", `ENV E="$A-x" F=${A:-none}`, "LABEL l=$A", "WORKDIR /w/$A", "COPY $A /d/", "COPY --from=dep /x /$A",
			"ARG C=pre-$A\nRUN echo $C", "ARG C=${A#x}\nENV C=$C", "USER $A", "EXPOSE $A", "CMD echo $A", "RUN --mount=type=cache,target=/c/$A make", "RUN --mount=type=cache,id=$A,target=/c make",
			"RUN <<EOF\necho $A\nEOF", "COPY <<EOF /f\n$A\nEOF", "ARG A\nRUN echo $A", "STOPSIGNAL $A", "VOLUME $A", "COPY --chown=$A x /y", "ADD https://example.com/$A /", "HEALTHCHECK CMD $A", "ARG G\nRUN echo $G",
			"RUN --mount=from=dep,source=$A,target=/m make", "ENTRYPOINT [\"$A\"]", "ADD --checksum=$A https://example.com/f /")
		return strings.ReplaceAll(use, "A", name) + "\n"
	}
	use := func(name string) string {
		out := "ARG " + name + pick("", "=default") + "\n"
		for range 1 + r.IntN(3) {
			// only what stands for the name, not letters of instructions
			out += strings.NewReplacer("$"+"A", "$"+name, "{"+"A", "{"+name).Replace(uses("A"))
		}
		return out
	}
	globals := pick("", "", "ARG A\n", "ARG A=x\n", "ARG G=g-$B\nARG B\n", "ARG B=y\nARG G=g-$B\n")
	from := pick("alpine", "alpine", "scratch", "dep")
	if strings.HasPrefix(globals, "ARG A=") {
		from = pick(from, "$A", "--platform=$A alpine", "alpine:$A")
	}
	def := ""
	if way == 6 && !strings.ContainsAny(a, "\n\r") {
		def = a
	}
	stage := "FROM alpine AS dep\nRUN dep\nFROM " + from + " AS build\nARG X=0\nRUN echo $X\n" + use("A") + use("B")
	if way == 6 {
		stage = strings.Replace(stage, "ARG A=default\n", "ARG A\n", 1)
		stage = strings.Replace(stage, "ARG A\n", "ARG A="+def+"\n", 1)
	}
	v.upstream = gatewaytest.Dockerfile(globals+stage, "target", "build", "build-arg:A", a, "build-arg:B", b)
	caller := func(call string) string {
		if v.sealed {
			return "FROM " + call + " AS app\n"
		}
		return "FROM alpine AS app\nCOPY --from=" + call + " / /\n"
	}
	v.ours = gatewaytest.Dockerfile("", "build-arg:B", b)
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(a) + `"`
	if way == 1 && strings.ContainsAny(a, "\n\r") {
		way = 2
	}
	text := ""
	switch way {
	case 0: // as a build arg, beside another value of the call
		v.ours.Opts["build-arg:A"] = a
		v.upstream.Opts["build-arg:X"] = "1"
		text = globals + stage + caller("build(X=1)")
	case 1: // as written
		text = globals + stage + caller("build(A="+quoted+")")
	case 2: // out of a variable
		v.ours.Opts["build-arg:V"] = a
		text = "ARG V\n" + globals + stage + caller(pick("build(A=$V)", `build(A="$V")`, "build(A=${V})"))
	case 3: // in a target
		v.sealed = true
		text = globals + stage
		v.ours.Opts["target"] = "build(A=" + quoted + ")"
	case 4: // through an import
		v.ours.Opts["build-arg:V"] = a
		text = "ARG V\nIMPORT --arg=A=$V ./lib.Dockerfile AS lib\n" + caller("lib.build")
		v.ours.Files["dockerfile"]["lib.Dockerfile"] = globals + stage
	case 5: // as the last element of a list
		v.sealed = false
		list, set := "2,", "[$V]"
		if strings.Contains(stage, "COPY $") || strings.Contains(stage, "COPY --chown") {
			list = "" // the transfer of the context would be that of both
		}
		if strings.Contains(from, "--platform") {
			list = "" // nobody knows the platform 2
		}
		if a == "" || strings.Contains(a, ",") || strings.TrimSpace(a) != a {
			list, set = "", `"$V"` // it may not be one element, and those are trimmed
		}
		v.ours.Opts["build-arg:V"] = list + a
		text = "ARG V\n" + globals + stage + "FROM alpine AS app\nCOPY --from=build(A=" + set + ") / /x/\n"
	case 6: // as a default, beside another value of the call
		delete(v.upstream.Opts, "build-arg:A")
		v.upstream.Opts["build-arg:X"] = "1"
		text = globals + stage + caller("build(X=1)")
	}
	v.ours.Files["dockerfile"]["Dockerfile"] = text
	return v
}

// requireValue reports whether there was something to compare.
func requireValue(t *testing.T, v *valued) bool {
	t.Helper()
	theirs, ours := gatewaytest.New(v.upstream), gatewaytest.New(v.ours)
	want, wantErr := builder.Build(t.Context(), theirs)
	got, gotErr := frontend.Build(t.Context(), ours)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("way %d\n%s\n%s\n%q\n%s", v.way, v.ours.Files["dockerfile"]["Dockerfile"], v.ours.Files["dockerfile"]["lib.Dockerfile"], v.ours.Opts, fmt.Sprintf(format, args...))
	}
	for _, surprise := range ours.Surprises(got, gotErr) {
		// FROM $A AS build means an image when A is build, upstream too
		if name, _, ok := strings.Cut(surprise, " is looked up"); !ok || !slices.ContainsFunc(slices.Collect(maps.Keys(theirs.Calls)), func(call string) bool { return strings.Contains(call, name) }) {
			fail("%s", surprise)
		}
	}
	switch {
	case wantErr != nil && gotErr != nil:
		return false
	case wantErr != nil:
		fail("upstream says %v; ours builds", wantErr)
		return false
	case gotErr != nil && strings.Contains(gotErr.Error(), "holds a space") && strings.Contains(v.ours.Files["dockerfile"]["Dockerfile"], "$V]"):
		return false
	case gotErr != nil && strings.Contains(gotErr.Error(), "nobody knows the platform"): // an extended file may not misspell one
		return false
	case gotErr != nil:
		fail("upstream builds, ours says %v", gotErr)
		return false
	}
	head := resultOf(t, theirs)
	if v.sealed {
		if diff := cmp.Diff(string(want.Metadata["containerimage.config"]), string(got.Metadata["containerimage.config"])); diff != "" {
			fail("configs of upstream (-) and stagecraft (+):\n%s", diff)
		}
		if got := resultOf(t, ours); got.digest != head.digest {
			fail("the last step is not upstream's:\n%s", cmp.Diff(head.text, got.text))
		}
		return true
	}
	copied := resultOf(t, ours)
	if head.digest == "" {
		return true // nothing to copy
	}
	for _, in := range copied.op.GetInputs() {
		if in.Digest == head.digest {
			return true
		}
	}
	fail("the steps of upstream (-) are not copied from (+):\n%s", cmp.Diff(head.text, copied.text))
	return true
}

// result is the op that a build gives; without a digest for an empty one.
type result struct {
	digest string
	op     *pb.Op
	text   string
}

func resultOf(t *testing.T, c *gatewaytest.Client) result {
	t.Helper()
	def := lastSolved(c).Definition
	head := headOf(t, def)
	if head == "" {
		return result{}
	}
	text, err := gatewaytest.Vertices(def)
	if err != nil {
		t.Fatal(err)
	}
	for _, dt := range def.Def {
		if digest.FromBytes(dt).String() == head {
			op := &pb.Op{}
			if err := op.UnmarshalVT(dt); err != nil {
				t.Fatal(err)
			}
			return result{head, op, text}
		}
	}
	t.Fatal("the definition lacks its own head")
	return result{}
}

func lastSolved(c *gatewaytest.Client) client.SolveRequest { return c.Solved[len(c.Solved)-1] }
