package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/util/suggest"
	"golang.org/x/text/unicode/norm"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Bake is a bake file. Its form is described by docs/schemas/bake.json.
type Bake struct {
	// Variable are the values that bake takes from where it runs.
	Variable map[string]BakeVariable `json:"variable,omitempty"`
	Group    map[string]BakeGroup    `json:"group"`
	Target   map[string]any          `json:"target"`
}

// BakeVariable is a variable of a bake file.
type BakeVariable struct {
	Default    string           `json:"default"`
	Validation []BakeValidation `json:"validation,omitempty"`
}

// BakeValidation is what a variable has to be.
type BakeValidation struct {
	Condition expression `json:"condition"`
	Message   string     `json:"error_message"`
}

// BakeGroup is targets that bake builds together.
type BakeGroup struct {
	Targets []string `json:"targets"`
}

// BakeBuild is the build for which a bake file stands.
type BakeBuild struct {
	// Place are the attributes that say where the Dockerfile and the context are.
	Place map[string]any
	// Args are the build args that were given.
	Args map[string]string
	// Always are those that every target gets: no file declares them.
	Always map[string]string
	// Attributes are those that the command line gives.
	Attributes map[string]any
	// Targets are what can be built; the first one is what the build gives.
	Targets []BakeTarget
}

// BakeTarget is one target with its plan for each platform.
type BakeTarget struct {
	// Target is what docker build --target names; empty for the default.
	Target string
	Plans  []*plan.Plan
	// Stage is set for a stage of the file, which says more about the target.
	Stage bool
	// Platforms is set when the target is for those of its plans, and no others.
	Platforms bool
}

// NewBake writes a bake file. Errors are located.
func NewBake(build BakeBuild) (*Bake, error) {
	out := &Bake{Target: map[string]any{}}
	names := bakeNames(build.Targets)
	for i, t := range build.Targets {
		target, err := out.target(build, t)
		if err != nil {
			return nil, err
		}
		if err := t.checkContexts(target, names[i], names); err != nil {
			return nil, err
		}
		for key, v := range target {
			if target[key], err = templates(v); err != nil {
				return nil, diagnostic.Errorf(t.Plans[0].Root.From.Lines(), "target %s: %s: %w", names[i], key, err)
			}
		}
		out.Target[names[i]] = target
	}
	if usesFolder(build.Place) || usesFolder(build.Attributes) {
		out.variable(folderVariable, BakeVariable{})
	}
	out.Group = map[string]BakeGroup{bakeDefault: {Targets: names[:1]}}
	return out, nil
}

// JSON returns the bake file.
func (b *Bake) JSON() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(b)
	return out.Bytes(), err
}

func (b *Bake) variable(name string, v BakeVariable) {
	if b.Variable == nil {
		b.Variable = map[string]BakeVariable{}
	}
	b.Variable[name] = v
}

// target returns the attributes of one target.
func (b *Bake) target(build BakeBuild, t BakeTarget) (map[string]any, error) {
	out := maps.Clone(build.Place)
	root := t.Plans[0].Root
	if t.Stage {
		if err := t.attributes(out); err != nil {
			return nil, err
		}
		if text := root.From.Description(); text != "" {
			out["description"] = norm.NFC.String(strings.ToValidUTF8(text, "\uFFFD"))
		}
	}
	for key, v := range build.Attributes { // the command line wins
		given, isMap := v.(map[string]any)
		own, both := out[key].(map[string]string)
		if isMap && both {
			merged := map[string]any{}
			for name, v := range own {
				merged[name] = v
			}
			maps.Copy(merged, given)
			v = merged
		}
		out[key] = v
	}
	if t.Target != "" {
		out["target"] = t.Target
	}
	delete(out, "platforms")
	if t.Platforms {
		var list []string
		for _, p := range t.Plans {
			list = append(list, platforms.FormatAll(p.Root.Env.Platform))
		}
		out["platforms"] = list
	}
	args := b.args(build.Args, t.Plans)
	for name, value := range build.Always {
		args[name] = value
	}
	if len(args) > 0 {
		out["args"] = args
	}
	return out, nil
}

// attributes adds those of the FROM. A target has one value for all platforms.
func (t BakeTarget) attributes(out map[string]any) error {
	var first map[string]any
	for i, p := range t.Plans {
		from := p.Root.From
		these, values := map[string]any{}, map[string]string{}
		for _, b := range from.Bake {
			value, err := p.Root.Env.BakeValue(from, b)
			if err != nil {
				return err
			}
			if err := setBake(these, b, value); err != nil {
				return from.Errorf(b.Span, "%s: %w", b.Key, err)
			}
			values[b.Key] = value
		}
		delete(these, "platforms") // which is those of the plans
		if i == 0 {
			first = these
		}
		for _, key := range slices.Sorted(maps.Keys(these)) {
			if !reflect.DeepEqual(first[key], these[key]) {
				return t.differs(p, key)
			}
		}
		for key := range first {
			if _, ok := these[key]; !ok {
				return t.differs(p, key)
			}
		}
	}
	maps.Copy(out, first)
	return nil
}

// checkContexts refuses a context of the FROM that is another target, and none of those that
// there are.
func (t BakeTarget) checkContexts(target map[string]any, name string, names []string) error {
	if !t.Stage {
		return nil
	}
	from := t.Plans[0].Root.From
	for _, b := range from.Bake {
		given, _ := target[b.Attribute].(map[string]string)
		other, ok := strings.CutPrefix(given[b.Name], "target:")
		switch {
		case b.Attribute != "contexts" || !ok:
		case other == name:
			return from.Errorf(b.Span, "%s: the target %s cannot be a context of itself", b.Key, name)
		case !slices.Contains(names, other):
			return suggest.WrapError(from.Errorf(b.Span, "%s: there is no target %q: there are %s", b.Key, other, strings.Join(names, ", ")), other, names, true)
		}
	}
	return nil
}

// differs is the mistake of an attribute that has another value on the first platform.
func (t BakeTarget) differs(p *plan.Plan, key string) error {
	for _, at := range []*plan.Plan{p, t.Plans[0]} {
		for _, b := range at.Root.From.Bake {
			if b.Attribute == key {
				return at.Root.From.Errorf(b.Span, "%s differs between %s and %s: a target has one value for all platforms, so leave names of the platform out", b.Key,
					platforms.FormatAll(t.Plans[0].Root.Env.Platform), platforms.FormatAll(p.Root.Env.Platform))
			}
		}
	}
	return nil
}

// args returns the build args on which the target depends. One that opens an import, or
// holds a password, comes from where bake runs.
func (b *Bake) args(given map[string]string, plans []*plan.Plan) map[string]any {
	out := map[string]any{}
	for name, value := range given {
		proxy := strings.HasSuffix(strings.ToUpper(name), "_PROXY")
		reads := slices.ContainsFunc(plans, func(p *plan.Plan) bool {
			switch {
			case proxy: // clients pass theirs on in every build, bake as well
				return p.ReadsProxy(name)
			case plan.BuildWide(name):
				return true // the frontend itself acts on it
			}
			return p.Depends(name)
		})
		switch hidden := slices.ContainsFunc(plans, func(p *plan.Plan) bool { return p.Hides(name) }); {
		case !reads:
		case hidden || proxy && strings.Contains(value, "@"):
			from := "ARG_" + name // a shell may have a USER of its own
			out[name] = expression("${" + from + "}")
			b.variable(from, BakeVariable{Validation: []BakeValidation{{
				Condition: expression("${" + from + " != \"\"}"),
				Message:   "the value of ARG " + name + " is a secret: set " + from + " in the environment of bake",
			}}})
		default:
			out[name] = value
		}
	}
	return out
}

// bakeDefault is the group that bake builds when it is told nothing, and the name of a
// target that has none.
const bakeDefault = "default"

// bakeNames returns the names of targets: of stages their own. What bake takes in no name
// is an underscore, as bake itself takes the dots of a name; where that is the name of
// another target, a number follows. The name of the group is left to the first one.
func bakeNames(targets []BakeTarget) []string {
	names := make([]string, len(targets))
	taken := map[string]bool{bakeDefault: true}
	for i, t := range targets {
		plain := bakeName(t.Target)
		if plain == "" {
			plain = bakeDefault
		}
		if own := plain == t.Target && plain != bakeDefault; own || i == 0 && plain == bakeDefault {
			names[i], taken[plain] = plain, true
		}
	}
	for i, t := range targets {
		if names[i] != "" {
			continue
		}
		plain := bakeName(t.Target)
		names[i] = plain
		for n := 2; taken[names[i]] || names[i] == ""; n++ {
			names[i] = fmt.Sprintf("%s_%d", plain, n)
		}
		taken[names[i]] = true
	}
	return names
}

func bakeName(text string) string {
	name := notOfName().ReplaceAllString(text, "_")
	if name != text {
		name = strings.TrimRight(name, "_")
	}
	return name
}

// notOfName finds what stands in no name of a target.
var notOfName = pattern.New(`\.|[^A-Za-z0-9_.-]+`)

// BakePlatforms returns those that the attributes of a FROM name. Errors are located.
func BakePlatforms(env *plan.Environment, from *syntax.Instruction) ([]string, error) {
	these := map[string]any{}
	for _, b := range from.Bake {
		if b.Attribute != "platforms" {
			continue
		}
		value, err := env.BakeValue(from, b)
		if err != nil {
			return nil, err
		}
		if err := setBake(these, b, value); err != nil {
			return nil, from.Errorf(b.Span, "%s: %w", b.Key, err)
		}
	}
	list, _ := these["platforms"].([]string)
	return list, nil
}

// Gives reports whether the stage of a target gives an attribute, on all platforms.
func (t BakeTarget) Gives(key string) bool {
	return t.Stage && !slices.ContainsFunc(t.Plans, func(p *plan.Plan) bool {
		return !slices.ContainsFunc(p.Root.From.Bake, func(b syntax.Bake) bool { return b.Key == key })
	})
}
