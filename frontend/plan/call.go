package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/suggest"
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
			return at.errorf(b.Span, "a set stands in COPY --from only: here one call is needed, write %s=value", b.Name)
		}
	}
	return nil
}

// calls returns the calls that a reference stands for: one, or the product of
// its sets in the written order.
func (p *planner) calls(at place, env *Environment, names *scope) ([]*call, error) {
	ref := at.reference
	if at.in == nil || ref.Base {
		if err := refuseSets(at, ref); err != nil {
			return nil, err
		}
	}
	out := []*call{{env: env, values: map[string]string{}}}
	for _, b := range ref.Bindings {
		if err := p.declaredSomewhere(at, ref, b); err != nil {
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
				out = append(out, boundValue{platform, v.Span})
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
func (p *planner) requested() []string {
	all := p.opt.Requested
	switch {
	case len(all) > 0:
	case p.opt.TargetPlatform != nil:
		all = []ocispecs.Platform{*p.opt.TargetPlatform}
	default:
		all = []ocispecs.Platform{p.opt.BuildPlatform}
	}
	names := make([]string, 0, len(all))
	for _, platform := range all {
		names = append(names, platforms.FormatAll(platform))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// call plans what a call calls.
func (p *planner) call(at place, stage *syntax.Stage, c *call) (*Instance, string, error) {
	written := reference(stage.String(), c.order, c.values)
	if p.depth == MaxDepth {
		return nil, "", at.errorf(at.reference.Span, "calls nest more than %d deep", MaxDepth)
	}
	if err := p.refuseRecursion(at, stage, written); err != nil {
		return nil, "", err
	}
	env, err := p.callEnvironment(c, at.reference.Target)
	if err != nil {
		return nil, "", err
	}
	var caller map[string]struct{}
	if len(p.open) > 0 {
		caller = p.open[len(p.open)-1].reads
		p.open[len(p.open)-1].reads = map[string]struct{}{}
	}
	p.depth++
	before := len(p.out.Instances)
	inst, err := p.instance(stage, env)
	p.depth--
	if len(p.open) > 0 {
		p.open[len(p.open)-1].reads = caller
	}
	if err != nil {
		return nil, "", at.chain(err, written)
	}
	if len(p.out.Instances) > before && !inst.Replaced {
		inst.Name = inst.nameOf(c.order)
	}
	for _, name := range inst.Reads {
		if !c.decides(name) {
			p.read(name)
		}
	}
	if inst.Replaced {
		p.warnReplaced(at, stage)
		return inst, written, nil
	}
	return inst, written, p.requireDeclared(at, inst)
}

// decides reports whether an input has its value from the call, not from where
// the call stands.
func (c *call) decides(input string) bool {
	if _, ok := c.values[input]; ok || input == targetStage {
		return true
	}
	if c.platform == nil {
		return false
	}
	_, given := c.env.Args[input]
	return input == PlatformInput || !given && slices.Contains(platformNames[:], input)
}

// callEnvironment returns the environment of a call: the same one for equal
// calls.
func (p *planner) callEnvironment(c *call, stage string) (*Environment, error) {
	key := fmt.Sprintf("%p %s %q", c.env, strings.ToLower(stage), sortedPairs(c.values))
	if env, ok := p.envs[key]; ok {
		return env, nil
	}
	env, err := p.eval.with(c.env, c.values, c.platform, stage)
	if err == nil {
		p.envs[key] = env
	}
	return env, err
}

func sortedPairs(values map[string]string) []string {
	out := make([]string, 0, len(values))
	for name, v := range values {
		out = append(out, name+"="+v)
	}
	slices.Sort(out)
	return out
}

// refuseRecursion refuses a call of a stage that is being planned.
func (p *planner) refuseRecursion(at place, stage *syntax.Stage, written string) error {
	i := slices.IndexFunc(p.open, func(f frame) bool { return f.stage == stage })
	if i < 0 {
		return nil
	}
	var chain []string
	for _, f := range p.open[i:] {
		chain = append(chain, f.stage.String())
	}
	chain = append(chain, written)
	return at.errorf(at.reference.Span, "stage %s needs itself: %s", stage, strings.Join(chain, " → "))
}

// declaredSomewhere refuses a binding of a name that no ARG of the file
// declares.
func (p *planner) declaredSomewhere(at place, ref *syntax.Reference, b syntax.Binding) error {
	if b.Name == targetPlatform {
		return nil
	}
	if _, ok := p.declared[b.Name]; ok {
		return nil
	}
	names := slices.Collect(maps.Keys(p.declared))
	return at.error(b.NameSpan, suggestArg(fmt.Errorf("no ARG of the file declares %s, so %s cannot be called with it", b.Name, ref.Target), b.Name, names))
}

// requireDeclared refuses bindings of names that the sub-build does not
// declare: they would do nothing.
func (p *planner) requireDeclared(at place, inst *Instance) error {
	var names []string // found when needed: a binding that is read is declared
	for _, b := range at.reference.Bindings {
		if b.Name == targetPlatform || slices.Contains(inst.Reads, b.Name) {
			continue
		}
		if names == nil {
			names = append([]string{targetPlatform}, declaredArgs(p.file.Args)...)
			names = append(names, inst.declared(map[*Instance]bool{})...)
		}
		if !slices.Contains(names, b.Name) {
			return at.error(b.NameSpan, suggestArg(fmt.Errorf("%s has no ARG %s, nor has a stage that it uses", at.reference.Target, b.Name), b.Name, names))
		}
	}
	return nil
}

// declared returns the ARGs of the instance and of all it needs.
func (i *Instance) declared(seen map[*Instance]bool) []string {
	if seen[i] {
		return nil
	}
	seen[i] = true
	names := declaredArgs(i.Stage.Instructions)
	for e := range i.All() {
		if e.To != nil {
			names = append(names, e.To.declared(seen)...)
		}
	}
	return names
}

func declaredArgs(list []*syntax.Instruction) []string {
	var names []string
	for _, in := range list {
		if cmd, ok := in.Command.(*instructions.ArgCommand); ok {
			for _, arg := range cmd.Args {
				names = append(names, arg.Key)
			}
		}
	}
	return names
}

func suggestArg(err error, name string, names []string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if ok, err := suggest.WrapErrorMaybe(err, name, names, true); ok {
		return err
	}
	if ok, err := suggest.WrapErrorMaybe(err, name, names, false); ok {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (it has none)", err)
	}
	return fmt.Errorf("%w (it takes %s)", err, strings.Join(names, ", "))
}

func (p *planner) warnReplaced(at place, stage *syntax.Stage) {
	w := syntax.Warning{Rule: RuleCallOfContext, Message: fmt.Sprintf("the named context %s replaces the stage: the call gives the context", stage.Name)}
	if at.in != nil {
		w.Location = at.in.Ranges(at.reference.Span)
	}
	if !slices.ContainsFunc(p.out.Warnings, func(other syntax.Warning) bool {
		return other.Message == w.Message && slices.Equal(other.Location, w.Location)
	}) {
		p.out.Warnings = append(p.out.Warnings, w)
	}
}

// RuleCallOfContext warns of a call whose stage a named context replaces.
var RuleCallOfContext = &syntax.Rule{
	Name:        "CallOfContext",
	Description: "A named context replaces a stage of its name, also where the stage is called: bindings do nothing then",
	URL:         "https://github.com/stagecraft-build/stagecraft/blob/main/docs/rules/call-of-context.md",
}

// nameOf returns how a user would write the instance: the bindings as the call
// gives them, then those of outer calls that it depends on.
func (i *Instance) nameOf(written []string) string {
	names := slices.Clone(written)
	for _, name := range slices.Sorted(maps.Keys(i.Env.Bound)) {
		if !slices.Contains(names, name) && i.DependsOn(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return i.Stage.String()
	}
	return reference(i.Stage.String(), names, i.Env.Bound)
}

// DependsOn reports whether the instance is another one under another value of a
// binding.
func (i *Instance) DependsOn(binding string) bool {
	if binding == targetPlatform {
		return slices.ContainsFunc(i.Reads, func(name string) bool {
			return name == PlatformInput || slices.Contains(platformNames[:], name)
		})
	}
	return slices.Contains(i.Reads, binding)
}

// reference spells a call.
func reference(name string, order []string, values map[string]string) string {
	var out strings.Builder
	out.WriteString(name)
	out.WriteByte('(')
	for i, key := range order {
		if i > 0 {
			out.WriteByte(',')
		}
		v := values[key]
		if v == "" || strings.ContainsAny(v, " \t\r\n,()[]\"'$\\") {
			v = strconv.Quote(v)
		}
		out.WriteString(key + "=" + v)
	}
	out.WriteByte(')')
	return out.String()
}
