package plan

import (
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// TestMarkersAreOfTheirOwnList guards the list of a stage, which the plans of all platforms read at
// once: the lines of its blocks do not go behind its end.
func TestMarkersAreOfTheirOwnList(t *testing.T) {
	t.Parallel()
	block := &syntax.Block{}
	branch := &syntax.Branch{Block: block, Marker: &syntax.Instruction{}}
	block.Branches = []*syntax.Branch{branch}
	list := append(make([]*syntax.Instruction, 0, 4), &syntax.Instruction{Branch: branch})
	if got := len(withMarkers(list)); got != 2 {
		t.Fatalf("the list with markers has %d lines", got)
	}
	if behind := list[:2][1]; behind != nil {
		t.Error("the marker was written into the list of the stage")
	}
}
