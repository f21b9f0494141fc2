package llbgen

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// changedBase is the base of an instance with the changes that its stage asks for.
type changedBase struct {
	lower.Changed
	answer
}

func (c *changedBase) title() string { return c.Of.Base.Title() }

func (c *changedBase) load(ctx context.Context, b *build) (*converted, error) {
	base := c.Of.Base
	from, err := b.convert(ctx, b.parts[b.names.Image(base.To)])
	if err != nil {
		return nil, err
	}
	result := *from.result
	img := cloneImage(from.result.Image)
	result.Image = img
	st := changedTree{empty: len(from.def.Def) == 0, State: b.imageOf(base.To)}
	for _, change := range base.Changes {
		switch change := change.(type) {
		case plan.Reset:
			b.reset(img, c.Of, change, result.Epoch)
		case plan.Take:
			if err := b.take(ctx, c.Of, img, change, result.Epoch); err != nil {
				return nil, b.calls.relate(c.Of, err)
			}
		case plan.KeepCommand:
			above, err := b.convert(ctx, b.parts[b.names.Changed(base.To)])
			if err != nil {
				return nil, err
			}
			img.Config.Cmd, img.Config.ArgsEscaped = above.result.Image.Config.Cmd, above.result.Image.Config.ArgsEscaped //nolint:staticcheck // upstream keeps it
		case plan.Merge:
			if err := b.merge(ctx, c.Of, &st, &result, change); err != nil {
				return nil, err
			}
		case plan.Squash:
			b.squash(c.Of, &st, &result)
		}
	}
	out := &converted{from.def, &result}
	if st.changed {
		if len(img.RootFS.DiffIDs) == 0 {
			img.RootFS.DiffIDs = []digest.Digest{standInLayer}
		}
		if out.def, err = st.Marshal(ctx, llb.WithCaps(b.opt.Client.BuildOpts().LLBCaps), llb.Platform(c.Of.Platform())); err != nil {
			return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
		}
	}
	if base.Within && !base.To.Bare {
		img.Config.OnBuild = nil // they stand in the text below
	}
	return out, nil
}

// reset takes what an UNSET or a FROM --reset names out of the image of the base of an instance.
func (b *build) reset(img *dockerspec.DockerOCIImage, of *plan.Instance, r plan.Reset, created *time.Time) {
	for _, u := range r.Parts {
		missing := takeAway(&img.Config, u)
		if u.Of == "ONBUILD" && r.In.Unset != nil {
			missing = nil // they are in the text, where the plan knows of them
		}
		if r.In.WholeReset() {
			continue // of scratch, which need not have anything
		}
		if b.asks && of.Opens(u.Of) {
			continue // a file that nobody built may have it
		}
		for _, name := range missing {
			if u.Of == "ENV" && of.Base.To.Declares(syntax.Word{Text: name}) {
				continue // it hides an ARG
			}
			place := r.In.Place(r.In.ResetFlag)
			if r.In.Unset != nil {
				place = r.In.Lines()
			}
			if name != u.Of {
				name = u.Of + " " + name
			}
			b.warn(plan.RuleNothingToUnset, r.In, place, "%s is not set here: there is nothing to take away", name)
		}
	}
	if u := r.In.Unset; u != nil {
		words := []string{"UNSET", u.Of}
		for _, w := range u.Names {
			words = append(words, w.Text)
		}
		img.History = append(img.History, ocispecs.History{CreatedBy: strings.Join(words, " "), Comment: historyComment, EmptyLayer: true, Created: created})
	}
}

// warn warns of an instruction where neither the rules of its file nor a comment above it skip
// that.
func (b *build) warn(rule *diagnostic.Rule, in *syntax.Instruction, place diagnostic.Place, format string, args ...any) {
	if _, skip := silenced(b.lint[place.Text], in.Node.PrevComment, rule.Name); !skip {
		b.seen.add(diagnostic.Warnf(rule, place, format, args...))
	}
}

// changedTree is the files of a base as its changes make them.
type changedTree struct {
	llb.State
	empty, changed bool
}

// step names a vertex that an instance has from its FROM, and places it. It is built anew where
// the build wants that of the stage.
func (b *build) step(of *plan.Instance, what string) []llb.ConstraintsOpt {
	opts := []llb.ConstraintsOpt{llb.WithCustomNamef("[%s] %s", b.stepTitle(of), what), b.place(of.From)}
	if b.opt.Client != nil && b.opt.Client.IsNoCache(of.Stage.Name) || b.noCache(of) {
		opts = append(opts, llb.IgnoreCache)
	}
	return opts
}

// stepTitle is what the progress calls an instance.
func (b *build) stepTitle(inst *plan.Instance) string {
	name := inst.Name
	if inst.Bare {
		name = inst.Base.Name
	}
	if b.opt.MultiPlatformRequested {
		name = platforms.FormatAll(inst.Platform()) + " " + name
	}
	return name
}

// squash makes one layer of the whole tree.
func (b *build) squash(of *plan.Instance, t *changedTree, res *dockerfile2llb.Result) {
	t.State = llb.Scratch().File(
		llb.Copy(t.State, "/", "/", &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}),
		b.step(of, "squash "+of.Base.Title())...,
	)
	t.empty, t.changed = false, true
	res.Image.History = []ocispecs.History{{CreatedBy: "FROM --squash " + of.Base.Title(), Comment: historyComment, Created: res.Epoch}}
	res.Image.RootFS.DiffIDs = nil // a layer of which nobody knows the digest yet
}

// historyComment is what upstream writes beside the steps of an image.
const historyComment = "buildkit.dockerfile.v0"

// place gives a vertex the place of an instruction.
func (b *build) place(in *syntax.Instruction) llb.ConstraintsOpt {
	return cmp.Or(b.sourceMap(in.File().Text), b.opt.SourceMap).Location(rangesPB(in.Location()))
}
