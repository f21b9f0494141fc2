package frontend_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestLongFilesShowTheirLines guards that what an error has of a long file shows the same lines as
// the whole of it.
func TestLongFilesShowTheirLines(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		count := 2000 + r.IntN(3000)
		lines := make([]string, count)
		for i := range lines {
			lines[i] = strings.Repeat("x", r.IntN(120)) + fmt.Sprint(i)
		}
		data := strings.Join(lines, "\n") + strings.Repeat("\n", r.IntN(3))
		var ranges []parser.Range
		for range r.IntN(3) {
			start := 1 + r.IntN(count)
			if r.IntN(3) == 0 {
				start = count - r.IntN(6)
			}
			ranges = append(ranges, parser.Range{Start: parser.Position{Line: start}, End: parser.Position{Line: min(start+r.IntN(4), count)}})
		}
		print := func(data string) string {
			s := errdefs.Source{Info: &pb.SourceInfo{Data: []byte(data), Filename: "f"}}
			for _, r := range ranges {
				s.Ranges = append(s.Ranges, &pb.Range{Start: &pb.Position{Line: int32(r.Start.Line)}, End: &pb.Position{Line: int32(r.End.Line)}})
			}
			var out strings.Builder
			if err := s.Print(&out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		got := string(frontend.ShownLines([]byte(data), ranges))
		if print(got) != print(data) {
			t.Fatalf("%v of %d lines:\n%s\nand not\n%s", ranges, count, print(got), print(data))
		}
		if lines := strings.ReplaceAll(got, "\n", ""); len(ranges) == 1 && len(lines) > 4_000 {
			t.Errorf("%d bytes are there for %v", len(lines), ranges)
		}
	}
}

// TestAnswersFitIntoMessages guards that an answer that no message holds is an error that says so.
func TestAnswersFitIntoMessages(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("ARG P\nFROM alpine AS a\nARG V\nRUN echo $V\nFROM scratch\n")
	for i := range 300 {
		text.WriteString("COPY --from=a(V=[")
		for j := range 10 {
			fmt.Fprintf(&text, "${P}%d-%d,", i, j)
		}
		text.WriteString("last]) / /\n")
	}
	b := gatewaytest.Dockerfile(text.String(), "requestid", "frontend.graph", "build-arg:P", strings.Repeat("x", 6000))
	_, err := frontend.Build(t.Context(), gatewaytest.New(b))
	if err == nil || !strings.Contains(err.Error(), "bytes, and a message to the builder 16777216 at most: ask for fewer targets") {
		t.Errorf("got %.300v", err)
	}
}
