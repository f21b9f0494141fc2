package llbgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

const scratch = "scratch"

// part is what is converted apart from what uses it: a unit, or a named context for
// a platform of its own. Upstream's converter takes it for an image.
type part interface {
	// load makes its LLB.
	load(ctx context.Context, b *build) (*converted, error)
	// title is what users call it.
	title() string
	known() *answer
}

// answer is what became of a part.
type answer struct {
	once sync.Once
	out  *converted
	err  error
}

func (a *answer) known() *answer { return a }

// converted is a part as LLB.
type converted struct {
	def    *llb.Definition
	result *dockerfile2llb.Result
}

// convert converts a part, once: when upstream's converter asks for its image
// config.
func (b *build) convert(ctx context.Context, p part) (*converted, error) {
	a := p.known()
	a.once.Do(func() { a.out, a.err = p.load(ctx, b) })
	return a.out, a.err
}

// unit is a unit of the plan with its text.
type unit struct {
	*lower.Unit
	answer
	file *lower.File
	// client gives the build context.
	client *dockerui.Client
	// adds, skips and needs say that the text has a COPY for an ADD --from, one that skips what
	// is missing and one that brings along what is needed; reruns that a RUN runs in every build.
	adds, skips, needs, reruns bool
	// triggers are those of the image that the root is built FROM, where they run in the
	// part below.
	triggers []string
	// stages are the instances by the names of their stages in the text.
	stages     map[string]*plan.Instance
	stagesOnce sync.Once
	// located are the lines of instructions in their files.
	located map[*syntax.Instruction][]*pb.Range
}

func (u *unit) title() string { return u.Root.Name }

func (u *unit) load(ctx context.Context, b *build) (*converted, error) {
	res, err := b.toLLB(ctx, u, b.options(u))
	if err != nil {
		return nil, u.asked(b.explain(u, b.explainPlatform(u, err)))
	}
	def, err := b.marshal(ctx, u, res.State)
	if err != nil {
		return nil, err
	}
	if u.Root.Bare {
		res.Image.Config.OnBuild = u.triggers
	}
	res.Image.History = u.ownHistory(res.Image.History)
	b.showTriggers(u, res.Image.Config.OnBuild)
	res.Image.RootFS.DiffIDs = withoutStandIn(res.Image.RootFS.DiffIDs)
	return &converted{def, res}, nil
}

// asked places the mistake of an image that is no stage where the image stands.
func (u *unit) asked(err error) error {
	if u.Root.Asked.Text == nil {
		return err
	}
	if at := new(diagnostic.Diagnostic); errors.As(err, &at) {
		err = cmp.Or(at.Unwrap(), err)
	}
	return diagnostic.Errorf(u.Root.Asked, "%s", err)
}

// toLLB has upstream convert the text of a unit.
func (b *build) toLLB(ctx context.Context, u *unit, opt dockerfile2llb.ConvertOpt) (res *dockerfile2llb.Result, err error) {
	err = u.file.Use(func(text []byte) (err error) {
		res, err = dockerfile2llb.Dockerfile2LLB(ctx, text, opt)
		return err
	})
	return res, err
}

// namedContext is a named context for a platform of its own.
type namedContext struct {
	lower.Context
	answer
	// triggers are those that it has, and that a stage in its place does not run.
	triggers []string
}

func (c *namedContext) title() string { return c.Name }

func (c *namedContext) load(ctx context.Context, b *build) (*converted, error) {
	nc, err := b.opt.Client.NamedContext(c.Name, dockerui.ContextOpt{Platform: &c.Platform, ResolveMode: b.opt.ImageResolveMode.String()})
	if err != nil {
		return nil, err
	}
	if nc == nil {
		return nil, fmt.Errorf("there is no context %s", c.Name)
	}
	st, img, err := nc.Load(ctx)
	if err != nil {
		return nil, err
	}
	if img == nil {
		img = &dockerspec.DockerOCIImage{}
	}
	def, err := st.Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	c.triggers, img.Config.OnBuild = img.Config.OnBuild, nil // upstream runs no triggers of a context that replaces a stage
	return &converted{def, &dockerfile2llb.Result{Image: img}}, nil
}
