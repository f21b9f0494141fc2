package llbgen

import (
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

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
	for _, in := range inst.Instructions {
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
		base, platform, changed = l.names.image(e.To), "", true
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
	l.skips = l.skips || in.IfExists
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
	text := syntax.Wrap(in.Splice(edits), l.file().Escape) + "\n" + in.Heredocs()
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
