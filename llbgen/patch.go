package llbgen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// patch changes ops of def into what they stand for: the text has a COPY for
// what plain Dockerfiles have no word for.
func (b *build) patch(ctx context.Context, u *unit, def *llb.Definition) (*llb.Definition, error) {
	if !u.patched() {
		return def, nil
	}
	out := &llb.Definition{Metadata: map[digest.Digest]llb.OpMetadata{}, Source: def.Source, Constraints: def.Constraints}
	moved := map[string]*pb.Input{} // by the digest before
	sources := map[string]part{}    // by the same
	for _, dt := range def.Def {
		before := digest.FromBytes(dt)
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		changed := false
		for _, in := range op.Inputs {
			if to, ok := moved[in.Digest]; ok {
				in.Digest, in.Index, changed = to.Digest, in.Index+to.Index, true
			}
		}
		meta := def.Metadata[before]
		meta.IgnoreCache = meta.IgnoreCache || u.runsAlways(def.Source, before)
		gate, err := u.gateOf(def.Source, before, &op)
		if err != nil {
			return nil, err
		}
		if gate != nil && gate.Limit != nil {
			if err := b.measure(ctx, u, gate.Limit, &op, out, before, meta.IgnoreCache); err != nil {
				return nil, err
			}
			changed = true
			if same := op.GetFile().Actions[0].Input; gate.Limit.Text == "" && u.file.Gates.Stage == "" && same >= 0 { // nothing waits
				moved[string(before)] = op.Inputs[same]
				continue
			}
		}
		if gate != nil && u.file.Gates.Stage == "" {
			same := waitFor(gate, &op, &meta)
			if same != nil { // it waits for what it is built FROM
				moved[string(before)] = same
				continue
			}
			changed = true
		} else if unpack, ok := u.unpacks(def.Source, before); ok {
			changed = unpackCopies(&op, unpack) || changed
			for key, text := range meta.Description {
				text = strings.Replace(text, "] COPY ", "] ADD ", 1)
				meta.Description[key] = strings.Replace(text, "] LINK COPY ", "] LINK ADD ", 1)
			}
		}
		if u.needs {
			sources[string(before)] = b.linked(&op)
			if from := u.originOf(def.Source, before); from.In != nil && from.In.Needed && op.GetFile() != nil {
				changed = true
				if err := b.addNeeded(ctx, from, &op, sources, out, before, meta.IgnoreCache); err != nil {
					return nil, err
				}
			}
		}
		if u.skipsMissing(def.Source, before) {
			changed = true
			parents := skipMissing(&op)
			for _, number := range slices.Sorted(maps.Keys(parents)) {
				dt, meta, err := makeParents(&op, op.Inputs[number], parents[number])
				if err != nil {
					return nil, err
				}
				dgst := digest.FromBytes(dt)
				out.Def = append(out.Def, dt)
				out.Metadata[dgst] = meta
				if locations, ok := def.Source.GetLocations()[string(before)]; ok { // it may fail
					out.Source.Locations[string(dgst)] = locations.CloneVT()
				}
				copyFrom(&op, number, dgst)
			}
		}
		after := before
		if changed {
			var err error
			if dt, err = marshalOp(&op); err != nil {
				return nil, err
			}
			after = digest.FromBytes(dt)
			moved[string(before)] = &pb.Input{Digest: string(after)}
			if locations, ok := def.Source.GetLocations()[string(before)]; ok {
				delete(def.Source.Locations, string(before))
				out.Source.Locations[string(after)] = locations
			}
		}
		out.Def = append(out.Def, dt)
		out.Metadata[after] = meta
	}
	if u.file.Gates.Stage != "" {
		return u.joinGates(out)
	}
	return out, nil
}

// patched reports whether the LLB of the unit is not what the converter made.
func (u *unit) patched() bool { return u.adds || u.skips || u.needs || u.reruns || u.file.Gates.Any() }

// runsAlways reports whether a vertex comes from a RUN --no-cache, if not from it
// alone.
func (u *unit) runsAlways(source *pb.Source, vertex digest.Digest) bool {
	if !u.reruns {
		return false
	}
	for _, location := range source.GetLocations()[string(vertex)].GetLocations() {
		for _, r := range location.Ranges {
			if o, ok := u.file.Of(int(r.Start.Line)); ok && o.In.NoCache {
				return true
			}
		}
	}
	return false
}

func unpackCopies(op *pb.Op, unpack bool) (changed bool) {
	for _, action := range op.GetFile().GetActions() {
		if c := action.GetCopy(); c != nil && unpack {
			c.AttemptUnpackDockerCompatibility, changed = true, true
		}
	}
	return changed
}

// unpacks reports whether a vertex comes from an ADD --from, and whether that
// unpacks.
func (u *unit) unpacks(source *pb.Source, vertex digest.Digest) (unpack, ok bool) {
	o := u.originOf(source, vertex)
	if o.In == nil || !o.In.AddsFrom() {
		return false, false
	}
	return o.In.Unpacks(), true
}

// ownHistory puts ADD where it stood into the history of the unit's image, and takes
// out what stands for gates. Each instruction has one entry, so the last entries are
// those of the stages that the unit's root is built FROM.
func (u *unit) ownHistory(history []ocispecs.History) []ocispecs.History {
	carries := slices.ContainsFunc(u.Instances, func(inst *plan.Instance) bool { return len(inst.Carried) > 0 })
	if !u.adds && !u.file.Gates.Any() && !carries {
		return history
	}
	at := len(history)
	for inst := u.Root; inst != nil && !inst.Replaced && at >= 0; inst = inst.Base.To {
		gates := min(u.file.Gates.Steps(inst), at)
		history = slices.Delete(history, at-gates, at)
		at -= gates
		for n, in := range slices.Backward(inst.Instructions) {
			if !in.OnBuild {
				for range inst.Variants(in) {
					if at--; at < 0 {
						return history
					}
					if in.AddsFrom() {
						history[at].CreatedBy = "ADD" + strings.TrimPrefix(history[at].CreatedBy, "COPY")
					}
				}
			}
			for range inst.GlobalsBefore(n) {
				at--
			}
		}
		if carried := min(len(inst.Carried), at); carried > 0 {
			history = slices.Delete(history, at-carried, at)
			at -= carried
		}
		if inst.Base.To == nil || u.Sealed(inst.Base) {
			return history
		}
		at -= len(inst.Base.Triggers()) // which run at the top of inst
	}
	return history
}
