package locked

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/internal/guard"
)

var _ source.Locks = (*Pins)(nil)

// Resolver returns what the converter looks images up with: those that the file names,
// by the digests of the lock. next answers for them; named contexts ask it themselves.
func (p *Pins) Resolver(next llb.ImageMetaResolver) llb.ImageMetaResolver {
	return &resolver{p, next}
}

type resolver struct {
	pins *Pins
	next llb.ImageMetaResolver
}

// ResolveImageConfig looks an image up as the lock pins it.
func (r *resolver) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (_ string, _ digest.Digest, _ []byte, err error) {
	defer guard.Recover(&err)
	p := r.pins
	if !p.active() {
		return r.next.ResolveImageConfig(ctx, ref, opt)
	}
	locked, e, err := p.image(ctx, ref, opt)
	var missing *missingError
	if errors.As(err, &missing) {
		err = errors.New(missing.short()) // the converter writes the name
	}
	if err != nil {
		return "", "", nil, err
	}
	shown, dgst, config, err := r.next.ResolveImageConfig(ctx, locked, opt)
	// a policy of the client may put another image in its place, which is what shown names then
	if err == nil && e != nil && dgst.String() != e.Pin && (shown == "" || strings.Contains(shown, e.Pin)) {
		err = fmt.Errorf("%s pins it to %s, and the registry gives %s", p.lock.Name, e.Pin, dgst)
	}
	if err != nil && e != nil && e.Before != "" && strings.Contains(err.Error(), "not found") && !strings.Contains(err.Error(), noPlatform) {
		err = fmt.Errorf("%s pins it to %s, which is not there any more: pass --build-arg STAGECRAFT_LOCK=update:%s to %s: %w", p.lock.Name, e.Pin, e.Source, p.Command(ctx), err)
	}
	return shown, dgst, config, err
}

// Unasked returns what says of each image whether a lock pins it, and looks none up:
// all are without a config.
func (p *Pins) Unasked() llb.ImageMetaResolver { return unasked{p} }

type unasked struct{ pins *Pins }

// ResolveImageConfig returns an empty config.
func (u unasked) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (_ string, _ digest.Digest, _ []byte, err error) {
	defer guard.Recover(&err)
	if u.pins.active() {
		_, _, err = u.pins.image(ctx, ref, opt)
	}
	return ref, "", []byte("{}"), err
}

// noPlatform is how an error says that an image is there, and not for a platform.
const noPlatform = "no match for platform"

// image returns an image reference as the lock pins it.
func (p *Pins) image(ctx context.Context, ref string, opt sourceresolver.Opt) (string, *lock.Pinned, error) {
	s, done, err := lock.ImageSource(ref)
	if err != nil || done {
		return ref, nil, err
	}
	e, err := p.pin(ctx, s, nil, diagnostic.Place{}, func(ctx context.Context) (lock.Source, string, error) {
		asked := opt
		image := sourceresolver.ResolveImageOpt{}
		if opt.ImageOpt != nil {
			image = *opt.ImageOpt
		}
		// what an engine has of its own is nothing that others can get
		image.ResolveMode = llb.ResolveModeForcePull.String()
		asked.ImageOpt = &image
		_, dgst, _, err := p.ResolveImageConfig(ctx, s.Name, asked)
		if err == nil && dgst == "" {
			err = errors.New("the engine says no digest")
		}
		if err != nil && !strings.Contains(err.Error(), noPlatform) {
			err = fmt.Errorf("%w (an image that only an engine has cannot be locked: pass it with --build-context %s=docker-image://%s)", err, s, s)
		}
		return s, dgst.String(), err
	})
	if e == nil || err != nil {
		return ref, nil, err
	}
	return s.Name + "@" + e.Pin, e, nil
}

// Import implements source.Locks.
func (p *Pins) Import(ctx context.Context, from string) (string, bool, error) {
	if !p.active() {
		return from, false, nil
	}
	if image, ok := strings.CutPrefix(from, "docker-image://"); ok {
		locked, e, err := p.image(ctx, image, sourceresolver.Opt{LogName: "[lock] load metadata for " + image})
		return "docker-image://" + locked, e != nil, err
	}
	if strings.HasPrefix(from, "oci-layout://") && !strings.Contains(from, "@") && p.mode == Strict {
		return "", false, fmt.Errorf("the build is locked, and no lock pins an OCI layout: write its digest, as in %s@sha256:…", from)
	}
	var st *llb.State
	if git, isGit, err := dfgitutil.ParseGitRef(from); isGit && err == nil && !git.IndistinguishableFromLocal {
		if st, _, err = dockerui.DetectGitContext(from, nil); err != nil {
			return "", false, err
		}
	} else if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		st, _, _ = dockerui.DetectHTTPContext(from)
	}
	if st == nil {
		return from, false, nil
	}
	op, err := sourceOf(ctx, *st, llb.WithCaps(p.BuildOpts().Caps))
	if err != nil || op == nil {
		return from, false, err
	}
	e, err := p.source(ctx, op, nil, "")
	return from, e != nil, err
}
