package llbgen

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// callSites say where the instances of a plan are asked for: a step that fails shows
// these lines beside its own.
type callSites struct {
	// gates are the places that ask for an instance as a gate.
	gates map[*plan.Instance][]diagnostic.Place
	// calls are the first calls found that lead to an instance.
	calls map[*plan.Instance]callSite
}

// callSite is one call.
type callSite struct {
	from  *plan.Instance
	place diagnostic.Place // without ranges where the reference is no call
	call  string           // as users see it
}

// newCallSites goes through a plan from its root on, the nearest instances first.
func newCallSites(p *plan.Plan) *callSites {
	s := &callSites{gates: map[*plan.Instance][]diagnostic.Place{}, calls: map[*plan.Instance]callSite{p.Root: {}}}
	for _, inst := range p.Instances {
		for _, w := range inst.Waits() {
			if w.Limit != nil {
				continue
			}
			s.gates[w.To] = append(s.gates[w.To], w.From.Place(w.Reference.Span))
		}
	}
	queue := []*plan.Instance{p.Root}
	for _, kept := range p.Kept {
		if _, ok := s.calls[kept]; !ok {
			s.calls[kept] = callSite{}
			queue = append(queue, kept)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		inst := queue[0]
		for use := range inst.Uses() {
			if use.To == nil {
				continue
			}
			if _, known := s.calls[use.To]; known {
				continue
			}
			site := callSite{from: inst}
			if use.Call != "" {
				site.place, site.call = use.In.Place(use.Reference.Span), use.Call
			}
			s.calls[use.To] = site
			queue = append(queue, use.To)
		}
	}
	return s
}

// maxShown is how long the files are that the places of a step show, one for each place, in bytes: the
// error of a step that fails has them all, and has to fit into a message of the daemon.
const maxShown = 6 << 20

// of returns the places that ask for an instance: those of its gates, then the calls
// on one way to the root, the nearest first, as many as an error can show.
func (s *callSites) of(inst *plan.Instance) []diagnostic.Place {
	if inst == nil {
		return nil
	}
	var out []diagnostic.Place
	shown := len(inst.Env.File().Data)
	add := func(place diagnostic.Place) {
		if len(place.Ranges) > 0 && shown+len(place.Text.Data) <= maxShown && !slices.ContainsFunc(out, func(other diagnostic.Place) bool {
			return other.Text == place.Text && slices.Equal(other.Ranges, place.Ranges)
		}) {
			out = append(out, place)
			shown += len(place.Text.Data)
		}
	}
	for _, place := range s.gates[inst] {
		add(place)
	}
	for at := inst; at != nil; at = s.calls[at].from {
		add(s.calls[at].place)
	}
	return out
}

// chain adds to a mistake in a unit's text the calls that lead there.
func (s *callSites) chain(u *unit, locations [][]parser.Range, err error) error {
	for _, r := range slices.Concat(locations...) {
		if o, ok := u.file.Of(r.Start.Line); ok && o.Instance != nil {
			return s.relate(o.Instance, err)
		}
	}
	return err
}

// relate adds to a mistake in an instance the calls that lead there.
func (s *callSites) relate(inst *plan.Instance, err error) error {
	for at := inst; at != nil; at = s.calls[at].from {
		if site := s.calls[at]; len(site.place.Ranges) > 0 {
			err = diagnostic.Relate(err, site.place, "in %s, called on line %d", site.call, site.place.Line())
		}
	}
	return err
}

// platformCall returns the call that gives an instance its platform; no place when
// the build does.
func (s *callSites) platformCall(inst *plan.Instance) diagnostic.Place {
	for at := inst; at != nil; at = s.calls[at].from {
		site := s.calls[at]
		if site.from != nil && len(site.place.Ranges) > 0 && !site.from.Env.Same(inst.Env, plan.PlatformInput) {
			return site.place
		}
	}
	return diagnostic.Place{}
}

// explainPlatform says of an image that lacks a platform who asks for it.
func (b *build) explainPlatform(u *unit, err error) error {
	var (
		located *parser.LocationError
		other   *unitError
	)
	if !strings.Contains(err.Error(), "no match for platform in manifest") || !errors.As(err, &located) || errors.As(err, &other) {
		return err
	}
	for _, ranges := range located.Locations {
		for _, r := range ranges {
			o, ok := u.file.Of(r.Start.Line)
			if !ok || o.Instance == nil || o.In != o.Instance.From || o.Instance.Base.Platform == nil {
				continue
			}
			inst := o.Instance
			call := b.calls.platformCall(inst)
			if len(call.Ranges) == 0 {
				return err
			}
			platform := platforms.FormatAll(*inst.Base.Platform)
			mistake := fmt.Errorf("%s has no %s; stage %s is built for it by the call on line %d. Write FROM --platform=$BUILDPLATFORM, or correct the platform: %w",
				inst.Base.Name, platform, inst.Stage, call.Line(), err)
			return diagnostic.At(o.In.Lines(), mistake)
		}
	}
	return err
}
