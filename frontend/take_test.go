package frontend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestTakenValuesAreThoseOfAPlainLine puts ENV --from and LABEL --from between the lines of
// made-up files: each gives the steps and the config of the line that says the values itself.
// With --file there is nothing more than what has the file.
func TestTakenValuesAreThoseOfAPlainLine(t *testing.T) {
	t.Parallel()
	compareFiles(t, 700, requireTaken)
}

func FuzzTakenValues(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireTaken(t, seed) })
}

// taken are values as a line of a Dockerfile has them, and as they are.
var taken = [][2]string{
	{`1.2.3`, `1.2.3`}, {`"two words"`, `two words`}, {`''`, ``}, {`\$HOME`, `$HOME`}, {`"a\"b"`, `a"b`}, {`ünï`, `ünï`}, {`"a=b # c"`, `a=b # c`}, {`/opt/bin:/bin`, `/opt/bin:/bin`},
}

func requireTaken(t *testing.T, seed uint64) bool {
	t.Helper()
	text, opts := dockerfilegen.Generate(seed)
	delete(opts, "attest:sbom")
	if strings.HasPrefix(opts["platform"], "windows") || strings.Contains(text, "escape=`") {
		return false // other values would have to be written
	}
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return false
	}
	r := rand.New(rand.NewPCG(seed, 17))
	ours, theirs := strings.SplitAfter(text, "\n"), strings.SplitAfter(text, "\n")
	var source, file strings.Builder
	fromFile := r.IntN(4) == 0
	n, inStage := 0, false
	first := 0
	for _, node := range parsed.AST.Children {
		if strings.EqualFold(node.Value, "from") && !inStage {
			inStage, first = true, node.StartLine-1
		}
		last := node.EndLine - 1
		if !inStage || r.IntN(3) > 0 || !strings.HasSuffix(ours[last], "\n") {
			continue
		}
		keyword := []string{"ENV", "LABEL"}[r.IntN(2)]
		value := taken[r.IntN(len(taken))]
		n++
		name := fmt.Sprint("TAKEN", n)
		set := name
		if keyword == "ENV" && r.IntN(4) == 0 {
			set = []string{"A", "B", "VERSION", "PATH", "BASE"}[r.IntN(5)] // names that others have
		}
		fmt.Fprintf(&source, "ENV %s=%s\n", name, value[0])
		fmt.Fprintf(&file, "%s=%s\n", name, value[1])
		flags := ""
		if fromFile {
			flags = " --file=/taken.env"
		}
		spelling := []string{"", "#+ "}[r.IntN(2)]
		ours[last] += fmt.Sprintf("%s%s --from=taken%s %s=$%s\n", spelling, keyword, flags, set, name)
		theirs[last] += fmt.Sprintf("%s %s=%s\n", keyword, set, value[0])
	}
	if n == 0 {
		return false
	}
	stage := "FROM scratch AS taken\n" + source.String()
	if fromFile {
		stage = "FROM scratch AS taken\nCOPY taken.env /taken.env\n"
	}
	build := func(lines []string, with client.BuildFunc) ([]string, error) {
		lines = slices.Insert(slices.Clone(lines), first, stage)
		b := gatewaytest.Dockerfile(strings.Join(lines, ""))
		b.Files["context"]["taken.env"] = file.String()
		maps.Copy(b.Opts, opts)
		out, err := canonicalResult(t, b, with)
		return withoutHistory(t, out), err
	}
	want, err := build(theirs, builder.Build)
	if err != nil {
		return false
	}
	got, err := build(ours, frontend.Build)
	if err != nil && (strings.Contains(err.Error(), "not known here") || strings.Contains(err.Error(), "is lost on") || strings.Contains(err.Error(), "has no file")) {
		return false // a place that is static, or another context
	}
	only := func(a, b []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) || fromFile && strings.HasPrefix(line, " ") }), "\n") // the end of the definition
	}
	if missing, more := only(want, got), only(got, want); err != nil || missing != "" || more != "" && !fromFile {
		t.Errorf("%s\n%s\n%v\n%v\nupstream alone:\n%s\nstagecraft alone:\n%s", stage, strings.Join(ours, ""), opts, err, missing, more)
	}
	return true
}

// withoutHistory leaves the history out of the configs of a result.
func withoutHistory(t *testing.T, result []string) []string {
	t.Helper()
	for i, line := range result {
		key, text, _ := strings.Cut(line, " ")
		var img dockerspec.DockerOCIImage
		if !strings.HasPrefix(key, "containerimage.config") || json.Unmarshal([]byte(text), &img) != nil {
			continue
		}
		img.History = nil
		slices.Sort(img.Config.Env)
		dt, err := json.Marshal(img)
		if err != nil {
			t.Fatal(err)
		}
		result[i] = key + " " + string(dt)
	}
	return result
}

// valuesFile is a build in which two lines take values out of one file, and two out of a config.
func valuesFile(content string, opts ...string) gatewaytest.Build {
	b := gatewaytest.Dockerfile(`FROM scratch AS version
COPY v.env /v.env
FROM debian AS config
RUN never
FROM alpine
ENV --from=version --file=/v.env A
LABEL --from=version --file=/v.env a=$A
ENV --from=config B=$BASE
ENV --from=debian C=$BASE
`, opts...)
	b.Files["context"]["v.env"] = content
	return b
}

// TestValuesCostOneLookUpEach counts the round trips of a build: one solve for each file, no step
// for a config.
func TestValuesCostOneLookUpEach(t *testing.T) {
	t.Parallel()
	c := gatewaytest.New(valuesFile("A=1\n"))
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"Solve": 4, "ReadFile": 4} // the Dockerfile, the ignore file under two names, the values; the result
	for call, n := range want {
		if c.Calls[call] != n {
			t.Errorf("%d round trips of %s, not %d: %v", c.Calls[call], call, n, c.Calls)
		}
	}
	for call, n := range c.Calls {
		if strings.HasPrefix(call, "Resolve") && n != 1 {
			t.Errorf("%d times %s", n, call)
		}
	}
	for _, req := range c.Solved {
		for step := range stepsOf(t, req.Definition) {
			if strings.Contains(step, "never") {
				t.Errorf("a step runs: %s", step)
			}
		}
	}
}

// TestQuestionsBuildNothing asks all calls: none of them solves what has a file.
func TestQuestionsBuildNothing(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"frontend.lint", "frontend.outline", "frontend.targets", "frontend.graph", "frontend.bake", "frontend.lock", "frontend.expand"} {
		c := gatewaytest.New(valuesFile("A=1\n", "requestid", call))
		_, err := frontend.Build(t.Context(), c)
		if (err != nil) != (call == "frontend.expand") {
			t.Errorf("%s: %v", call, err)
		}
		for _, req := range c.Solved {
			if req.Evaluate {
				t.Errorf("%s builds something", call)
			}
		}
	}
}

// TestFilesOfValuesAreBounded reads a file up to its limit, and refuses what is no text.
func TestFilesOfValuesAreBounded(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"A=1\n" + strings.Repeat("#\n", 1<<19-2):       "",
		"A=1\n" + strings.Repeat("#\n", 1<<19-2) + "#": "/v.env of version is larger than 1 MiB",
		"A=" + strings.Repeat("x", 70_000) + "\n":      "/v.env of version, line 1: the line has 64 KiB or more",
		"A=\xff\n":          "/v.env of version is not UTF-8",
		"A=a\x00b\n":        "is not one line of text",
		"A=a\rb\n":          "is not one line of text",
		"\ufeffA=1\r\n\r\n": "",
		"":                  "has no line of the form KEY=VALUE",
	} {
		_, err := frontend.Build(t.Context(), gatewaytest.New(valuesFile(content)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, not %q", content, err, want)
		}
	}
}
