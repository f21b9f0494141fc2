package llbgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/internal/tree"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// SizeRequest is the request that Sizes answers.
const SizeRequest = "frontend.size"

// Sizes is what measures the stages of a build.
type Sizes struct {
	// Definition gives files, each the tree.Report of one stage as JSON.
	Definition *llb.Definition
	// Root is the target, Stages are all, each behind those that it needs.
	Root   *plan.Instance
	Stages []Sized
}

// Sized is one stage.
type Sized struct {
	*plan.Instance
	// File has its report; empty for a stage that has no files.
	File string
	// Lines are what made each state of the report.
	Lines []report.SizeLine
	// Image is what the stage is built FROM in the end: stages with the same one share it.
	Image string
}

// measuredSize is a step that measures a stage.
type measuredSize struct {
	step  digest.Digest
	lines []report.SizeLine
	image string
}

// markedOf returns the instance of which a step measures the tree; nil for any other vertex.
func (b *build) markedOf(meta llb.OpMetadata) *plan.Instance {
	mark, ok := meta.Description[measured]
	if !ok {
		return nil
	}
	id, _ := strconv.Atoi(mark) // as measure wrote it
	return b.plan.Instances[id]
}

// noteSize notes a step that measures a stage.
func (b *build) noteSize(l *linker, of *plan.Instance, step digest.Digest, states []*pb.Input) {
	if _, known := b.sizes[of]; known {
		return
	}
	m := measuredSize{step: step}
	for i, at := range states {
		if i == 0 {
			m.image = at.Digest
		}
		from := l.lineOf(at)
		m.lines = append(m.lines, report.SizeLine{File: from.File, Line: from.Number, Text: from.Text})
	}
	b.sizes[of] = m
}

// Sizes converts the target for platform, without gates, and what measures it and all stages that it
// needs.
func (g *Generator) Sizes(ctx context.Context, platform *ocispecs.Platform) (*Sizes, error) {
	if g.file == nil { // what upstream says is wrong with it
		_, err := g.Image(ctx, platform, true)
		return nil, cmp.Or(err, errors.New("internal error: the file was not read"))
	}
	b, err := g.build(ctx, g.options(platform, true), true)
	if err != nil {
		return nil, err
	}
	if root := b.main.Root; root.Replaced {
		return nil, root.From.Locate(fmt.Errorf("%s is a named context in this build: there is no stage to measure", root.Name))
	}
	img, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	out := &Sizes{Definition: &llb.Definition{Metadata: map[digest.Digest]llb.OpMetadata{}, Constraints: img.Definition.Constraints}, Root: b.main.Root}
	for _, def := range append([]*llb.Definition{img.Definition}, img.Gates...) {
		out.add(def)
	}
	var inputs []*pb.Input
	needed := lower.Needed(out.Root)
	for _, inst := range b.plan.Instances {
		if !needed[inst] || inst.Limit() == nil {
			continue
		}
		stage := Sized{Instance: inst}
		if m, ok := b.sizes[inst]; ok {
			stage.File, stage.Lines, stage.Image = "/"+strconv.Itoa(len(inputs)), m.lines, m.image
			inputs = append(inputs, &pb.Input{Digest: string(m.step)})
		}
		out.Stages = append(out.Stages, stage)
	}
	return out, out.collect(inputs)
}

// add adds what a definition has, its end aside.
func (s *Sizes) add(def *llb.Definition) {
	for _, dt := range def.Def[:max(0, len(def.Def)-1)] {
		dgst := digest.FromBytes(dt)
		if _, known := s.Definition.Metadata[dgst]; !known {
			s.Definition.Def = append(s.Definition.Def, dt)
			s.Definition.Metadata[dgst] = def.Metadata[dgst]
		}
	}
	if s.Definition.Source == nil {
		s.Definition.Source = def.Source
	}
}

// collect ends the definition with one directory of all reports.
func (s *Sizes) collect(steps []*pb.Input) error {
	if len(steps) == 0 {
		s.Definition = nil
		return nil
	}
	op := &pb.Op{Inputs: steps}
	file := &pb.FileOp{}
	for i := range steps {
		copied := &pb.FileActionCopy{Src: "/" + path.Base(tree.Out), Dest: "/" + strconv.Itoa(i), Mode: -1, Timestamp: -1}
		action := &pb.FileAction{Input: int64(len(steps) + i - 1), SecondaryInput: int64(i), Output: -1, Action: &pb.FileAction_Copy{Copy: copied}}
		if i == 0 {
			action.Input = -1
		}
		if i == len(steps)-1 {
			action.Output = 0
		}
		file.Actions = append(file.Actions, action)
	}
	op.Op = &pb.Op_File{File: file}
	dt, err := marshalOp(op)
	if err != nil {
		return err
	}
	dgst := digest.FromBytes(dt)
	end, err := marshalOp(&pb.Op{Inputs: []*pb.Input{{Digest: string(dgst)}}})
	if err != nil {
		return fmt.Errorf("failed to write LLB: %w", err)
	}
	s.Definition.Def = append(s.Definition.Def, dt, end)
	s.Definition.Metadata[dgst] = llb.OpMetadata{
		Description: map[string]string{"llb.customname": "[internal] sizes"},
		Caps:        map[apicaps.CapID]bool{pb.CapFileBase: true, pb.CapMetaDescription: true},
	}
	return nil
}
