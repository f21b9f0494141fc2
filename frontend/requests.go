package frontend

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"

	"github.com/stagecraft-build/stagecraft/llbgen"
)

// keyRequest is the option that asks for a subrequest (docker build --call)
// instead of a build.
const keyRequest = "requestid"

// answer answers the build's subrequest. ok is false when there is none: then
// it is a build. An unknown subrequest is BuildKit's typed error.
func answer(ctx context.Context, bc *dockerui.Client, gen *llbgen.Generator) (_ *client.Result, ok bool, err error) {
	// dockerui's own description leaves out check and convertllb.
	if bc.BuildOpts().Opts[keyRequest] == subrequests.RequestSubrequestsDescribe {
		res, err := describe()
		return res, true, err
	}
	return bc.HandleSubrequest(ctx, dockerui.RequestHandler{
		Outline:     gen.Outline,
		ListTargets: gen.Targets,
		Lint:        gen.Lint,
		ConvertLLB:  gen.ConvertLLB,
	})
}

func describe() (*client.Result, error) {
	dt, err := json.MarshalIndent([]subrequests.Request{
		outline.SubrequestsOutlineDefinition,
		targets.SubrequestsTargetsDefinition,
		lint.SubrequestLintDefinition,
		convertllb.SubrequestConvertLLBDefinition,
		subrequests.SubrequestsDescribeDefinition,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := subrequests.PrintDescribe(dt, &text); err != nil {
		return nil, err
	}
	res := client.NewResult()
	res.AddMeta("result.json", dt)
	res.AddMeta("result.txt", text.Bytes())
	res.AddMeta("version", []byte(subrequests.SubrequestsDescribeDefinition.Version))
	return res, nil
}
