package llbgen

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// linker joins the definitions of units into one: in place of the image that
// stands for a unit comes the unit, and equal local sources become one source
// with the paths that any unit needs, so that each is transferred once.
type linker struct {
	build  *build
	locals map[string]*localSource
	seen   map[digest.Digest]struct{}
	heads  map[part]*pb.Input
	// ops are those of out by digest, kept for a build that reads trees.
	ops map[string]*pb.Op
	// aside is set for a definition that is no part of the result.
	aside bool
	out   llb.Definition
}

// localSource is what units need of a local directory.
type localSource struct {
	all   bool
	paths map[string]struct{}
}

// link returns def joined with the parts that it needs.
func (b *build) link(ctx context.Context, def *llb.Definition) (*llb.Definition, error) {
	return b.newLinker().link(ctx, def)
}

func (b *build) newLinker() *linker {
	return &linker{build: b, locals: map[string]*localSource{}, seen: map[digest.Digest]struct{}{}, heads: map[part]*pb.Input{}, ops: map[string]*pb.Op{}}
}

func (l *linker) link(ctx context.Context, def *llb.Definition) (*llb.Definition, error) {
	l.out.Metadata = map[digest.Digest]llb.OpMetadata{}
	l.out.Constraints = def.Constraints
	if err := l.collect(ctx, def, map[part]bool{}); err != nil {
		return nil, err
	}
	head, err := l.add(ctx, def)
	if err != nil || head == nil {
		return &l.out, err
	}
	end, err := marshalOp(&pb.Op{Inputs: []*pb.Input{head}})
	if err != nil {
		return nil, err
	}
	l.out.Def = append(l.out.Def, end)
	last := digest.FromBytes(def.Def[len(def.Def)-1])
	l.out.Metadata[digest.FromBytes(end)] = def.Metadata[last]
	return &l.out, nil
}

// linked returns the part that a source op stands for; nil for any other op.
func (b *build) linked(op *pb.Op) part {
	ref, ok := strings.CutPrefix(op.GetSource().GetIdentifier(), "docker-image://"+lower.Host)
	if !ok {
		return nil
	}
	return b.parts[lower.Host+strings.TrimSuffix(ref, ":latest")]
}

// collect notes the paths that def and its units need of each local directory.
func (l *linker) collect(ctx context.Context, def *llb.Definition, seen map[part]bool) error {
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return fmt.Errorf("failed to read LLB: %w", err)
		}
		if u := l.build.linked(&op); u != nil && !seen[u] {
			seen[u] = true
			// the converter may not have asked for what only a trigger needs
			out, err := l.build.convert(ctx, u)
			if err != nil {
				return err
			}
			if err := l.collect(ctx, out.def, seen); err != nil {
				return err
			}
		}
		key, paths, err := localKey(&op)
		if err != nil {
			return err
		}
		if key == "" {
			continue
		}
		source := l.locals[key]
		if source == nil {
			source = &localSource{paths: map[string]struct{}{}}
			l.locals[key] = source
		}
		source.all = source.all || paths == nil
		for _, path := range paths {
			source.paths[path] = struct{}{}
		}
	}
	return nil
}

// localKey returns what makes local sources the same directory, and the paths
// that this one asks for: nil for all. The key of another op is empty.
func localKey(op *pb.Op) (string, []string, error) {
	source := op.GetSource()
	if source == nil || !strings.HasPrefix(source.Identifier, "local://") {
		return "", nil, nil
	}
	attrs := maps.Clone(source.Attrs)
	var paths []string
	if text := attrs[pb.AttrFollowPaths]; text != "" {
		if err := json.Unmarshal([]byte(text), &paths); err != nil {
			return "", nil, fmt.Errorf("failed to read the paths of %s: %w", source.Identifier, err)
		}
	}
	delete(attrs, pb.AttrFollowPaths)
	delete(attrs, pb.AttrLocalUniqueID)
	key, err := json.Marshal(attrs) // in the order of keys
	return source.Identifier + string(key), paths, err
}

// add appends def and the units that it needs, and returns where its result is;
// nil for an empty one.
func (l *linker) add(ctx context.Context, def *llb.Definition) (*pb.Input, error) {
	if len(def.Def) == 0 {
		return nil, nil
	}
	moved := map[string]*pb.Input{} // by the digest before
	var head *pb.Input
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		before := digest.FromBytes(dt)
		if u := l.build.linked(&op); u != nil {
			to, err := l.addUnit(ctx, u)
			if err != nil {
				return nil, err
			}
			moved[string(before)] = to
			continue
		}
		changed, err := l.rewrite(&op, moved)
		if err != nil {
			return nil, err
		}
		if op.Op == nil {
			head = op.Inputs[0]
			break
		}
		marked := l.build.markedOf(def.Metadata[before])
		var states []*pb.Input
		if marked != nil {
			states = l.withStates(&op, marked)
			changed = true
		}
		if changed {
			if dt, err = marshalOp(&op); err != nil {
				return nil, err
			}
		}
		after := digest.FromBytes(dt)
		if l.aside || l.build.toolOf != nil { // another unit may set it beside
			l.ops[string(after)] = &op
		}
		moved[string(before)] = &pb.Input{Digest: string(after)}
		l.append(def, dt, before, after)
		if marked != nil {
			l.unmark(after)
			if marked.Limit().Text == "" && !l.aside {
				l.build.noteSize(l, marked, after, states)
			}
		}
	}
	return head, nil
}

// addUnit appends a unit once.
func (l *linker) addUnit(ctx context.Context, u part) (*pb.Input, error) {
	if head, ok := l.heads[u]; ok {
		return head, nil
	}
	head, err := l.add(ctx, u.known().out.def)
	if err != nil {
		return nil, err
	}
	if head == nil { // a copy of nothing needs an op: the solver has no name for a unit without one
		empty := llb.Scratch().File(llb.Mkdir("/", 0o755), llb.WithCustomNamef("[%s] empty", u.title()))
		def, err := empty.Marshal(ctx)
		if err != nil {
			return nil, fmt.Errorf("failed to make an empty stage: %w", err)
		}
		if head, err = l.add(ctx, def); err != nil {
			return nil, err
		}
	}
	l.heads[u] = head
	return head, nil
}

// rewrite makes the op's inputs those of the joined definition.
func (l *linker) rewrite(op *pb.Op, moved map[string]*pb.Input) (bool, error) {
	changed := false
	for _, in := range op.Inputs {
		to, ok := moved[in.Digest]
		if !ok {
			return false, fmt.Errorf("the LLB has no op %s", in.Digest)
		}
		changed = changed || to.Digest != in.Digest || to.Index != 0
		in.Digest = to.Digest
		in.Index += to.Index // a unit's image has one output, number 0
	}
	key, _, err := localKey(op)
	if err != nil || key == "" {
		return changed, err
	}
	source, attrs := l.locals[key], op.GetSource().Attrs
	if source.all {
		_, had := attrs[pb.AttrFollowPaths]
		delete(attrs, pb.AttrFollowPaths)
		return changed || had, nil
	}
	text, err := json.Marshal(slices.Sorted(maps.Keys(source.paths)))
	if err != nil {
		return false, err
	}
	changed = changed || attrs[pb.AttrFollowPaths] != string(text)
	attrs[pb.AttrFollowPaths] = string(text)
	return changed, nil
}

// append adds an op with what belongs to it, once.
func (l *linker) append(def *llb.Definition, dt []byte, before, after digest.Digest) {
	if _, ok := l.seen[after]; ok {
		l.out.Metadata[after] = mergeMetadata(l.out.Metadata[after], def.Metadata[before])
		return
	}
	l.seen[after] = struct{}{}
	l.out.Def = append(l.out.Def, dt)
	l.out.Metadata[after] = def.Metadata[before]
	if def.Source == nil {
		return
	}
	if l.out.Source == nil {
		l.out.Source = &pb.Source{Locations: map[string]*pb.Locations{}}
	}
	list, ok := def.Source.Locations[string(before)]
	if !ok {
		return
	}
	moved := &pb.Locations{}
	for _, location := range list.Locations {
		location = location.CloneVT()
		location.SourceIndex = l.source(def.Source.Infos[location.SourceIndex])
		moved.Locations = append(moved.Locations, location)
	}
	l.out.Source.Locations[string(after)] = moved
}

// mergeMetadata joins what belongs to equal ops, as package llb does within one
// definition. The name is that of the first one.
func mergeMetadata(a, b llb.OpMetadata) llb.OpMetadata {
	a.IgnoreCache = a.IgnoreCache || b.IgnoreCache
	a.Caps = maps.Clone(a.Caps)
	maps.Copy(a.Caps, b.Caps)
	if b.ExportCache != nil {
		a.ExportCache = b.ExportCache
	}
	if b.LinuxResources != nil {
		a.LinuxResources = b.LinuxResources
	}
	return a
}

// source returns the index of a file among those of the joined definition.
func (l *linker) source(info *pb.SourceInfo) int32 {
	i := slices.IndexFunc(l.out.Source.Infos, func(other *pb.SourceInfo) bool {
		return other.Filename == info.Filename && cmp.Compare(len(other.Data), len(info.Data)) == 0 && string(other.Data) == string(info.Data)
	})
	if i < 0 {
		i = len(l.out.Source.Infos)
		l.out.Source.Infos = append(l.out.Source.Infos, info)
	}
	return int32(i)
}

// marshalOp encodes an op as package llb does.
func marshalOp(op *pb.Op) ([]byte, error) {
	dt, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
	if err != nil {
		return nil, fmt.Errorf("failed to write LLB: %w", err)
	}
	return dt, nil
}
