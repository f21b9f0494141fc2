package frontend_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestParityOverPlainCases runs the cases of testdata/plain, which are plain
// Dockerfiles that look as if they were not: they are what upstream makes of
// them, also when they are lowered.
func TestParityOverPlainCases(t *testing.T) {
	t.Parallel()
	for file, archive := range archives(t, "plain") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			b := caseOf(t, archive)
			t.Run("plain", func(t *testing.T) { requireParity(t, b) })
			t.Run("lowered", func(t *testing.T) { requireSameWhenLowered(t, b) })
		})
	}
}

// archives returns the archives of a folder of testdata by file.
func archives(tb testing.TB, folder string) map[string]*txtar.Archive {
	tb.Helper()
	files, err := filepath.Glob("../testdata/" + folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatal("no cases found", err)
	}
	out := map[string]*txtar.Archive{}
	for _, file := range files {
		if out[file], err = txtar.ParseFile(file); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func caseOf(tb testing.TB, archive *txtar.Archive) gatewaytest.Build {
	tb.Helper()
	b, err := gatewaytest.Case(archive)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestTargetsOfAFileWithChecks lists the targets of plain files with `# check=` above an
// instruction, at which upstream's own list panics: they are those of the same file with another
// comment there, and the directives at its top stay what they are.
func TestTargetsOfAFileWithChecks(t *testing.T) {
	t.Parallel()
	const file = "# check=skip=JSONArgsRecommended\n# escape=`\n# A file.\n#  Check = skip=StageNameCasing\n" +
		"# app is the program\nFROM alpine `\n AS app\n\t# check=skip=all\nRUN x\n# check=error=true\n# last is what ships\nFROM app AS last\n"
	list := func(ctx context.Context, build client.BuildFunc, text string) targets.List {
		t.Helper()
		res, err := build(ctx, gatewaytest.New(gatewaytest.Dockerfile(text, "requestid", targets.SubrequestsTargetsDefinition.Name)))
		if err != nil {
			t.Fatal(err)
		}
		var l targets.List
		if err := json.Unmarshal(res.Metadata["result.json"], &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	got := list(t.Context(), frontend.Build, file)
	if string(got.Sources[0]) != file {
		t.Errorf("the sources are %q", got.Sources)
	}
	head, rest, _ := strings.Cut(file, "\n")
	rest = regexp.MustCompile(`(?i)check *=`).ReplaceAllString(rest, "nothing:")
	want := list(t.Context(), builder.Build, head+"\n"+rest)
	if want.Sources = got.Sources; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
