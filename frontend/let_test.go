package frontend_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// computing makes LETs of ARGs that have a value, in both spellings, and returns the
// names; none when there is nothing to make.
func computing(seed uint64, text string) (string, map[string]bool) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return "", nil
	}
	r := rand.New(rand.NewPCG(seed, 3))
	lines := strings.SplitAfter(text, "\n")
	computed := map[string]bool{}
	inStage, global := false, map[string]bool{}
	for _, node := range parsed.AST.Children {
		inStage = inStage || strings.EqualFold(node.Value, "from")
		match := simpleArg.FindStringSubmatch(lines[node.StartLine-1])
		if match == nil || node.EndLine > node.StartLine || strings.HasPrefix(match[1], "BUILDKIT_") || match[1] == "SOURCE_DATE_EPOCH" {
			continue
		}
		name, expression := match[1], strconv.Quote(strings.Trim(match[2], `"`))
		if match[2] == "${BASE:-none}" {
			expression = `BASE == "" ? "none" : BASE`
		}
		// a default does not count where the name is computed
		if !global[name] && r.IntN(3) == 0 {
			continue
		}
		global[name] = global[name] || !inStage
		computed[name] = true
		word := []string{"LET", "let", "#+ LET"}[r.IntN(3)]
		lines[node.StartLine-1] = fmt.Sprintf("%s %s = %s\n", word, name, expression)
	}
	return strings.Join(lines, ""), computed
}

var simpleArg = regexp.MustCompile(`(?i)^[ \t]*ARG ([A-Z]+)=([\w.:-]*|"[\w .:-]*"|\$\{BASE:-none\})[ \t]*\n$`)

// TestLetEqualsTheValue guards that a computed value is what the same file with the
// value written in gives: ops, configs and all other results.
func TestLetEqualsTheValue(t *testing.T) {
	t.Parallel()
	compareFiles(t, 300, requireLetEqualsValue)
}

func FuzzLet(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { requireLetEqualsValue(t, seed) })
}

func requireLetEqualsValue(t *testing.T, seed uint64) bool {
	t.Helper()
	text, opts := dockerfilegen.Generate(seed)
	delete(opts, "attest:sbom")
	ours, computed := computing(seed, text)
	if len(computed) == 0 {
		return false
	}
	for name := range computed {
		delete(opts, "build-arg:"+name)
	}
	build := func(text string) gatewaytest.Build {
		b := gatewaytest.Dockerfile(text)
		maps.Copy(b.Opts, opts)
		return b
	}
	want, err := buildResult(t, build(text), builder.Build)
	if err != nil {
		return false
	}
	got, err := buildResult(t, build(ours), frontend.Build)
	if err != nil && strings.Contains(err.Error(), " already: ") {
		return false // an ARG of the stage has the name too
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s\nis not\n%s\n%v\nupstream (-) and stagecraft (+):\n%s", ours, text, err, diff)
	}
	return true
}
