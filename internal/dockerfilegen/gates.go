package dockerfilegen

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Gated is a made-up build in which stages wait for others, and what has to run in
// it by the rules of the language, worked out without any of the compiler.
type Gated struct {
	// Files are those of the project, Library those of the named context
	// "shared".
	Files, Library map[string]string
	Options        map[string]string
	// Steps are the steps that have to run: name, value of V ("-" for a step that
	// does not see it) and platform; or "limit" and a size that a stage may have.
	Steps []string
	// Values are the values of V that stages see when no call binds it, by the
	// name of their step.
	Values map[string]string
}

// Gates makes up a build. Its stages have one RUN at most, "step NAME $V", so that
// steps tell which stages ran and under which value.
func Gates(r *rand.Rand) Gated { return (&gates{rand: r}).make() }

// RunnableGates makes up a build for an engine: for its own platform alone, with a
// shell wherever a step runs, and no triggers.
func RunnableGates(r *rand.Rand) Gated { return (&gates{rand: r, runnable: true}).make() }

func (g *gates) make() Gated {
	g.known = map[string]map[string]bool{}
	g.options()
	g.file("s", library, g.rand.IntN(3))
	g.file("l", project, g.rand.IntN(3))
	g.file("m", project, 1+g.rand.IntN(4))
	return g.build()
}

// A stage of the library sees no build args, those of the project do.
const (
	project = iota
	library
)

const buildPlatform = "linux/amd64"

type gates struct {
	rand      *rand.Rand
	runnable  bool
	buildArg  string
	platforms []string
	files     [][]*gatedStage
	known     map[string]map[string]bool
}

type gatedStage struct {
	file     int
	source   int
	name     string
	image    string // "" for a stage or scratch
	pinned   bool   // to the build platform
	base     *gatedRef
	takes    bool // ARG V
	runs     bool
	after    []gatedRef
	copies   []gatedRef
	mount    *gatedRef
	values   *gatedRef  // of LABEL --from, which builds nothing
	triggers []gatedRef // of ONBUILD COPY
	trigger  bool       // ONBUILD RUN
	limit    string     // of its size, "" for none
}

type gatedRef struct {
	to        *gatedStage
	call      bool
	values    []string
	platforms []string
}

// env is what a stage is built under: V as calls and build args give it, "" for
// nothing, and the platform.
type env struct{ v, platform string }

func (e env) value() string { return cmp.Or(e.v, "0") }

// sees reports whether a step at the end of the stage sees V: an ARG of a base of
// the same file holds, unless the base is a call.
func (s *gatedStage) sees() bool {
	return s.takes || s.base != nil && s.base.plain(s) && s.base.to.sees()
}

// plain reports whether a reference in s is neither a call nor of another file.
func (ref *gatedRef) plain(s *gatedStage) bool { return !ref.call && ref.to.file == s.file }

func (g *gates) options() {
	g.platforms = [][]string{{buildPlatform}, {buildPlatform}, {"linux/arm64"}, {buildPlatform, "linux/arm64"}}[g.rand.IntN(4)]
	if g.runnable {
		g.platforms = []string{buildPlatform}
	}
	if g.chance(25) {
		g.buildArg = "9"
	}
}

func (g *gates) chance(percent int) bool { return g.rand.IntN(100) < percent }

func (g *gates) file(letter string, source, stages int) {
	number := len(g.files)
	g.files = append(g.files, nil)
	for i := range stages {
		g.files[number] = append(g.files[number], g.stage(fmt.Sprintf("%s%d", letter, i), number, source))
	}
}

func (g *gates) stage(name string, file, source int) *gatedStage {
	s := &gatedStage{name: name, file: file, source: source, takes: g.chance(70), runs: g.chance(65)}
	switch {
	case g.chance(35):
		s.image, s.pinned = []string{"alpine", "golang"}[g.rand.IntN(2)], g.chance(15)
	case g.chance(60):
		s.base = g.one(s)
		if s.base != nil && !s.base.plain(s) && len(s.base.to.triggers) > 0 {
			s.base = nil // to a call, as to another file, such triggers are an error
		}
	}
	if g.runnable {
		s.runs = s.runs && s.hasShell()
	}
	for g.chance(35) {
		if ref := g.any(s); ref != nil && ref.to.something() {
			s.after = append(s.after, *ref)
		}
	}
	for g.chance(25) {
		if ref := g.any(s); ref != nil {
			s.copies = append(s.copies, *ref)
		}
	}
	if s.runs && g.chance(25) {
		s.mount = g.one(s)
	}
	if g.runnable {
		return s
	}
	if s.trigger = g.chance(8); g.chance(8) {
		if ref := g.one(s); ref != nil && ref.to.file == file {
			s.triggers = append(s.triggers, *ref)
		}
	}
	return s
}

func (s *gatedStage) hasShell() bool { return s.image != "" || s.base != nil && s.base.to.hasShell() }

// something reports whether a stage has anything to wait for.
func (s *gatedStage) something() bool {
	return s.image != "" || s.runs || len(s.after)+len(s.copies) > 0 || s.base != nil && (s.base.to.something() || len(s.base.to.triggers) > 0 || s.base.to.trigger)
}

// files reports whether a stage has any: to the builder an image without is of no
// platform.
func (s *gatedStage) files() bool {
	return s.image != "" || s.runs || len(s.copies) > 0 || s.base != nil && (s.base.to.files() || len(s.base.to.triggers) > 0 || s.base.to.trigger)
}

// takeValues has some stages take a value of a stage above, of which nothing is built for that.
func (g *gates) takeValues() {
	var above []*gatedStage
	for _, stages := range g.files {
		for _, s := range stages {
			var all []*gatedStage
			for _, other := range above {
				if other.file == s.file || s.source == project {
					all = append(all, other)
				}
			}
			if above = append(above, s); g.runnable || len(all) == 0 || !g.chance(20) {
				continue
			}
			s.values = &gatedRef{to: all[g.rand.IntN(len(all))], call: g.chance(50)}
			if s.values.call && s.values.to.takes {
				s.values.values = []string{fmt.Sprint(g.rand.IntN(4))}
			}
		}
	}
}

// setLimits limits the size of some stages, each to one of its own.
func (g *gates) setLimits() {
	size := 1000
	for _, stages := range g.files {
		for _, s := range stages {
			if size++; !g.runnable && g.chance(12) {
				s.limit = fmt.Sprint(size, "GB")
			}
		}
	}
}

// any makes a reference to a stage above, or of a file that was made before; nil
// for none.
func (g *gates) any(from *gatedStage) *gatedRef {
	ref := g.one(from)
	if ref == nil || !ref.call {
		return ref
	}
	if len(ref.values) > 0 && g.chance(50) {
		ref.values = []string{"1", "2", "3"}[:2+g.rand.IntN(2)]
	}
	if !g.runnable && g.chance(25) {
		ref.platforms = []string{buildPlatform, "linux/arm64"}
	}
	return ref
}

// one makes a reference that is one stage or call.
func (g *gates) one(from *gatedStage) *gatedRef {
	var all []*gatedStage
	for file, stages := range g.files {
		if file == from.file || from.source == project {
			all = append(all, stages...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	near := g.files[from.file]
	if len(near) > 0 && g.chance(50) {
		all = near
	}
	ref := &gatedRef{to: all[g.rand.IntN(len(all))]}
	if g.chance(50) {
		ref.call = true
		switch {
		case ref.to.takes && g.chance(70):
			ref.values = []string{fmt.Sprint(g.rand.IntN(4))}
		case !g.runnable && g.chance(30):
			ref.platforms = []string{"linux/arm64"}
		}
	}
	return ref
}

// steps returns what runs for a stage.
func (g *gates) steps(s *gatedStage, e env) map[string]bool {
	key := fmt.Sprint(s.name, e)
	if out, ok := g.known[key]; ok {
		return out
	}
	out := map[string]bool{}
	use := func(ref gatedRef) {
		for _, under := range ref.under(s, e) {
			maps.Copy(out, g.steps(ref.to, under))
		}
	}
	all := slices.Concat(s.after, s.copies)
	if s.base != nil {
		all = append(all, *s.base)
		all = append(all, s.base.to.triggers...)
		if s.base.to.trigger {
			v := "-"
			if s.base.plain(s) && s.base.to.sees() {
				v = e.value()
			}
			out[fmt.Sprintf("t%s %s %s", s.base.to.name, v, s.platform(e))] = true
		}
	}
	if s.mount != nil {
		all = append(all, *s.mount)
	}
	for _, ref := range all {
		use(ref)
	}
	if s.runs {
		v := "-"
		if s.sees() {
			v = e.value()
		}
		out[fmt.Sprintf("%s %s %s", s.name, v, s.platform(e))] = true
	}
	if s.limit != "" && s.files() {
		out["limit "+s.limit] = true
	}
	g.known[key] = out
	return out
}

// under returns what the target of a reference in s is built under.
func (ref *gatedRef) under(s *gatedStage, e env) []env {
	if s.source == project && ref.to.source == library {
		e.v = ""
	}
	values, platforms := ref.values, ref.platforms
	if len(values) == 0 {
		values = []string{e.v}
	}
	if len(platforms) == 0 {
		platforms = []string{e.platform}
	}
	var out []env
	for _, v := range values {
		for _, platform := range platforms {
			out = append(out, env{v, platform})
		}
	}
	return out
}

// platform returns what the steps of a stage run on.
func (s *gatedStage) platform(e env) string {
	switch {
	case s.pinned:
		return buildPlatform
	case s.base != nil && s.base.plain(s):
		return s.base.to.platform(e)
	case s.base != nil && s.base.to.files(): // as an image of the platform that the call binds
		return s.base.under(s, e)[0].platform
	}
	return e.platform
}

func (g *gates) build() Gated {
	out := Gated{
		Files:   map[string]string{},
		Library: map[string]string{},
		Options: map[string]string{"platform": strings.Join(g.platforms, ",")},
		Values:  map[string]string{},
	}
	if g.buildArg != "" {
		out.Options["build-arg:V"] = g.buildArg
	}
	main := g.files[2]
	target := gatedRef{to: main[len(main)-1]}
	if g.chance(30) {
		target = gatedRef{to: main[g.rand.IntN(len(main))]}
		if target.call = target.to.takes && g.chance(50); target.call {
			target.values = []string{"4"}
		}
		out.Options["target"] = target.text(target.to)
	}
	g.takeValues()
	g.setLimits()
	out.Files["Dockerfile"] = g.text(2)
	if len(g.files[1]) > 0 {
		out.Files["lib.Dockerfile"] = g.text(1)
		out.Files["Dockerfile"] = "IMPORT ./lib.Dockerfile AS lib\n" + out.Files["Dockerfile"]
	}
	if len(g.files[0]) > 0 {
		out.Options["context:shared"] = "local:shared"
		out.Library["lib.Dockerfile"] = g.text(0)
		for name, text := range out.Files {
			out.Files[name] = "IMPORT --from=shared lib.Dockerfile AS sh\n" + text
		}
	}
	steps := map[string]bool{}
	for _, platform := range g.platforms {
		for _, under := range target.under(target.to, env{g.buildArg, platform}) {
			maps.Copy(steps, g.steps(target.to, under))
		}
	}
	out.Steps = slices.Sorted(maps.Keys(steps))
	for _, stages := range g.files {
		for _, s := range stages {
			switch {
			case !s.runs:
			case !s.sees():
				out.Values[s.name] = "-"
			case s.source == project && g.buildArg != "":
				out.Values[s.name] = g.buildArg
			default:
				out.Values[s.name] = "0"
			}
		}
	}
	return out
}
