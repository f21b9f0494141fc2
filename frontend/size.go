package frontend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/internal/tree"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// sizeBaseArg is the build arg that names saved sizes to compare with, a file of the build context.
const sizeBaseArg = "STAGECRAFT_SIZE_BASE"

// size builds the target for all platforms that the build asks for, and says how large it is.
func size(ctx context.Context, q *query) (*client.Result, error) {
	before, err := q.sizesBefore(ctx)
	if err != nil {
		return nil, err
	}
	wanted := q.platforms()
	all := &report.Size{Builds: make([]report.SizeBuild, len(wanted))}
	eg, ctx := errgroup.WithContext(ctx)
	for i, platform := range wanted {
		eg.Go(func() (err error) {
			defer guard.Recover(&err)
			all.Builds[i], err = q.sizeOf(ctx, platform)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	if before != nil {
		all.Compare(before)
	}
	dt, err := all.JSON()
	if err != nil {
		return nil, err
	}
	return answerOf(q.version, dt, all.Text()), nil
}

// sizesBefore reads the sizes to compare with; nil where the build names none.
func (q *query) sizesBefore(ctx context.Context) (*report.Size, error) {
	path, given := q.client.BuildOpts().Opts["build-arg:"+sizeBaseArg]
	if !given {
		return nil, nil
	}
	if path == "" {
		return nil, fmt.Errorf("%s is empty: name a file of the build context, as in %s=size.json", sizeBaseArg, sizeBaseArg)
	}
	text, err := q.sources.Read(ctx, q.sources.Files.Main().Root, path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s=%s: the build context has no such file: save one with --call=size,format=json", sizeBaseArg, path)
	case err != nil:
		return nil, fmt.Errorf("failed to read %s=%s: %w", sizeBaseArg, path, err)
	case len(text.Data) == 0:
		return nil, fmt.Errorf("%s=%s: the file is empty: a shell empties a file that it redirects to before the build reads it, so write into another one", sizeBaseArg, path)
	}
	before, err := report.ReadSize(text.Data)
	if err != nil {
		return nil, fmt.Errorf("%s=%s is not what --call=size,format=json prints: %w", sizeBaseArg, path, err)
	}
	return before, nil
}

// sizeOf builds and measures the target for one platform.
func (q *query) sizeOf(ctx context.Context, platform *ocispecs.Platform) (report.SizeBuild, error) {
	sizes, err := q.gen.Sizes(ctx, platform)
	if err != nil {
		return report.SizeBuild{}, err
	}
	stages, err := q.measured(ctx, sizes)
	if err != nil {
		return report.SizeBuild{}, err
	}
	return report.NewSizeBuild(sizes.Root, stages, q.file), nil
}

// measured builds what measures stages, and reads what came out.
func (q *query) measured(ctx context.Context, sizes *llbgen.Sizes) ([]report.Measured, error) {
	var ref client.Reference
	if sizes.Definition != nil {
		res, err := q.client.GatewayClient().Solve(ctx, client.SolveRequest{Definition: sizes.Definition.ToPB(), CacheImports: q.client.CacheImports, Evaluate: true})
		if err != nil {
			return nil, err
		}
		if ref, err = res.SingleRef(); err != nil {
			return nil, err
		}
	}
	var out []report.Measured
	for _, stage := range sizes.Stages {
		m := report.Measured{Instance: stage.Instance, Lines: stage.Lines, Image: stage.Image}
		if stage.File != "" {
			dt, err := ref.ReadFile(ctx, client.ReadRequest{Filename: stage.File})
			if err != nil {
				return nil, err
			}
			m.Report = &tree.Report{}
			err = json.Unmarshal(dt, m.Report)
			if n := len(m.Report.Steps); err == nil && (n == 0 || n != len(stage.Lines)) {
				err = fmt.Errorf("it is that of %d states, not of %d", n, len(stage.Lines))
			}
			if err != nil {
				return nil, stage.From.Locate(fmt.Errorf("failed to read the size of %s: %w", stage.Name, err))
			}
		}
		out = append(out, m)
	}
	return out, nil
}
