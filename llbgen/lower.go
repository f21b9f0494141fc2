package llbgen

import (
	"bytes"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/solver/pb"

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
func (u *unit) lower(p *plan.Plan, n *names, config linter.Config, waits, bake bool) (*lowered, error) {
	l := &lowerer{plan: p, unit: u, names: n, varying: map[string]struct{}{}, own: map[*plan.Instance]bool{}, taken: map[string]bool{}, helpers: map[string]string{}, images: map[string]string{}, contexts: map[string]foreignContext{}, waits: waits, gates: map[string]gate{}, beside: map[*plan.Instance]string{}, count: map[*plan.Instance]int{}, froms: map[string]string{}, index: map[*plan.Instance]int{}, line: 1}
	l.findVarying(bake)
	l.keepNames()
	var err error
	if l.env, err = u.root.Env.Without(l.varying, l.name(u.root)); err != nil {
		return nil, err
	}
	l.global(config)
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
	return &lowered{text: l.out.Bytes(), target: l.name(u.root), args: args, lines: l.origins, located: map[*syntax.Instruction][]*pb.Range{}, froms: l.froms, adds: l.adds, mounts: l.mounts, gates: l.gates, count: l.count, stages: l.beside, images: l.images, contexts: l.contexts}, nil
}

// findVarying finds the build args on which instances differ.
func (l *lowerer) findVarying(bake bool) {
	root := l.unit.root.Env
	for _, inst := range l.unit.instances {
		for _, name := range inst.Reads {
			if plan.BuildWide(name) {
				continue // a call that binds it is a unit of its own
			}
			if _, given := root.Args[name]; bake && given || !root.Same(inst.Env, name) {
				l.varying[name] = struct{}{}
			}
		}
	}
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
	l.write(fmt.Sprintf("# escape=%c\n%s\n", l.plan.File.Escape, lintDirective(config)), nil)
	for _, name := range syntax.MachineArgs {
		// upstream does not know them
		if v, ok := l.unit.root.Env.Global(name); ok && l.plan.File.Mentions(name) {
			l.write("ARG "+name+"="+quote(v), nil)
		}
	}
	for _, in := range l.plan.File.Args {
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
	if alone && (len(l.plan.File.Stages) > 1 || strings.Contains(l.unit.root.Name, "(")) {
		l.write("FROM scratch AS "+l.names.stage("pad", ""), nil)
		l.stages++
	}
}

// stage writes one instance.
func (l *lowerer) stage(inst *plan.Instance) error {
	l.index[inst] = l.stages
	l.stages++
	l.write(inst.Stage.From.Lead(), nil)
	if err := l.from(inst); err != nil {
		return err
	}
	if inst.Replaced {
		return nil
	}
	for _, name := range inst.Globals {
		word := name
		if v, ok := l.argValue(inst, name, false); ok {
			word += "=" + quote(v)
		}
		l.write("ARG "+word, inst.Stage.From)
	}
	for _, in := range inst.Stage.Instructions {
		l.write(in.Lead(), nil)
		if err := l.instruction(inst, in); err != nil {
			return err
		}
	}
	l.gateStages(inst)
	return nil
}

// from writes the FROM of inst: as it stands in the file where it means the
// same in this text.
func (l *lowerer) from(inst *plan.Instance) error {
	in := inst.Stage.From
	st := in.Stage()
	base, platform := st.BaseName, st.Platform
	changed := in.Changed() || l.name(inst) != st.Name
	added := false
	expand := func(word string) (string, error) {
		mine, err := inst.Env.Expand(word)
		if err != nil {
			return "", in.Locate(err)
		}
		if theirs, err := l.env.Expand(word); err == nil && theirs == mine {
			return word, nil
		}
		changed = true
		return mine, nil
	}
	var err error
	if platform, err = expand(platform); err != nil {
		return err
	}
	switch e := inst.Base; {
	case inst.Replaced:
		if l.foreign(inst) {
			base, platform, changed, added = inst.Stage.Name, platforms.FormatAll(inst.Env.Platform), true, true
		}
	case e.Sealed:
		base, platform = l.names.image(e.To), ""
		if !e.To.Env.Same(l.unit.root.Env, plan.PlatformInput) {
			platform, added = platforms.FormatAll(e.To.Env.Platform), true
		}
	case e.To != nil:
		if base != l.name(e.To) {
			base, changed = l.name(e.To), true
		}
	case l.foreign(inst) && e.Name == scratch:
		base, platform, changed = l.helperOf(inst, scratch), "", true
	default:
		if base, err = expand(base); err != nil {
			return err
		}
		if safe := l.outside(base); safe != base {
			base, changed = safe, true
		}
		if l.foreign(inst) && platform == "" {
			platform, changed, added = platforms.FormatAll(inst.Env.Platform), true, true
		}
	}
	if !changed {
		l.write(in.Text(), in)
		return nil
	}
	line := st.OrigCmd
	if platform != "" {
		line += " --platform=" + platform
	}
	as := " AS "
	if st.OrigCmd == strings.ToLower(st.OrigCmd) {
		as = " as "
	}
	line += " " + base + as + l.name(inst)
	l.froms[line] = strings.TrimSpace(in.Line)
	l.write(line, in)
	l.origins[len(l.origins)-1].platform = added || platform != st.Platform
	return nil
}

// instruction writes an instruction below the FROM.
func (l *lowerer) instruction(inst *plan.Instance, in *syntax.Instruction) error {
	if in.Keyword == command.Arg {
		if text := l.arg(inst, in); text != "" {
			l.write(text, in)
			return nil
		}
	}
	for n := range inst.Variants(in) {
		l.variant(inst, in, n)
	}
	return nil
}

// variant writes an instruction for call number n of its set.
func (l *lowerer) variant(inst *plan.Instance, in *syntax.Instruction, n int) {
	edits := in.Erasures()
	l.adds = l.adds || in.AddsFrom()
	l.mounts = l.mounts || in.Mounts != nil
	var arguments *plan.Copy
	for _, ref := range in.References {
		e := inst.Edges[ref][min(n, len(inst.Edges[ref])-1)]
		if name := l.edge(inst, e); name != ref.Text && !l.byIndex(e, ref) {
			edits = append(edits, syntax.Edit{Span: ref.Span, Text: name})
		}
		arguments = e.Copy
	}
	if arguments != nil {
		span := syntax.Span{Start: in.Arguments, End: len(in.Line)}
		edits = append(edits, syntax.Edit{Span: span, Text: spell(arguments)})
	}
	if len(edits) == 0 && !in.Changed() {
		l.write(in.Text(), in)
		return
	}
	text := syntax.Wrap(in.Splice(edits), l.plan.File.Escape) + "\n" + in.Heredocs()
	l.write(text, in)
}

// byIndex reports whether a reference by number means the same in this text.
func (l *lowerer) byIndex(e plan.Edge, ref *syntax.Reference) bool {
	return e.To != nil && !e.Sealed && !ref.Mount && ref.Text == strconv.Itoa(l.index[e.To])
}

// edge returns the name of what e stands for.
func (l *lowerer) edge(inst *plan.Instance, e plan.Edge) string {
	switch {
	case e.Sealed:
		return l.names.image(e.To)
	case e.To != nil:
		return l.name(e.To)
	case e.Name == scratch || !l.foreign(inst):
		return l.outside(e.Name)
	case e.Context:
		return l.contextOf(inst, e)
	}
	return l.helperOf(inst, e.Name)
}

// outside returns a name for an image or context that is no stage's in the text.
func (l *lowerer) outside(name string) string {
	if l.taken[strings.ToLower(name)] {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			return named.Name()
		}
	}
	return name
}

// arg writes an ARG whose value in inst is not what the converter would give
// it; empty when it is.
func (l *lowerer) arg(inst *plan.Instance, in *syntax.Instruction) string {
	changed := false
	words := strings.Fields(in.Line)[:1]
	if in.OnBuild {
		words = strings.Fields(in.Line)[:2]
	}
	for _, word := range in.Words() {
		name, _, hasDefault := strings.Cut(word, "=")
		if v, ok := l.argValue(inst, name, hasDefault); ok {
			word, changed = name+"="+quote(v), true
		}
		words = append(words, word)
	}
	if !changed {
		return ""
	}
	return strings.Join(words, " ")
}

// argValue returns the value that an ARG has in inst when the converter would
// come to another one.
func (l *lowerer) argValue(inst *plan.Instance, name string, hasDefault bool) (string, bool) {
	if v, ok := inst.Env.Args[name]; ok {
		_, varies := l.varying[name]
		return v, varies
	}
	if hasDefault {
		return "", false
	}
	v, ok := inst.Env.Global(name)
	theirs, set := l.env.Global(name)
	return v, ok && (!set || theirs != v)
}
