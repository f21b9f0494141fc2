package plan

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Kind is what a reference is for.
type Kind int

// The kinds of references.
const (
	// KindBase is FROM.
	KindBase Kind = iota
	// KindCopy is COPY --from and ADD --from.
	KindCopy
	// KindMount is the from of a RUN --mount.
	KindMount
	// KindGate is FROM --after.
	KindGate
	// KindOperand is FROM --with.
	KindOperand
	// KindValues is ENV --from and LABEL --from.
	KindValues
	// KindAncestor is what an operand and the base are both built FROM, which nobody
	// writes.
	KindAncestor
	// kindTarget is docker build --target.
	kindTarget
	// kindEpoch is a stage that gives SOURCE_DATE_EPOCH.
	kindEpoch
)

// rule says in what kinds of references differ.
type rule struct {
	// above: of the stages of this file those above, under their exact names.
	above bool
	// numbers: a number counts the stages.
	numbers bool
	// only: nothing but stages of this file.
	only bool
	// images: what is no stage is an image or a named context.
	images bool
	// sets: several calls may stand there.
	sets bool
}

func (k Kind) rule() rule {
	switch k {
	case KindBase, KindOperand:
		return rule{above: true, images: true}
	case KindCopy:
		return rule{numbers: true, images: true, sets: true}
	case KindMount:
		return rule{images: true}
	case KindValues:
		return rule{numbers: true, images: true}
	case KindGate:
		return rule{sets: true}
	case kindEpoch:
		return rule{only: true, images: true}
	}
	return rule{}
}

func kindOf(in *syntax.Instruction, ref *syntax.Reference) Kind {
	switch {
	case ref.After:
		return KindGate
	case ref.With:
		return KindOperand
	case ref.Values:
		return KindValues
	case ref.Mount:
		return KindMount
	case in.Keyword == command.From:
		return KindBase
	}
	return KindCopy
}

// place is where a reference stands: in an instruction of an instance, or in the
// target that a client gave.
type place struct {
	kind Kind
	in   *syntax.Instruction // nil for a target
	inst *Instance
	// n is how many instructions of inst stand above.
	n         int
	reference *syntax.Reference
	target    string
	// platform is that of the FROM; nil for none.
	platform *ocispecs.Platform
	// static is set where nothing is evaluated: for a line that is off.
	static bool
}

// error returns err as a mistake at span.
func (at place) error(span syntax.Span, err error) error {
	if err == nil {
		return nil
	}
	if at.in == nil {
		return diagnostic.Errorf(diagnostic.Place{}, "target %q, column %d: %w", at.target, span.Start+1, err)
	}
	return at.in.Error(span, err)
}

func (at place) errorf(span syntax.Span, format string, args ...any) error {
	return at.error(span, fmt.Errorf(format, args...))
}

// chain adds the call at this place to an error inside of what it calls.
func (at place) chain(err error, call string) error {
	if at.in == nil {
		return diagnostic.Relate(err, diagnostic.Place{}, "in %s, the target", call)
	}
	where := at.in.Place(at.reference.Span)
	return diagnostic.Relate(err, where, "in %s, called on line %d", call, where.Line())
}

// meaning is the stages that a name means: those of one name, of which one is on
// at most, or the last one of a file.
type meaning struct {
	// env is the environment of the file in which the stages stand, before any
	// binding.
	env    *Environment
	stages []*syntax.Stage
	// name is how users see it.
	name string
	// via is how the file was reached; nil for that of the reference.
	via *crossing
	// last is set when the last of the stages that are on is meant.
	last bool
}

// mean returns what a name means at a place in the file of env; nil for a named
// context or an image. This is the order of docs/reference/stage-functions.md,
// "What a name means".
func (p *planner) mean(at place, env *Environment, name string) (*meaning, error) {
	file, rule := fileOf(env), at.kind.rule()
	call := at.reference.Call
	if call { // which may stand anywhere, and is of a stage
		rule.above, rule.numbers, rule.images = false, false, false
	}
	// the number of a stage
	if n, ok := number(at.kind, at.in, name); ok && rule.numbers {
		list := file.Stages
		if !at.static {
			var err error
			if list, err = p.stagesOn(env); err != nil {
				return nil, err
			}
		}
		switch {
		case n < 0 || n >= len(list):
			return nil, at.errorf(at.reference.TargetSpan, "invalid stage index %s", name)
		case at.static: // of which some may be off
			return nil, errNotStatic
		}
		return &meaning{env: env, stages: list[n : n+1], name: name}, nil
	}
	// a stage of this file
	list := file.stages(name)
	if rule.above {
		list = file.visible(at.kind, at.inst.Stage, name)
	}
	if len(list) > 0 {
		return &meaning{env: env, stages: list, name: list[0].String()}, nil
	}
	if rule.only {
		return nil, nil
	}
	// alias.stage
	if m, err := p.ofImport(at, env, name); m != nil || err != nil {
		return m, err
	}
	// file#stage
	if syntax.IsFile(name) {
		return p.ofFile(at, env, name)
	}
	// a named context, or an image
	if rule.images {
		return nil, p.refuseMisspelled(at, env, name)
	}
	return nil, p.noStage(at, file, name)
}

// noStage is the mistake of a name that has to be a stage.
func (p *planner) noStage(at place, file *dockerfile, name string) error {
	suggested := func(format string) error {
		if alias, _, ok := strings.Cut(name, "."); ok && !syntax.IsFile(name) && !strings.ContainsAny(name, "/:@") && !file.imported(name) {
			err := fmt.Errorf(format, name)
			if near, err := suggest.WrapErrorMaybe(err, strings.ToLower(name), append(stageNames(file), p.importedNames(file)...), false); near {
				return err
			}
			return fmt.Errorf("%w (no IMPORT is named %s: write IMPORT ./path/to/file AS %s before the first FROM)", err, alias, alias)
		}
		return suggestStage(file, fmt.Errorf(format, name), name, p.importedNames(file))
	}
	switch {
	case at.reference.Call:
		return at.error(at.reference.TargetSpan, suggested("%q is not a stage of this file: only stages can be called"))
	case at.kind == kindTarget: // in upstream's words
		return diagnostic.At(diagnostic.Place{}, suggested("target stage %q could not be found"))
	}
	return at.error(at.reference.TargetSpan, suggested("%q is not a stage of this file: a gate is a stage"))
}

// visible returns the stages of this file that a name means to a reference that is
// no call, the one that it does mean last.
func (d *dockerfile) visible(kind Kind, stage *syntax.Stage, name string) []*syntax.Stage {
	if !kind.rule().above {
		return d.stages(name)
	}
	list := d.named[name] // a FROM means one as it is written
	if kind == KindOperand {
		list = d.stages(name)
	}
	return list[:sort.Search(len(list), func(i int) bool { return list[i].Index >= stage.Index })]
}

// number returns the number of a stage that a word may be.
func number(kind Kind, in *syntax.Instruction, name string) (int, bool) {
	if in == nil || !kind.rule().numbers || !strings.ContainsAny(name[:min(1, len(name))], "+-0123456789") {
		return 0, false
	}
	n, err := strconv.Atoi(name)
	return n, err == nil
}

// ofImport returns the stages that alias.stage means; nil when the alias is none
// of an import.
func (p *planner) ofImport(at place, env *Environment, name string) (*meaning, error) {
	alias, inner, ok := strings.Cut(name, ".")
	if !ok || syntax.IsFile(name) {
		return nil, nil
	}
	if at.static {
		return p.ofAnyImport(at, env, alias, name, inner)
	}
	im, err := p.importOf(at, env, alias)
	if err != nil || im == nil || strings.ContainsAny(inner, "/:@") {
		return nil, err // an image, maybe
	}
	if err := refuseNoStage(at, im, name, inner); err != nil {
		return nil, err
	}
	via, err := p.enter(env, im)
	if err != nil {
		return nil, err
	}
	return ofCrossing(at, via, name, inner)
}

// refuseNoStage refuses alias.stage where it can be none.
func refuseNoStage(at place, im *syntax.Import, name, inner string) error {
	switch {
	case im.IsData():
		return at.errorf(at.reference.TargetSpan, "%s is data, which has no stages: its values stand in expressions, as LET and --if take them", im.Written)
	case inner == "":
		return at.errorf(at.reference.TargetSpan, "the stage is missing behind %s", name)
	}
	return nil
}

// ofFile returns the stages that ./file#stage means, or ./file.
func (p *planner) ofFile(at place, env *Environment, name string) (*meaning, error) {
	path, inner := name, ""
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		path, inner = name[:i], name[i+1:]
		if inner == "" {
			return nil, at.errorf(at.reference.TargetSpan, "the stage is missing behind #: write %s#stage, or %s for the last one", path, path)
		}
	}
	req := module.Request{Path: path}
	if at.in != nil {
		req.At = at.in.Place(at.reference.TargetSpan)
	}
	f, err := p.opt.Files.Import(p.ctx, fileOf(env).File, req)
	if err != nil {
		if im := fileOf(env).alias(path); im != nil && inner != "" {
			return nil, at.errorf(at.reference.TargetSpan, behindDot, im.Written, inner)
		}
		return nil, importError(at, err)
	}
	if at.static {
		return ofCrossing(at, p.glance(env, f), name, inner)
	}
	via, err := p.cross(env, f, nil, filePrefix(env, f, path))
	if err != nil {
		return nil, importError(at, err)
	}
	return ofCrossing(at, via, name, inner)
}

// ofCrossing returns the stages of an imported file; without a name the last one
// that is on.
func ofCrossing(at place, via *crossing, name, inner string) (*meaning, error) {
	file := fileOf(via.env)
	m := &meaning{env: via.env, name: name, via: via}
	if inner == "" {
		m.stages, m.last = file.Stages, true
		return m, nil
	}
	if m.stages = file.stages(inner); len(m.stages) == 0 {
		return nil, at.error(at.reference.TargetSpan, suggestStage(file, fmt.Errorf("%s has no stage %q", file, inner), inner, nil))
	}
	return m, nil
}
