package llbgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// counted is what the converter counts in the first part of a stage: the last step and how
// many it says there are. A base image may have triggers that the plan does not know of.
type counted struct{ last, of int }

// ofWholeStage makes the number of a step in the name of a vertex, which is that within a
// part of a stage, the one within the stage.
func (b *build) ofWholeStage(u *unit, name string) string {
	if len(b.below) == 0 { // no stage has parts
		return name
	}
	head, rest, ok := strings.Cut(name, "] ")
	words := strings.Fields(strings.TrimPrefix(head, "["))
	if !ok || len(words) == 0 {
		return name
	}
	var n, of int
	if _, err := fmt.Sscanf(words[len(words)-1], "%d/%d", &n, &of); err != nil {
		return name
	}
	part := u.Root
	if len(words) > 1 {
		if inst := u.stage(words[len(words)-2]); inst != nil {
			part = inst
		}
	}
	if !part.Goes && !part.Base.Within {
		return name
	}
	above, all := b.stepsAround(part, counted{n, of})
	// as wide as upstream writes it
	words[len(words)-1] = fmt.Sprintf("%*d/%d", len(strconv.Itoa(all)), n+above, all)
	return "[" + strings.Join(words, " ") + "] " + rest
}

// stage returns the instance whose stage has a name in the text; nil for none.
func (u *unit) stage(name string) *plan.Instance {
	u.stagesOnce.Do(func() {
		u.stages = make(map[string]*plan.Instance, len(u.Instances))
		for _, inst := range u.Instances {
			u.stages[u.StageName(inst)] = inst
		}
	})
	return u.stages[name]
}

// stepsAround returns what to add to the number of a step in a part, which counts its FROM
// where that has files, and how many steps its stage has. seen is what the step says itself.
func (b *build) stepsAround(part *plan.Instance, seen counted) (above, all int) {
	last := part
	for last.Goes {
		last = b.below[last]
	}
	steps := 0
	for i, p := range last.Parts() {
		if p == part && i > 0 {
			if above = steps; !p.Base.To.Empty() {
				above--
			}
		}
		n := counted{p.Steps(), p.Steps()}
		if i == 0 {
			if p.Base.Sealed || p.Base.To == nil && p.Base.Name != scratch {
				n.last, n.of = n.last+1, n.of+1
			}
			b.mu.Lock()
			if known, ok := b.counted[p]; ok {
				n = known
			}
			if p == part {
				n = counted{max(n.last, seen.last), seen.of}
				b.counted[p] = n
			}
			b.mu.Unlock()
		}
		steps += n.last
		all += n.of
	}
	return above, all
}
