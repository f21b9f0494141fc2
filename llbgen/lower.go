package llbgen

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// lowered is a plain Dockerfile that has all instances of a unit as stages. One
// text for all of them costs what a file costs in which a user writes out each
// copy by hand; what differs between instances is written into their lines.
type lowered struct {
	text   []byte
	target string
	// args are the build args that hold for every stage of the text.
	args map[string]string
	// lines says where the lines of the text come from, located where those
	// instructions stand in the file.
	lines   []origin
	located map[*syntax.Instruction][]*pb.Range
	// froms are the FROMs of the file by what stands for them in the text.
	froms map[string]string
	// skips is set when there is a COPY or ADD --if-exists.
	skips bool
	// adds is set when a COPY stands for an ADD --from, gates has those for
	// which one stands, by name, and count how many each instance has.
	adds  bool
	gates map[string]gate
	count map[*plan.Instance]int
	// mounts is set when a RUN has mounts that do not stand in it.
	mounts bool
	// stages are the names of those gates in the text for which nothing stands.
	stages map[*plan.Instance]string
	// images are those that helper stages are built FROM, by what stands for
	// them in the text; contexts are named contexts for other platforms.
	images   map[string]string
	contexts map[string]foreignContext
}

// lowerer writes one unit.
type lowerer struct {
	plan  *plan.Plan
	unit  *unit
	names *names
	// env is what the converter makes of the text: the unit's environment
	// without the build args that differ between instances.
	env *plan.Environment
	// varying are those build args.
	varying map[string]struct{}
	// own are the stages of which an instance keeps the name.
	own map[*plan.Instance]bool
	// taken are their names.
	taken map[string]bool
	// helpers are stages for images on platforms other than the unit's.
	helpers  map[string]string
	images   map[string]string
	contexts map[string]foreignContext

	out    bytes.Buffer
	adds   bool
	skips  bool
	waits  bool
	mounts bool
	gates  map[string]gate
	count  map[*plan.Instance]int
	// beside are the names of gates that do not stand in the text.
	beside map[*plan.Instance]string
	// current is the instance being written.
	current *plan.Instance
	line    int
	froms   map[string]string
	// stages counts those written, index says where each instance is.
	stages  int
	index   map[*plan.Instance]int
	origins []origin
}

// lower writes the unit as a plain Dockerfile. bake writes every build arg into
// the text, even when all instances agree on it.
func (u *unit) lower(p *plan.Plan, n *names, configs map[*diagnostic.Text]linter.Config, waits, bake bool) (*lowered, error) {
	l := &lowerer{plan: p, unit: u, names: n, varying: map[string]struct{}{}, own: map[*plan.Instance]bool{}, taken: map[string]bool{}, helpers: map[string]string{}, images: map[string]string{}, contexts: map[string]foreignContext{}, waits: waits, gates: map[string]gate{}, beside: map[*plan.Instance]string{}, count: map[*plan.Instance]int{}, froms: map[string]string{}, index: map[*plan.Instance]int{}, line: 1}
	l.findVarying(bake)
	l.keepNames()
	var err error
	if l.env, err = u.root.Env.Without(l.varying, l.offSomewhere(), l.name(u.root)); err != nil {
		return nil, err
	}
	l.global(u.lintConfig(configs))
	l.helperStages()
	l.pad()
	for _, inst := range u.instances {
		l.current = inst
		if err := l.stage(inst); err != nil {
			return nil, err
		}
	}
	args := maps.Clone(u.root.Env.Args)
	for name := range l.varying {
		delete(args, name)
	}
	return &lowered{text: l.out.Bytes(), target: l.name(u.root), args: args, lines: l.origins, located: map[*syntax.Instruction][]*pb.Range{}, froms: l.froms, adds: l.adds, skips: l.skips, mounts: l.mounts, gates: l.gates, count: l.count, stages: l.beside, images: l.images, contexts: l.contexts}, nil
}

// file returns the file of the unit's root, of which the text has the global part.
func (l *lowerer) file() *module.File { return l.unit.root.Env.File() }

// lintConfig returns the rules for the unit's text: those of its file, or all
// where files differ.
func (u *unit) lintConfig(configs map[*diagnostic.Text]linter.Config) linter.Config {
	own := configs[u.root.Env.File().Text]
	for _, inst := range u.instances {
		f := inst.Env.File()
		if f != u.root.Env.File() && lintDirective(configs[f.Text]) != lintDirective(own) {
			own.SkipAll, own.SkipRules = false, nil
		}
	}
	return own
}

// findVarying finds the build args on which instances differ: those that calls
// bind, and those that a file does not get.
func (l *lowerer) findVarying(bake bool) {
	root := l.unit.root.Env
	for _, inst := range l.unit.instances {
		for name := range inst.Env.Bound {
			if !root.Same(inst.Env, name) && slices.Contains(inst.Reads, name) {
				l.varying[name] = struct{}{}
			}
		}
		if inst.Env.File() != l.file() {
			for _, name := range inst.Reads {
				mine, has := inst.Env.Args[name]
				if theirs, given := root.Args[name]; has != given || mine != theirs {
					l.varying[name] = struct{}{}
				}
			}
		}
		if !bake {
			continue
		}
		for _, name := range inst.Reads {
			if _, given := root.Args[name]; given {
				l.varying[name] = struct{}{}
			}
		}
	}
	for name := range l.varying {
		if plan.BuildWide(name) { // a call that binds it is a unit of its own
			delete(l.varying, name)
		}
	}
}

// offSomewhere returns the global ARGs that some instance does not have: a
// condition takes them away, or its stage is one of another file. An instance that
// has one gets its value written out.
func (l *lowerer) offSomewhere() map[*syntax.Instruction]bool {
	out := map[*syntax.Instruction]bool{}
	for _, in := range l.file().Args {
		cmd, ok := in.Command.(*instructions.ArgCommand)
		lacks := func(inst *plan.Instance) bool {
			if inst.Env.File() == l.file() {
				return in.Conditional() && inst.Env.Off(in)
			}
			return ok && slices.ContainsFunc(cmd.Args, func(arg instructions.KeyValuePairOptional) bool {
				_, set := inst.Env.Global(arg.Key)
				return !set && slices.Contains(inst.Reads, arg.Key)
			})
		}
		if slices.ContainsFunc(l.unit.instances, lacks) {
			out[in] = true
		}
	}
	return out
}

// keepNames lets a stage keep its name in the instance that the file itself
// means by it.
func (l *lowerer) keepNames() {
	if epoch := l.unit.epoch; epoch != nil { // upstream looks for it by its name
		l.own[epoch] = true
		l.taken[epoch.Stage.Name] = true
	}
	for i := len(l.unit.instances) - 1; i >= 0; i-- {
		inst := l.unit.instances[i]
		if inst.Stage.Name != "" && inst.Name == inst.Stage.Name && !l.taken[inst.Name] && l.sameEnvironment(inst) {
			l.own[inst] = true
			l.taken[inst.Name] = true
		}
	}
}

func (l *lowerer) sameEnvironment(inst *plan.Instance) bool {
	for _, name := range inst.Reads {
		if !l.unit.root.Env.Same(inst.Env, name) {
			return false
		}
	}
	return true
}

// name returns the stage name of inst in the text.
func (l *lowerer) name(inst *plan.Instance) string {
	if l.own[inst] {
		return inst.Stage.Name
	}
	return l.names.instance(inst)
}

// foreign reports whether inst is built for another platform than the unit.
func (l *lowerer) foreign(inst *plan.Instance) bool {
	return !inst.Env.Same(l.unit.root.Env, plan.PlatformInput)
}

// write appends text, which is in, and ends its last line.
func (l *lowerer) write(text string, in *syntax.Instruction) {
	if text == "" {
		return
	}
	l.out.WriteString(text)
	lines := strings.Count(text, "\n")
	if !strings.HasSuffix(text, "\n") {
		l.out.WriteByte('\n')
		lines++
	}
	if in != nil {
		l.origins = append(l.origins, origin{first: l.line, last: l.line + lines - 1, in: in, inst: l.current})
	}
	l.line += lines
}

// global writes the directives and global ARGs. The blank line ends the
// directives: what looks like one further down is a comment in the file too.
func (l *lowerer) global(config linter.Config) {
	l.write(fmt.Sprintf("# escape=%c\n%s\n", l.file().Escape, lintDirective(config)), nil)
	for _, name := range l.file().MachineArgs() {
		// upstream does not know them
		if v, ok := l.unit.root.Env.Global(name); ok {
			l.write("ARG "+name+"="+quote(v), nil)
		}
	}
	for _, in := range l.file().Args {
		if l.env.Off(in) {
			continue
		}
		l.write(in.Lead(), nil)
		if in.Changed() {
			l.write(in.Splice(in.Erasures()), in)
		} else {
			l.write(in.Text(), in)
		}
	}
}

// pad writes a stage that nothing needs where a stage would be alone in the
// text but is not in the file: upstream leaves the name of an only stage out of
// the progress.
func (l *lowerer) pad() {
	alone := len(l.unit.instances) == 1 && len(l.helpers) == 0
	if alone && (len(l.file().Stages) > 1 || !l.file().Main || strings.Contains(l.unit.root.Name, "(")) {
		l.write("FROM scratch AS "+l.names.stage("pad", ""), nil)
		l.stages++
	}
}
