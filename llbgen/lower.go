package llbgen

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
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
	// lines says where the lines of the text come from.
	lines []origin
	// froms are the FROMs of the file by what stands for them in the text.
	froms map[string]string
	// adds is set when a COPY stands for an ADD --from.
	adds bool
	// images are those that helper stages are built FROM, by what stands for
	// them in the text.
	images map[string]string
}

// origin says that lines first to last of a lowered text are an instruction.
type origin struct {
	first, last int
	in          *syntax.Instruction
	// platform is set for a FROM to which lowering added a platform.
	platform bool
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
	// helpers are stages for images on platforms other than the unit's.
	helpers map[string]string
	images  map[string]string

	out   strings.Builder
	adds  bool
	line  int
	froms map[string]string
	// stages counts those written, index says where each instance is.
	stages  int
	index   map[*plan.Instance]int
	origins []origin
}

// lower writes the unit as a plain Dockerfile. bake writes every build arg into
// the text, even when all instances agree on it.
func (u *unit) lower(p *plan.Plan, n *names, bake bool) (*lowered, error) {
	l := &lowerer{plan: p, unit: u, names: n, varying: map[string]struct{}{}, own: map[*plan.Instance]bool{}, helpers: map[string]string{}, images: map[string]string{}, froms: map[string]string{}, index: map[*plan.Instance]int{}, line: 1}
	l.findVarying(bake)
	l.keepNames()
	var err error
	if l.env, err = u.root.Env.Without(l.varying, l.name(u.root)); err != nil {
		return nil, err
	}
	l.global()
	l.helperStages()
	l.pad()
	for _, inst := range u.instances {
		if err := l.stage(inst); err != nil {
			return nil, err
		}
	}
	args := maps.Clone(u.root.Env.Args)
	for name := range l.varying {
		delete(args, name)
	}
	return &lowered{text: []byte(l.out.String()), target: l.name(u.root), args: args, lines: l.origins, froms: l.froms, adds: l.adds, images: l.images}, nil
}

// findVarying finds the build args on which instances differ.
func (l *lowerer) findVarying(bake bool) {
	root := l.unit.root.Env
	for _, inst := range l.unit.instances {
		for _, name := range inst.Reads {
			if _, given := root.Args[name]; bake && given || !root.Same(inst.Env, name) {
				l.varying[name] = struct{}{}
			}
		}
	}
}

// keepNames lets a stage keep its name in the instance that the file itself
// means by it.
func (l *lowerer) keepNames() {
	taken := map[string]bool{}
	for i := len(l.unit.instances) - 1; i >= 0; i-- {
		inst := l.unit.instances[i]
		if inst.Stage.Name != "" && inst.Name == inst.Stage.Name && !taken[inst.Name] && l.sameEnvironment(inst) {
			l.own[inst] = true
			taken[inst.Name] = true
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
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	l.out.WriteString(text)
	lines := strings.Count(text, "\n")
	if in != nil {
		l.origins = append(l.origins, origin{first: l.line, last: l.line + lines - 1, in: in})
	}
	l.line += lines
}

// global writes the file's directives and global ARGs. The blank line ends the
// directives: what looks like one further down is a comment in the file too.
func (l *lowerer) global() {
	header := strings.TrimPrefix(l.plan.File.Header(), "\ufeff")
	l.write(header, nil)
	l.write("\n", nil)
	for _, in := range l.plan.File.Args {
		l.write(in.Lead(), nil)
		l.write(in.Text(), in)
	}
}

// helperStages writes the stages for images that instances copy from on a
// platform of their own: COPY --from has no flag for it.
func (l *lowerer) helperStages() {
	for _, inst := range l.unit.instances {
		if !l.foreign(inst) {
			continue
		}
		if inst.Base.To == nil && inst.Base.Name == scratch {
			l.helper(inst, scratch, scratchContext, inst.Stage.From)
		}
		for _, in := range inst.Stage.Instructions {
			for _, ref := range in.References {
				for _, e := range inst.Edges[ref] {
					if e.To == nil && e.Name != scratch {
						l.helper(inst, e.Name, l.imageOf(e), in)
					}
				}
			}
		}
	}
}

const (
	scratch = "scratch"
	// scratchContext is a named context that gives an empty filesystem of any
	// platform: upstream's FROM scratch ignores --platform.
	scratchContext = "stagecraft-scratch"
)

// imageOf returns what a helper stage for e is built FROM: for an image, a name
// that stands for it without its triggers, which only a FROM runs.
func (l *lowerer) imageOf(e plan.Edge) string {
	if e.Context {
		return e.Name
	}
	token := sealedHost + l.names.stage("image "+e.Name, e.Name)
	l.images[token] = e.Name
	return token
}

// helper writes a stage that is an image on the platform of inst.
func (l *lowerer) helper(inst *plan.Instance, key, image string, in *syntax.Instruction) {
	platform := platforms.FormatAll(inst.Env.Platform)
	label := key
	key += " " + platform
	if _, ok := l.helpers[key]; ok {
		return
	}
	name := l.names.stage("helper "+key, label)
	l.helpers[key] = name
	l.stages++
	l.write(fmt.Sprintf("FROM --platform=%s %s AS %s", platform, image, name), in)
	l.origins[len(l.origins)-1].platform = true
}

func (l *lowerer) helperOf(inst *plan.Instance, name string) string {
	return l.helpers[name+" "+platforms.FormatAll(inst.Env.Platform)]
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
	for _, in := range inst.Stage.Instructions {
		l.write(in.Lead(), nil)
		if err := l.instruction(inst, in); err != nil {
			return err
		}
	}
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
	if _, ok := in.Command.(*instructions.ArgCommand); ok {
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
	text := wrap(in.Splice(edits), byte(l.plan.File.Escape)) + "\n" + in.Heredocs()
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
	case e.Name != scratch && l.foreign(inst):
		return l.helperOf(inst, e.Name)
	}
	return e.Name
}

// arg writes an ARG whose value in inst is not what the converter would give
// it; empty when it is.
func (l *lowerer) arg(inst *plan.Instance, in *syntax.Instruction) string {
	changed := false
	words := strings.Fields(in.Line)[:1]
	if in.OnBuild {
		words = strings.Fields(in.Line)[:2]
	}
	for _, word := range arguments(in.Node) {
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

// arguments returns the words of an ARG as written.
func arguments(node *parser.Node) []string {
	var words []string
	for n := node.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	return words
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

// quote writes a value so that a Dockerfile's ARG has it to the letter.
func quote(v string) string {
	return "'" + strings.ReplaceAll(v, "'", `'"'"'`) + "'"
}

// spell writes the arguments of a COPY.
func spell(c *plan.Copy) string {
	if !c.JSON {
		return strings.Join(c.Words, " ")
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(c.Words) // strings always encode
	return strings.TrimSuffix(out.String(), "\n")
}

// maxLine is how long a line of the text gets: upstream's parser takes 64 KiB.
const maxLine = 60_000

// wrap breaks a line that is too long, where joining it again gives the same.
func wrap(line string, escape byte) string {
	var out strings.Builder
	for len(line) > maxLine {
		at := maxLine
		for at > 1 && (line[at] == ' ' || line[at] == '\t' || line[at] == '#' || line[at-1] == escape || line[at]&0xc0 == 0x80) {
			at--
		}
		out.WriteString(line[:at])
		out.WriteByte(escape)
		out.WriteByte('\n')
		line = line[at:]
	}
	out.WriteString(line)
	return out.String()
}

// original returns the origin of a line of the text.
func (l *lowered) original(line int) (origin, bool) {
	lo, hi := 0, len(l.lines)
	for lo < hi {
		if mid := (lo + hi) / 2; l.lines[mid].last < line {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(l.lines) && l.lines[lo].first <= line {
		return l.lines[lo], true
	}
	return origin{}, false
}

// locatePB is locate for the ranges of LLB.
func (l *lowered) locatePB(ranges []*pb.Range) []*pb.Range {
	in := make([]parser.Range, 0, len(ranges))
	for _, r := range ranges {
		in = append(in, parser.Range{Start: parser.Position{Line: int(r.Start.Line)}})
	}
	out := make([]*pb.Range, 0, len(ranges))
	for _, r := range l.locate(in) {
		out = append(out, &pb.Range{Start: &pb.Position{Line: int32(r.Start.Line)}, End: &pb.Position{Line: int32(r.End.Line)}})
	}
	return out
}

// locate returns where ranges of the text stand in the file: an instruction is
// shown whole.
func (l *lowered) locate(ranges []parser.Range) []parser.Range {
	var out []parser.Range
	var last *syntax.Instruction
	for _, r := range ranges {
		o, ok := l.original(r.Start.Line)
		if ok && o.in != last {
			out = append(out, o.in.Location()...)
			last = o.in
		}
	}
	return out
}
