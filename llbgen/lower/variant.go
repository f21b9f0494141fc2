package lower

import (
	"strconv"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// variant writes an instruction for call number n of its set.
func (l *lowerer) variant(inst *plan.Instance, in *syntax.Instruction, n int) error {
	var (
		names     map[*syntax.Reference]text.Word
		arguments *text.Arguments
		origin    = Origin{In: in, Instance: inst}
	)
	if l.expanding != nil {
		l.expanding.trigger = in.OnBuild
	}
	for _, ref := range in.References {
		if len(inst.Edges[ref]) == 0 {
			continue // a trigger that nothing gives a value
		}
		e := inst.Edges[ref][min(n, len(inst.Edges[ref])-1)]
		if name := l.edge(inst, e); name != ref.Text && !l.byIndex(e, ref) {
			word, err := text.Image(name)
			if err != nil {
				return in.Errorf(ref.Span, "%w", err)
			}
			if names == nil {
				names = map[*syntax.Reference]text.Word{}
			}
			names[ref] = word
			if e.Shown != "" && e.Shown != e.To.Name && !ref.Mount {
				origin.From, origin.Shown = name, e.Shown
			}
			if _, err := strconv.Atoi(ref.Text); !ref.Mount && (e.Pin != "" || err == nil || e.To != nil && e.To.Bare) {
				origin.From, origin.Shown = name, ref.Text
			}
		}
		if e.Copy == nil {
			continue
		}
		if l.skips(in) {
			return in.Errorf(ref.Span, "--if-exists beside a call whose names stand in the paths has no plain form: write the paths out")
		}
		var err error
		if arguments, err = text.CopyArguments(in, e.Copy.Words, e.Copy.JSON); err != nil {
			return in.Errorf(ref.Span, "%w", err)
		}
		origin.Arguments = e.Copy.Shown
	}
	if l.skips(in) {
		var err error
		if arguments, err = ifExists(in); err != nil {
			return err
		}
	}
	if l.expanding != nil {
		if in.Needed {
			return in.Errorf(in.NeededFlag, "--needed has no plain form: a Dockerfile cannot say which libraries a program needs")
		}
		if err := l.plainForm(inst, in); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		if err := in.Unclosed(); err != nil {
			return err
		}
	}
	var flags []text.Word
	if pin, ok := l.pin(inst, in); ok {
		var err error
		if flags, arguments, err = pinned(in, pin); err != nil {
			return err
		}
	}
	origin.Span = l.out.Edit(in, names, arguments, flags...)
	l.file.add(origin)
	return nil
}

// byIndex reports whether a reference by number means the same in this text.
func (l *lowerer) byIndex(e plan.Edge, ref *syntax.Reference) bool {
	return e.To != nil && !l.unit.whole && !l.unit.Sealed(e) && !ref.Mount && ref.Text == strconv.Itoa(l.index[e.To])
}
