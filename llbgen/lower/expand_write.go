package lower

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// write writes the parts. One that is not the same on all platforms is a stage for
// each, and one that is the stage of the platform that is built for.
func (x *expander) write(out *text.Writer, file *File, order []string, suffix suffixed) error {
	x.out.NoCache = nil
	for _, name := range order {
		variants := slices.DeleteFunc(slices.Clone(x.parts[name]), func(p *part) bool { return p == nil })
		if !slices.ContainsFunc(variants, func(p *part) bool { return p.text != variants[0].text }) {
			if err := x.part(out, file, variants[0], name, ""); err != nil {
				return err
			}
			continue
		}
		for i, p := range x.parts[name] {
			if p == nil {
				continue
			}
			as, ok := suffix.names[name+" "+suffix.of[i]]
			if !ok {
				as = x.taken.pick(name + "-" + suffix.of[i])
				suffix.names[name+" "+suffix.of[i]] = as
			}
			if as != name+"-"+suffix.of[i] {
				return fmt.Errorf("the name %s-%s, which the stage for a platform would have, is taken: rename that stage", name, suffix.of[i])
			}
			if err := x.part(out, file, p, as, " on "+suffix.of[i]); err != nil {
				return err
			}
		}
		out.Blank()
		out.Comment(name + " is the stage of the platform")
		from := newFrom("FROM", "", name)
		word, ok := text.Expression(name + "-" + suffix.expression)
		if !ok {
			return fmt.Errorf("internal error: %s is no name of a stage", name)
		}
		from.Base = word
		if err := variants[0].lowerer.on(out, file, name).from(variants[0].in, from); err != nil {
			return err
		}
	}
	return nil
}

// part writes one part, below a comment that says what it is.
func (x *expander) part(out *text.Writer, file *File, p *part, as, where string) error {
	out.Blank()
	title := p.title + where
	if p.in != nil {
		title = fmt.Sprintf("from %s:%d: %s", p.file.Shown(), p.in.StartLine, title)
	}
	out.Comment(WithoutCredentials(title))
	if p.noCache {
		x.out.NoCache = append(x.out.NoCache, as)
	}
	first := len(file.origins)
	err := p.write(p.lowerer.on(out, file, as))
	for i := range file.origins[first:] {
		file.origins[first+i].Part = p.name
	}
	return err
}

// checks writes the stage that needs all gates.
func (l *lowerer) checks() error {
	if err := l.from(nil, newFrom("FROM", scratch, l.expanding.as)); err != nil {
		return err
	}
	for inst, w := range l.allWaits() {
		if w.Limit != nil { // the comment above the stage says so
			continue
		}
		from, err := text.Image(l.edge(inst, w.Edge))
		if err != nil {
			return w.From.Locate(err)
		}
		l.file.add(Origin{Span: l.out.Need(w.From, from), In: w.From, Instance: inst})
	}
	return nil
}

// nameOf returns the name of the stage of inst that is being written.
func (l *lowerer) nameOf(inst *plan.Instance) string {
	if l.expanding != nil {
		return l.expanding.as
	}
	return l.unit.naming.name(inst)
}

// need notes that what is being written uses a stage of the text.
func (l *lowerer) need(name string) string {
	if l.expanding != nil && !l.expanding.trigger {
		l.expanding.needs[name] = true
	}
	return name
}

// suffixed says how the stages for platforms are called.
type suffixed struct {
	// of are the suffixes by platform, expression what gives them in the text.
	of         []string
	expression string
	names      map[string]string
}

// suffixes finds the shortest names that tell platforms apart.
func suffixes(units []*Unit) (suffixed, error) {
	for _, expression := range []string{"${TARGETARCH}", "${TARGETARCH}${TARGETVARIANT}", "${TARGETOS}-${TARGETARCH}", "${TARGETOS}-${TARGETARCH}${TARGETVARIANT}"} {
		out := suffixed{expression: expression, names: map[string]string{}}
		for _, u := range units {
			p := u.Root.Env.Platform
			if u.Platform != nil {
				p = *u.Platform
			}
			name := strings.NewReplacer("${TARGETARCH}", p.Architecture, "${TARGETVARIANT}", p.Variant, "${TARGETOS}", p.OS).Replace(expression)
			if !slices.Contains(out.of, name) {
				out.of = append(out.of, name)
			}
		}
		if len(out.of) == len(units) {
			return out, nil
		}
	}
	return suffixed{}, errors.New("two of the platforms differ in nothing that the name of a stage can say: expand one platform at a time")
}
