package plan

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// Parameter is an ARG with which a stage can be called.
type Parameter struct {
	Name, Description string
	// Default is the default as written; nil when there is none.
	Default *string
	// Value is what the ARG has in the instance; Set tells an empty value
	// from none.
	Value string
	Set   bool
	// Flags are those of the ARG.
	Flags syntax.ArgFlags
	// In is the ARG instruction: that of the stage if there is one.
	In *syntax.Instruction
}

// Parameters returns the ARGs on which inst depends: those of its own stage, then
// global ones, then those of stages that it uses, in the order of the file, then
// those of imported files. ARGs that a call on the way binds, and those that every build has,
// are not among them.
func Parameters(inst *Instance) []Parameter {
	var out []Parameter
	add := func(p Parameter) {
		i := slices.IndexFunc(out, func(other Parameter) bool { return other.Name == p.Name })
		switch {
		case Predefined(p.Name):
		case i < 0:
			out = append(out, p)
		default: // ARG NAME takes what another ARG of the name says
			if out[i].Default == nil {
				out[i].Default = p.Default
			}
			if out[i].Description == "" {
				out[i].Description = p.Description
			}
			if !out[i].Set {
				out[i].Value, out[i].Set = p.Value, p.Set
			}
			out[i].Flags.Required = out[i].Flags.Required || p.Flags.Required
			if out[i].Flags.OneOf == nil {
				out[i].Flags.OneOf = p.Flags.OneOf
			}
		}
	}
	below := map[*Instance]bool{}
	for _, part := range inst.Parts() {
		part.parameters(inst, add)
		below[part] = true
	}
	var all []*Instance
	for _, part := range inst.Parts() {
		part.reach(below, &all)
	}
	slices.SortStableFunc(all, func(a, b *Instance) int { return a.Stage.Index - b.Stage.Index })
	theirs := map[string]Parameter{} // what the first of the used stages makes of a name
	for _, used := range all {
		used.parameters(inst, func(p Parameter) {
			if _, ok := theirs[p.Name]; !ok {
				theirs[p.Name] = p
			}
		})
	}
	global := func(env *Environment) {
		for _, in := range env.File().Args {
			eachArg(env.Line(in), func(arg instructions.KeyValuePairOptional) {
				if _, computed := env.lets[arg.Key]; !computed && slices.Contains(inst.Reads, arg.Key) && !env.Off(in) && (!BuildWide(arg.Key) || mentioned(arg.Key, env.File(), inst, all)) {
					v, set := env.Global(arg.Key)
					if p, ok := theirs[arg.Key]; ok && env.File().File == p.In.File() && !mentioned(arg.Key, env.File(), inst, inst.Parts()) {
						v, set = p.Value, p.Set
					}
					add(Parameter{arg.Key, arg.DocComment, arg.Value, v, set, in.Arg, in})
				}
			})
		}
	}
	global(inst.Env)
	file := func(i *Instance) bool { return i.Env.File() == inst.Env.File() }
	for _, used := range all {
		if file(used) {
			used.parameters(inst, add)
		}
	}
	for _, used := range all {
		if !file(used) {
			used.parameters(inst, add)
			global(used.Env)
		}
	}
	for i := range out {
		if inst.Env.OpensImport(out[i].Name) {
			out[i].Value, out[i].Set = "", false
		}
	}
	return out
}

// Describe returns the description with what the flags of the ARG ask for.
func (p Parameter) Describe() string {
	words := []string{p.Description}
	if p.Flags.Required {
		words = append(words, "(required)")
	}
	if p.Flags.OneOf != nil {
		words = append(words, "(one of "+strings.Join(p.Flags.OneOf, ", ")+")")
	}
	if condition := p.In.When(); condition != "" {
		words = append(words, "(if "+condition+")")
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// StageParameters returns the ARGs of a stage that has no instance. env, if it is known,
// is where it stands: it gives the values that no name decides.
func StageParameters(stage *syntax.Stage, env *Environment) []Parameter {
	var out []Parameter
	for _, in := range stage.Instructions {
		eachArg(in, func(arg instructions.KeyValuePairOptional) {
			if _, computed := globalLets(stage.From.File())[arg.Key]; !computed && !Predefined(arg.Key) {
				p := Parameter{Name: arg.Key, Description: arg.DocComment, Default: arg.Value, Flags: in.Arg, In: in}
				if env != nil && arg.Value != nil && !strings.Contains(*arg.Value, "$") {
					text, err := env.Expand(*arg.Value)
					p.Value, p.Set = text, err == nil
				}
				out = append(out, p)
			}
		})
	}
	return out
}

// parameters adds the ARGs of i that root depends on.
func (i *Instance) parameters(root *Instance, add func(Parameter)) {
	for n, in := range i.Instructions {
		eachArg(in, func(arg instructions.KeyValuePairOptional) {
			_, bound := i.Env.Bound[arg.Key]
			_, given := root.Env.Bound[arg.Key]
			if _, computed := i.Env.lets[arg.Key]; computed || !slices.Contains(root.Reads, arg.Key) || bound && !given {
				return
			}
			p := Parameter{Name: arg.Key, Description: arg.DocComment, Default: arg.Value, Flags: in.Arg, In: in}
			if names, err := i.scopeBefore(nil, n+1); err == nil {
				v := names.lookup(arg.Key)
				p.Value, p.Set = v.text, v.set
				if v.unknown != nil && arg.Value != nil {
					p.Value = *arg.Value // as written
				}
			}
			add(p)
		})
	}
}

// mentioned reports whether a stage of a file, among those that inst uses, declares
// or uses a name. Upstream's converter acts on some names by itself, so every stage
// depends on them.
func mentioned(name string, file *module.File, inst *Instance, used []*Instance) bool {
	return slices.ContainsFunc(append(slices.Clip(used), inst), func(i *Instance) bool {
		return i.Env.File() == file && (i.From.Uses(name) || i.declares(name) ||
			slices.ContainsFunc(i.Instructions, func(in *syntax.Instruction) bool { return in.Uses(name) }))
	})
}

// reach appends all that i uses, the parts of a stage from the first one on.
func (i *Instance) reach(seen map[*Instance]bool, out *[]*Instance) {
	for e := range i.All() {
		if e.To == nil {
			continue
		}
		for _, part := range e.To.Parts() {
			if !seen[part] {
				seen[part] = true
				*out = append(*out, part)
				part.reach(seen, out)
			}
		}
	}
}

// eachArg calls fn for each name of an ARG instruction; a LET is none.
func eachArg(in *syntax.Instruction, fn func(instructions.KeyValuePairOptional)) {
	if cmd, ok := in.Command.(*instructions.ArgCommand); ok && in.Let == nil {
		for _, arg := range cmd.Args {
			fn(arg)
		}
	}
}

// eachName calls fn for each name that an ARG or LET declares.
func eachName(in *syntax.Instruction, fn func(string)) {
	if in.Let != nil {
		fn(in.Let.Name)
	}
	eachArg(in, func(arg instructions.KeyValuePairOptional) { fn(arg.Key) })
}
