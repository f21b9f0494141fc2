package plan

import (
	"errors"
	"maps"
	"slices"
	"strings"

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

// needsOwnBuild reports whether a binding acts on more than the ARGs of stages.
func (c *call) needsOwnBuild() bool {
	for name := range c.values {
		if BuildWide(name) {
			return true
		}
	}
	return false
}

// BuildWide reports whether a build arg is one on which upstream's converter acts
// by itself, in all stages of a build.
func BuildWide(name string) bool { return syntax.BuildWide(name) }

// refuseSets refuses a set where one call is needed.
func refuseSets(at place) error {
	if at.kind.rule().sets && !at.in.OnBuild {
		return nil
	}
	for _, b := range at.reference.Bindings {
		if b.Set {
			return at.errorf(b.Span, "a set stands in COPY --from, ADD --from and --after only: here one call is needed, write %s=value", b.Name)
		}
	}
	return nil
}

// checkBinding refuses a binding of a name that no call binds, whatever the values are.
func (p *planner) checkBinding(at place, m *meaning, b syntax.Binding) error {
	file := fileOf(m.env)
	if err := refusePlatformPart(at, file, b); err != nil {
		return err
	}
	if err := refuseComputed(at, file.computed(b.Name), b); err != nil {
		return err
	}
	return p.declaredSomewhere(file, at, b)
}

// calls returns the calls that a reference stands for: one, or the product of
// its sets in the written order.
func (p *planner) calls(at place, m *meaning, names *scope) ([]*call, error) {
	out := []*call{{env: m.env, values: map[string]string{}}}
	for _, b := range at.reference.Bindings {
		if err := p.checkBinding(at, m, b); err != nil {
			return nil, err
		}
		values, err := p.values(at, b, names)
		if err != nil {
			return nil, err
		}
		if n := len(out) * len(values); p.called+n > MaxCalls {
			return nil, tooManyCalls(at, b.Span, n)
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
	if p.called+len(out) > MaxCalls {
		return nil, tooManyCalls(at, at.reference.Span, len(out))
	}
	return out, nil
}

func tooManyCalls(at place, span syntax.Span, n int) error {
	if n > MaxCalls {
		return at.errorf(span, "the sets of this reference make %d calls or more, the limit of a build is %d", n, MaxCalls)
	}
	return at.errorf(span, "the build has more than %d calls", MaxCalls)
}

// refusePlatformPart refuses to bind what follows from the platform: the image that
// the stage is built FROM would stay another platform's. A file may have an ARG of its
// own of a name that upstream does not know.
func refusePlatformPart(at place, file *dockerfile, b syntax.Binding) error {
	if b.Name == targetPlatform || !slices.Contains(platformNames[:], b.Name) {
		return nil
	}
	if _, own := file.declared[b.Name]; own && (b.Name == "TARGETMACHINE" || b.Name == "TARGETTRIPLE") && !file.TakesMachineArg(b.Name) {
		return nil
	}
	example := "linux/arm64"
	if v := b.Values[0].Raw; b.Name == "TARGETARCH" && isOneName(v) {
		example = "linux/" + v
	}
	return at.errorf(b.NameSpan, "%s follows from the platform: bind TARGETPLATFORM=%s", b.Name, example)
}

// bindPlatform binds the platform of a FROM.
func (c *call) bindPlatform(at place) error {
	if at.platform == nil {
		return nil
	}
	if _, twice := c.values[targetPlatform]; twice {
		return at.errorf(at.reference.Span, "--platform and the call both give the platform: leave one out")
	}
	c.platform = at.platform
	c.bind(targetPlatform, platforms.FormatAll(*at.platform))
	return nil
}

// boundValue is a value of a binding and where it was written.
type boundValue struct {
	text string
	span syntax.Span
}

// bindValue binds one value; TARGETPLATFORM is a platform.
func (c *call) bindValue(at place, b syntax.Binding, v boundValue) error {
	if b.Name == targetPlatform {
		platform, err := ParsePlatform(v.text)
		var typo *platformTypo
		switch {
		case errors.As(err, &typo):
			return at.error(v.span, err)
		case err != nil || v.text == "":
			return at.errorf(v.span, "%s is not a platform: write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", shortened(v.text))
		}
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
			if p.opt.Part {
				return nil, at.errorf(v.Span, "[*] is the platforms that were asked for, and the builder has several nodes, of which this one is to build %s alone: list the platforms, as in %s=[linux/amd64,linux/arm64]",
					platforms.FormatAll(p.opt.Requested[0]), targetPlatform)
			}
			for _, platform := range p.requested() {
				out = append(out, boundValue{platforms.FormatAll(platform), v.Span})
			}
			continue
		}
		text, err := p.expand(at, names, v.Span, v.Raw)
		if err == nil && !isText(text) {
			err = at.error(v.Span, notText(text))
		}
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
