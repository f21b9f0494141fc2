package llbgen

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
	"github.com/stagecraft-build/stagecraft/internal/tree"
)

// A limit of a stage's size (FROM --max-size) is a gate: a step that measures the tree, for which
// all wait that use the stage.

// measured marks the step of a limit in the metadata of its vertex: where units are joined, it learns
// of the states that led to the tree.
const measured = "stagecraft.measured"

// measure puts a step in front of the copy that stands for a limit, and makes that a copy from the
// step: what it copied from is the tree, or what it copies to where a stage can wait.
func (b *build) measure(ctx context.Context, u *unit, limit *plan.Limit, op *pb.Op, out *llb.Definition, before digest.Digest, noCache bool) error {
	t, err := b.useTool(ctx)
	if err != nil {
		return diagnostic.At(limit.Of.From.Place(limit.Of.From.MaxSizeFlag), err)
	}
	action := op.GetFile().Actions[0]
	of := action.SecondaryInput
	if u.file.Gates.Stage == "" {
		of = action.Input
	}
	var states []*pb.Input
	if of >= 0 {
		states = []*pb.Input{op.Inputs[of]}
	}
	title := b.stepTitle(limit.Of)
	args := []string{"max-size", limit.Text, title}
	if limit.Text == "" {
		args = []string{"size", title}
	}
	step, meta := t.step(args, limitEnv(limit, len(states)), states)
	meta.IgnoreCache = noCache || b.noCache(limit.Of)
	dgst, err := b.addStep(t, limit.Of, step, meta, "size of the tree", out, before)
	if err != nil {
		return err
	}
	out.Metadata[dgst].Description[measured] = strconv.Itoa(limit.Of.ID)
	action.SecondaryInput = int64(len(op.Inputs))
	op.Inputs = append(op.Inputs, &pb.Input{Digest: string(dgst)})
	return nil
}

// limitEnv is what the step of a limit has in its environment, but for the lines of its states.
func limitEnv(limit *plan.Limit, states int) []string {
	env := []string{tree.EnvStates + "=" + strconv.Itoa(states)}
	if limit.Text != "" {
		env = append(env, tree.EnvLimit+"="+strconv.FormatInt(limit.Bytes, 10))
	}
	return env
}

// withStates makes the step of a limit one that knows of the states that led to its tree.
func (l *linker) withStates(op *pb.Op, of *plan.Instance) (states []*pb.Input) {
	if len(op.Inputs) < 2 { // an empty tree
		return nil
	}
	states = l.states(op.Inputs[1])
	limit := of.Limit()
	if limit.Text == "" && of != l.build.main.Root { // of which only the size counts
		states = ends(states)
	}
	env := limitEnv(limit, len(states))
	if limit.Text != "" {
		for i, at := range states {
			env = append(env, tree.EnvLine+strconv.Itoa(i)+"="+l.nameOf(at))
		}
	}
	more, _ := l.build.toolOf.step(op.GetExec().Meta.Args[1:], env, states)
	op.Inputs, op.Op = more.Inputs, more.Op
	return states
}

// ends returns the first and the last of some states.
func ends(states []*pb.Input) []*pb.Input {
	if len(states) < 3 {
		return states
	}
	return []*pb.Input{states[0], states[len(states)-1]}
}

// unmark takes the mark of such a step away.
func (l *linker) unmark(step digest.Digest) {
	meta := l.out.Metadata[step]
	meta.Description = maps.Clone(meta.Description)
	delete(meta.Description, measured)
	l.out.Metadata[step] = meta
}

// states returns what led to a tree, each made of the one before: the last one is the tree.
func (l *linker) states(last *pb.Input) []*pb.Input {
	var out []*pb.Input
	for at := last; at != nil; {
		below, made := rootOf(l.ops[at.Digest], at.Index)
		if made {
			out = append(out, at)
		}
		at = below
	}
	slices.Reverse(out)
	return out
}

// rootOf returns the tree that a vertex has changed to make one of its outputs; nil where there is
// none. made is false for a vertex that only waits.
func rootOf(op *pb.Op, output int64) (below *pb.Input, made bool) {
	input := func(n int64) *pb.Input {
		if n < 0 || n >= int64(len(op.Inputs)) {
			return nil
		}
		return op.Inputs[n]
	}
	switch what := op.GetOp().(type) {
	case *pb.Op_Exec:
		for _, m := range what.Exec.Mounts {
			if m.Output == output {
				return input(m.Input), true
			}
		}
	case *pb.Op_File:
		actions := what.File.Actions
		i := slices.IndexFunc(actions, func(a *pb.FileAction) bool { return a.Output == output })
		for i >= 0 {
			from := actions[i].Input
			if from < int64(len(op.Inputs)) {
				return input(from), true
			}
			i = int(from) - len(op.Inputs)
		}
	case *pb.Op_Merge:
		return input(0), true
	case *pb.Op_Passthrough:
		return input(what.Passthrough.Outputs[output]), false
	}
	return nil, true
}

// line is a line of a file.
type line struct {
	File   string
	Number int
	Text   string
}

// nameOf is what the progress calls a vertex, without digests: unlike the number of its line it
// stays what it is when lines above change, and so does the step that shows it. What is very long
// is cut: an environment has an end.
func (l *linker) nameOf(at *pb.Input) string {
	name := pinnedDigest().ReplaceAllString(l.out.Metadata[digest.Digest(at.Digest)].Description["llb.customname"], "")
	if letters := []rune(name); len(letters) > maxName {
		name = string(letters[:maxName-1]) + "…"
	}
	return name
}

// maxName is how many letters of a name a step is told.
const maxName = 200

var pinnedDigest = pattern.New(`@sha256:[0-9a-f]{64}`)

// lineOf returns the line that a vertex comes from, the name of the vertex where none is known.
func (l *linker) lineOf(at *pb.Input) line {
	for _, location := range l.out.Source.GetLocations()[at.Digest].GetLocations() {
		info := l.out.Source.Infos[location.SourceIndex]
		lines := strings.Split(string(info.Data), "\n")
		for _, r := range location.Ranges {
			if n := int(r.Start.Line); 0 < n && n <= len(lines) {
				return line{info.Filename, n, strings.TrimSpace(lines[n-1])}
			}
		}
	}
	return line{Text: l.nameOf(at)}
}
