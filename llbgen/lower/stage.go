package lower

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// stages writes the instances.
func (l *lowerer) stages() error {
	for _, inst := range l.unit.Instances {
		l.current = inst
		if err := l.stage(inst); err != nil {
			return err
		}
	}
	l.current = nil
	return nil
}

// stage writes one instance.
func (l *lowerer) stage(inst *plan.Instance) error {
	l.index[inst] = l.out.Stages()
	if inst.Env.File().Main && inst.Stage.Index == l.index[inst] && l.unit.like(inst) {
		l.file.numbered[inst.Stage.Index] = true
	}
	l.lead(inst.From)
	if err := l.base(inst); err != nil {
		return err
	}
	if inst.Replaced {
		return nil
	}
	if err := l.carried(inst); err != nil {
		return err
	}
	for n, in := range inst.Instructions {
		for name := range inst.GlobalsBefore(n) {
			word, err := l.declaration(inst, name)
			if err != nil {
				return in.ErrorOfLine(err)
			}
			l.note(in, l.out.Args(nil, []text.Word{word}))
		}
		l.lead(in)
		if err := l.instruction(inst, in); err != nil {
			return err
		}
	}
	return l.gates(inst)
}

// lead writes what stands above an instruction.
func (l *lowerer) lead(in *syntax.Instruction) {
	if l.expanding == nil {
		l.out.Lead(in)
		return
	}
	l.out.Remarks(in)
	l.remark(in)
}

// declaration returns that of a global ARG which inst declares by itself.
func (l *lowerer) declaration(inst *plan.Instance, name string) (text.Word, error) {
	if v, ok := l.unit.values.arg(inst, name, false); ok {
		return l.written(name, v)
	}
	return text.Bare(name)
}

// base writes the FROM of inst: as it stands in the file where it means the same
// in this text.
func (l *lowerer) base(inst *plan.Instance) error {
	in := inst.From
	st := in.Stage()
	name := l.nameOf(inst)
	from := newFrom(st.OrigCmd, "", name)
	changed := in.Changed() || name != st.Name
	if st.Platform != "" {
		platform, same, err := l.unit.values.expand(inst, st.Platform)
		if err != nil {
			return err
		}
		from.platformOf(st.Platform, platform, same)
		changed = changed || !same
	}
	switch e := inst.Base; {
	case inst.Replaced:
		if l.unit.naming.own[inst] && name == st.Name { // upstream puts the context in its place
			base, same, err := l.unit.values.expand(inst, st.BaseName)
			if err != nil {
				return err
			}
			from.baseOf(st.BaseName, base, same)
			changed = changed || !same
			break
		}
		if l.unit.whole {
			from.base(inst.Stage.Name)
		} else {
			from.base(l.context(inst.Stage.Name, *inst.Base.Platform))
		}
		from.on(*inst.Base.Platform)
		changed = true
	case len(e.Changes) > 0 && l.expanding != nil:
		return e.Changes[0].Refuse()
	case len(e.Changes) > 0, l.unit.Sealed(e):
		if len(e.Changes) > 0 {
			from.base(l.changed(inst))
		} else {
			from.base(l.names().Image(e.To))
		}
		from.Platform, changed = text.Word{}, true
		if !l.unit.alike(e.Platform) {
			from.on(*e.Platform)
		}
	case e.To != nil:
		from.base(l.edge(inst, e))
		if e.Sealed { // its platform is that of the stage
			from.Platform, changed = text.Word{}, true
		}
		changed = changed || st.BaseName != from.Base.String()
	case l.unit.foreign(inst) && e.Name == scratch && !l.unit.whole:
		from.base(l.helperOf(inst, scratch))
		from.Platform, changed = text.Word{}, true
	default:
		base, same, err := l.unit.values.expand(inst, st.BaseName)
		if err != nil {
			return err
		}
		if inst.Base.Pin != "" {
			base, same = inst.Base.Pin, false
		}
		if safe := l.outside(base); safe != base {
			base, same = safe, false
		}
		from.baseOf(st.BaseName, base, same)
		changed = changed || !same
		if inst.Bare && e.Name != scratch {
			bare := l.bare(e.Image())
			if e.Context {
				bare = l.context(e.Name, *e.Platform)
			}
			from.base(bare)
			changed = true
		}
		if l.unit.foreign(inst) && st.Platform == "" && e.Name != scratch {
			from.on(inst.Env.Platform)
			changed = true
		}
	}
	if !changed {
		l.note(in, l.out.Verbatim(in))
		return nil
	}
	l.file.froms[from.String()] = strings.TrimSpace(in.Line)
	return l.from(in, from)
}

// fromLine is a FROM that is being made.
type fromLine struct {
	text.From
	// platform is set when it is not that of the file.
	platform bool
	// errBase says that the base was refused, err another word.
	errBase, err error
}

func newFrom(keyword, base, name string) *fromLine {
	f := &fromLine{From: text.From{Keyword: keyword}}
	f.Name = f.word(text.Stage(name))
	if base != "" {
		f.base(base)
	}
	return f
}

// word notes when a word is refused.
func (f *fromLine) word(w text.Word, err error) text.Word {
	f.err = cmp.Or(f.err, err)
	return w
}

// base sets the base.
func (f *fromLine) base(name string) {
	base, err := text.Image(name)
	f.Base, f.errBase = base, err
}

// on sets the platform.
func (f *fromLine) on(platform ocispecs.Platform) {
	f.Platform, f.platform = f.word(text.Platform(platforms.FormatAll(platform))), true
}

// baseOf sets the base to an expression of the file, or to what it means where that
// is not the same.
func (f *fromLine) baseOf(expression, meaning string, same bool) {
	if word, ok := text.Expression(expression); ok && same {
		f.Base = word
		return
	}
	f.base(meaning)
}

// platformOf sets the platform likewise.
func (f *fromLine) platformOf(expression, meaning string, same bool) {
	if word, ok := text.Expression(expression); ok && same {
		f.Platform = word
		return
	}
	f.Platform, f.platform = f.word(text.Platform(meaning)), true
}

// from writes a FROM.
func (l *lowerer) from(in *syntax.Instruction, from *fromLine) error {
	switch err := cmp.Or(from.errBase, from.err); {
	case err == nil:
	case in == nil:
		return err
	case from.errBase != nil && in.Stage() != nil:
		return in.Error(in.References[len(in.References)-1].Span, err)
	default:
		return in.Locate(err)
	}
	span := l.out.From(in, from.From)
	l.file.add(Origin{Span: span, In: in, Instance: l.current, Platform: from.platform})
	return nil
}

// instruction writes an instruction below the FROM, once for each call of its set.
func (l *lowerer) instruction(inst *plan.Instance, in *syntax.Instruction) error {
	if in.Let != nil {
		word, err := l.let(inst, in)
		if err != nil {
			return in.Error(in.Let.NameSpan, err)
		}
		l.note(in, l.out.Args(nil, []text.Word{word}))
		return nil
	}
	if in.Keyword == command.Arg {
		if words, err := l.args(inst, in); err != nil || words != nil {
			if err == nil {
				l.note(in, l.out.Args(in, words))
			}
			return err
		}
	}
	for n := range inst.Variants(in) {
		if err := l.variant(inst, in, n); err != nil {
			return err
		}
	}
	return nil
}

// edge returns the name of what e stands for.
func (l *lowerer) edge(inst *plan.Instance, e plan.Edge) string {
	switch {
	case l.unit.Sealed(e):
		return l.names().Image(e.To)
	case e.To != nil:
		return l.need(l.unit.naming.name(e.To))
	case e.Name == scratch || !l.unit.foreign(inst):
		return l.outside(e.Image())
	case e.Context && !l.unit.whole:
		return l.context(e.Name, inst.Env.Platform)
	}
	return l.need(l.helperOf(inst, e.Image()))
}

// outside returns a name for an image or context that is no stage's in the text.
func (l *lowerer) outside(name string) string {
	if l.unit.naming.taken[strings.ToLower(name)] {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			return named.Name()
		}
	}
	return name
}

// let returns the declaration that a LET of a stage is in the text.
func (l *lowerer) let(inst *plan.Instance, in *syntax.Instruction) (text.Word, error) {
	name := in.Let.Name
	if _, given := l.file.Args[name]; given {
		return text.Word{}, fmt.Errorf("the build arg %s would take its place", name)
	}
	return l.written(name, inst.Let(in))
}

// args returns the words of an ARG that has a value in inst which the converter
// would not give it; nil when it has none.
func (l *lowerer) args(inst *plan.Instance, in *syntax.Instruction) ([]text.Word, error) {
	if l.expanding != nil && in.OnBuild && inst == l.unit.Root {
		return nil, nil // the image has its triggers as they are written
	}
	var words []text.Word
	for i, word := range in.Words() {
		name, _, hasDefault := strings.Cut(word, "=")
		v, ok := l.unit.values.arg(inst, name, hasDefault)
		if !ok {
			continue
		}
		if words == nil {
			words = text.Own(in)
		}
		var err error
		if words[i], err = l.written(name, v); err != nil {
			return nil, in.ErrorOfLine(err)
		}
	}
	return words, nil
}
