package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// targetPlatform is the name that rebinds the platform of a call.
const targetPlatform = "TARGETPLATFORM"

// PlatformInput stands for the platform itself among the inputs that an
// instance reads: what a FROM without --platform takes.
const PlatformInput = "\x00platform"

// contextInput, with a name behind it, stands for whether the build has a named
// context of that name for the platform.
const contextInput = "\x00context "

// targetStage is the predefined ARG that names the build's target.
const targetStage = "TARGETSTAGE"

// platformNames are the ARGs that follow TARGETPLATFORM.
var platformNames = [...]string{targetPlatform, "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT", "TARGETMACHINE", "TARGETTRIPLE"}

// Predefined reports whether every build has an ARG of this name.
func Predefined(name string) bool {
	return name == targetStage || slices.Contains(platformNames[:], name) || strings.HasPrefix(name, "BUILD") && slices.Contains(platformNames[:], "TARGET"+strings.TrimPrefix(name, "BUILD"))
}

// ofPlatform reports whether an input is the platform, or what follows from it.
func ofPlatform(input string) bool {
	return input == PlatformInput || strings.HasPrefix(input, contextInput)
}

// Environment is the values of one sub-build: a build of the file with some
// build args and a platform.
type Environment struct {
	// Args are the build args, bindings included.
	Args map[string]string
	// Platform is what the sub-build is built for.
	Platform ocispecs.Platform
	// Bound are the bindings in force, those of outer calls included.
	Bound map[string]string

	// Stage is the target of the sub-build, the value of TARGETSTAGE.
	Stage string

	eval *evaluator
	// prefix is the way to the file: what stands in front of the names of its
	// stages in what users see.
	prefix string
	// via is that way itself; nil in the main file.
	via *crossing
	// defaults are the predefined ARGs but for TARGETSTAGE, globals the ARGs
	// before the first FROM; environments share them where they are equal.
	defaults map[string]string
	globals  map[string]value
	// off are the ARGs before the first FROM whose condition does not hold.
	off map[*syntax.Instruction]bool
	// decided is what the blocks of the global part came to, lines what those between
	// the lines of an ARG leave of it.
	decided map[*syntax.Block]decision
	lines   map[*syntax.Instruction]*syntax.Instruction
	// lets are the LETs of the global part that count, by name.
	lets map[string]*syntax.Instruction
}

// File returns the file in which the sub-build stands.
func (e *Environment) File() *module.File { return e.eval.in.File }

// Prefix is what stands in front of the names of the file's stages in what users
// see: the alias of the import, or the file.
func (e *Environment) Prefix() string { return e.prefix }

// Global returns the value that name has before the first FROM.
func (e *Environment) Global(name string) (string, bool) {
	v := e.globals[name]
	return v.text, v.set
}

// MadeOf returns the names of the inputs on which the value of a global ARG
// depends.
func (e *Environment) MadeOf(name string) []string { return e.globals[name].deps }

// Without returns e without some build args and ARGs of the global part, for
// another target.
func (e *Environment) Without(names map[string]struct{}, off map[*syntax.Instruction]bool, stage string) (*Environment, error) {
	args := maps.Clone(e.Args)
	for name := range names {
		delete(args, name)
	}
	if len(off) == 0 {
		return e.eval.newEnvironment(args, e.Bound, e.Platform, stage)
	}
	out := e.eval.empty(args, e.Bound, e.Platform, stage)
	out.off = off
	return out, e.eval.evaluate(out)
}

// Line returns an ARG of the global part with the lines that are there.
func (e *Environment) Line(in *syntax.Instruction) *syntax.Instruction {
	if v, ok := e.lines[in]; ok {
		return v
	}
	return in
}

// Computed returns the value of a LET of the global part.
func (e *Environment) Computed(name string) (string, bool) {
	_, ok := e.lets[name]
	return e.globals[name].text, ok
}

// Off reports whether a condition takes an ARG out of the global part.
func (e *Environment) Off(in *syntax.Instruction) bool { return e.off[in] }

// Expand expands the global names in a word.
func (e *Environment) Expand(word string) (string, error) {
	if !hasSyntax(word) {
		return word, nil
	}
	return e.eval.expand(word, &tracker{lookup: func(name string) value { return e.globals[name] }})
}

// Explicit reports whether the sub-build was asked for a platform by a call.
func (e *Environment) Explicit() bool {
	_, ok := e.Bound[targetPlatform]
	return ok
}

// Same reports whether an input has the same value in both.
func (e *Environment) Same(other *Environment, input string) bool {
	mine, set := e.input(input)
	theirs, given := other.input(input)
	return set == given && mine == theirs
}

// input returns the value of an input: a build arg, or what stands for it.
func (e *Environment) input(name string) (string, bool) {
	if name == PlatformInput {
		return e.defaults[targetPlatform], true
	}
	if context, ok := strings.CutPrefix(name, contextInput); ok {
		return "", e.eval.hasContext(context, e.Platform)
	}
	if v, ok := e.Args[name]; ok {
		return v, true
	}
	if name == targetStage {
		return e.Stage, true
	}
	v, ok := e.defaults[name]
	return v, ok
}

// signature returns the values of names, one after the other, each behind its
// length: no byte of a value can end it.
func (e *Environment) signature(names []string) string {
	out := make([]byte, 0, 128)
	for _, name := range names {
		v, ok := e.input(name)
		if !ok {
			out = append(out, '-')
			continue
		}
		out = strconv.AppendInt(out, int64(len(v)), 10)
		out = append(out, ':')
		out = append(out, v...)
	}
	return string(out)
}
