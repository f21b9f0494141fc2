package lower

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

const epochArg = "SOURCE_DATE_EPOCH"

// freeze finds the values of the text of a unit, which stands in one file with the
// others. Build args of the root stand in the global ARGs as defaults; what differs
// between platforms, is computed or has a condition stands where stages declare it.
func (u *Unit) freeze(all []*Unit, target string, passed func(string) bool) error {
	off := map[*syntax.Instruction]bool{}
	for _, other := range all {
		if other.file() != u.file() {
			continue
		}
		for in := range other.offSomewhere(nil) {
			off[in] = true
		}
	}
	declared := map[string]bool{}
	for _, in := range u.file().Args {
		if off[in] {
			continue
		}
		if in.Conditional() || in.Inner() != nil || u.differs(all, in) ||
			slices.ContainsFunc(u.file().MachineArgs(), in.Uses) || slices.ContainsFunc(wordsOf(off), in.Uses) {
			off[in] = true
			continue
		}
		for _, name := range namesOf(in) {
			declared[name] = true
		}
	}
	drop := map[string]struct{}{}
	for name := range u.Root.Env.Args {
		if !declared[name] && !passed(name) {
			drop[name] = struct{}{}
		}
	}
	env, err := u.Root.Env.Without(drop, off, target)
	if err != nil {
		return err
	}
	u.values = &values{env: env, passed: passed}
	return nil
}

// wordsOf returns the names that ARGs declare.
func wordsOf(args map[*syntax.Instruction]bool) []string {
	var names []string
	for in := range args {
		names = append(names, namesOf(in)...)
	}
	return names
}

// namesOf returns the names that an ARG or LET declares.
func namesOf(in *syntax.Instruction) []string {
	if in.Let != nil {
		return []string{in.Let.Name}
	}
	var names []string
	if cmd, ok := in.Command.(*instructions.ArgCommand); ok {
		for _, arg := range cmd.Args {
			names = append(names, arg.Key)
		}
	}
	return names
}

// differs reports whether the roots of units have a build arg that a global ARG
// declares under different values.
func (u *Unit) differs(all []*Unit, in *syntax.Instruction) bool {
	for _, name := range namesOf(in) {
		mine, has := u.Root.Env.Args[name]
		for _, other := range all {
			theirs, given := other.Root.Env.Args[name]
			if other.file() != u.file() || has != given || mine != theirs {
				return true
			}
		}
	}
	return false
}

// frozen is arg for a text that is built without build args.
func (v *values) frozen(inst *plan.Instance, name string, hasDefault bool) (string, bool) {
	theirs, set := v.env.Global(name)
	value, given := inst.Env.Args[name]
	switch {
	case v.passed(name):
		return "", false
	case given:
		return value, hasDefault || !set || theirs != value || fixesName(inst, name)
	case hasDefault:
		return "", false
	}
	value, ok := inst.Env.Global(name)
	return value, ok && (!set || theirs != value || fixesName(inst, name))
}

// fixesName reports whether a name has a value in inst which the text has to hold even
// where it gives the same: a call binds the name or the platform, or stock builders lack
// the name.
func fixesName(inst *plan.Instance, name string) bool {
	if _, bound := inst.Env.Bound[name]; bound {
		return true
	}
	return inst.Env.File().TakesMachineArg(name) || inst.Env.Explicit() && plan.Predefined(name) && strings.HasPrefix(name, "TARGET")
}

// written returns the declaration of an ARG with a value that the file does not have.
func (l *lowerer) written(name, value string) (text.Word, error) {
	if l.expanding != nil {
		if WithoutCredentials(value) != value {
			return text.Word{}, fmt.Errorf("the value of ARG %s holds a password in an address, which would stand in the expanded file: pass it as a secret", name)
		}
		if !text.Writable(value) {
			return text.Word{}, fmt.Errorf("the value of ARG %s holds a line end or other bytes that no line of a plain Dockerfile can hold, or is too long for one", name)
		}
		if arg, given := l.unit.Root.Env.Args[name]; given && arg == value {
			l.given[name] = true
		}
	}
	return text.Arg(name, value)
}

var credentials = pattern.New(`(\w+://)([^/?#\s@:]*:[^/?#\s@]*|[^/?#\s@:]+)@`)

// WithoutCredentials hides user and password of addresses. The user of a git server
// is no secret.
func WithoutCredentials(text string) string {
	return credentials().ReplaceAllStringFunc(text, func(match string) string {
		if strings.HasPrefix(match, "ssh://") && strings.Count(match, ":") == 1 {
			return match
		}
		return match[:strings.Index(match, "://")+3] + "xxxxx@"
	})
}

// frozenGlobals writes the global ARGs that the text uses.
func (l *lowerer) frozenGlobals(used map[string]bool) error {
	env, root := l.unit.values.env, l.unit.Root.Env
	var lines []*syntax.Instruction
	for _, in := range slices.Backward(l.unit.file().Args) {
		names := namesOf(in)
		if env.Off(in) || !slices.ContainsFunc(names, func(name string) bool { return used[name] || plan.BuildWide(name) }) {
			continue
		}
		for _, name := range syntax.Variables(in.Line) {
			used[name] = true
		}
		lines = append(lines, in)
	}
	declared := map[string]bool{}
	if len(lines) > 0 {
		l.out.Blank()
	}
	for _, in := range slices.Backward(lines) {
		l.out.Remarks(in)
		var words []text.Word
		for i, name := range namesOf(in) {
			declared[name] = true
			value, given := root.Args[name]
			if !given || l.unit.values.passed(name) {
				continue
			}
			if words == nil {
				words = text.Own(in)
			}
			var err error
			if words[i], err = l.written(name, value); err != nil {
				return in.ErrorOfLine(err)
			}
		}
		if words != nil {
			l.note(in, l.out.Args(in, words))
			continue
		}
		l.note(in, l.out.Edit(in, nil, nil))
	}
	return l.frozenWide(declared)
}

// frozenWide writes the values of ARGs that the converter looks at by itself where no
// line gives them, and of those that a trigger of an image may declare.
func (l *lowerer) frozenWide(declared map[string]bool) error {
	root := l.unit.Root.Env
	values := map[string]string{}
	if value, given := root.Args[epochArg]; given {
		values[epochArg] = value
	}
	for _, in := range l.unit.file().Args {
		for _, name := range namesOf(in) {
			if value, ok := root.Global(name); ok && plan.BuildWide(name) {
				values[name] = value
			}
		}
	}
	if l.opt.Undeclared {
		for name, value := range root.Args {
			if !plan.Predefined(name) && !slices.ContainsFunc(l.unit.Instances, func(inst *plan.Instance) bool { return declares(inst.Env.File().File, name) }) {
				values[name] = value
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if declared[name] || l.unit.values.passed(name) && has(root.Args, name) {
			continue
		}
		word, err := l.written(name, values[name])
		if err != nil {
			return err
		}
		l.out.Blank()
		l.out.Args(nil, []text.Word{word})
	}
	return nil
}

// declares reports whether a line of a file declares a name.
func declares(file *syntax.File, name string) bool {
	for in := range file.All() {
		if slices.Contains(namesOf(in), name) {
			return true
		}
	}
	return false
}

func has(args map[string]string, name string) bool {
	_, ok := args[name]
	return ok
}

// usedNames returns the names that a text takes from its global part.
func usedNames(data []byte) (map[string]bool, error) {
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("internal error: the expanded text is no Dockerfile: %w", err)
	}
	used := map[string]bool{}
	for _, node := range parsed.AST.Children {
		for _, name := range syntax.Variables(node.Original) {
			if strings.EqualFold(node.Value, command.From) {
				used[name] = true
			}
		}
		for strings.EqualFold(node.Value, command.Onbuild) && node.Next != nil && len(node.Next.Children) > 0 {
			node = node.Next.Children[0]
		}
		if !strings.EqualFold(node.Value, command.Arg) {
			continue
		}
		for n := node.Next; n != nil; n = n.Next {
			if !strings.Contains(n.Value, "=") {
				used[n.Value] = true
			}
		}
	}
	return used, nil
}
