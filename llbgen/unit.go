package llbgen

import (
	"slices"

	"github.com/moby/buildkit/frontend/dockerui"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// unit is a sub-build that is converted on its own: the build's target, and
// every call of which the config comes out too. Other calls are stages of the
// unit that they stand in.
type unit struct {
	root *plan.Instance
	// epoch is the stage that gives SOURCE_DATE_EPOCH; nil for none.
	epoch *plan.Instance
	// instances are all that root needs, itself included, up to the next
	// unit, each behind those it needs.
	instances []*plan.Instance
	// platform is what the unit is built for; nil is the worker's.
	platform *ocispecs.Platform
	lowered  *lowered
	// client gives the build context.
	client *dockerui.Client
}

// units cuts the plan into units, that of the root first. platform is the
// build's.
func units(p *plan.Plan, platform *ocispecs.Platform) []*unit {
	var (
		all  []*unit
		seen = map[*plan.Instance]bool{}
	)
	var add func(root *plan.Instance, more []*plan.Instance)
	add = func(root *plan.Instance, more []*plan.Instance) {
		if seen[root] {
			return
		}
		seen[root] = true
		u := &unit{root: root, epoch: p.Epochs[root], platform: platform}
		if platform != nil || root.Env.Explicit() {
			u.platform = &root.Env.Platform
		}
		all = append(all, u)
		if u.epoch != nil {
			more = append(more, u.epoch)
		}
		for _, sealed := range u.collect(more) {
			add(sealed, nil)
		}
	}
	// a stage that is built FROM the root as an image cannot stand in its text
	needs := map[*plan.Instance]bool{}
	add(p.Root, slices.DeleteFunc(slices.Clone(p.Kept), func(inst *plan.Instance) bool { return needsSealed(inst, p.Root, needs) }))
	return all
}

// needsSealed reports whether inst needs root as a build of its own. known are
// the answers so far.
func needsSealed(inst, root *plan.Instance, known map[*plan.Instance]bool) bool {
	if answer, ok := known[inst]; ok {
		return answer
	}
	known[inst] = false
	for e := range inst.All() {
		if e.To != nil && (e.Sealed && e.To == root || needsSealed(e.To, root, known)) {
			known[inst] = true
		}
	}
	return known[inst]
}

// collect finds the instances of the unit and returns the roots of other units
// that they need.
func (u *unit) collect(more []*plan.Instance) []*plan.Instance {
	var (
		sealed []*plan.Instance
		seen   = map[*plan.Instance]bool{}
		visit  func(*plan.Instance)
	)
	visit = func(inst *plan.Instance) {
		if seen[inst] {
			return
		}
		seen[inst] = true
		u.instances = append(u.instances, inst)
		for e := range inst.All() {
			switch {
			case e.Sealed:
				sealed = append(sealed, e.To)
			case e.To != nil:
				visit(e.To)
			}
		}
	}
	for _, inst := range more {
		visit(inst)
	}
	visit(u.root)
	slices.SortFunc(u.instances, func(a, b *plan.Instance) int { return a.ID - b.ID })
	return sealed
}
