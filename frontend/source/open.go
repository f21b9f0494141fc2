package source

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/go-archive/compression"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// contextPrefix starts the options that are named contexts.
const contextPrefix = "context:"

// Open implements module.Fetcher: from is a git or HTTP(S) URL, docker-image://,
// oci-layout:// or the name of a named context.
func (s *Sources) Open(ctx context.Context, from string) (*module.Source, error) {
	s.mu.Lock()
	o := s.opened[from]
	if o == nil {
		o = &opening{}
		s.opened[from] = o
	}
	s.mu.Unlock()
	o.once.Do(func() {
		defer guard.Recover(&o.err)
		o.source, o.err = s.open(ctx, from)
	})
	return o.source, o.err
}

func (s *Sources) open(ctx context.Context, from string) (*module.Source, error) {
	input := from
	if value, ok := s.bc.BuildOpts().Opts[contextPrefix+from]; ok {
		input = value
	} else if !module.IsURL(from) {
		return nil, s.unknown(from)
	}
	own, locked := input == from, false
	if s.Locks != nil && own {
		var err error
		if input, locked, err = s.Locks.Import(ctx, from); err != nil {
			return nil, err
		}
	}
	secrets := credentialsOf(input)
	src := &module.Source{Name: secrets.hide(from), Kind: module.Library}
	t := &tree{name: src.Name, secrets: secrets, library: true}
	git, isGit, err := dfgitutil.ParseGitRef(input)
	switch {
	case isGit && err != nil:
		return nil, t.opaque(t.name, err)
	case isGit && !git.IndistinguishableFromLocal:
		if own && !locked && git.Checksum == "" && !commit().MatchString(git.Ref) {
			src.Unpinned = "a branch or a tag may be another commit tomorrow: write the commit, as in " + secrets.hide(pinned(git))
		}
		st, _, err := dockerui.DetectGitContext(input, nil)
		if err != nil {
			return nil, t.opaque(t.name, err)
		}
		t.state = *st
	case strings.HasPrefix(input, "http://"), strings.HasPrefix(input, "https://"):
		if t.state, src.File, err = s.openHTTP(ctx, input, t.name); err != nil {
			return nil, t.explain(err)
		}
	default:
		if own && !locked && strings.HasPrefix(input, "docker-image://") && !strings.Contains(input, "@") {
			src.Unpinned = "a tag may be another image tomorrow: write the digest, as in " + input + "@sha256:…"
		}
		name := from
		if own {
			name = input
		}
		if t.state, err = s.openContext(ctx, name, input); err != nil {
			return nil, t.explain(err)
		}
		if name, ok := strings.CutPrefix(input, "local:"); ok {
			// a file is found whether or not the folder's .dockerignore lists it
			t.local = []oneFileOf{s.folder(name)}
		}
	}
	if t.state, err = secrets.hideNames(ctx, t.state, s.constraints()...); err != nil {
		return nil, t.explain(err)
	}
	s.mu.Lock()
	s.trees[src] = t
	s.mu.Unlock()
	return src, nil
}

// commit is the name of a git commit.
var commit = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// pinned spells the repository with a commit.
func pinned(git *dfgitutil.GitRef) string {
	out := git.Remote + "#<commit>"
	if git.SubDir != "" {
		out += ":" + git.SubDir
	}
	return out
}

// unknown says what could stand where from does.
func (s *Sources) unknown(from string) error {
	var names []string
	for key := range maps.Keys(s.bc.BuildOpts().Opts) {
		if name, ok := strings.CutPrefix(key, contextPrefix); ok && !strings.Contains(name, "::") && !strings.HasPrefix(name, "stagecraft-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	there := "the build has none"
	if len(names) > 0 {
		there = "the build has " + strings.Join(names, ", ")
	}
	return fmt.Errorf("%q is no named context (%s) and no URL: pass --build-context %s=…, or write a git or HTTP URL, docker-image:// or oci-layout://; a stage cannot be imported from, for its files are not known before the build", from, there, from)
}

// httpName is the name that package dockerui gives what it fetches by HTTP.
const httpName = "context"

// openHTTP fetches a file, which users see as shown and which may be an archive;
// name is that of the file otherwise.
func (s *Sources) openHTTP(ctx context.Context, url, shown string) (_ llb.State, name string, err error) {
	st, name, _ := dockerui.DetectHTTPContext(url)
	ref, err := s.solve(ctx, *st, true)
	if err != nil {
		return llb.State{}, "", err
	}
	head, err := ref.ReadFile(ctx, client.ReadRequest{Filename: name, Range: &client.FileRange{Length: 1024}})
	if err != nil {
		return llb.State{}, "", err
	}
	if isArchive(head) {
		return llb.Scratch().File(llb.Copy(*st, "/"+name, "/", &llb.CopyInfo{AttemptUnpack: true}), dockerui.WithInternalName("unpack "+shown)), "", nil
	}
	return *st, name, nil
}

// isArchive reports whether a file that starts with head can be unpacked.
func isArchive(head []byte) bool {
	if compression.Detect(head) != compression.None {
		return true
	}
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return err == nil
}

// folder gives one file of a named context that is a folder of the client.
func (s *Sources) folder(name string) oneFileOf {
	opts := s.bc.BuildOpts()
	session := opts.SessionID
	if own, ok := opts.Opts["local-sessionid:"+name]; ok {
		session = own
	}
	return func(_ context.Context, path string) (llb.State, error) {
		return llb.Local(name, append(oneFile(name, path), llb.SessionID(session))...), nil
	}
}

// openContext opens what BuildKit takes as a named context: one of the build, or
// what input says.
func (s *Sources) openContext(ctx context.Context, name, input string) (llb.State, error) {
	bc := s.bc
	if name == input {
		name = "import"
		opts := maps.Clone(s.bc.BuildOpts().Opts)
		opts[contextPrefix+name] = input
		var err error
		if bc, err = dockerui.NewClient(&optsClient{Client: s.bc.GatewayClient(), opts: opts}); err != nil {
			return llb.State{}, err
		}
	}
	platform := s.bc.BuildPlatforms[0]
	nc, err := bc.NamedContext(name, dockerui.ContextOpt{Platform: &platform, ResolveMode: s.bc.ImageResolveMode.String()})
	if err != nil {
		return llb.State{}, err
	}
	st, _, err := nc.Load(ctx)
	if err != nil {
		return llb.State{}, err
	}
	return *st, nil
}
