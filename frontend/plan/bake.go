package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// RuleBakeNotRead warns of attributes of a bake file in an imported file.
var RuleBakeNotRead = diagnostic.NewRule("BakeNotRead", "FROM --bake in an imported file is not read: a bake file has targets of the main file")

// lintBake warns of attributes that no bake file has.
func (p *planner) lintBake() {
	for _, f := range p.out.files {
		for _, stage := range f.Stages {
			if bake := stage.From.Bake; len(bake) > 0 && !f.Main {
				p.warn(RuleBakeNotRead, stage.From.Place(bake[0].Span), "--bake=%s is not read: in a bake file are targets of the main file", bake[0].Key)
			}
		}
	}
}

// Depends reports whether the build depends on a build arg: what its root is made of,
// which stage that is, and what every build of the file is checked for, the bases of
// stages that it does not need among that.
func (p *Plan) Depends(name string) bool {
	if slices.Contains(p.Root.Reads, name) || slices.Contains(p.choice, name) {
		return true
	}
	return slices.ContainsFunc(p.Kept, func(i *Instance) bool {
		return slices.ContainsFunc(syntax.Variables(i.From.Line), func(used string) bool { return slices.Contains(i.Env.MadeOf(used), name) })
	})
}

// ReadsProxy reports whether a stage of the build declares or uses a proxy: steps have one in
// capitals and in small letters, and need not declare it.
func (p *Plan) ReadsProxy(name string) bool {
	all := []*Instance{p.Root}
	p.Root.reach(map[*Instance]bool{p.Root: true}, &all)
	return slices.ContainsFunc(all, func(i *Instance) bool {
		return mentioned(strings.ToUpper(name), i.Env.File(), i, nil) || mentioned(strings.ToLower(name), i.Env.File(), i, nil)
	})
}

// OpensImport reports whether an ARG is, or makes, the user or the password in the
// address of an import: its value is for nobody to see.
func (e *Environment) OpensImport(name string) bool {
	for _, im := range e.File().Imports {
		before, _, login := strings.Cut(im.From, "@")
		for _, used := range syntax.Variables(im.From) {
			hidden := login && strings.Contains(before, "://") && slices.Contains(syntax.Variables(before), used) ||
				strings.Contains(strings.ReplaceAll(e.globals[used].text, "@sha256:", ""), "@") // all of the address
			if hidden && (used == name || slices.Contains(e.MadeOf(used), name)) {
				return true
			}
		}
	}
	return false
}

// BakeValue returns the value of an attribute of a bake file, under the names of the
// global part. Errors are located.
func (e *Environment) BakeValue(from *syntax.Instruction, b syntax.Bake) (string, error) {
	seen := tracker{lookup: func(name string) value { return e.globals[name] }}
	text, unset, err := e.eval.lex.ProcessWord(b.Word, &seen)
	maps.DeleteFunc(unset, func(name string, _ struct{}) bool { return HasAlternative(b.Word, name) })
	if err == nil {
		err = e.staticOnly(&seen, unset)
	}
	if err != nil {
		var located *diagnostic.Diagnostic
		if errors.As(err, &located) {
			return "", err
		}
		return "", from.Errorf(b.Span, "%s: %w", b.Key, err)
	}
	value, ok := strings.CutPrefix(text, b.Key+"=")
	switch {
	case !ok:
		return "", from.Errorf(b.Span, "%s: quotes and escapes stand in the value of --bake, not in its key", b.Key)
	case value == "":
		return "", from.Errorf(b.Span, "the value of %s is empty", b.Key)
	case !isText(value):
		return "", from.Errorf(b.Span, "%s: %w", b.Key, notText(value))
	}
	return value, nil
}

// staticOnly refuses a value of names that have none.
func (e *Environment) staticOnly(seen *tracker, unset map[string]struct{}) error {
	if seen.unknown != nil {
		if seen.unknown.err != nil {
			return seen.unknown.err
		}
		return errors.New(seen.unknown.String())
	}
	if len(seen.undeclared) > 0 {
		name := seen.undeclared[0]
		err := fmt.Errorf("%s is no static name here: write ARG %s before the first FROM", name, name)
		if near, err := suggest.WrapErrorMaybe(err, name, slices.Sorted(maps.Keys(e.globals)), true); near {
			return err
		}
		return err
	}
	if len(unset) > 0 {
		name := slices.Sorted(maps.Keys(unset))[0]
		return fmt.Errorf("%s has no value: pass --build-arg %s=…, or write ${%s:-default}", name, name, name)
	}
	for _, input := range seen.deps {
		if e.OpensImport(input) {
			return fmt.Errorf("%s opens an import: its value is for nobody to see", input)
		}
	}
	return nil
}

// Hides reports whether the value of a build arg is for nobody to see.
func (p *Plan) Hides(name string) bool {
	return slices.ContainsFunc(p.Instances, func(i *Instance) bool { return i.Env.OpensImport(name) })
}

// BuildPlatform returns that of the worker.
func (e *Environment) BuildPlatform() ocispecs.Platform { return e.eval.build }
