package lower

import (
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// carried declares the ARGs that inst has from the parts of its stage above.
func (l *lowerer) carried(inst *plan.Instance) error {
	for _, c := range inst.Carried {
		word, err := l.again(inst, c)
		if err != nil {
			return c.In.ErrorOfLine(err)
		}
		l.note(c.In, l.out.Args(nil, []text.Word{word}))
	}
	return nil
}

// again returns the declaration of an ARG from above.
func (l *lowerer) again(inst *plan.Instance, c plan.Carried) (text.Word, error) {
	switch {
	case c.Value != nil && (text.Writable(*c.Value) || c.Word < 0):
		return l.written(c.Name, *c.Value)
	case c.Word >= 0:
		return text.Own(c.In)[c.Word], nil
	}
	return l.declaration(inst, c.Name)
}
