package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/agext/levenshtein"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// maxNames is how many names a message lists.
const maxNames = 10

// suggestStage adds the stage that name may have been meant for, or those that
// there are, the near ones first; more are other names that would do.
func suggestStage(file *dockerfile, err error, name string, more []string) error {
	names := stageNames(file)
	// names of stages are the same in any case
	if near, ok := suggest.Search(strings.ToLower(name), append(slices.Clip(names), more...), true); ok {
		return fmt.Errorf("%w (did you mean %s?)", err, file.written(near))
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (the stages have no names: write FROM … AS NAME at the one that is meant, and NAME here)", err)
	}
	distance := map[string]int{}
	for _, known := range names {
		distance[known] = levenshtein.Distance(strings.ToLower(name), known, nil)
	}
	list := names
	if len(names) > maxNames {
		list = slices.SortedStableFunc(slices.Values(names), func(a, b string) int { return distance[a] - distance[b] })[:maxNames]
		return fmt.Errorf("%w (of %d stages the nearest are %s)", err, len(names), strings.Join(list, ", "))
	}
	return fmt.Errorf("%w (the stages are %s)", err, strings.Join(list, ", "))
}

// written returns the name of a stage as it stands in its FROM.
func (d *dockerfile) written(name string) string {
	if list := d.named[name]; len(list) > 0 {
		if words := list[0].From.Words(); len(words) == 3 && strings.EqualFold(words[2], name) {
			return words[2]
		}
	}
	return name
}

// stageNames returns the names of the stages of a file, each once.
func stageNames(file *dockerfile) []string {
	var names []string
	for _, stage := range file.Stages {
		if stage.Name != "" && file.named[stage.Name][0] == stage {
			names = append(names, stage.Name)
		}
	}
	return names
}

// importedNames returns alias.stage for each stage that a file imports.
func (p *planner) importedNames(file *dockerfile) []string {
	var names []string
	for _, im := range file.Imports {
		if f, ok := p.entered[im]; ok {
			for _, stage := range stageNames(p.of(f)) {
				names = append(names, im.Alias+"."+stage)
			}
		}
	}
	return names
}

// refuseMisspelled refuses a name of an image that is almost that of an imported
// stage: no official image has a dot in its name. One that is almost the name of a
// stage of this file may be an image, and warns.
func (p *planner) refuseMisspelled(at place, env *Environment, name string) error {
	file := fileOf(env)
	if !file.Extended || name == scratch {
		return nil
	}
	if err := p.refuseForeign(at, env, name); err != nil || strings.ContainsAny(name, "/:@") || p.hasContext(name, env, at.platform) {
		return err
	}
	if strings.Contains(name, ".") {
		if near, ok := suggest.Search(name, p.importedNames(file), false); ok {
			return at.errorf(at.reference.TargetSpan, "%q is neither a stage nor an import (did you mean %s?)", name, near)
		}
	}
	if p.warned[at.reference] {
		return nil
	}
	for _, im := range file.Imports {
		if im.Alias == strings.ToLower(name) {
			p.warned[at.reference] = true
			p.warnAlias(at, im, name)
			return nil
		}
	}
	for _, stage := range file.near(name) {
		if stage != at.inst.Stage.Name {
			p.warned[at.reference] = true
			p.warn(RuleMisspelledStage, at.in.Place(at.reference.TargetSpan), "%s is no stage, so it is an image (did you mean the stage %s?)", name, stage)
			break
		}
	}
	return nil
}

// foreignName matches the name of a stage, or of an import, and what other languages write
// behind it.
var foreignName = pattern.New(`^([\w.-]+)(\[|\+|::?|/)(.+)$`)

// behindDot is the mistake of a stage of an import that is written in another way.
const behindDot = "a stage of an import stands behind a dot: write %s.%s"

// refuseForeign refuses a name of an image that is a call, or a stage of an import, as other
// languages write it. One that an image may have warns.
func (p *planner) refuseForeign(at place, env *Environment, name string) error {
	m := foreignName().FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	if list, ok := strings.CutSuffix(m[3], "]"); m[2] == "[" {
		if !ok || !strings.Contains(list, "=") {
			return nil
		}
		return at.errorf(at.reference.TargetSpan, "the values of a call stand in parentheses: write %s(%s)", m[1], list)
	}
	im := fileOf(env).alias(m[1])
	f, entered := p.entered[im]
	if im == nil || !entered || len(p.of(f).stages(m[3])) == 0 || p.hasContext(name, env, at.platform) {
		return nil
	}
	if m[2] == "+" || m[2] == "::" {
		return at.errorf(at.reference.TargetSpan, behindDot, im.Written, m[3])
	}
	p.warnOnce(RuleMisspelledStage, at.reference, at.in.Place(at.reference.TargetSpan), "%s is an image (did you mean %s.%s, the stage of the import?)", name, im.Written, m[3])
	return nil
}

// refuseOperand refuses an operand that is an image only since its name is that of no stage
// above.
func refuseOperand(at place, e Edge) error {
	file := fileOf(at.inst.Env)
	if e.To != nil || e.Context {
		return nil
	}
	for _, stage := range file.stages(e.Name) {
		if stage.Index > at.inst.Stage.Index {
			return at.errorf(at.reference.TargetSpan, "the stage %s stands below, on line %d: --with adds stages above", stage, stage.From.StartLine)
		}
	}
	for _, near := range file.near(e.Name) {
		if near != at.inst.Stage.Name {
			return at.errorf(at.reference.TargetSpan, "there is no stage %s (did you mean %s?)", e.Name, file.written(near))
		}
	}
	return nil
}

// warnAlias warns of an image that has the name of an import: an alias alone is no
// stage.
func (p *planner) warnAlias(at place, im *syntax.Import, name string) {
	message := fmt.Sprintf("%s is an import, and alone an image: write %s.stage for a stage of it", name, name)
	if im.IsData() {
		message = name + " is data that is imported, which has no stages: here it is an image"
	} else if f, ok := p.entered[im]; ok {
		if names := stageNames(p.of(f)); len(names) > 0 {
			list := strings.Join(names[:min(len(names), maxNames)], ", ")
			message = fmt.Sprintf("%s is an import, and alone an image: write %s.%s (its stages are %s)", name, name, names[0], list)
		}
	}
	p.warn(RuleMisspelledStage, at.in.Place(at.reference.TargetSpan), "%s", message)
}

// near returns the names of stages that a name is almost. Many stages may be built
// FROM one image, so it looks once for each name.
func (d *dockerfile) near(name string) []string {
	list, ok := d.nearNames[name]
	if !ok {
		list = slices.DeleteFunc(stageNames(d), func(stage string) bool { return !misspells(strings.ToLower(name), stage) })
		d.nearNames[name] = list
	}
	return list
}

// misspells reports whether a name is one slip away from that of a stage: a letter
// too many, too few, or another one, or two in the wrong order. A digit behind the
// name of an image makes a name of its own, as node20.
func misspells(name, stage string) bool {
	if len(name) < 4 || len(stage) < 4 || max(len(name)-len(stage), len(stage)-len(name)) > 1 {
		return false
	}
	sorted := func(s string) string { return string(slices.Sorted(slices.Values([]byte(s)))) }
	switch levenshtein.Distance(name, stage, nil) {
	case 1:
		digits := func(s string) string { return strings.TrimRightFunc(s, unicode.IsDigit) }
		return digits(name) != digits(stage)
	case 2:
		return sorted(name) == sorted(stage)
	}
	return false
}

// RuleMisspelledStage warns of an image whose name is almost that of a stage, or that
// of an import.
var RuleMisspelledStage = diagnostic.NewRule("MisspelledStage", "A name that is almost that of a stage, and no stage, is an image of a registry")

func suggestName(err error, name string, names *scope) error {
	var known []string
	known = slices.AppendSeq(known, maps.Keys(names.env.globals))
	known = slices.AppendSeq(known, maps.Keys(names.local))
	known = slices.DeleteFunc(known, func(name string) bool { return strings.HasPrefix(name, dataInput) })
	slices.Sort(known)
	return suggest.WrapError(err, name, known, true)
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
