package locked

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// Solve solves a definition with its repositories and files as the lock pins them.
func (p *Pins) Solve(ctx context.Context, req client.SolveRequest) (_ *client.Result, err error) {
	defer guard.Recover(&err)
	if !p.Locks() || req.Definition == nil {
		return p.Client.Solve(ctx, req)
	}
	pinned, err := p.Definition(ctx, req.Definition)
	if err != nil {
		return nil, err
	}
	// at once, so that what is wrong with a pin comes back here
	req.Evaluate = req.Evaluate || pinned != req.Definition
	req.Definition = pinned
	res, err := p.Client.Solve(ctx, req)
	if err != nil {
		return nil, p.stale(ctx, err, pinned)
	}
	return res, nil
}

// stale says of an error of a solve which pin of a repository or a file does not hold.
func (p *Pins) stale(ctx context.Context, err error, def *pb.Definition) error {
	for _, dt := range def.Def {
		var op pb.Op
		if op.UnmarshalVT(dt) != nil || op.GetSource() == nil {
			continue
		}
		attrs := op.GetSource().Attrs
		pin := cmp.Or(attrs[pb.AttrHTTPChecksum], attrs[pb.AttrGitChecksum])
		if pin == "" || !strings.Contains(err.Error(), pin) {
			continue
		}
		for _, e := range p.Reached() {
			if e.Pin == pin && e.Before != "" {
				err = fmt.Errorf("%s pins %s to %s, which is not what is there: pass --build-arg STAGECRAFT_LOCK=update:%s to %s: %w", e.Place.Text.Name, e.Source, e.Pin, e.Source, p.Command(ctx), err)
				return p.placed(err, def, digest.FromBytes(dt).String())
			}
		}
	}
	return err
}

// Definition returns a definition in which repositories and files are pinned, as if the
// pin stood in the Dockerfile. Errors have the place of the vertex.
func (p *Pins) Definition(ctx context.Context, def *pb.Definition) (*pb.Definition, error) {
	moved := map[string]string{} // digests, by those before
	out := &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}
	if def.Source != nil {
		out.Source = &pb.Source{Infos: def.Source.Infos, Locations: map[string]*pb.Locations{}}
	}
	for _, dt := range def.Def {
		before := digest.FromBytes(dt).String()
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		changed := false
		for _, in := range op.Inputs {
			if to, ok := moved[in.Digest]; ok {
				in.Digest, changed = to, true
			}
		}
		if src := op.GetSource(); src != nil {
			e, err := p.source(ctx, src, def, before)
			if err != nil {
				return nil, p.placed(p.missed(ctx, err, def, before), def, before)
			}
			if e != nil {
				p.write(src, e)
				changed = true
			}
		}
		after := before
		if changed {
			var err error
			if dt, err = (proto.MarshalOptions{Deterministic: true}).Marshal(&op); err != nil {
				return nil, fmt.Errorf("failed to write LLB: %w", err)
			}
			after = digest.FromBytes(dt).String()
			moved[before] = after
		}
		out.Def = append(out.Def, dt)
		if meta, ok := def.Metadata[before]; ok {
			out.Metadata[after] = meta
		}
		if locations, ok := def.Source.GetLocations()[before]; ok {
			out.Source.Locations[after] = locations
		}
	}
	if len(moved) == 0 {
		return def, nil
	}
	return out, nil
}

// Places returns where the sources of a definition stand that are guessed.
func (p *Pins) Places(def *pb.Definition, guessed map[string]bool) ([]diagnostic.Place, error) {
	var out []diagnostic.Place
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		if src := op.GetSource(); src != nil && guessed[src.Identifier] {
			out = append(out, p.Sources.Place(placeOf(def, digest.FromBytes(dt).String())))
		}
	}
	return out, nil
}

// Record asks for the pin of each repository and file of a definition. guessed are the sources
// that hang on a value which only a build knows: no lock can have them.
func (p *Pins) Record(ctx context.Context, def *pb.Definition, guessed map[string]bool) error {
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return fmt.Errorf("failed to read LLB: %w", err)
		}
		src := op.GetSource()
		if src == nil {
			continue
		}
		vertex := digest.FromBytes(dt).String()
		if _, unpinned := sourceFor(src); unpinned && guessed[src.Identifier] {
			info, ranges := placeOf(def, vertex)
			p.notify(p.Sources.Place(info, ranges), onlyBuild)
			continue
		}
		if _, err := p.source(ctx, src, def, vertex); err != nil {
			return p.placed(err, def, vertex)
		}
	}
	return nil
}

// missed says of a source that the lock lacks what helps: no lock has one that hangs on a value
// which only a build knows.
func (p *Pins) missed(ctx context.Context, err error, def *pb.Definition, vertex string) error {
	var missing *missingError
	if p.Guessed != nil && errors.As(err, &missing) && p.Guessed(ctx, p.Sources.Place(placeOf(def, vertex))) {
		return fmt.Errorf("%s is not in %s, and %s", missing.source, missing.file, onlyBuild)
	}
	return err
}

// onlyBuild says what to do about a source that no lock can have.
const onlyBuild = "only a build knows the URL of this line, so no lock has it: write the checksum of the file, or the commit, into the line"

// source returns the entry of a repository or a file; nil for what no lock pins: other
// sources, those that have a pin, and those that the client gave.
func (p *Pins) source(ctx context.Context, op *pb.SourceOp, def *pb.Definition, vertex string) (*lock.Pinned, error) {
	s, ok := sourceFor(op)
	if !ok {
		return nil, nil
	}
	var of *own
	if def != nil {
		of = p.ownOfVertex(def, vertex)
	}
	if of == nil && !p.active() {
		return nil, nil
	}
	if given, err := p.given(ctx); err != nil || given[nameOf(op)] {
		return nil, err
	}
	var at diagnostic.Place
	if def != nil {
		at = p.Sources.Place(placeOf(def, vertex))
	}
	return p.pin(ctx, s, of, at, func(ctx context.Context) (lock.Source, string, error) {
		if s.Kind == lock.HTTP {
			res, err := p.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[lock] look up " + s.String(), HTTPOpt: &sourceresolver.ResolveHTTPOpt{}})
			if err != nil {
				return s, "", err
			}
			if res.HTTP == nil || res.HTTP.Digest == "" {
				return s, "", errTooOld
			}
			return s, res.HTTP.Digest.String(), nil
		}
		res, err := p.ResolveSourceMetadata(ctx, op, sourceresolver.Opt{LogName: "[lock] look up " + s.String(), GitOpt: &sourceresolver.ResolveGitOpt{}})
		if err != nil {
			return s, "", err
		}
		if res.Git == nil || res.Git.Checksum == "" {
			return s, "", errTooOld
		}
		pin, found := res.Git.CommitChecksum, s
		if pin == "" {
			pin = res.Git.Checksum
		}
		if s.Ref != "" && strings.HasPrefix(res.Git.Ref, "refs/") {
			found.Ref = res.Git.Ref
		}
		return found, pin, nil
	})
}

var errTooOld = errors.New("this engine does not say what a repository or a file is today: write the lock with a newer BuildKit")

// sourceFor returns the source that an op takes; ok is false for one that has a pin, or
// that no lock pins here.
func sourceFor(op *pb.SourceOp) (s lock.Source, ok bool) {
	switch scheme, rest, _ := strings.Cut(op.Identifier, "://"); scheme {
	case "http", "https":
		return lock.HTTPSource(op.Identifier), op.Attrs[pb.AttrHTTPChecksum] == ""
	case "git":
		_, fragment, _ := strings.Cut(rest, "#")
		ref, _, _ := strings.Cut(fragment, ":")
		if op.Attrs[pb.AttrGitChecksum] != "" || lock.IsCommit(ref) || op.Attrs[pb.AttrGitBundle] != "" {
			return lock.Source{}, false
		}
		return lock.GitSource(op.Attrs[pb.AttrFullRemoteURL], ref), true
	}
	return lock.Source{}, false
}

// write pins an op. An engine that cannot fetch a commit for a ref fetches the commit.
func (p *Pins) write(op *pb.SourceOp, e *lock.Pinned) {
	if op.Attrs == nil {
		op.Attrs = map[string]string{}
	}
	if e.Kind == lock.HTTP {
		op.Attrs[pb.AttrHTTPChecksum] = e.Pin
		return
	}
	id, fragment, _ := strings.Cut(op.Identifier, "#")
	_, subdir, hasSubdir := strings.Cut(fragment, ":")
	ref := e.Ref
	if caps := p.BuildOpts().LLBCaps; caps.Supports(pb.CapSourceGitFetchByCommit) == nil {
		op.Attrs[pb.AttrGitChecksum] = e.Pin
		// with the .git of a tag, BuildKit fails to fetch a commit that the tag names: the tag is
		// asked for, and has to be at the commit
		if !e.IsTag() || op.Attrs[pb.AttrKeepGitDir] != "true" {
			op.Attrs[pb.AttrGitFetchByCommit] = "true"
		}
	} else {
		ref = e.Pin
	}
	if hasSubdir {
		ref += ":" + subdir
	}
	if op.Identifier = id; ref != "" {
		op.Identifier += "#" + ref
	}
}

// nameOf tells sources apart: a file that is a context has another name than that of an ADD.
func nameOf(op *pb.SourceOp) string { return op.Identifier + " " + op.Attrs[pb.AttrHTTPFilename] }

// given returns the names of what the client gave: the build context and named
// contexts, which no lock pins.
func (p *Pins) given(ctx context.Context) (map[string]bool, error) {
	p.outsideOnce.Do(func() {
		defer guard.Recover(&p.outsideErr)
		p.outside, p.outsideErr = p.contexts(ctx)
	})
	return p.outside, p.outsideErr
}

func (p *Pins) contexts(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	add := func(st llb.State) error {
		def, err := st.Marshal(ctx)
		if err != nil {
			return fmt.Errorf("failed to marshal LLB definition: %w", err)
		}
		for _, dt := range def.Def {
			var op pb.Op
			if err := op.UnmarshalVT(dt); err != nil {
				return fmt.Errorf("failed to read LLB: %w", err)
			}
			if src := op.GetSource(); src != nil {
				out[nameOf(src)] = true
			}
		}
		return nil
	}
	inputs := false
	for key, value := range p.BuildOpts().Opts {
		if key != dockerui.DefaultLocalNameContext && !strings.HasPrefix(key, "context:") {
			continue
		}
		inputs = inputs || strings.HasPrefix(value, "input:")
		if st, ok, err := dockerui.DetectGitContext(value, nil); ok && err == nil {
			if err := add(*st); err != nil {
				return nil, err
			}
		} else if st, _, ok := dockerui.DetectHTTPContext(value); ok {
			if err := add(*st); err != nil {
				return nil, err
			}
		}
	}
	if !inputs {
		return out, nil
	}
	states, err := p.Inputs(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to get frontend inputs: %w", err)
	}
	for _, st := range states {
		if err := add(st); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sourceOf returns the source op that a state is; nil for another one.
func sourceOf(ctx context.Context, st llb.State, opts ...llb.ConstraintsOpt) (*pb.SourceOp, error) {
	def, err := st.Marshal(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		if src := op.GetSource(); src != nil {
			return src, nil
		}
	}
	return nil, nil
}

// placed puts an error where the vertex comes from, or the first one that uses it.
func (p *Pins) placed(err error, def *pb.Definition, vertex string) error {
	info, ranges := placeOf(def, vertex)
	if p.Sources != nil { // it is not while the Dockerfile is fetched
		if at := p.Sources.Place(info, ranges); at.Text != nil {
			return diagnostic.At(at, err)
		}
	}
	if info != nil {
		return errdefs.WithSource(err, &errdefs.Source{Info: info, Ranges: ranges})
	}
	return err
}
