package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// crossing is the way from a file into another one.
type crossing struct {
	env *Environment
	// library is set for another project's file: build args stay outside.
	library bool
	// passed are the names of --arg.
	passed []string
	// separate is set when the stages cannot stand in one text with those of
	// the importing file.
	separate bool
}

// flows reports whether an input has the value of the importing file.
func (c *crossing) flows(input string) bool {
	switch {
	case c == nil:
		return true
	case slices.Contains(c.passed, input):
		return false
	}
	return !c.library || flowsToLibrary(input)
}

// flowsToLibrary reports whether a library gets a build arg: those that every
// build has.
func flowsToLibrary(name string) bool {
	return ofPlatform(name) || Predefined(name) || BuildWide(name)
}

// importOf returns the import of stages of an alias, of several the one that is on; nil for
// none.
func (p *planner) importOf(at place, env *Environment, alias string) (*syntax.Import, error) {
	var found, off *syntax.Import
	for _, im := range fileOf(env).Imports {
		if im.Alias != strings.ToLower(alias) {
			continue
		}
		if im.IsData() {
			return im, nil
		}
		on, err := p.holds(im.In, env, fileOf(env).eval.file.Args)
		switch {
		case err != nil:
			return nil, err
		case !on:
			off = im
		case found != nil:
			return nil, im.In.Errorf(im.AliasSpan, "two imports %s are on at once: this one and that on line %d", alias, found.In.StartLine)
		default:
			found = im
		}
	}
	if found == nil && off != nil {
		err := at.errorf(at.reference.TargetSpan, "the import %s is used and off: %s", alias, describe(off.In, env))
		return nil, diagnostic.Relate(err, off.In.Place(off.AliasSpan), "imported on line %d", off.In.StartLine)
	}
	return found, nil
}

// enter goes into an imported file.
func (p *planner) enter(env *Environment, im *syntax.Import) (*crossing, error) {
	req, err := p.request(env, im)
	if err != nil {
		return nil, err
	}
	f, err := p.opt.Files.Import(p.ctx, fileOf(env).File, req)
	var c *crossing
	if err == nil {
		p.entered[im] = f
		p.warnUnpinned(im, f.Source)
		c, err = p.cross(env, f, im, env.prefix+im.Alias+".")
	}
	if err == nil {
		return c, nil
	}
	return nil, importFailed(im, err)
}

// importFailed places the mistake of an import.
func importFailed(im *syntax.Import, err error) error {
	span := im.PathSpan
	var mistake *module.Error
	if errors.As(err, &mistake) && mistake.From {
		span = im.FromSpan
	}
	return importError(place{in: im.In, reference: &syntax.Reference{TargetSpan: span, Span: span}}, err)
}

// importError places a mistake in the words of an import; one in the file itself
// has its place and gets that of the import too.
func importError(at place, err error) error {
	var mistake *module.Error
	if errors.As(err, &mistake) {
		return at.error(at.reference.TargetSpan, err)
	}
	var located *diagnostic.Diagnostic
	if at.in == nil || errors.As(err, &located) && located.Place.Text == at.in.File().Text {
		return err
	}
	where := at.in.Place(at.reference.TargetSpan)
	return diagnostic.Relate(err, where, "imported on line %d", where.Line())
}

// request expands the words of an import with the names of the global part.
func (p *planner) request(env *Environment, im *syntax.Import) (module.Request, error) {
	at := place{in: im.In}
	names := p.global(env)
	req := module.Request{At: im.In.Place(im.PathSpan), ShareContext: im.Context != ""}
	var err error
	if req.From, err = p.expand(at, names, im.FromSpan, im.From); err != nil {
		return req, err
	}
	if req.Path, err = p.expand(at, names, im.PathSpan, im.Path); err != nil {
		return req, err
	}
	switch {
	case im.From != "" && req.From == "":
		return req, im.In.Errorf(im.FromSpan, "%s is empty here: a source is needed", im.From)
	case im.Path != "" && req.Path == "":
		return req, im.In.Errorf(im.PathSpan, "%s is empty here: a file is needed", im.Path)
	}
	return req, nil
}

// crossingKey tells the ways into files apart.
type crossingKey struct {
	env    *Environment
	to     *module.File
	im     *syntax.Import
	prefix string
}

// filePrefix stands in front of the names of the stages of a file that a reference
// names, as path.
func filePrefix(env *Environment, f *module.File, path string) string {
	switch {
	case env.File().Main:
		return path + "#"
	case f.Source.Kind == module.Library && strings.HasSuffix(env.prefix, "."):
		return strings.TrimSuffix(env.prefix, ".") + ":" + f.Path + "#"
	}
	return f.Shown() + "#"
}

// cross makes the environment of an imported file. One of the same project gets
// all build args, a library only what every build has; both get what --arg
// passes.
func (p *planner) cross(env *Environment, f *module.File, im *syntax.Import, prefix string) (*crossing, error) {
	key := crossingKey{env, f, im, prefix}
	known, ok := p.crossings[key]
	if !ok {
		var err error
		known.deps, err = p.record(nil, func() (err error) {
			known.crossing, err = p.newCrossing(env, f, im)
			return err
		})
		if err != nil {
			return nil, err
		}
		known.env.prefix, known.env.via = prefix, known.crossing
		p.crossings[key] = known
	}
	p.note(known.deps...)
	return known.crossing, nil
}

func (p *planner) newCrossing(env *Environment, f *module.File, im *syntax.Import) (*crossing, error) {
	own, to := fileOf(env), p.of(f)
	c := &crossing{library: f.Library(own.File), separate: f.BuildContext != own.BuildContext || f.Escape != own.Escape}
	args, bound := maps.Clone(env.Args), maps.Clone(env.Bound)
	if c.library {
		drop := func(name, _ string) bool { return !flowsToLibrary(name) }
		maps.DeleteFunc(args, drop)
		maps.DeleteFunc(bound, drop)
	}
	if args == nil {
		args = map[string]string{}
	}
	if im != nil {
		for _, arg := range im.Args {
			v, err := p.passed(env, im, arg)
			if err != nil {
				return nil, err
			}
			delete(bound, arg.Name)
			delete(args, arg.Name)
			if v.set {
				args[arg.Name] = v.text
			}
			if flowsToLibrary(arg.Name) {
				return nil, im.In.Errorf(arg.Span, "%s reaches every file as the build has it: it cannot be passed", arg.Name)
			}
			c.passed = append(c.passed, arg.Name)
		}
	}
	var err error
	if name := args[epoch]; len(own.stages(name)) > 0 {
		delete(args, epoch) // a stage of the importing file, which the other one lacks
	}
	c.env, err = to.eval.newEnvironment(args, bound, env.Platform, env.Stage)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(own.wide, to.wide) {
		here, _ := env.Global(name)
		there, _ := c.env.Global(name)
		c.separate = c.separate || here != there
	}
	return c, nil
}

// passedCrossing is a crossing with what the values that it passes depend on.
type passedCrossing struct {
	*crossing
	deps []string
}

// passed returns the value of an --arg: as written, or that which the name has in
// the global part here.
func (p *planner) passed(env *Environment, im *syntax.Import, arg syntax.ImportArg) (value, error) {
	names := p.global(env)
	if arg.Value == nil {
		v := names.lookup(arg.Name)
		switch {
		case v.unknown != nil:
			return v, unknownAt(im.In, arg.Span, arg.Name, v.unknown)
		case !isText(v.text):
			return v, im.In.Error(arg.Span, notText(v.text))
		case v.declared:
			return v, nil
		}
		if text, ok := env.Args[arg.Name]; ok {
			p.note(arg.Name)
			return value{text: text, set: true}, nil
		}
		err := fmt.Errorf("no ARG before the first FROM declares %s: write --arg=%s=value, or ARG %s above", arg.Name, arg.Name, arg.Name)
		return v, im.In.Error(arg.Span, suggestName(err, arg.Name, names))
	}
	seen := tracker{lookup: names.lookup}
	text, err := env.eval.expand(*arg.Value, &seen)
	if err != nil {
		return value{}, im.In.Error(arg.Span, unwrapped(*arg.Value, err))
	}
	switch {
	case seen.unknown != nil:
		return value{}, unknownAt(im.In, arg.Span, seen.blamed, seen.unknown)
	case !isText(text):
		return value{}, im.In.Error(arg.Span, notText(text))
	}
	return value{text: text, set: true}, nil
}

// loadImports reads all that a file imports, and what that imports: a mistake
// there is one of the build, used or not.
func (p *planner) loadImports(env *Environment, seen map[*module.File]bool) error {
	file := fileOf(env)
	if seen[file.File] {
		return nil
	}
	seen[file.File] = true
	var (
		imports []*syntax.Import
		list    []module.Request
	)
	for _, im := range file.Imports {
		if im.IsData() {
			if d := env.dataOf(im); d != nil {
				imports, list = append(imports, im), append(list, d.request)
			}
			continue
		}
		on, err := p.holds(im.In, env, fileOf(env).eval.file.Args)
		if err != nil {
			return err
		}
		if !on {
			continue
		}
		req, err := p.request(env, im)
		if err != nil {
			return err
		}
		imports, list = append(imports, im), append(list, req)
	}
	if len(list) > 1 {
		if err := p.opt.Files.Prefetch(p.ctx, file.File, list); err != nil {
			return err
		}
	}
	for i, im := range imports {
		if im.IsData() {
			if _, err := p.readData(file, im, list[i]); err != nil {
				return err
			}
			continue
		}
		via, err := p.enter(env, im)
		if err != nil {
			return err
		}
		if err := p.loadImports(via.env, seen); err != nil {
			return err
		}
		if err := p.checkPassed(im, via.env); err != nil {
			return err
		}
	}
	return nil
}

// checkPassed refuses an --arg of a name that neither the file nor one that it
// imports declares.
func (p *planner) checkPassed(im *syntax.Import, env *Environment) error {
	file := fileOf(env)
	for _, arg := range im.Args {
		if let := computed(env, arg.Name); let != nil {
			return im.In.Error(arg.Span, computedError(let, arg.Name))
		}
		names, complete := p.takes(file)
		if complete && !slices.Contains(names, arg.Name) {
			return im.In.Error(arg.Span, suggestArg(fmt.Errorf("no ARG of %s declares %s", file, arg.Name), arg.Name, names))
		}
	}
	return nil
}

// warnUnpinned warns of an import that may be another one tomorrow.
func (p *planner) warnUnpinned(im *syntax.Import, from *module.Source) {
	if im.From == "" || from.Unpinned == "" || p.warned[im] {
		return
	}
	p.warned[im] = true
	p.warn(RuleUnpinnedImport, im.In.Place(im.FromSpan), "%s is not pinned: %s", from.Name, from.Unpinned)
}

// RuleUnpinnedImport warns of an import whose source may change.
var RuleUnpinnedImport = diagnostic.NewRule("UnpinnedImport", "A library that no commit or digest pins may be another one in the next build")
