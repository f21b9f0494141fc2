package llbgen

import (
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
	out := &converted{from.def, &result}
	for _, change := range base.Changes {
		switch change := change.(type) {
		case plan.Reset:
			b.reset(img, base.To, change, result.Epoch)
		case plan.KeepCommand:
			above, err := b.convert(ctx, b.parts[b.names.Changed(change.Of)])
			if err != nil {
				return nil, err
			}
			img.Config.Cmd, img.Config.ArgsEscaped = above.result.Image.Config.Cmd, above.result.Image.Config.ArgsEscaped //nolint:staticcheck // upstream keeps it
		case plan.Squash:
			if out.def, err = b.squash(ctx, c, &result); err != nil {
				return nil, err
			}
		}
	}
	if base.Within && !base.To.Bare {
		img.Config.OnBuild = nil // they stand in the text below
	}
	return out, nil
}

// reset takes what an UNSET or a FROM --reset names out of the image of an instance.
func (b *build) reset(img *dockerspec.DockerOCIImage, of *plan.Instance, r plan.Reset, created *time.Time) {
	for _, u := range r.Parts {
		missing := takeAway(&img.Config, u)
		if u.Of == "ONBUILD" && r.In.Unset != nil {
			missing = nil // they are in the text, where the plan knows of them
		}
		if r.In.WholeReset() {
			continue // of scratch, which need not have anything
		}
		for _, name := range missing {
			if u.Of == "ENV" && of.Declares(syntax.Word{Text: name}) {
				continue // it hides an ARG
			}
			place := r.In.Place(r.In.ResetFlag)
			if r.In.Unset != nil {
				place = r.In.Lines()
			}
			if _, ok := silenced(b.lint[place.Text], r.In.Node.PrevComment, plan.RuleNothingToUnset.Name); ok {
				continue
			}
			if name != u.Of {
				name = u.Of + " " + name
			}
			b.seen.add(diagnostic.Warnf(plan.RuleNothingToUnset, place, "%s is not set here: there is nothing to take away", name))
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

// squash returns the LLB of the whole tree of a base in one layer, and makes the image one
// of one layer.
func (b *build) squash(ctx context.Context, c *changedBase, res *dockerfile2llb.Result) (*llb.Definition, error) {
	base := c.Of.Base
	from := llb.Image(b.names.Image(base.To), llb.Platform(*base.Platform))
	name := c.Of.Name
	if b.opt.MultiPlatformRequested {
		name = platforms.FormatAll(*base.Platform) + " " + name
	}
	opts := []llb.ConstraintsOpt{llb.WithCustomNamef("[%s] squash %s", name, base.Title()), b.place(c.Of.From)}
	if b.opt.Client != nil && b.opt.Client.IsNoCache(c.Of.Stage.Name) || b.noCache(c.Of) {
		opts = append(opts, llb.IgnoreCache)
	}
	st := llb.Scratch().Platform(*base.Platform).File(llb.Copy(from, "/", "/", &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}), opts...)
	def, err := st.Marshal(ctx, llb.WithCaps(b.opt.Client.BuildOpts().LLBCaps))
	if err != nil {
		return nil, fmt.Errorf("failed to squash %s: %w", base.Title(), err)
	}
	img := res.Image
	img.History = []ocispecs.History{{CreatedBy: "FROM --squash " + base.Title(), Comment: historyComment, Created: res.Epoch}}
	img.RootFS.DiffIDs = []digest.Digest{standInLayer}
	return def, nil
}

// historyComment is what upstream writes beside the steps of an image.
const historyComment = "buildkit.dockerfile.v0"

// place gives a vertex the place of an instruction.
func (b *build) place(in *syntax.Instruction) llb.ConstraintsOpt {
	sm := b.sourceMap(in.File().Text)
	if sm == nil {
		sm = b.opt.SourceMap
	}
	if sm == nil {
		return llb.WithCustomName("")
	}
	return sm.Location(rangesPB(in.Location()))
}
