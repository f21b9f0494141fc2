package plan

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// call is one call with its values.
type call struct {
	env      *Environment
	values   map[string]string
	order    []string // the names as written
	platform *ocispecs.Platform
}

func (c *call) bind(name, value string) {
	if _, ok := c.values[name]; !ok {
		c.order = append(c.order, name)
	}
	c.values[name] = value
}

func (c *call) clone() *call {
	return &call{c.env, maps.Clone(c.values), slices.Clip(c.order), c.platform}
}

// needsOwnBuild reports whether a binding acts on more than the ARGs of stages,
// or cannot be written into a line of text.
func (c *call) needsOwnBuild() bool {
	for name, v := range c.values {
		if BuildWide(name) {
			return true
		}
		if strings.ContainsAny(v, "\r\n\x00") || !utf8.ValidString(v) {
			return true
		}
	}
	return false
}

// BuildWide reports whether a build arg is one on which upstream's converter acts
// by itself, in all stages of a build.
func BuildWide(name string) bool {
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", epoch:
		return true
	}
	return strings.HasPrefix(name, "BUILDKIT_")
}

// refuseSets refuses a set where one call is needed.
func refuseSets(at place, ref *syntax.Reference) error {
	for _, b := range ref.Bindings {
		if b.Set {
			return at.errorf(b.Span, "a set stands in COPY --from and --after only: here one call is needed, write %s=value", b.Name)
		}
	}
	return nil
}

// calls returns the calls that a reference stands for: one, or the product of
// its sets in the written order.
func (p *planner) calls(at place, t *target, names *scope) ([]*call, error) {
	ref := at.reference
	if at.in == nil || ref.Base {
		if err := refuseSets(at, ref); err != nil {
			return nil, err
		}
	}
	out := []*call{{env: t.env, values: map[string]string{}}}
	for _, b := range ref.Bindings {
		if err := declaredSomewhere(fileOf(t.env), at, ref, b); err != nil {
			return nil, err
		}
		values, err := p.values(at, b, names)
		if err != nil {
			return nil, err
		}
		if len(out)*len(values) > MaxCalls {
			return nil, at.errorf(b.Span, "the sets of this reference make %d calls or more, the limit is %d", len(out)*len(values), MaxCalls)
		}
		next := make([]*call, 0, len(out)*len(values))
		for _, c := range out {
			for _, v := range values {
				to := c.clone()
				if err := to.bindValue(at, b, v); err != nil {
					return nil, err
				}
				next = append(next, to)
			}
		}
		out = next
	}
	return out, nil
}

// boundValue is a value of a binding and where it was written.
type boundValue struct {
	text string
	span syntax.Span
}

// bindValue binds one value; TARGETPLATFORM is a platform.
func (c *call) bindValue(at place, b syntax.Binding, v boundValue) error {
	if b.Name == targetPlatform {
		platform, err := platforms.Parse(v.text)
		if err != nil || v.text == "" {
			return at.errorf(v.span, "%q is not a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", v.text)
		}
		platform = platforms.Normalize(platform)
		c.platform = &platform
		v.text = platforms.FormatAll(platform)
	}
	c.bind(b.Name, v.text)
	return nil
}

// values returns the values of a binding.
func (p *planner) values(at place, b syntax.Binding, names *scope) ([]boundValue, error) {
	var out []boundValue
	for _, v := range b.Values {
		if b.Set && v.Raw == "*" {
			if b.Name != targetPlatform {
				return nil, at.errorf(v.Span, "[*] is the platforms of the build: only %s takes it", targetPlatform)
			}
			for _, platform := range p.requested() {
				out = append(out, boundValue{platforms.FormatAll(platform), v.Span})
			}
			continue
		}
		text, err := p.expand(at, names, v.Span, v.Raw)
		if err != nil {
			return nil, err
		}
		if !b.Set || !v.Variable() {
			out = append(out, boundValue{text, v.Span})
			continue
		}
		if strings.TrimSpace(text) == "" {
			return nil, at.errorf(v.Span, "%s is empty: the set of %s needs at least one value", v.Raw, b.Name)
		}
		for item := range strings.SplitSeq(text, ",") {
			item = strings.TrimSpace(item)
			if item == "" {
				return nil, at.errorf(v.Span, "%s is the list %q, which has an empty value", v.Raw, text)
			}
			out = append(out, boundValue{item, v.Span})
		}
	}
	return out, nil
}

// requested returns the platforms that the build was asked for, each once and in
// the order of their names: in which order the client lists them is no part of
// the build.
func (p *planner) requested() []ocispecs.Platform {
	all := p.opt.Requested
	switch {
	case len(all) > 0:
	case p.opt.TargetPlatform != nil:
		all = []ocispecs.Platform{*p.opt.TargetPlatform}
	default:
		all = []ocispecs.Platform{p.opt.BuildPlatform}
	}
	byName := map[string]ocispecs.Platform{}
	for _, platform := range all {
		byName[platforms.FormatAll(platform)] = platform
	}
	out := make([]ocispecs.Platform, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

// call plans what a call calls.
func (p *planner) call(at place, t *target, c *call) (*Instance, string, error) {
	written := t.name
	if at.reference.Call {
		written = reference(t.name, c.order, c.values)
	}
	if p.depth == MaxDepth {
		return nil, "", at.errorf(at.reference.Span, "calls nest more than %d deep", MaxDepth)
	}
	stage := at.reference.Target
	if t.via != nil {
		stage = t.stages[0].String()
	}
	env, err := c.env.eval.with(c.env, c.values, c.platform, stage)
	if err == nil {
		err = p.checkGlobals(env)
	}
	if err != nil {
		return nil, "", at.chain(err, written)
	}
	before := len(p.out.Instances)
	inst, err := p.callee(at, c, t, env, written)
	if err != nil {
		return nil, "", err
	}
	if len(p.out.Instances) > before && !inst.Replaced {
		inst.Name = inst.nameOf(c.order)
	}
	if inst.Replaced {
		p.warnReplaced(at, inst.Stage)
		return inst, written, nil
	}
	return inst, written, p.requireDeclared(at, inst)
}

// meant returns the stage that a target means under the environment of its call.
func (p *planner) meant(t *target, env *Environment) (*syntax.Stage, error) {
	if !t.last {
		return p.pick(t.name, t.stages, env)
	}
	list, err := p.stagesOn(env)
	if err == nil && len(list) == 0 {
		err = &offError{t.name, t.stages, env}
	}
	if err != nil {
		return nil, err
	}
	return list[len(list)-1], nil
}

// callee plans the stage of a call in its environment. Of what it reads, the
// caller depends on what the call does not decide.
func (p *planner) callee(at place, c *call, t *target, env *Environment, written string) (*Instance, error) {
	p.open = append(p.open, frame{reads: map[string]struct{}{}})
	p.depth++
	defer func() {
		reads := p.open[len(p.open)-1].reads
		p.open = p.open[:len(p.open)-1]
		p.depth--
		for name := range reads {
			if !c.decides(name) && t.via.flows(name) {
				p.read(name)
			}
		}
	}()
	stage, err := p.meant(t, env)
	if err != nil {
		return nil, at.error(at.reference.TargetSpan, err)
	}
	if stage == nil { // a named context stands for it
		stage = t.stages[0]
	}
	if err := p.refuseRecursion(at, stage, written); err != nil {
		return nil, err
	}
	inst, err := p.instance(stage, env)
	if err != nil {
		return nil, at.chain(err, written)
	}
	return inst, nil
}
