package syntax

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
)

// machineArgs are the platform ARGs that Dockerfile lacks.
var machineArgs = [...]string{"TARGETMACHINE", "TARGETTRIPLE", "BUILDMACHINE", "BUILDTRIPLE"}

// platformArgs are the ARGs of platforms, without TARGET or BUILD in front.
var platformArgs = [...]string{"PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT", "MACHINE", "TRIPLE"}

// isPlatformArg reports whether every build has an ARG of this name.
func isPlatformArg(name string) bool {
	part, ok := strings.CutPrefix(name, "TARGET")
	if !ok {
		part, ok = strings.CutPrefix(name, "BUILD")
	}
	return name == "TARGETSTAGE" || ok && slices.Contains(platformArgs[:], part)
}

// MachineArgs returns the platform ARGs beyond Dockerfile's that the file takes
// from us: it declares or uses them, and has no ARG or ENV of such a name with a
// value of its own.
func (f *File) MachineArgs() []string { return f.machineArgs }

// TakesMachineArg reports whether the name is that of such an ARG.
func (f *File) TakesMachineArg(name string) bool { return slices.Contains(f.machineArgs, name) }

func (f *File) findMachineArgs() {
	for _, name := range machineArgs {
		if strings.Contains(f.text, name) && f.takes(name) {
			f.machineArgs = append(f.machineArgs, name)
		}
	}
}

func (f *File) takes(name string) bool {
	used := false
	for in := range f.All() {
		if trigger := in.OnBuild && (in.Keyword == command.Arg || in.Keyword == command.Env); trigger {
			for _, word := range in.Words() {
				if declared, _, own := strings.Cut(word, "="); declared == name {
					if own || in.Keyword == command.Env {
						return false
					}
					used = true
				}
			}
		}
		switch cmd := in.Command.(type) {
		case *instructions.ArgCommand:
			for _, arg := range cmd.Args {
				if arg.Key == name && arg.Value != nil {
					return false
				}
				used = used || arg.Key == name
			}
		case *instructions.EnvCommand:
			for _, kv := range cmd.Env {
				if kv.Key == name {
					return false
				}
			}
		}
		used = used || in.static(name)
	}
	return used
}

// static reports whether the instruction uses a variable where no stage has to
// declare it: in a name, in the global part, and in a condition.
func (in *Instruction) static(name string) bool {
	for _, c := range in.expressions() {
		if slices.ContainsFunc(c.Names, func(n condition.Name) bool { return n.Name == name }) {
			return true
		}
	}
	global := in.Keyword == command.From || in.Keyword == ImportInstruction || in.global
	if global && usesVariable(in.Line, name) {
		return true
	}
	return slices.ContainsFunc(in.References, func(ref *Reference) bool { return usesVariable(in.Line[ref.Span.Start:ref.Span.End], name) })
}

// expressions are those of the instruction, of the blocks in which it stands, and of
// those between its lines.
func (in *Instruction) expressions() []*Condition {
	var out []*Condition
	if in.If != nil {
		out = append(out, in.If)
	}
	if in.Let != nil {
		out = append(out, in.Let.Condition)
	}
	add := func(block *Block) {
		for _, branch := range block.Branches {
			if branch.Marker.If != nil {
				out = append(out, branch.Marker.If)
			}
		}
	}
	for branch := in.Branch; branch != nil; branch = branch.Block.Parent {
		add(branch.Block)
	}
	for _, block := range in.Inner() {
		add(block)
	}
	return out
}
