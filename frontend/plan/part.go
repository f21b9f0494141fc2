package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// A stage with instructions that change its image (UNSET, ENV --from, LABEL --from) is planned as several instances,
// its parts: each is built FROM the one above with these changes made. The last one is the
// stage to all that uses it. What upstream's converter keeps within a stage and loses at a
// FROM is carried along.

// Carried is an ARG of the parts above.
type Carried struct {
	Name string
	// In is the instruction that declares it.
	In *syntax.Instruction
	// Value is what its own line makes of it; nil where a build arg or the global part
	// decides, or nothing does.
	Value *string
	// Word is the number of the declaration among those of In, where that means the same
	// below; negative where it does not.
	Word int
}

// changesImage reports whether an instruction of a stage changes the image above it.
func changesImage(in *syntax.Instruction) bool { return in.Unset != nil || in.Values != nil }

// cut makes parts of an instance that changes its image, and registers all but the last.
func (p *planner) cut(inst *Instance) error {
	if inst.Replaced {
		return nil
	}
	if base := inst.Base; len(base.Changes) > 0 && base.To == nil {
		part := newBare(inst, base)
		part.Reads, part.Goes = inst.Reads, true
		p.add(part)
		platform := part.Platform()
		inst.Base = Edge{Kind: KindBase, To: part, Platform: &platform, Sealed: true, Open: true, Within: true, Changes: base.Changes}
	}
	if !slices.ContainsFunc(inst.Instructions, changesImage) {
		return nil
	}
	whole := *inst
	whole.scope = nil
	c := &cutter{p: p, whole: &whole, rest: inst}
	for n := 0; n < len(whole.Instructions); n++ {
		in := whole.Instructions[n]
		switch {
		case changesImage(in):
			from := n
			for n+1 < len(whole.Instructions) && changesImage(whole.Instructions[n+1]) {
				n++
			}
			var changes []Change
			for i, in := range whole.Instructions[from : n+1] {
				if in.Values != nil {
					t, err := p.take(&whole, from+i, in)
					if err != nil {
						return err
					}
					changes = append(changes, t)
					continue
				}
				changes = append(changes, Reset{in, []syntax.Unset{*in.Unset}})
				c.command = c.command && in.Unset.Of != "CMD"
			}
			if err := c.at(from, n+1, changes); err != nil {
				return err
			}
		case in.Keyword == command.Entrypoint && !in.OnBuild && c.command && !c.within:
			if err := c.at(n+1, n+1, []Change{KeepCommand{}}); err != nil {
				return err
			}
		case in.Keyword == command.Cmd && !in.OnBuild:
			c.command, c.within = true, true
		}
	}
	return c.finish()
}

// cutter cuts one instance.
type cutter struct {
	p *planner
	// whole is the instance before, rest its last part.
	whole, rest *Instance
	above       *Instance
	changes     []Change
	from, parts int // where the current part starts, and how many there are above
	// command says that the stage has a CMD above, within that the current part has it.
	command, within bool
}

// at ends a part in front of instruction number end; the next one starts at number next,
// behind the changes.
func (c *cutter) at(end, next int, changes []Change) error {
	in := c.whole.Instructions[next-1]
	if c.parts++; c.parts >= MaxParts {
		return in.Locate(fmt.Errorf("the stage is cut into more than %d parts by UNSET and ENV --from: write those next to each other that can stand so", MaxParts))
	}
	if len(c.p.out.Instances) >= MaxInstances {
		return in.Locate(tooManyInstances())
	}
	part := &Instance{Stage: c.whole.Stage, Env: c.whole.Env, From: c.whole.From, Edges: map[*syntax.Reference][]Edge{}, lets: c.whole.lets, Reads: c.whole.Reads, Goes: true}
	for ref, edges := range c.whole.Edges {
		if !ref.After { // the stage waits for its gates where it ends
			part.Edges[ref] = edges
		}
	}
	if err := c.fill(part, end); err != nil {
		return err
	}
	c.p.add(part)
	c.above, c.changes, c.from, c.within = part, changes, next, false
	return nil
}

func (c *cutter) finish() error {
	c.rest.scope = nil
	return c.fill(c.rest, len(c.whole.Instructions))
}

// fill gives a part its base and its instructions, those before number end.
func (c *cutter) fill(part *Instance, end int) error {
	part.Base, part.Carried, part.Globals = c.whole.Base, c.whole.Carried, nil
	part.Instructions = c.whole.Instructions[c.from:end:end]
	if c.above != nil {
		platform := c.above.Platform()
		part.Base = Edge{Kind: KindBase, To: c.above, Platform: &platform, Sealed: true, Open: true, Within: true, Changes: c.changes}
		var err error
		if part.Carried, err = c.p.carried(c.whole, c.from, Edge{}, c.whole.Instructions[c.from-1]); err != nil {
			return err
		}
		triggers := Edge{To: c.above}.Triggers()
		if part.Base.Resets("ONBUILD") {
			if len(triggers) == 0 {
				c.p.warnNoTriggers(c.changes)
			}
			triggers = nil
		}
		part.again = len(triggers)
		part.Instructions = append(triggers, part.Instructions...)
	}
	for _, g := range c.whole.Globals {
		if c.from <= g.Before && g.Before < end {
			part.Globals = append(part.Globals, Global{g.Name, g.Before - c.from + part.again})
		}
	}
	return nil
}

// carried returns the ARGs that what follows instruction number n of an instance has from
// there, once the changes of a base are made and its triggers have run. at is where that is.
func (p *planner) carried(whole *Instance, n int, base Edge, at *syntax.Instruction) ([]Carried, error) {
	above, err := whole.scopeBefore(p, n)
	if err != nil {
		return nil, err
	}
	names := above.clone()
	if at.Keyword == command.From {
		names.begin()
	}
	if err := names.change(base, nil); err != nil {
		return nil, err
	}
	var out []Carried
	for _, d := range whole.declarations(n) {
		v, ok := names.local[d.Name]
		if _, given := whole.Env.Args[d.Name]; ok && !v.arg && v.set && v.unknown == nil && !given {
			v.arg, v.own = true, true // an ENV has its name since: a RUN shows it among its ARGs
		}
		if !ok || !v.arg || slices.ContainsFunc(out, func(other Carried) bool { return other.Name == d.Name }) {
			continue
		}
		_, given := whole.Env.Args[d.Name]
		d.Value = nil
		if d.Word = -1; v.own && !given && d.In.Let == nil {
			if d.Word, err = sameBelow(d, v, names); err != nil {
				return nil, err
			}
		}
		switch {
		case v.unknown != nil && d.Word < 0:
			return nil, diagnostic.At(d.In.Lines(), fmt.Errorf("the value of ARG %s is known to %s alone, and is lost on line %d: declare the ARG below it", d.Name, v.unknown.base, at.StartLine))
		case v.unknown == nil && v.own && !given:
			d.Value = &v.text
		}
		out = append(out, d)
	}
	return out, nil
}

// sameBelow returns the number of the declaration of an ARG among those of its line where it
// has the same value among other names; negative where it has not.
func sameBelow(d Carried, v value, names *scope) (int, error) {
	for i, word := range d.In.Words() {
		name, expression, ok := strings.Cut(word, "=")
		if name != d.Name || !ok {
			continue
		}
		seen := tracker{lookup: names.visible}
		text, err := names.env.eval.expand(expression, &seen)
		switch {
		case err != nil:
			return -1, d.In.Locate(err)
		case v.unknown == nil && seen.unknown == nil && text == v.text:
			return i, nil
		case v.unknown != nil && !slices.ContainsFunc(syntax.Variables(expression), func(used string) bool {
			now := names.visible(used)
			return now.unknown == nil || now.unknown.base != v.unknown.base
		}):
			return i, nil
		}
	}
	return -1, nil
}

// Declares reports whether a word of an UNSET ENV means an ARG that the stage has at the end of
// the instance.
func (i *Instance) Declares(w syntax.Word) bool {
	return slices.ContainsFunc(i.declarations(len(i.Instructions)), func(c Carried) bool { return w.Matches(c.Name) })
}

// declarations returns the ARGs that an instance declares above its instruction number n, those
// of what it is built FROM included.
func (i *Instance) declarations(n int) []Carried {
	var out []Carried
	add := func(in *syntax.Instruction, cmd any) {
		if in.Let != nil {
			out = append(out, Carried{Name: in.Let.Name, In: in})
		} else if cmd, ok := cmd.(*instructions.ArgCommand); ok {
			for _, arg := range cmd.Args {
				out = append(out, Carried{Name: arg.Key, In: in})
			}
		}
	}
	if base := i.Base; base.To != nil && !base.Sealed {
		out = base.To.declarations(len(base.To.Instructions))
	} else if base.Open {
		out = slices.Clone(i.Carried)
	}
	for _, in := range i.Base.Triggers() {
		add(in, trigger(in))
	}
	for at, in := range i.Instructions[:n] {
		for name := range i.GlobalsBefore(at) {
			out = append(out, Carried{Name: name, In: in})
		}
		if !in.OnBuild {
			add(in, in.Command)
		}
	}
	return out
}

// RuleNothingToUnset warns of what an UNSET or a FROM --reset names and the image lacks.
var RuleNothingToUnset = diagnostic.NewRule("NothingToUnset", "What is taken out of an image is not set in it")

// warnNoTriggers warns of an UNSET ONBUILD below no ONBUILD of its stage.
func (p *planner) warnNoTriggers(changes []Change) {
	for _, c := range changes {
		if r, ok := c.(Reset); ok && r.In.Unset != nil && r.In.Unset.Of == "ONBUILD" {
			p.warnOnce(RuleNothingToUnset, r.In, r.In.Lines(), "the stage has no ONBUILD above: those of its base have run, and are not in the image")
		}
	}
}
