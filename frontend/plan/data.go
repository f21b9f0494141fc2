package plan

import (
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// dataInput, with a name behind it, stands for data among the names of a file: no
// text can name it, so it stands in expressions only.
const dataInput = "\x00data "

// imported is what an import of data comes to. An import counts where it stands:
// its condition and its words see the names above it.
type imported struct {
	// im is the import that is on; nil when those of the name are off, of which off
	// is one.
	im, off *syntax.Import
	request module.Request
	env     *Environment
}

// importData takes over what an import of data comes to in e, on the inputs deps.
func (p *evaluator) importData(e *Environment, im *syntax.Import, on bool, deps []string) error {
	key := dataInput + im.Written
	v := e.globals[key]
	d := &imported{env: e}
	if v.data != nil {
		*d = *v.data
	}
	switch {
	case !on:
		d.off = im
	case d.im != nil:
		return im.In.Errorf(im.AliasSpan, "two imports %s are on at once: this one and that on line %d", im.Written, d.im.In.StartLine)
	default:
		d.im = im
		words, err := p.planner.record(nil, func() (err error) {
			d.request, err = p.planner.request(e, im)
			return err
		})
		if err != nil {
			return err
		}
		deps = merge(deps, words)
	}
	v.declared, v.set, v.data, v.deps = true, true, d, merge(v.deps, deps)
	e.globals[key] = v
	return nil
}

// dataOf returns what an import of data comes to; nil when it is off.
func (e *Environment) dataOf(im *syntax.Import) *imported {
	if d := e.globals[dataInput+im.Written].data; d != nil && d.im == im {
		return d
	}
	return nil
}

// dataValue returns what a name of data stands for at a place of an expression.
func (v value) dataValue(in *syntax.Instruction, span syntax.Span, name string) (any, error) {
	d := v.data
	if d.im == nil {
		return nil, in.Errorf(span, "the data %s is used and off: %s", name, describe(d.off.In, d.env))
	}
	return d.env.eval.planner.readData(d.env.eval.in, d.im, d.request)
}

// readData reads the data of an import: where it is the first file that is needed
// of those that are imported, with the others at its side.
func (p *planner) readData(file *dockerfile, im *syntax.Import, req module.Request) (any, error) {
	if !file.fetched {
		file.fetched = true
		list := []module.Request{req}
		for _, other := range file.Imports {
			if other != im && !other.In.Conditional() && !strings.Contains(other.From+other.Path, "$") {
				list = append(list, module.Request{At: other.In.Place(other.PathSpan), From: other.From, Path: other.Path})
			}
		}
		if len(list) > 1 {
			if err := p.opt.Files.Prefetch(p.ctx, file.File, list); err != nil {
				return nil, err
			}
		}
	}
	d, err := p.opt.Files.Data(p.ctx, file.File, req)
	if err != nil {
		return nil, importFailed(im, err)
	}
	p.warnUnpinned(im, d.Source)
	return d.Value, nil
}
