package frontend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/locked"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// keyRequest is the option that asks for a subrequest (docker build --call)
// instead of a build.
const keyRequest = "requestid"

// request is a call of our own.
type request struct {
	subrequests.Request
	answer func(ctx context.Context, q *query) (*client.Result, error)
}

// query is what a request is asked with.
type query struct {
	client  *dockerui.Client
	gen     *llbgen.Generator
	sources *source.Sources
	version string // that of the request
	// file is the name of the Dockerfile.
	file  string
	locks *locking
	pins  *locked.Pins
}

// requests are the calls of our own.
var requests = []request{
	newRequest("frontend.graph", "Draw the stage graph of the target as a tree", graph((*report.Graph).Text)),
	newRequest("frontend.graph.mermaid", "Draw the stage graph of the target as a Mermaid flowchart", graph((*report.Graph).Mermaid)),
	newRequest("frontend.graph.dot", "Draw the stage graph of the target in Graphviz's DOT", graph((*report.Graph).DOT)),
	newRequest(lockCall, "Print the lock file of all stages", answerLock,
		subrequests.Named{Name: "build-arg:" + lockArg, Description: "update:NAME, prune or verify"}),
	newRequest("frontend.bake", "Write the targets as a JSON file for docker buildx bake", bake),
	newRequest(llbgen.SizeRequest, "Build the target without gates, and show its size", size,
		subrequests.Named{Name: "build-arg:" + sizeBaseArg, Description: "Saved sizes to compare with"}),
	newRequest(llbgen.ExpandRequest, "Write the target as a plain Dockerfile", expand),
}

func newRequest(name, description string, answer func(context.Context, *query) (*client.Result, error), more ...subrequests.Named) request {
	return request{subrequests.Request{
		Name:        name,
		Version:     "1.0.0",
		Type:        subrequests.TypeRPC,
		Description: description,
		Opts: append([]subrequests.Named{
			{Name: "target", Description: "Target build stage"},
			{Name: "platform", Description: "Platforms of the build"},
			{Name: "build-arg:*", Description: "Build args of the build"},
		}, more...),
		Metadata: []subrequests.Named{{Name: "result.json"}, {Name: "result.txt"}},
	}, answer}
}

// ofOurs returns the request of our own that a build asks for; nil for none.
func ofOurs(id string) *request {
	if i := slices.IndexFunc(requests, func(r request) bool { return r.Name == id }); i >= 0 {
		return &requests[i]
	}
	return nil
}

// answer answers the build's subrequest. ok is false when there is none: then
// it is a build. An unknown subrequest is BuildKit's typed error.
func answer(ctx context.Context, q *query) (_ *client.Result, ok bool, err error) {
	bc, gen := q.client, q.gen
	id := bc.BuildOpts().Opts[keyRequest]
	if request := ofOurs(id); request != nil {
		q.version = request.Version
		res, err := request.answer(ctx, q)
		return res, true, err
	}
	switch {
	case id == subrequests.RequestSubrequestsDescribe:
		// dockerui's own description leaves out check and convertllb
		res, err := describe()
		return res, true, err
	case id == targets.RequestTargets && gen.File() != nil:
		res, err := extendedTargets(ctx, gen)
		return res, true, err
	}
	res, ok, err := bc.HandleSubrequest(ctx, dockerui.RequestHandler{
		Outline:     gen.Outline,
		ListTargets: gen.Targets,
		Lint:        gen.Lint,
		ConvertLLB:  gen.ConvertLLB,
	})
	var unknown *errdefs.UnsupportedSubrequestError
	if gen.File() != nil && errors.As(err, &unknown) {
		return res, ok, &unknownRequest{unknown}
	}
	return res, ok, err
}

// unknownRequest is BuildKit's typed error of a request that there is not, with the names that
// users write. What BuildKit makes of the typed error on its way says which request it is.
type unknownRequest struct {
	typed *errdefs.UnsupportedSubrequestError
}

func (e *unknownRequest) Error() string {
	names := []string{"check", "outline", "targets", "subrequests.describe"}
	for _, r := range requests {
		names = append(names, strings.TrimPrefix(r.Name, "frontend."))
	}
	slices.Sort(names)
	if near, ok := suggest.Search(strings.TrimPrefix(e.typed.Name, "frontend."), names, true); ok {
		return "did you mean " + near + "?"
	}
	return "there are " + strings.Join(names, ", ")
}

// Unwrap returns the typed error.
func (e *unknownRequest) Unwrap() error { return e.typed }

// graph draws the stage graph for all platforms that the build asks for.
func graph(text func(*report.Graph) string) func(context.Context, *query) (*client.Result, error) {
	return func(ctx context.Context, q *query) (*client.Result, error) {
		plans, err := q.plans(ctx)
		if err != nil {
			return nil, err
		}
		g := report.NewGraph(plans, q.file)
		dt, err := g.JSON()
		if err != nil {
			return nil, err
		}
		return answerOf(q.version, dt, text(g)), nil
	}
}

// expand writes the target as a plain Dockerfile for all platforms that the build
// asks for.
func expand(ctx context.Context, q *query) (*client.Result, error) {
	e, err := q.gen.Expand(ctx, q.platforms(), func(def *pb.Definition) (*pb.Definition, error) {
		if !q.pins.Locks() {
			return def, nil
		}
		return q.pins.Definition(ctx, def)
	})
	if err != nil {
		return nil, err
	}
	dt, err := e.JSON()
	if err != nil {
		return nil, err
	}
	return answerOf(q.version, dt, e.Text), nil
}

// platforms returns those that the build asks for; nil stands for the worker's.
func (q *query) platforms() []*ocispecs.Platform {
	if len(q.client.TargetPlatforms) == 0 {
		return []*ocispecs.Platform{nil}
	}
	var wanted []*ocispecs.Platform
	for i := range q.client.TargetPlatforms {
		wanted = append(wanted, &q.client.TargetPlatforms[i])
	}
	return wanted
}

// plans plans the target for each platform that the build asks for.
func (q *query) plans(ctx context.Context) ([]*plan.Plan, error) {
	return q.each(ctx, q.platforms(), func(ctx context.Context, platform *ocispecs.Platform) (*plan.Plan, error) {
		return q.gen.Plan(ctx, platform, false)
	})
}

// each plans something for each platform; a nil plan is left out.
func (q *query) each(ctx context.Context, wanted []*ocispecs.Platform, one func(context.Context, *ocispecs.Platform) (*plan.Plan, error)) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	for _, platform := range wanted {
		p, err := one(ctx, platform)
		if err != nil {
			return nil, err
		}
		if p != nil {
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// extendedTargets lists the stages of an extended file.
func extendedTargets(ctx context.Context, gen *llbgen.Generator) (*client.Result, error) {
	// a file of which the default target cannot be planned has targets too
	p, _ := gen.Plan(ctx, gen.FirstPlatform(), true)
	t := report.NewTargets(gen.File(), p)
	dt, err := t.JSON()
	if err != nil {
		return nil, err
	}
	return answerOf(report.TargetsVersion, dt, t.Text()), nil
}

func describe() (*client.Result, error) {
	all := []subrequests.Request{
		outline.SubrequestsOutlineDefinition,
		targets.SubrequestsTargetsDefinition,
		lint.SubrequestLintDefinition,
		convertllb.SubrequestConvertLLBDefinition,
		subrequests.SubrequestsDescribeDefinition,
	}
	for _, r := range requests {
		all = append(all, r.Request)
	}
	dt, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := subrequests.PrintDescribe(dt, &text); err != nil {
		return nil, err
	}
	return answerOf(subrequests.SubrequestsDescribeDefinition.Version, dt, text.String()), nil
}

// answerOf is the answer of a subrequest in its two forms.
func answerOf(version string, json []byte, text string) *client.Result {
	res := client.NewResult()
	res.AddMeta("result.json", json)
	res.AddMeta("result.txt", []byte(text))
	res.AddMeta("version", []byte(version))
	return res
}
