package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// edges returns what the reference of a place stands for: one edge, or one for
// each call of a set.
func (p *planner) edges(at place) ([]Edge, error) {
	env := at.inst.Env
	at, name, err := p.expandName(at)
	var none *noValueError
	switch {
	case errors.As(err, &none) && at.in.OnBuild && !at.reference.Call:
		return nil, nil // recorded as it stands: only a stage that runs it needs a value
	case err != nil:
		return nil, err
	}
	m, err := p.mean(at, env, name)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		e := p.outside(at.kind, name, env, at.platform)
		if p.opt.Pin != nil && !e.Context && name != scratch {
			if e.Pin, err = p.opt.Pin(p.ctx, env.File(), name); err != nil {
				return nil, at.error(at.reference.TargetSpan, err)
			}
		}
		return []Edge{e}, nil
	case at.reference.Call || m.via != nil:
		return p.callEdges(at, m)
	}
	stage, err := p.pick(m, env)
	if err != nil {
		return nil, at.error(at.reference.TargetSpan, err)
	}
	if err := refuseOrder(at, stage, name); err != nil {
		return nil, err
	}
	if err := p.refuseRecursion(at, stage, stage.String()); err != nil {
		return nil, err
	}
	to, err := p.instance(stage, env)
	return []Edge{{Kind: at.kind, To: to}}, err
}

// refuseOrder refuses a stage that stands further down: only a trigger, which runs
// there, and a gate may name it.
func refuseOrder(at place, stage *syntax.Stage, name string) error {
	if at.kind == KindGate || stage.Index < at.inst.Stage.Index || at.in.OnBuild && stage != at.inst.Stage {
		return nil
	}
	if at.kind == KindValues {
		return at.errorf(at.reference.TargetSpan, "cannot take values from stage %q, it needs to be defined before current stage %q", name, at.inst.Stage)
	}
	return at.errorf(at.reference.TargetSpan, "cannot copy from stage %q, it needs to be defined before current stage %q", name, at.inst.Stage)
}

// outside returns the edge to an image, a named context or scratch: on the
// platform of the FROM, else on that of env.
func (p *planner) outside(kind Kind, name string, env *Environment, platform *ocispecs.Platform) Edge {
	if kind != KindBase && kind != KindOperand || name == scratch {
		platform = nil
	}
	e := Edge{Kind: kind, Name: name, Platform: platform, Context: name != scratch && p.hasContext(name, env, platform)}
	if platform == nil {
		p.note(PlatformInput)
		e.Platform = &env.Platform
	}
	return e
}

// scopeAt returns the static names at a place: those of the global part in a FROM, and
// for a trigger those of the line where it runs.
func (p *planner) scopeAt(at place) (*scope, error) {
	switch {
	case at.kind == KindBase || at.kind == KindGate || at.kind == KindOperand:
		return p.global(at.inst.Env), nil
	case at.in.OnBuild:
		recorded := *at.inst
		recorded.scope = nil // that of at.inst has not come to its end
		return p.triggerScope(at.inst.Env, Edge{To: &recorded}, at.in)
	}
	return at.inst.scopeBefore(p, at.n)
}

// expandName expands the variables in the name of a reference. What comes out is
// one name, or one call: then that is the reference of the place returned.
func (p *planner) expandName(at place) (place, string, error) {
	ref := at.reference
	switch {
	case at.kind == KindBase:
		name, err := p.fromWord(at.in, at.inst.Env, ref.Target)
		if err != nil {
			return at, "", err
		}
		if name == "" {
			return at, "", at.empty()
		}
		return p.oneName(at, name)
	case !ref.Extends() && at.kind != KindGate && at.kind != KindOperand:
		return p.oneName(at, ref.Target)
	case ref.Cache && strings.Contains(ref.Target, "$"):
		return at, "", at.errorf(ref.TargetSpan, "'from' of a cache mount doesn't support variable expansion, define alias stage instead")
	}
	names, err := p.scopeAt(at)
	if err != nil {
		return at, "", err
	}
	name, err := p.expand(at, names, ref.TargetSpan, ref.Target)
	if err != nil {
		return at, "", err
	}
	if name == "" {
		return at, "", at.empty()
	}
	return p.oneName(at, name)
}

// empty is the mistake of a name that expands to nothing.
func (at place) empty() error {
	ref := at.reference
	if off := offArgs(at.inst.Env, ref.Target); off != "" {
		return at.errorf(ref.TargetSpan, "%s", off)
	}
	if at.kind == KindBase { // in upstream's words
		return at.in.Locate(fmt.Errorf("base name (%s) should not be blank", ref.Target))
	}
	return at.error(ref.TargetSpan, &noValueError{fmt.Errorf("%s is empty here: a stage, image or context is needed", ref.Target)})
}

// oneName refuses a name out of a variable, or out of quotes, that is more than one
// name: a value of the build never becomes syntax. One call stays one.
func (p *planner) oneName(at place, name string) (place, string, error) {
	ref := at.reference
	if !hasSyntax(ref.Target) && !strings.ContainsAny(name, " \t\r\n,") || isOneName(name) {
		return at, name, nil
	}
	refused := at.errorf(ref.TargetSpan, "%s stands for %s, which is not one name: a stage, an image, a context or a call is needed", ref.Target, shortened(name))
	if ref.Call || !strings.Contains(name, "(") || strings.ContainsAny(name, "$\r\n") {
		return at, "", refused
	}
	called, err := syntax.ParseReference(name, at.in.File().Escape)
	if err != nil {
		return at, "", at.errorf(ref.TargetSpan, "%s stands for %s: %w", ref.Target, shortened(name), err)
	}
	if !called.Call || !isOneName(called.Target) || slices.ContainsFunc(called.Bindings, func(b syntax.Binding) bool { return b.Set }) {
		return at, "", refused
	}
	called.Within(ref.TargetSpan)
	called.Base, called.Mount, called.After, called.With = ref.Base, ref.Mount, ref.After, ref.With
	at.reference = called
	return at, called.Target, nil
}

// callEdges resolves the calls that a reference stands for. A stage of another file
// is a call with nothing bound.
func (p *planner) callEdges(at place, m *meaning) ([]Edge, error) {
	if err := refuseSets(at); err != nil {
		return nil, err
	}
	names, err := p.scopeAt(at)
	if err != nil {
		return nil, err
	}
	calls, err := p.calls(at, m, names)
	if err != nil {
		return nil, err
	}
	edges := make([]Edge, 0, len(calls))
	for _, c := range calls {
		image := at.kind == KindBase || at.kind == KindOperand || at.kind == KindValues // whose config counts
		sealed := image || c.needsOwnBuild() || m.via != nil && m.via.separate
		if image {
			if err := c.bindPlatform(at); err != nil {
				return nil, err
			}
		}
		to, call, shown, err := p.call(at, m, c, sealed)
		if err != nil {
			return nil, err
		}
		edge := Edge{Kind: at.kind, To: to, Call: call, Shown: shown, Sealed: sealed && (image || !to.Replaced)}
		if image {
			edge.Platform = p.basePlatform(at.inst.Env, c, to)
		}
		if at.kind == KindCopy {
			if edge.Copy, err = p.copyOf(at.in, c); err != nil {
				return nil, err
			}
		}
		edges = append(edges, edge)
	}
	if at.kind == KindBase {
		return edges, refuseTriggers(at, Edge{To: edges[0].To, Changes: changesOf(at.in)})
	}
	return edges, p.refuseCollisions(at.in, edges)
}

// basePlatform returns the platform for which a FROM takes the image of a call: that of
// the call, else that of env. Steps on an image without files run on that of env.
func (p *planner) basePlatform(env *Environment, c *call, to *Instance) *ocispecs.Platform {
	if c.platform != nil && !to.empty {
		return c.platform
	}
	p.note(PlatformInput)
	return &env.Platform
}

// refuseTriggers refuses a base that is a build of its own and whose triggers name
// stages: they run in the text of the FROM, where those are others or none.
func refuseTriggers(at place, base Edge) error {
	for _, in := range base.Triggers() {
		for _, ref := range in.References {
			for _, e := range base.To.Edges[ref] {
				switch {
				case e.To != nil:
					return at.errorf(at.reference.Span, "%s has a trigger that names %s, a stage of its own file (line %d): it cannot run here. Write what it does into this stage", at.reference.Text, ref.Text, in.StartLine)
				case len(fileOf(at.inst.Env).stages(e.Name)) > 0:
					return at.errorf(at.reference.Span, "%s has a trigger that names the image %s (line %d), which is a stage here: it cannot run here", at.reference.Text, ref.Text, in.StartLine)
				}
			}
		}
	}
	return nil
}

// epoch returns the value of SOURCE_DATE_EPOCH, and whether it has one.
func (e *Environment) epoch() (string, bool) {
	if name, ok := e.Args[epoch]; ok {
		return name, true
	}
	return e.Global(epoch)
}

// epoch plans the stage that SOURCE_DATE_EPOCH names in env, the sub-build of root;
// upstream finds it by its name.
func (p *planner) epoch(root *Instance, env *Environment) error {
	name, _ := env.epoch()
	p.note(epoch)
	p.note(env.globals[epoch].deps...)
	if why := env.globals[epoch].unknown; why != nil {
		return why.err
	}
	m, err := p.mean(place{kind: kindEpoch, inst: root, reference: &syntax.Reference{}}, env, name)
	if m == nil || err != nil {
		return err
	}
	stage, err := p.pick(m, env)
	if err != nil {
		return err
	}
	inst, err := p.instance(stage, env)
	if err != nil {
		return err
	}
	if known := p.out.Epochs[root]; known != nil && known != inst && !p.apart {
		return fmt.Errorf("%s of %s is the stage %s, which is another one in two calls: %s and %s", epoch, root.Name, name, known.Name, inst.Name)
	}
	for _, part := range root.Parts() {
		p.out.Epochs[part] = inst
	}
	return nil
}

// noVariable is what upstream says of any variable in COPY --from, and so do we in a file
// that is one of upstream's otherwise.
const noVariable = "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"

// expand expands the variables of a word that stands at span, all of which have to
// be known.
func (p *planner) expand(at place, names *scope, span syntax.Span, word string) (string, error) {
	if !hasSyntax(word) {
		return word, nil
	}
	seen := tracker{lookup: names.lookup}
	text, err := names.env.eval.expand(word, &seen)
	if err != nil {
		return "", at.error(span, unwrapped(word, err))
	}
	for _, name := range seen.undeclared {
		if HasAlternative(word, name) {
			continue
		}
		err := fmt.Errorf("%s has no value here: neither an ARG before the first FROM nor an ARG or ENV above sets it", name)
		if gone := names.takenBy(name); gone != nil {
			err = fmt.Errorf("%s has no value here: %s takes it away", name, gone.place(at.in.File()))
		} else if names.base != "" {
			err = fmt.Errorf("%w, and the ENV of %s is not known before the build", err, names.base)
		}
		err = suggestName(err, name, names)
		if at.kind == KindCopy && span == at.reference.TargetSpan && !at.reference.Call && !extended(at.in) {
			err = fmt.Errorf("%w; without one, %s", err, noVariable)
		}
		return "", at.error(span, &noValueError{err})
	}
	if seen.unknown != nil {
		return "", at.unknown(span, seen.blamed, seen.unknown)
	}
	return text, nil
}

// openVariable finds a variable without its closing brace.
var openVariable = pattern.New(`(\$\{\w+)[^}]*$`)

// noValueError says that a name has no value.
type noValueError struct{ error }

func (e *noValueError) Unwrap() error { return e.error }

// extended reports whether the file of an instruction has other extensions than it: who
// uses them does not write for upstream.
func extended(in *syntax.Instruction) bool {
	for other := range in.File().All() {
		if other != in && (other.Command == nil || other.Let != nil || other.Changed() || other.Conditional() || other.Inner() != nil) {
			return true
		}
	}
	return false
}

// HasAlternative reports whether a word says what to write where a name has no value.
func HasAlternative(word, name string) bool {
	return slices.ContainsFunc([]string{":", "-", "+"}, func(op string) bool { return strings.Contains(word, "{"+name+op) })
}

// unknown is the mistake of using a name at a place whose value is not known.
func (at place) unknown(span syntax.Span, name string, why *unknown) error {
	if at.in != nil {
		return unknownAt(at.in, span, name, why)
	}
	if why.err != nil {
		return diagnostic.Relate(why.err, diagnostic.Place{}, "%s is part of the target", name)
	}
	return at.error(span, unknownError(name, why))
}

// unknownAt is that mistake at a span of an instruction.
func unknownAt(in *syntax.Instruction, span syntax.Span, name string, why *unknown) error {
	if why.err != nil {
		where := in.Place(span)
		return diagnostic.Relate(why.err, where, "read as %s on line %d", name, where.Line())
	}
	return in.Error(span, unknownError(name, why))
}

// unknownError is the mistake of using a name in a static place whose value is not
// known.
func unknownError(name string, why *unknown) error {
	if name == why.name {
		return fmt.Errorf("the value of %s is not known here: %s", name, why)
	}
	return fmt.Errorf("the value of %s is not known here: %s, of which it is made, %s", name, why.name, strings.TrimPrefix(why.String(), why.name+" "))
}

// unclosed is the mistake of a variable without its closing brace, of which upstream's lexer
// names the letter behind, if there is one; nil for another error.
func unclosed(word string, err error) error {
	open := openVariable().FindStringSubmatch(word)
	if open == nil || !strings.Contains(err.Error(), "unsupported modifier") {
		return nil
	}
	return fmt.Errorf("the variable has no closing brace: write %s}", open[1])
}

// unwrapped leaves out what upstream's lexer adds to an error of a word: the word, which the
// place of the error shows.
func unwrapped(word string, err error) error {
	if open := unclosed(word, err); open != nil {
		return open
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}
