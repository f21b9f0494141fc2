package plan

import (
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// dockerfile is what a plan knows of one file.
type dockerfile struct {
	*module.File
	eval *evaluator
	// named are the stages by name, in the order of the file.
	named map[string][]*syntax.Stage
	// nearNames are the names of stages that a name is almost.
	nearNames map[string][]string
	// declared are the names of all ARGs of the file, but for those that only bring a
	// LET into a stage; lets are the first LETs of each name.
	declared map[string]struct{}
	lets     map[string]*syntax.Instruction
	// wide are those of them that every stage depends on.
	wide []string
	// conditional is set when a FROM has a condition, namesFiles when references
	// name files that no IMPORT does.
	conditional, namesFiles bool
	// looked are the names that looksAt has found; nil until it is asked.
	looked map[string]bool
	// fetched is set when its imports were read side by side.
	fetched bool
}

func newDockerfile(f *module.File, opt Options) *dockerfile {
	d := &dockerfile{File: f, named: map[string][]*syntax.Stage{}, nearNames: map[string][]string{}, declared: map[string]struct{}{}, lets: map[string]*syntax.Instruction{}}
	d.eval = newEvaluator(d, opt)
	for _, stage := range f.Stages {
		d.namesFiles = d.namesFiles || namesFile([]*syntax.Instruction{stage.From})
		d.conditional = d.conditional || stage.From.Conditional()
		if stage.Name != "" {
			d.named[stage.Name] = append(d.named[stage.Name], stage)
		}
	}
	for _, list := range append([][]*syntax.Instruction{f.Args}, instructionsOf(f.File)...) {
		for _, in := range list {
			if in.Let != nil && d.lets[in.Let.Name] == nil {
				d.lets[in.Let.Name] = in
			}
		}
		d.namesFiles = d.namesFiles || namesFile(list)
		for _, name := range declaredArgs(list) {
			d.declared[name] = struct{}{}
			if BuildWide(name) && !slices.Contains(d.wide, name) {
				d.wide = append(d.wide, name)
			}
		}
	}
	for name := range globalLets(f.File) {
		delete(d.declared, name)
	}
	return d
}

// namesFile reports whether instructions name a stage of another file.
func namesFile(list []*syntax.Instruction) bool {
	return slices.ContainsFunc(list, func(in *syntax.Instruction) bool {
		return slices.ContainsFunc(in.References, func(ref *syntax.Reference) bool { return syntax.IsFile(ref.Target) })
	})
}

func instructionsOf(file *syntax.File) [][]*syntax.Instruction {
	out := make([][]*syntax.Instruction, 0, len(file.Stages))
	for _, stage := range file.Stages {
		out = append(out, stage.Instructions)
	}
	return out
}

// stages returns the stages of a name.
func (d *dockerfile) stages(name string) []*syntax.Stage { return d.named[strings.ToLower(name)] }

// imported reports whether a name starts with that of an import.
func (d *dockerfile) imported(name string) bool {
	alias, _, ok := strings.Cut(strings.ToLower(name), ".")
	return ok && slices.ContainsFunc(d.Imports, func(im *syntax.Import) bool { return im.Alias == alias })
}

// alias returns the import of stages of an alias; nil for none.
func (d *dockerfile) alias(name string) *syntax.Import {
	i := slices.IndexFunc(d.Imports, func(im *syntax.Import) bool { return im.Alias == strings.ToLower(name) && !im.IsData() })
	if i < 0 {
		return nil
	}
	return d.Imports[i]
}

// fileOf returns the file of an environment.
func fileOf(env *Environment) *dockerfile { return env.eval.in }

// of returns what the plan knows of a file.
func (p *planner) of(f *module.File) *dockerfile {
	if p.files[f] == nil {
		p.files[f] = newDockerfile(f, p.opt)
		p.files[f].eval.planner = p
	}
	return p.files[f]
}
