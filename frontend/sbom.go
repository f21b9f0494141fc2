package frontend

import (
	"context"
	"fmt"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/attestations/sbom"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/result"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// keyResolveMode says whether image metadata may come from local content.
const keyResolveMode = "image-resolve-mode"

// sbomScan collects the images of a build and attests what is in them. A nil
// sbomScan is a build that asks for no SBOM.
type sbomScan struct {
	scanner sbom.Scanner
	images  sync.Map // platform ID -> *llbgen.Image
}

func newSBOMScan(ctx context.Context, bc *dockerui.Client) (*sbomScan, error) {
	if bc.SBOM == nil {
		return nil, nil
	}
	platform := bc.BuildPlatforms[0]
	scanner, err := sbom.CreateSBOMScanner(ctx, bc.GatewayClient(), bc.SBOM.Generator, platform, sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{
			ResolveMode: bc.BuildOpts().Opts[keyResolveMode],
			Platform:    &platform,
		},
	}, bc.SBOM.Parameters)
	if err != nil {
		return nil, err
	}
	return &sbomScan{scanner: scanner}, nil
}

// add registers the image built for platform; nil means the default one.
func (s *sbomScan) add(platform *ocispecs.Platform, img *llbgen.Image) {
	if s == nil {
		return
	}
	p := platforms.DefaultSpec()
	if platform != nil {
		p = *platform
	}
	s.images.Store(platforms.FormatAll(platforms.Normalize(p)), img)
}

// attest adds an SBOM attestation to each platform's result.
func (s *sbomScan) attest(ctx context.Context, c client.Client, rb *dockerui.ResultBuilder) error {
	if s == nil {
		return nil
	}
	return rb.EachPlatform(ctx, func(ctx context.Context, id string, _ ocispecs.Platform) (err error) {
		defer guard.Recover(&err)

		v, ok := s.images.Load(id)
		if !ok {
			return fmt.Errorf("no scan targets for %s", id)
		}
		img := v.(*llbgen.Image).Result
		var opts []llb.ConstraintsOpt
		if img.IsIgnoreCache {
			opts = append(opts, llb.IgnoreCache)
		}
		att, err := s.scanner(ctx, id, img.SBOM.Core, img.SBOM.Extras, opts...)
		if err != nil {
			return err
		}
		solved, err := result.ConvertAttestation(&att, func(st *llb.State) (client.Reference, error) {
			def, err := st.Marshal(ctx)
			if err != nil {
				return nil, err
			}
			res, err := c.Solve(ctx, client.SolveRequest{Definition: def.ToPB()})
			if err != nil {
				return nil, err
			}
			return res.Ref, nil
		})
		if err != nil {
			return err
		}
		rb.AddAttestation(id, *solved)
		return nil
	})
}
