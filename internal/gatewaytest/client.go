// Package gatewaytest has a BuildKit gateway client that needs no daemon: it
// serves files and image configs from memory and records all that a frontend
// asks of it. It decides nothing that a frontend could get wrong, so that two
// frontends can be compared by what they ask.
package gatewaytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	apicapspb "github.com/moby/buildkit/util/apicaps/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Build describes a build as a client would ask for it.
type Build struct {
	// Files are the local directories by local name ("dockerfile",
	// "context"), and other sources by identifier, each a map of path to
	// content.
	Files map[string]map[string]string
	// Opts are the frontend options, as the daemon passes them on.
	Opts map[string]string
	// Inputs are the frontend inputs.
	Inputs map[string]llb.State
	// Missing are images, by reference, that the registry lacks.
	Missing []string
	// Images are images, by reference, that have some platforms only: for each
	// of them the ENVs that the image has there beside those of all images.
	Images map[string]map[string][]string
	// Old stands for an engine that lacks the newer ops of LLB.
	Old bool
}

// Dockerfile returns the build of one Dockerfile that a frontend image gets
// when the daemon starts it: options in pairs of key and value.
func Dockerfile(text string, opts ...string) Build {
	b := Build{
		Files: map[string]map[string]string{"dockerfile": {"Dockerfile": text}, "context": {"Dockerfile": text}},
		Opts:  map[string]string{"cmdline": "stagecraft/dockerfile:1", "source": "stagecraft/dockerfile:1"},
	}
	for i := 0; i+1 < len(opts); i += 2 {
		b.Opts[opts[i]] = opts[i+1]
	}
	return b
}

// Client is a recording gateway client for one run of one Build.
type Client struct {
	build Build

	mu sync.Mutex
	// Solved are the solve requests, in the order of arrival.
	Solved []client.SolveRequest
	// Warnings are the warnings, in the order of arrival.
	Warnings []Warning
	// Calls counts the round trips by kind: "Solve", "ReadFile",
	// "StatFile", "ReadDir", "Evaluate", "Inputs", "Warn", "NewContainer",
	// and "ResolveImageConfig REF PLATFORM" and "ResolveSourceMetadata ID"
	// for the look-ups.
	Calls map[string]int
	// Shown are the names that look-ups have in the progress.
	Shown []string
	// Fail, when set, is called first in each round trip with its kind; an
	// error of it is the answer.
	Fail func(call string) error
}

var _ client.Client = (*Client)(nil)

// Warning is a warning as a client gets it.
type Warning struct {
	Vertex  digest.Digest
	Message string
	client.WarnOpts
}

// New returns a client for a run of b.
func New(b Build) *Client {
	return &Client{build: b, Calls: map[string]int{}}
}

func (c *Client) count(call string) error {
	c.mu.Lock()
	c.Calls[call]++
	c.mu.Unlock()
	if c.Fail != nil {
		kind, _, _ := strings.Cut(call, " ")
		return c.Fail(kind)
	}
	return nil
}

// BuildOpts returns the options of the build under all capabilities of the
// BuildKit release, on one linux/amd64 worker.
func (c *Client) BuildOpts() client.BuildOpts {
	return client.BuildOpts{
		Opts:      maps.Clone(c.build.Opts),
		SessionID: "session",
		Product:   "gatewaytest",
		Workers: []client.WorkerInfo{{
			ID:        "worker",
			Platforms: []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}},
		}},
		Caps:    gwpb.Caps.CapSet(gatewayCaps()),
		LLBCaps: pb.Caps.CapSet(c.llbCaps()),
	}
}

// The lists are long to make, and tests make many clients.
var (
	gatewayCaps = sync.OnceValue(gwpb.Caps.All)
	allLLBCaps  = sync.OnceValue(pb.Caps.All)
)

// llbCaps returns what ops the engine knows.
func (c *Client) llbCaps() []*apicapspb.APICap {
	return slices.DeleteFunc(slices.Clone(allLLBCaps()), func(known *apicapspb.APICap) bool {
		return c.build.Old && slices.Contains([]string{string(pb.CapPassthroughOp), string(pb.CapMergeOp), string(pb.CapDiffOp)}, known.ID)
	})
}

// Solve records req and answers with a reference to the files of the local
// source that it names, if it is one.
func (c *Client) Solve(_ context.Context, req client.SolveRequest) (*client.Result, error) {
	if err := c.count("Solve"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.Solved = append(c.Solved, req.Clone())
	c.mu.Unlock()
	ref := &reference{client: c}
	if req.Definition != nil {
		ref.files = c.build.Files[sourceOf(req.Definition)]
	}
	res := client.NewResult()
	res.SetRef(ref)
	return res, nil
}

// sourceOf returns the first source op of def: the name of a local directory, or
// the identifier of another source.
func sourceOf(def *pb.Definition) string {
	if len(def.Def) == 0 {
		return ""
	}
	var op pb.Op
	if err := op.UnmarshalVT(def.Def[0]); err != nil {
		return ""
	}
	return strings.TrimPrefix(op.GetSource().GetIdentifier(), "local://")
}

// ResolveImageConfig gives every image that is not Missing a config which
// depends on its name and platform alone. Its errors come as from a daemon.
func (c *Client) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	ref, dgst, dt, err := c.resolveImage(ref, opt)
	return ref, dgst, dt, grpcerrors.FromGRPC(grpcerrors.ToGRPC(ctx, err))
}

func (c *Client) resolveImage(ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	platform := platforms.DefaultSpec()
	switch {
	case opt.ImageOpt != nil && opt.ImageOpt.Platform != nil:
		platform = *opt.ImageOpt.Platform
	case opt.OCILayoutOpt != nil && opt.OCILayoutOpt.Platform != nil:
		platform = *opt.OCILayoutOpt.Platform
	}
	c.mu.Lock()
	c.Shown = append(c.Shown, opt.LogName)
	c.mu.Unlock()
	if err := c.count("ResolveImageConfig " + ref + " " + platforms.FormatAll(platform)); err != nil {
		return "", "", nil, err
	}
	name, pin, pinned := strings.Cut(ref, "@")
	if slices.Contains(c.build.Missing, ref) || slices.Contains(c.build.Missing, name) {
		return "", "", nil, fmt.Errorf("%s: not found", ref)
	}
	has, ok := c.build.Images[name]
	env, hasPlatform := has[platforms.FormatAll(platform)]
	if ok && !hasPlatform { // in the words of containerd
		return "", "", nil, fmt.Errorf("failed to resolve source metadata for %s: no match for platform in manifest: %w", ref, cerrdefs.ErrNotFound)
	}
	dt, err := imageConfig(name, platform, env)
	if err != nil || pinned {
		return ref, digest.Digest(pin), dt, err
	}
	index, err := imageConfig(name, platforms.MustParse("linux/amd64"), nil)
	return ref, digest.FromBytes(index), dt, err // one for all platforms
}

// imageConfig has an environment and labels in every image, and by the hash of
// the name some of what makes a converter take another path: an ONBUILD
// trigger, a user, a working directory, Windows paths.
func imageConfig(ref string, platform ocispecs.Platform, env []string) ([]byte, error) {
	h := fnv.New32a()
	h.Write([]byte(ref))
	kind := h.Sum32()
	config := map[string]any{
		"Env":    append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "BASE=" + ref}, env...),
		"Labels": map[string]string{"base": ref},
		"Cmd":    []string{"/bin/sh"},
	}
	if kind%3 == 0 {
		config["User"] = "1000:1000"
		config["WorkingDir"] = "/srv/base"
	}
	if kind%5 == 0 {
		config["OnBuild"] = []string{"ENV ONBUILD=1", "RUN echo onbuild"}
	}
	for _, entry := range env {
		if trigger, ok := strings.CutPrefix(entry, "ONBUILD="); ok {
			config["OnBuild"] = []string{strings.ReplaceAll(trigger, "+", " ")}
		}
	}
	return json.Marshal(map[string]any{
		"os": platform.OS, "architecture": platform.Architecture, "variant": platform.Variant,
		"config":  config,
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest.FromString(ref).String()}},
		"history": []map[string]any{{"created_by": "base " + ref}},
	})
}

// ResolveSourceMetadata answers for images as ResolveImageConfig does, for repositories
// and files by their names alone, and for other sources with the op.
func (c *Client) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	if err := c.count("ResolveSourceMetadata " + op.Identifier); err != nil {
		return nil, err
	}
	res := &sourceresolver.MetaResponse{Op: op}
	if ref, ok := strings.CutPrefix(op.Identifier, "docker-image://"); ok {
		_, dgst, config, err := c.ResolveImageConfig(ctx, ref, opt)
		if err != nil {
			return nil, err
		}
		res.Image = &sourceresolver.ResolveImageResponse{Digest: dgst, Config: config}
	}
	if c.build.Old || slices.Contains(c.build.Missing, op.Identifier) {
		return res, nil
	}
	sum := digest.FromString(op.Identifier)
	switch scheme, rest, _ := strings.Cut(op.Identifier, "://"); scheme {
	case "git":
		_, fragment, _ := strings.Cut(rest, "#")
		ref, _, _ := strings.Cut(fragment, ":")
		switch {
		case strings.HasPrefix(ref, "v"):
			ref = "refs/tags/" + ref
		case strings.HasPrefix(ref, "heads/"), strings.HasPrefix(ref, "tags/"):
			ref = "refs/" + ref
		case ref != "" && !strings.HasPrefix(ref, "refs/"):
			ref = "refs/heads/" + ref
		}
		res.Git = &sourceresolver.ResolveGitResponse{Ref: ref, Checksum: sum.Encoded()[:40]}
	case "http", "https":
		res.HTTP = &sourceresolver.ResolveHTTPResponse{Digest: sum}
	}
	return res, nil
}

// Inputs returns the inputs of the build.
func (c *Client) Inputs(context.Context) (map[string]llb.State, error) {
	return c.build.Inputs, c.count("Inputs")
}

// NewContainer is refused: no frontend under test starts containers.
func (c *Client) NewContainer(context.Context, client.NewContainerRequest) (client.Container, error) {
	return nil, errors.Join(c.count("NewContainer"), errors.New("gatewaytest has no containers"))
}

// Warn records the warning.
func (c *Client) Warn(_ context.Context, dgst digest.Digest, msg string, opts client.WarnOpts) error {
	c.mu.Lock()
	c.Warnings = append(c.Warnings, Warning{dgst, msg, opts})
	c.mu.Unlock()
	return c.count("Warn")
}
