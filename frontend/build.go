// Package frontend is the gateway side of Stagecraft: it reads a build's
// options and files through a BuildKit gateway client, has them converted, and
// hands the solved result back.
package frontend

import (
	"cmp"
	"context"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/locked"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// Build is the frontend, with the signature of client.BuildFunc: it runs in
// the frontend image, in a client's process and under a test's client alike.
//
// For a Dockerfile without extensions its result is that of
// github.com/moby/buildkit/frontend/dockerfile/builder.Build. A panic, in a
// goroutine too, ends as an error that says so.
func Build(ctx context.Context, c client.Client) (*client.Result, error) {
	res, err := buildWith(ctx, c, llbgen.Options{})
	if err == nil && res != nil {
		err = requireFits(res)
	}
	if err != nil {
		return nil, readable(err)
	}
	return res, nil
}

func buildWith(ctx context.Context, c client.Client, options llbgen.Options) (_ *client.Result, err error) {
	defer guard.Recover(&err)

	locks := lockingOf(c.BuildOpts().Opts)
	pins := locked.New(newMetadataCache(&guardedClient{Client: c}), locks.mode, locks.update)
	bc, err := dockerui.NewClient(pins)
	if err != nil {
		return nil, err
	}
	opts := bc.BuildOpts().Opts
	mayForward, capsErr := checkCaps(opts[keyCaps])
	if capsErr != nil && !mayForward {
		return nil, capsErr
	}

	src, err := bc.ReadEntrypoint(ctx, "Dockerfile")
	if err != nil {
		return nil, err
	}
	if other, ok := otherFrontend(opts, src.Data); ok {
		res, err := forward(ctx, bc.GatewayClient(), other)
		if err != nil {
			return nil, other.wrap(err, src.SourceMap)
		}
		return unguard(res)
	}
	if capsErr != nil {
		return nil, capsErr
	}

	sources := source.New(bc, src)
	warnings := &warner{show: func(w *diagnostic.Diagnostic) { warnIn(ctx, bc, sources, w) }}
	defer func() {
		if bug := warnings.bug(); bug != nil && err == nil {
			err = bug
		}
	}()
	rules := bc.LinterConfig // New takes it away
	heed := func(warn llbgen.Warn) llbgen.Warn { return warn.UnderRules(rules, src.Data, pins.Fail) }
	sources.Locks, pins.Sources, pins.Notify, pins.Wrong = pins, sources, heed(warnings.warn), locks.err
	defer pins.Tell()
	if locks.asked() {
		bc.Target, options.Lower = "", true
	}
	if opts[keyRequest] == llbgen.SizeRequest { // of a plain file too
		options.Lower = true
	}
	q := &query{client: bc, sources: sources, file: src.Filename, locks: locks, pins: pins}
	pins.Command = q.adviseOnce()
	options.Program = program(c)
	options.Pin, pins.Everywhere = pins.Image, opts[keyRequest] == llbgen.ExpandRequest
	gen, err := llbgen.New(ctx, bc, sources, pins.Resolver(bc.GatewayClient()), warnings.warn, options)
	q.gen = gen
	if opts[keyRequest] == lint.RequestLint && (err != nil || gen.File() != nil) {
		return check(ctx, sources, func(ctx context.Context, warn llbgen.Warn) error {
			pins.Notify = heed(warn)
			if err != nil {
				return err
			}
			if err := locks.prepare(ctx, bc, pins); err != nil {
				return err
			}
			lintSyntax(sources.MainText, pins, heed(warn))
			err := gen.Check(ctx, warn)
			q.lintSources(ctx)
			pins.Tell()
			return cmp.Or(err, pins.Failed())
		})
	}
	if err == nil {
		err = locks.prepare(ctx, bc, pins)
	}
	if err != nil {
		return nil, locateExtended(err, sources)
	}
	place := locate
	if gen.File() != nil {
		place = locateExtended
	}
	if locks.writes {
		res, err := q.writeLock(ctx)
		if err != nil {
			return nil, place(err, sources)
		}
		return unguard(res)
	}
	if res, ok, err := answer(ctx, q); err != nil || ok {
		if gen.File() != nil || ofOurs(opts[keyRequest]) != nil { // upstream does not locate errors of its requests
			err = place(err, sources)
		}
		if err == nil {
			q.lintSources(ctx) // all files are known now
		}
		return res, err
	}
	pins.Guessed = q.guessed
	res, err := build(ctx, bc, gen)
	if err != nil {
		return nil, place(err, sources)
	}
	lintLockArg(opts, gen, pins, heed(warnings.warn))
	pins.Tell()
	if err := pins.Failed(); err != nil {
		return nil, place(err, sources)
	}
	return unguard(res)
}

// build converts and solves the target for every platform asked for.
func build(ctx context.Context, bc *dockerui.Client, gen *llbgen.Generator) (*client.Result, error) {
	scan, err := newSBOMScan(ctx, bc)
	if err != nil {
		return nil, err
	}
	defer gen.ReadAhead()()
	rb, err := bc.Build(ctx, func(ctx context.Context, platform *ocispecs.Platform, i int) (_ *dockerui.BuildResult, err error) {
		defer guard.Recover(&err)

		img, err := gen.Image(ctx, platform, i != 0)
		if err != nil {
			return nil, err
		}
		ref, err := solve(ctx, bc, img)
		if err != nil {
			return nil, err
		}
		scan.add(platform, img)
		return &dockerui.BuildResult{
			Reference: ref,
			Image:     img.Config(),
			BaseImage: img.BaseConfig(),
			Epoch:     img.Result.Epoch,
		}, nil
	})
	if err != nil {
		return nil, err
	}
	if err := scan.attest(ctx, bc.GatewayClient(), rb); err != nil {
		return nil, err
	}
	return rb.Finalize()
}

// solve solves an image. Where it cannot wait for its gates, they are built
// beside it, here and now.
func solve(ctx context.Context, bc *dockerui.Client, img *llbgen.Image) (ref client.Reference, err error) {
	one := func(ctx context.Context, def *llb.Definition) (client.Reference, error) {
		res, err := bc.GatewayClient().Solve(ctx, client.SolveRequest{Definition: def.ToPB(), CacheImports: bc.CacheImports})
		if err != nil {
			return nil, err
		}
		return res.SingleRef()
	}
	if ref, err = one(ctx, img.Definition); err != nil || len(img.Gates) == 0 {
		return ref, err
	}
	eg, ctx := errgroup.WithContext(ctx)
	build := func(ref client.Reference) error {
		if ref == nil {
			return nil
		}
		_, err := ref.StatFile(ctx, client.StatRequest{Path: "/"}) // needs no newer gateway than this
		return err
	}
	eg.Go(func() (err error) {
		defer guard.Recover(&err)
		return build(ref)
	})
	for _, gate := range img.Gates {
		eg.Go(func() (err error) {
			defer guard.Recover(&err)
			ref, err := one(ctx, gate)
			if err != nil {
				return err
			}
			return build(ref)
		})
	}
	return ref, eg.Wait()
}
