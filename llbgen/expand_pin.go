package llbgen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// PinSources returns a definition with the repositories and files in it as a lock pins them,
// its vertices in their order.
type PinSources func(*pb.Definition) (*pb.Definition, error)

// wanted is what a plain file has to build to on one platform.
type wanted struct {
	*Image
	// pins are the repositories and files that a lock pins, by what they are without it.
	pins map[string]*pb.SourceOp
}

// want converts a plan in the way of plain Dockerfiles, and pins its sources.
func (g *Generator) want(ctx context.Context, p *plan.Plan, platform *ocispecs.Platform, pin PinSources) (*wanted, error) {
	b, err := g.newBuildWith(g.options(platform, true), p, nil, lower.Options{Plain: true})
	if err != nil {
		return nil, err
	}
	img, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	out := &wanted{Image: img, pins: map[string]*pb.SourceOp{}}
	pinned := func(def *llb.Definition) (*llb.Definition, error) {
		after, err := pin(def.ToPB())
		if err != nil {
			return nil, err
		}
		now := &llb.Definition{Def: after.Def}
		return now, eachSource(def, func(i int, before *pb.SourceOp) error {
			var op pb.Op
			if err := op.UnmarshalVT(now.Def[i]); err != nil {
				return fmt.Errorf("failed to read LLB: %w", err)
			}
			if src := op.GetSource(); !src.EqualVT(before) {
				out.pins[sourceKey(before)] = src
			}
			return nil
		})
	}
	if img.Definition, err = pinned(img.Definition); err != nil {
		return nil, err
	}
	for i, gate := range img.Gates {
		if img.Gates[i], err = pinned(gate); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachSource calls do with each source of a definition, and the number of its vertex.
func eachSource(def *llb.Definition, do func(vertex int, op *pb.SourceOp) error) error {
	for i, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return fmt.Errorf("failed to read LLB: %w", err)
		}
		if src := op.GetSource(); src != nil {
			if err := do(i, src); err != nil {
				return err
			}
		}
	}
	return nil
}

// sourceKey is equal for equal sources.
func sourceKey(op *pb.SourceOp) string {
	key := op.Identifier
	for _, name := range slices.Sorted(maps.Keys(op.Attrs)) {
		key += "\n" + name + "=" + op.Attrs[name]
	}
	return key
}

// pinsOf finds the lines of a plain file that take what a lock pins.
func (g *Generator) pinsOf(ctx context.Context, plans []*plan.Plan, platforms []*ocispecs.Platform, wants []*wanted, e *lower.Expansion, text []byte) (map[lower.PinLine]lower.Pin, error) {
	out := map[lower.PinLine]lower.Pin{}
	targets := []string{""}
	if e.Checks != "" {
		targets = append(targets, e.Checks)
	}
	for i, want := range wants {
		if len(want.pins) == 0 {
			continue
		}
		for _, target := range targets {
			_, def, err := g.convertPlain(ctx, plans[i], platforms[i], len(platforms), text, target)
			if err != nil {
				return nil, err
			}
			err = eachSource(def, func(vertex int, op *pb.SourceOp) error {
				pinned := want.pins[sourceKey(op)]
				if pinned == nil {
					return nil
				}
				lines, err := linesOf(def, vertex)
				if err != nil {
					return err
				}
				pin, what, err := plainPin(pinned)
				for _, line := range lines {
					at, ok := e.Of(line)
					if !ok {
						continue
					}
					if err == nil && (at.In.Keyword != command.Add || at.In.OnBuild) {
						err = fmt.Errorf("the line adds %s where an image has it as a trigger, and a lock pins that: no plain form", what)
					}
					key := lower.PinLine{Platform: i, Part: at.Part, In: at.In}
					if other, ok := out[key]; err == nil && ok && other != pin {
						err = fmt.Errorf("a lock pins more than one thing that the line adds, %s among them: give each URL an ADD of its own", what)
					}
					if err != nil {
						return at.In.ErrorOfLine(err)
					}
					out[key] = pin
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// linesOf returns the lines of a text that use a source, which the converter gives no line of
// its own.
func linesOf(def *llb.Definition, vertex int) ([]int, error) {
	var lines []int
	of := digest.FromBytes(def.Def[vertex]).String()
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		if !slices.ContainsFunc(op.Inputs, func(in *pb.Input) bool { return in.Digest == of }) {
			continue
		}
		for _, location := range def.Source.GetLocations()[digest.FromBytes(dt).String()].GetLocations() {
			for _, r := range location.Ranges {
				lines = append(lines, int(r.Start.GetLine()))
			}
		}
	}
	return lines, nil
}

// plainPin returns how an ADD says what a lock pins, and what that is, in messages.
func plainPin(op *pb.SourceOp) (pin lower.Pin, what string, err error) {
	if sum := op.Attrs[pb.AttrHTTPChecksum]; sum != "" {
		return lower.Pin{Checksum: sum}, source.WithoutCredentials(op.Identifier), nil
	}
	remote := op.Attrs[pb.AttrFullRemoteURL]
	what = source.WithoutCredentials(remote)
	if what != remote {
		return pin, what, fmt.Errorf("the URL of %s holds a user or a password, which a plain file would show: write checksum=COMMIT into the URL", what)
	}
	_, fragment, _ := strings.Cut(op.Identifier, "#")
	ref, folder, _ := strings.Cut(fragment, ":")
	commit := op.Attrs[pb.AttrGitChecksum]
	if commit == "" { // of an engine that fetches no commit for a ref
		commit, ref = ref, ""
	}
	query := []string{lock.GitQuery(ref, commit, op.Attrs[pb.AttrGitFetchByCommit] == "true")}
	add := func(set bool, field string) {
		if set {
			query = append(query, field)
		}
	}
	add(folder != "", "subdir="+lock.EscapeRef(folder))
	add(op.Attrs[pb.AttrKeepGitDir] == "true", "keep-git-dir=true")
	add(op.Attrs[pb.AttrGitSkipSubmodules] == "true", "submodules=false")
	add(op.Attrs[pb.AttrGitMTime] != "", "mtime="+op.Attrs[pb.AttrGitMTime])
	pin.URL = remote + "?" + strings.Join(query, "&")
	if strings.ContainsAny(pin.URL, "\\\"'$`") {
		return pin, what, errors.New("a lock pins the repository, and its URL holds a letter that means something to a Dockerfile: write checksum=COMMIT into the URL")
	}
	return pin, what, nil
}
