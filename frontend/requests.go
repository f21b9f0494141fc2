package frontend

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// keyRequest is the option that asks for a subrequest (docker build --call)
// instead of a build.
const keyRequest = "requestid"

// graphRequests are the calls that draw the stage graph, with the text that each
// gives.
var graphRequests = []graphCall{
	{graphRequest("frontend.graph", "Draw the stage graph of the target as a tree"), (*report.Graph).Text},
	{graphRequest("frontend.graph.mermaid", "Draw the stage graph of the target as a Mermaid flowchart"), (*report.Graph).Mermaid},
	{graphRequest("frontend.graph.dot", "Draw the stage graph of the target in Graphviz's DOT"), (*report.Graph).DOT},
}

// graphCall is a call that draws the stage graph.
type graphCall struct {
	subrequests.Request
	text func(*report.Graph) string
}

func graphRequest(name, description string) subrequests.Request {
	return subrequests.Request{
		Name:        name,
		Version:     "1.0.0",
		Type:        subrequests.TypeRPC,
		Description: description,
		Opts:        []subrequests.Named{{Name: "target", Description: "Target build stage"}},
		Metadata:    []subrequests.Named{{Name: "result.json"}, {Name: "result.txt"}},
	}
}

// drawsGraph reports whether a request is one of graphRequests.
func drawsGraph(id string) bool {
	return slices.ContainsFunc(graphRequests, func(request graphCall) bool { return request.Name == id })
}

// answer answers the build's subrequest. ok is false when there is none: then
// it is a build. An unknown subrequest is BuildKit's typed error.
func answer(ctx context.Context, bc *dockerui.Client, gen *llbgen.Generator, filename string) (_ *client.Result, ok bool, err error) {
	id := bc.BuildOpts().Opts[keyRequest]
	for _, request := range graphRequests {
		if request.Name == id {
			res, err := graph(ctx, bc, gen, filename, request.Version, request.text)
			return res, true, err
		}
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
	return bc.HandleSubrequest(ctx, dockerui.RequestHandler{
		Outline:     gen.Outline,
		ListTargets: gen.Targets,
		Lint:        gen.Lint,
		ConvertLLB:  gen.ConvertLLB,
	})
}

// graph draws the stage graph for all platforms that the build asks for.
func graph(ctx context.Context, bc *dockerui.Client, gen *llbgen.Generator, filename, version string, text func(*report.Graph) string) (*client.Result, error) {
	wanted := []*ocispecs.Platform{nil}
	if len(bc.TargetPlatforms) > 0 {
		wanted = nil
		for i := range bc.TargetPlatforms {
			wanted = append(wanted, &bc.TargetPlatforms[i])
		}
	}
	var plans []*plan.Plan
	for _, platform := range wanted {
		p, err := gen.Plan(ctx, platform, false)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	g := report.NewGraph(plans, filename)
	dt, err := g.JSON()
	if err != nil {
		return nil, err
	}
	return answerOf(version, dt, text(g)), nil
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
	for _, request := range graphRequests {
		all = append(all, request.Request)
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
