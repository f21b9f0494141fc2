// Package source reads the sources of imports through the gateway of a build:
// the client's directories, git, HTTP, images, OCI layouts and named contexts.
// Each is fetched once, each file read once.
package source

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

// Sources are those of one build. It implements module.Fetcher, and knows what
// shows each file that was read: before anything is made of the files.
type Sources struct {
	bc *dockerui.Client
	// Main is the file that the build names.
	Main *dockerui.Source
	// MainText is its text.
	MainText *diagnostic.Text
	// Files are those of the build.
	Files *module.Set
	// Locks pins sources; nil for nothing that does.
	Locks Locks
	// beside is the directory of the Dockerfile alone; nil where that is no
	// directory of the client.
	beside  *module.Source
	clients bool // that the main file lies in a folder of the client
	mu      sync.Mutex
	opened  map[string]*opening
	trees   map[*module.Source]*tree
	files   map[fileKey]*file
	shown   map[*diagnostic.Text]*llb.SourceMap
}

var _ module.Fetcher = (*Sources)(nil)

// What is done once ends with an error when it panics: a sync.Once counts that as
// done, and whoever comes next would find nothing and no error.

type opening struct {
	once   sync.Once
	source *module.Source
	err    error
}

// tree is where the files of a source come from.
type tree struct {
	name    string
	secrets credentials
	library bool
	// alone is set for the directory of a Dockerfile that holds nothing else.
	alone bool
	// local are the client's directories in which a file may be, state is the
	// LLB of another source.
	local []oneFileOf
	state llb.State

	once sync.Once
	ref  client.Reference
	err  error

	client     *dockerui.Client // with this source as its build context
	clientOnce sync.Once
	clientErr  error
}

// oneFileOf gives the LLB of one file of a client's directory.
type oneFileOf func(ctx context.Context, path string) (llb.State, error)

type fileKey struct {
	source *module.Source
	path   string
}

type file struct {
	once sync.Once
	text *diagnostic.Text
	err  error
}

// keyDockerfile is set by clients that make a directory of their own for a
// Dockerfile: one from standard input, from a URL, or written in a bake file.
const keyDockerfile = "dockerfilekey"

// New finds out where the main file src comes from.
func New(bc *dockerui.Client, src *dockerui.Source) *Sources {
	s := &Sources{
		bc: bc, Main: src, MainText: &diagnostic.Text{Data: src.Data},
		opened: map[string]*opening{}, trees: map[*module.Source]*tree{}, files: map[fileKey]*file{}, shown: map[*diagnostic.Text]*llb.SourceMap{},
	}
	s.shown[s.MainText] = src.SourceMap
	root := &module.Source{Name: "the build context", Kind: module.Context}
	s.trees[root] = &tree{name: root.Name, local: []oneFileOf{s.contextFile}}
	name, attrs := localOf(src.Definition)
	if name == "" { // it is part of a context that is no directory of the client
		s.trees[root] = &tree{name: root.Name, state: *src.State}
		s.Files = module.NewSet(s, root, root, src.Filename)
		return s
	}
	s.clients = true
	dir := &module.Source{Name: "the directory of the Dockerfile", Kind: module.Dockerfiles}
	beside := func(_ context.Context, path string) (llb.State, error) {
		return llb.Local(name, append(oneFile(name, path), llb.SessionID(attrs[pb.AttrLocalSessionID]))...), nil
	}
	s.beside = &module.Source{Name: dir.Name, Kind: module.Dockerfiles}
	s.trees[s.beside] = &tree{name: dir.Name, local: []oneFileOf{beside}}
	// a Dockerfile from standard input stands in no directory: the build context
	// is what its author sees
	s.trees[dir] = &tree{name: "the directory of the Dockerfile or the build context", local: []oneFileOf{beside, s.contextFile}}
	if opts := bc.BuildOpts().Opts; opts[keyDockerfile] != "" && opts[dockerui.DefaultLocalNameContext] == "" {
		s.trees[dir].name, s.trees[dir].alone = root.Name, true
	}
	s.Files = module.NewSet(s, dir, root, src.Filename)
	return s
}

// Local reports whether the main file lies in a folder of the client.
func (s *Sources) Local() bool { return s.clients }

// Alone reports whether the client sends the main file without its directory.
func (s *Sources) Alone() bool { return s.tree(s.Files.Main().Source).alone }

// localOf returns the name and the attributes of the client's directory from
// which def reads; an empty name for something else.
func localOf(def *llb.Definition) (string, map[string]string) {
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			continue
		}
		if name, ok := strings.CutPrefix(op.GetSource().GetIdentifier(), "local://"); ok {
			return name, op.GetSource().Attrs
		}
	}
	return "", nil
}

// contextFile gives one file of the build context, whether or not its
// .dockerignore lists it.
func (s *Sources) contextFile(ctx context.Context, path string) (llb.State, error) {
	st, err := s.bc.MainContext(ctx, oneFile(dockerui.DefaultLocalNameContext, path)...)
	if err != nil {
		return llb.State{}, fmt.Errorf("failed to find the build context: %w", err)
	}
	return *st, nil
}

// literal takes the meaning from what means something in a pattern, as the paths of a client's
// directory are.
var literal = strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, `\`, `\\`)

// oneFile are the options to get one file of a client's directory. The key is
// not that of the directory, for which the daemon keeps what it has got so far.
func oneFile(name, path string) []llb.LocalOption {
	pattern := literal.Replace(path)
	return []llb.LocalOption{
		llb.FollowPaths([]string{pattern}),
		llb.ExcludePatterns([]string{pattern + "/*"}), // should it be a directory
		llb.SharedKeyHint(name + "-import"),
		dockerui.WithInternalName("load " + path),
		llb.Differ(llb.DiffNone, false),
	}
}

// Read implements module.Fetcher.
func (s *Sources) Read(ctx context.Context, src *module.Source, path string) (*diagnostic.Text, error) {
	f := s.file(src, path)
	f.once.Do(func() {
		defer guard.Recover(&f.err)
		f.text, f.err = s.load(ctx, s.tree(src), path)
	})
	return f.text, f.err
}

// SourceMap returns what shows a text in errors: that of the main file for nil.
func (s *Sources) SourceMap(text *diagnostic.Text) *llb.SourceMap {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sm := s.shown[text]; sm != nil {
		return sm
	}
	return s.Main.SourceMap
}

// Place returns the place that a definition names; the zero place when it is in no file that
// was read.
func (s *Sources) Place(info *pb.SourceInfo, ranges []*pb.Range) diagnostic.Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := diagnostic.Place{}
	for text, sm := range s.shown {
		if info == nil || sm.Filename != info.Filename || !bytes.Equal(sm.Data, info.Data) {
			continue
		}
		if at.Text = text; text == s.MainText { // of which there may be a copy: FindMain reads those
			break
		}
	}
	if at.Text == nil {
		return at
	}
	for _, r := range ranges {
		at.Ranges = append(at.Ranges, parser.Range{Start: position(r.Start), End: position(r.End)})
	}
	return at
}

func position(p *pb.Position) parser.Position {
	return parser.Position{Line: int(p.GetLine()), Character: int(p.GetCharacter())}
}

func (s *Sources) file(src *module.Source, path string) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fileKey{src, path}
	if s.files[key] == nil {
		s.files[key] = &file{}
	}
	return s.files[key]
}

func (s *Sources) tree(src *module.Source) *tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trees[src]
}

// load reads a file: from the first directory that has it.
func (s *Sources) load(ctx context.Context, t *tree, path string) (*diagnostic.Text, error) {
	if len(t.local) == 0 {
		ref, err := s.reference(ctx, t)
		if err != nil {
			return nil, t.explain(err)
		}
		return s.readFrom(ctx, ref, t, t.state, path)
	}
	var first error
	for _, local := range t.local {
		st, err := local(ctx, path)
		if err != nil {
			return nil, err
		}
		ref, err := s.solve(ctx, st, false)
		if err != nil {
			return nil, t.explain(err)
		}
		text, err := s.readFrom(ctx, ref, t, st, path)
		if err == nil {
			return text, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// readFrom reads a file of a source that was fetched.
func (s *Sources) readFrom(ctx context.Context, ref client.Reference, t *tree, st llb.State, path string) (*diagnostic.Text, error) {
	data, err := dockerui.ReadFile(ctx, ref, path)
	if err != nil {
		return nil, s.missing(ctx, ref, t, path, err)
	}
	def, err := st.Marshal(ctx, s.constraints()...)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	if t.library {
		path = strings.TrimSuffix(t.name+":"+path, ":"+httpName)
	}
	language := "Dockerfile"
	if strings.HasSuffix(strings.ToLower(path), ".json") {
		language = "JSON"
	}
	text, sm := &diagnostic.Text{Name: path, Data: data}, llb.NewSourceMap(&st, path, language, data)
	sm.Definition = def
	if t.secrets.hidden != nil { // they stand in the definition
		sm.State, sm.Definition = s.Main.State, s.Main.Definition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown[text] = sm
	return text, nil
}

// reference fetches a source that is no directory of the client, once.
func (s *Sources) reference(ctx context.Context, t *tree) (client.Reference, error) {
	t.once.Do(func() {
		defer guard.Recover(&t.err)
		t.ref, t.err = s.solve(ctx, t.state, true)
	})
	return t.ref, t.err
}

func (s *Sources) constraints() []llb.ConstraintsOpt {
	return []llb.ConstraintsOpt{llb.WithCaps(s.bc.BuildOpts().Caps)}
}

// solve solves a state: at once, or when something of it is read.
func (s *Sources) solve(ctx context.Context, st llb.State, atOnce bool) (client.Reference, error) {
	def, err := st.Marshal(ctx, s.constraints()...)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	res, err := s.bc.GatewayClient().Solve(ctx, client.SolveRequest{Definition: def.ToPB(), Evaluate: atOnce, CacheImports: s.bc.CacheImports})
	if err != nil {
		return nil, err
	}
	return res.SingleRef()
}
