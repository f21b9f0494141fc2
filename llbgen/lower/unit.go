// Package lower turns the instances of a plan into plain Dockerfiles, and leads
// what upstream's converter says of those back to the names and lines of the
// files that a user wrote. It knows no LLB.
package lower

import (
	"slices"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// Unit is a sub-build that is converted on its own: the build's target, every call
// of which the config comes out too, and every call with values that cannot stand
// in a text. Other calls are stages of the unit that they stand in.
type Unit struct {
	Root *plan.Instance
	// Instances are all that Root needs, itself included, up to the next unit,
	// each behind those it needs.
	Instances []*plan.Instance
	// Platform is what the unit is built for; nil is the worker's.
	Platform *ocispecs.Platform

	// epoch is the stage that gives SOURCE_DATE_EPOCH; nil for none.
	epoch *plan.Instance
	// kept are instances that the root may not need.
	kept   []*plan.Instance
	member map[*plan.Instance]bool
	// needed are the instances of which the result of the plan is made.
	needed map[*plan.Instance]bool
	// whole says that calls which are sealed are stages of the text too.
	whole  bool
	naming *naming
	values *values
}

// Units cuts a plan into units, that of the root first. platform is the build's.
// bake writes every build arg into the texts, even when all instances agree on it.
func Units(p *plan.Plan, platform *ocispecs.Platform, n *Names, bake bool) ([]*Unit, error) {
	var (
		all  []*Unit
		seen = map[*plan.Instance]bool{}
	)
	// a stage that is built FROM the root as an image cannot stand in its text
	needs := map[*plan.Instance]bool{}
	kept := slices.DeleteFunc(slices.Clone(p.Kept), func(inst *plan.Instance) bool { return needsBuild(inst, p.Root, needs) })
	made := Needed(p.Root)
	for roots := []*plan.Instance{p.Root}; len(roots) > 0; roots = roots[1:] {
		if seen[roots[0]] {
			continue
		}
		seen[roots[0]] = true
		u := &Unit{Root: roots[0], epoch: p.Epochs[roots[0]], Platform: platform, kept: kept, needed: made}
		if platform != nil || u.Root.Env.Explicit() {
			u.Platform = &u.Root.Env.Platform
		}
		if u.epoch != nil {
			u.kept = append(slices.Clip(u.kept), u.epoch)
		}
		others, err := u.settle(n, bake)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
		roots = append(roots, others...)
		kept = nil
	}
	return all, nil
}

// Needed returns the instances of which root is made.
func Needed(root *plan.Instance) map[*plan.Instance]bool {
	out := map[*plan.Instance]bool{}
	var visit func(*plan.Instance)
	visit = func(inst *plan.Instance) {
		if inst == nil || out[inst] {
			return
		}
		out[inst] = true
		for e := range inst.All() {
			if e.Kind != plan.KindValues { // whose config alone is wanted, or that root waits for
				visit(e.To)
			}
		}
	}
	visit(root)
	for _, w := range root.Waits() {
		visit(w.To)
	}
	return out
}

// needsBuild reports whether inst may need root as a build of its own. known are
// the answers so far.
func needsBuild(inst, root *plan.Instance, known map[*plan.Instance]bool) bool {
	if answer, ok := known[inst]; ok {
		return answer
	}
	known[inst] = false
	for e := range inst.All() {
		if e.To != nil && ((e.Sealed || e.Call != "") && e.To == root || needsBuild(e.To, root, known)) {
			known[inst] = true
		}
	}
	return known[inst]
}

// collect finds the instances of the unit but for those that are unfit for it, and
// returns the roots of other units that they need.
func (u *Unit) collect(unfit map[*plan.Instance]bool) []*plan.Instance {
	var (
		others []*plan.Instance
		visit  func(*plan.Instance)
	)
	u.Instances, u.member = nil, map[*plan.Instance]bool{}
	visit = func(inst *plan.Instance) {
		if u.member[inst] {
			return
		}
		u.member[inst] = true
		u.Instances = append(u.Instances, inst)
		for e := range inst.All() {
			switch {
			case e.Sealed && !u.whole || unfit[e.To]:
				others = append(others, e.To)
			case e.To != nil:
				visit(e.To)
			}
		}
	}
	for _, inst := range u.kept {
		visit(inst)
	}
	visit(u.Root)
	slices.SortFunc(u.Instances, func(a, b *plan.Instance) int { return a.ID - b.ID })
	return others
}

// Sealed reports whether an edge of an instance of the unit leads to a unit of its
// own.
func (u *Unit) Sealed(e plan.Edge) bool {
	return e.To != nil && !u.whole && (e.Sealed || !u.member[e.To])
}

// StageName returns the name of an instance's stage in the text.
func (u *Unit) StageName(inst *plan.Instance) string { return u.naming.name(inst) }

// file is that of the root, of which the text has the global part.
func (u *Unit) file() *module.File { return u.Root.Env.File() }

// foreign reports whether inst is built for another platform than the unit.
func (u *Unit) foreign(inst *plan.Instance) bool {
	if u.whole && inst.Env.Explicit() {
		return true // whatever the build asks for
	}
	return !inst.Env.Same(u.Root.Env, plan.PlatformInput)
}

// HasBase reports whether a stage of the unit is built FROM an instance.
func (u *Unit) HasBase(base *plan.Instance) bool {
	return slices.ContainsFunc(u.Instances, func(inst *plan.Instance) bool { return inst.Base.To == base })
}

// alike reports whether a platform is that of the unit.
func (u *Unit) alike(platform *ocispecs.Platform) bool {
	return platforms.FormatAll(*platform) == platforms.FormatAll(u.Root.Env.Platform)
}

// like reports whether inst reads what it would read in the root's environment.
func (u *Unit) like(inst *plan.Instance) bool {
	for _, name := range inst.Reads {
		if !u.Root.Env.Same(inst.Env, name) {
			return false
		}
	}
	return true
}
