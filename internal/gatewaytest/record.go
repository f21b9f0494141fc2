package gatewaytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
)

// Record is all that a daemon and a user see of a run, in a form to compare.
type Record struct {
	// Error is the error with its type and source excerpts; empty for none.
	Error string
	// Solved are the requests, one text each, sorted: platforms run side by
	// side.
	Solved []string
	// Metadata is the result's metadata.
	Metadata map[string]string
	// Refs are the keys of the result's references.
	Refs []string
	// Attestations are the keys of the result's attestations with their
	// metadata.
	Attestations []string
	// Warnings are the warnings, sorted.
	Warnings []string
	// Calls counts the round trips by kind.
	Calls map[string]int
}

// Run runs the frontend build on b and records what it did.
func Run(ctx context.Context, b Build, build client.BuildFunc) (Record, error) {
	c := New(b)
	res, err := build(ctx, c)
	rec := Record{Calls: c.Calls}
	for _, w := range c.Warnings {
		dt, err := json.Marshal(w.WarnOpts)
		if err != nil {
			return Record{}, err
		}
		rec.Warnings = append(rec.Warnings, fmt.Sprintf("%s %s %s", w.Vertex, w.Message, dt))
	}
	slices.Sort(rec.Warnings)
	for _, req := range c.Solved {
		text, err := describeRequest(req)
		if err != nil {
			return Record{}, err
		}
		rec.Solved = append(rec.Solved, text)
	}
	slices.Sort(rec.Solved)
	if err != nil {
		rec.Error, err = describeError(ctx, err)
		return rec, err
	}
	rec.Metadata = map[string]string{}
	for k, v := range res.Metadata {
		rec.Metadata[k] = string(v)
	}
	if res.Ref != nil {
		rec.Refs = append(rec.Refs, "single")
	}
	rec.Refs = append(rec.Refs, slices.Sorted(maps.Keys(res.Refs))...)
	for platform, list := range res.Attestations {
		for _, a := range list {
			rec.Attestations = append(rec.Attestations, fmt.Sprintf("%s %v %v %v", platform, a.Kind, a.InToto, a.Metadata))
		}
	}
	slices.Sort(rec.Attestations)
	return rec, checkRefs(res)
}

// checkRefs fails for a reference that is not the client's own: the real
// gateway refuses such a result.
func checkRefs(res *client.Result) error {
	return res.EachRef(func(ref client.Reference) error {
		if _, ok := ref.(*reference); !ok {
			return fmt.Errorf("the result holds a foreign reference %T", ref)
		}
		return nil
	})
}

// describeRequest tells all of req: each op by its digest and in full, with
// its metadata and source locations.
func describeRequest(req client.SolveRequest) (string, error) {
	var out strings.Builder
	opt, err := json.Marshal(req.FrontendOpt)
	if err != nil {
		return "", err
	}
	cache, err := json.Marshal(req.CacheImports)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "evaluate %t frontend %q opt %s cache %s policies %d\n", req.Evaluate, req.Frontend, opt, cache, len(req.SourcePolicies))
	for _, name := range slices.Sorted(maps.Keys(req.FrontendInputs)) {
		fmt.Fprintf(&out, "input %s\n", name)
		if err := describeDefinition(&out, req.FrontendInputs[name]); err != nil {
			return "", err
		}
	}
	if req.Definition != nil {
		err = describeDefinition(&out, req.Definition)
	}
	return out.String(), err
}

func describeDefinition(out *strings.Builder, def *pb.Definition) error {
	groups := map[string]string{} // progress groups have random IDs: number them
	for _, dt := range def.Def {
		dgst := digest.FromBytes(dt)
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return err
		}
		meta := def.Metadata[dgst.String()].CloneVT()
		if group := meta.GetProgressGroup(); group != nil {
			if groups[group.Id] == "" {
				groups[group.Id] = fmt.Sprint("group ", len(groups))
			}
			group.Id = groups[group.Id]
		}
		md, err := json.Marshal(meta)
		if err != nil {
			return err
		}
		var locations []byte
		if def.Source != nil {
			if locations, err = json.Marshal(def.Source.Locations[dgst.String()]); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "%s %s\n  metadata %s\n  locations %s\n", dgst, &op, md, locations)
	}
	if def.Source == nil {
		return nil
	}
	for _, info := range def.Source.Infos {
		fmt.Fprintf(out, "source %s %s %s\n", info.Filename, info.Language, digest.FromBytes(info.Data))
	}
	return nil
}

// suggestion is what upstream adds to a typo. Among words that are equally near
// it takes any: it ranges over a map.
var suggestion = regexp.MustCompile(`\(did you mean \S+\?\)`)

func describeError(ctx context.Context, err error) (string, error) {
	out := suggestion.ReplaceAllString(err.Error(), "(did you mean …?)")
	var (
		request *errdefs.UnsupportedSubrequestError
		cap     *errdefs.UnsupportedFrontendCapError
	)
	switch {
	case errors.As(err, &request):
		out += "\nunsupported subrequest " + request.Name
	case errors.As(err, &cap):
		out += "\nunsupported capability " + cap.Name
	}
	out += "\ncode " + grpcerrors.Code(grpcerrors.ToGRPC(ctx, err)).String()
	for _, s := range errdefs.Sources(err) {
		ranges, err := json.Marshal(s.Ranges)
		if err != nil {
			return "", err
		}
		out += fmt.Sprintf("\nsource %s %s %s", s.Info.Filename, digest.FromBytes(s.Info.Data), ranges)
	}
	return out, nil
}
