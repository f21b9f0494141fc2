package lower

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// ExpandOptions are what an expansion depends on beside the plans.
type ExpandOptions struct {
	// Directives are the lines at the top but for that of the escape token.
	Directives []string
	// About are the comments below the directives, made of what came out.
	About func(*Expansion) []string
	// Taken are names that stand for something outside the files.
	Taken []string
	// Kept writes what only a trigger of an image can name too: stages, and build args that
	// no line declares.
	Kept bool
	// Pins are the lines of the text that a lock pins.
	Pins map[PinLine]Pin
	// Passed says which build args a build of the text gets, as this one does.
	Passed func(name string) bool
}

// PinLine is a line of a part on one of the platforms.
type PinLine struct {
	Platform int
	Part     string
	In       *syntax.Instruction
}

// Expansion is the plans of one build, one for each platform, as one plain Dockerfile
// for people. The text builds to what the plans are for without a target and build args.
type Expansion struct {
	// Target is the last stage, Checks the stage that needs all gates; empty when
	// there are none.
	Target, Checks string
	// NoCache are the stages that have a step which runs in every build.
	NoCache []string
	// Args are the build args whose values stand in it.
	Args map[string]bool
	// ReadsContext is set when a line may read the build context.
	ReadsContext bool
	Lines

	out *text.Writer
}

// Text returns the Dockerfile, in which upstream reads what was written.
func (e *Expansion) Text() ([]byte, error) { return e.out.Bytes(), e.out.Check() }

// Origins returns where the lines of the text come from, in their order.
func (e *Expansion) Origins() []Origin { return e.origins }

// expanding is what is kept of a part while it is written.
type expanding struct {
	// as is the name of the part's stage.
	as string
	// needs are the stages of the text that the part uses.
	needs map[string]bool
	// parts are what helpers add.
	parts   []*part
	noCache bool
	// trigger is set while a trigger is written: what it names is needed where it runs.
	trigger bool
}

func (e *expanding) add(p *part) { e.parts = append(e.parts, p) }

// part is a stage of the text on one platform.
type part struct {
	name string
	// title is what users call it, in what it comes from.
	title string
	in    *syntax.Instruction
	file  *module.File
	// context is set for a named context that stands for a stage.
	context bool
	write   func(*lowerer) error

	lowerer *lowerer
	text    string
	needs   map[string]bool
	noCache bool
}

// expander writes an expansion.
type expander struct {
	opt      ExpandOptions
	plans    []*plan.Plan
	lowerers []*lowerer
	// parts are those of a name by platform, nil where one lacks it. names are in the
	// order of the plans.
	parts map[string][]*part
	names []string
	taken *readableNames
	out   *Expansion
}

// Expand writes plans of one build, which are for the given platforms; nil for the
// worker's.
func Expand(plans []*plan.Plan, platforms []*ocispecs.Platform, opt ExpandOptions) (*Expansion, error) {
	x := &expander{opt: opt, plans: plans, parts: map[string][]*part{}, out: &Expansion{Args: map[string]bool{}}}
	x.taken = newReadableNames(x.takenNames())
	units := x.units(platforms)
	checks := ""
	if slices.ContainsFunc(units, (*Unit).hasGates) {
		checks = x.taken.pick("checks")
	}
	x.out.Checks = checks
	target := units[0].naming.name(units[0].Root)
	differ := slices.ContainsFunc(units, func(u *Unit) bool { return u.naming.name(u.Root) != target })
	if differ {
		target = x.taken.pick("target")
	}
	x.out.Target = target
	for _, u := range units {
		if err := u.freeze(units, target, opt.Passed); err != nil {
			return nil, err
		}
	}
	for i, u := range units {
		l := newLowerer(u, Options{Plain: true, Undeclared: x.opt.Kept, Pin: func(part string, in *syntax.Instruction) (Pin, bool) {
			pin, ok := x.opt.Pins[PinLine{i, part, in}]
			return pin, ok
		}})
		l.given = x.out.Args
		x.lowerers = append(x.lowerers, l)
		if err := x.collect(i, l, checks, differ); err != nil {
			return nil, err
		}
	}
	suffix, err := suffixes(units)
	if err != nil {
		return nil, err
	}
	order, err := x.order(target)
	if err != nil {
		return nil, err
	}
	// once to learn which global ARGs the stages use, and what the top says of all
	stages, all := text.NewFile(units[0].file().Escape), &File{}
	if err := x.write(stages, all, order, suffix); err != nil {
		return nil, err
	}
	x.out.ReadsContext = slices.ContainsFunc(all.origins, func(o Origin) bool { return ReadsContext(o.In) })
	used, err := usedNames(stages.Bytes())
	if err != nil {
		return nil, err
	}
	if err := x.lowerers[0].on(stages, all, "").frozenGlobals(maps.Clone(used)); err != nil {
		return nil, err
	}
	return x.out, x.finish(order, suffix, used)
}

// finish writes the text.
func (x *expander) finish(order []string, suffix suffixed, used map[string]bool) error {
	file := x.lowerers[0].unit.file()
	x.out.out = text.NewFile(file.Escape, x.opt.Directives...)
	for _, line := range x.opt.About(x.out) {
		x.out.out.Comment(line)
	}
	all := &File{}
	l := x.lowerers[0].on(x.out.out, all, "")
	if err := l.frozenGlobals(used); err != nil {
		return err
	}
	if err := x.write(x.out.out, all, order, suffix); err != nil {
		return err
	}
	x.out.Lines = all.Lines
	return nil
}

// takenNames returns the names that stand for something in the files and outside.
func (x *expander) takenNames() map[string]bool {
	taken := map[string]bool{}
	for _, name := range x.opt.Taken {
		taken[name] = true
	}
	for _, p := range x.plans {
		for _, stage := range p.File.Stages {
			taken[stage.Name] = true
		}
		for _, inst := range p.Instances {
			for e := range inst.All() {
				taken[e.Name] = true
			}
			taken[inst.From.Stage().BaseName] = true
		}
	}
	return taken
}

// units returns the plans as units that hold all their instances.
func (x *expander) units(platforms []*ocispecs.Platform) []*Unit {
	var units []*Unit
	picked := map[string]string{} // a name means one thing on all platforms
	for i, p := range x.plans {
		u := &Unit{Root: p.Root, epoch: p.Epochs[p.Root], Platform: platforms[i], whole: true, needed: Needed(p.Root)}
		if x.opt.Kept {
			needs := map[*plan.Instance]bool{}
			u.kept = slices.DeleteFunc(slices.Clone(p.Kept), func(inst *plan.Instance) bool {
				return inst.Stage.Index >= p.Root.Stage.Index || needsBuild(inst, p.Root, needs)
			})
		}
		if u.epoch != nil {
			u.kept = append(u.kept, u.epoch)
		}
		u.collect(nil)
		names := NewNames(p)
		names.readable = &readableNames{taken: x.taken.taken, picked: picked, seen: map[string]int{}}
		u.naming = newNaming(u, names)
		units = append(units, u)
	}
	return units
}

// hasGates reports whether an instance waits for another one.
func (u *Unit) hasGates() bool {
	return slices.ContainsFunc(u.Instances, func(inst *plan.Instance) bool {
		return u.needed[inst] && slices.ContainsFunc(inst.Waits(), func(w plan.Wait) bool { return w.Limit == nil })
	})
}

// newLowerer returns what writes a unit.
func newLowerer(u *Unit, opt Options) *lowerer {
	return &lowerer{unit: u, opt: opt, ofHelper: map[string]string{}, index: map[*plan.Instance]int{}}
}

// on returns the lowerer for another text, in which it writes the stage of a name.
func (l *lowerer) on(out *text.Writer, file *File, as string) *lowerer {
	other := *l
	other.out, other.file = out, file
	if file.froms == nil {
		file.froms, file.StandIns, file.numbered = map[string]string{}, map[string]StandIn{}, map[int]bool{}
	}
	other.expanding = &expanding{as: as, needs: map[string]bool{}}
	other.current = nil
	return &other
}

// collect finds the parts of a platform and writes each to see what it needs.
func (x *expander) collect(platform int, l *lowerer, checks string, wrap bool) error {
	root := l.unit.Root
	helpers := l.on(text.NewFile('\\'), &File{}, "")
	if err := helpers.helpers(); err != nil {
		return err
	}
	parts := helpers.expanding.parts
	for _, inst := range l.unit.Instances {
		title := inst.Name
		if inst.Replaced {
			title += ", for which the named context stands"
		}
		parts = append(parts, &part{name: l.unit.naming.name(inst), title: title, in: inst.From, file: inst.Env.File(), context: inst.Replaced && !l.unit.naming.own[inst], write: func(l *lowerer) error {
			l.current = inst
			for e := range inst.All() {
				if e.To != nil && e.Kind != plan.KindGate { // those are needed by checks
					l.need(l.unit.naming.name(e.To))
				}
			}
			return l.stage(inst)
		}})
	}
	if checks != "" { // on a platform without gates it needs nothing
		parts = append(parts, &part{name: checks, title: "all that stages wait for", write: (*lowerer).checks})
	}
	if wrap {
		parts = append(parts, &part{name: x.out.Target, title: root.Name, in: root.From, file: root.Env.File(), write: func(l *lowerer) error {
			return l.from(root.From, newFrom("FROM", l.need(l.unit.naming.name(root)), l.expanding.as))
		}})
	}
	for _, p := range parts {
		out := text.NewFile(l.unit.file().Escape)
		writing := l.on(out, &File{}, p.name)
		if err := p.write(writing); err != nil {
			return err
		}
		p.lowerer, p.text, p.needs, p.noCache = l, string(out.Bytes()), writing.expanding.needs, writing.expanding.noCache
		if x.parts[p.name] == nil {
			x.parts[p.name] = make([]*part, len(x.plans))
			x.names = append(x.names, p.name)
		}
		x.parts[p.name][platform] = p
	}
	return nil
}

// order returns the names of the parts, each behind those that it needs, the target
// last.
func (x *expander) order(target string) ([]string, error) {
	var order []string
	at := map[string]int{}
	state := map[string]int{} // 1 is open, 2 is done
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case 1:
			p := x.parts[name][0]
			err := fmt.Errorf("stage %s needs itself once the stages of all platforms stand in one file: expand one platform at a time", name)
			if p == nil || p.in == nil {
				return err
			}
			return p.in.ErrorOfLine(err)
		case 2:
			return nil
		}
		state[name] = 1
		needs := map[string]bool{}
		for _, p := range x.parts[name] {
			if p != nil {
				maps.Copy(needs, p.needs)
			}
		}
		delete(needs, name)
		for _, other := range slices.SortedFunc(maps.Keys(needs), func(a, b string) int { return at[a] - at[b] }) {
			if err := visit(other); err != nil {
				return err
			}
		}
		state[name] = 2
		order = append(order, name)
		return nil
	}
	// where a named context is meant, no stage of its name stands above
	slices.SortStableFunc(x.names, func(a, b string) int { return strings.Compare(x.rank(a), x.rank(b)) })
	for i, name := range x.names {
		at[name] = i
	}
	for _, name := range x.names {
		if name != target {
			if err := visit(name); err != nil {
				return nil, err
			}
		}
	}
	return order, visit(target)
}

// rank sorts the stages that are named contexts under another name to the top.
func (x *expander) rank(name string) string {
	if slices.ContainsFunc(x.parts[name], func(p *part) bool { return p != nil && p.context }) {
		return "a"
	}
	return "b"
}
