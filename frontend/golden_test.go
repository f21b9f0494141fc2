package frontend_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

var update = flag.Bool("update", false, "write what the golden cases of testdata/cases give now")

// TestGolden runs the cases of testdata/cases: each is a build, and all that a
// user sees of it.
//
// The archive's comment says what the case guards, gatewaytest.Case what its files
// are. "want" is what the build gives: its vertices, configs and warnings, the
// text of a request, or the error, with its places as file:line:column.
func TestGolden(t *testing.T) {
	t.Parallel()
	for file, archive := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			got := goldenRun(t, archive)
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if i >= 0 {
					archive.Files = slices.Delete(archive.Files, i, i+1)
				}
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 {
				t.Fatal("the case has no want: run go test ./frontend -run TestGolden -update")
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("want (-) and got (+):\n%s", diff)
			}
		})
	}
}

// cases returns the golden cases by file.
func cases(tb testing.TB) map[string]*txtar.Archive {
	tb.Helper()
	return archives(tb, "cases")
}

// goldenRun builds a case and tells all that a user sees.
func goldenRun(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	b := caseOf(t, archive)
	c := gatewaytest.New(b)
	res, err := frontend.Build(t.Context(), c)
	var out strings.Builder
	switch {
	case err != nil:
		for range 2 { // to the daemon, and to its client
			err = grpcerrors.FromGRPC(grpcerrors.ToGRPC(t.Context(), err))
		}
		fmt.Fprintf(&out, "error: %s\n", err)
		for _, s := range errdefs.Sources(err) {
			for _, r := range s.Ranges {
				fmt.Fprintf(&out, "at %s:%d:%d-%d:%d\n", s.Info.Filename, r.Start.Line, r.Start.Character, r.End.Line, r.End.Character)
			}
		}
	case b.Opts["requestid"] != "":
		text := res.Metadata["result.txt"]
		if len(text) == 0 {
			text = withoutSources(t, res.Metadata["result.json"])
		}
		out.Write(text)
	default:
		goldenBuild(t, &out, c, res)
	}
	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, goldenWarning(w))
	}
	slices.Sort(warnings)
	out.WriteString(strings.Join(warnings, ""))
	for _, surprise := range c.Surprises(res, err) {
		t.Error(surprise)
	}
	// txtar files end with a line end
	return strings.TrimSuffix(out.String(), "\n") + "\n"
}

// goldenBuild tells what a build solves and the configs that it gives.
func goldenBuild(t *testing.T, out *strings.Builder, c *gatewaytest.Client, res *client.Result) {
	t.Helper()
	var solved []string
	for _, req := range c.Solved {
		if req.Definition == nil || len(req.Definition.Def) == 0 {
			continue
		}
		text, err := gatewaytest.Vertices(req.Definition)
		if err != nil {
			t.Fatal(err)
		}
		solved = append(solved, text)
	}
	slices.Sort(solved) // platforms run side by side
	for _, text := range solved {
		if !strings.HasPrefix(text, "1 [internal] load") { // the Dockerfile and its .dockerignore
			fmt.Fprintf(out, "%s\n", text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(res.Metadata)) {
		if !strings.HasPrefix(key, "containerimage.config") {
			continue
		}
		var img dockerspec.DockerOCIImage
		if err := json.Unmarshal(res.Metadata[key], &img); err != nil {
			t.Fatal(err)
		}
		dt, err := json.Marshal(img.Config)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "%s %s\n", strings.TrimPrefix(key, "containerimage."), dt)
		for _, h := range img.History {
			fmt.Fprintf(out, "    %s\n", h.CreatedBy)
		}
	}
}

// goldenWarning tells a warning with its places and its page.
func goldenWarning(w gatewaytest.Warning) string {
	text := fmt.Sprintf("warning: %s\n", w.Message)
	for _, r := range w.Range {
		text += fmt.Sprintf("at %s:%d:%d-%d:%d\n", w.SourceInfo.GetFilename(), r.Start.Line, r.Start.Character, r.End.Line, r.End.Character)
	}
	return text + "see " + w.URL + "\n"
}

// withoutSources drops the copies of the file from the answer of a request.
func withoutSources(t *testing.T, dt []byte) []byte {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal(dt, &answer); err != nil {
		t.Fatal(err)
	}
	delete(answer, "sources")
	dt, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(dt, '\n')
}
