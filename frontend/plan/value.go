package plan

import (
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// value is what a name stands for before the build, with the inputs that it was
// made of. The zero value is that of a name that nothing declares.
type value struct {
	text string
	// set tells an empty value from none, declared a name without a value from
	// one that nothing declares.
	set, declared bool
	deps          []string
	// arg is set for that of an ARG, own when its line makes it.
	arg, own bool
	// data is that of a name of data.
	data *imported
	// unknown is set when only the build will tell.
	unknown *unknown
}

// unknown says why a value is not known: a name that the base may set.
type unknown struct {
	name string
	// base is what may set it, such as "the base image golang:1.26".
	base string
	// taken is set for what an ENV --from of that line takes out of it; open when it may have
	// the name, or not.
	taken string
	line  int
	open  bool
	// global is set when the build has such a name, which the stage does not declare.
	global bool
	// err is set instead for a LET that is a mistake: there, and located.
	err error
}

func (u *unknown) String() string {
	switch {
	case u.open:
		return fmt.Sprintf("%s may be among what line %d takes out of %s, which is not known before the build: write behind that --file which names it takes", u.name, u.line, u.taken)
	case u.taken != "":
		return fmt.Sprintf("%s comes out of %s (line %d), and is not known before the build", u.name, u.taken, u.line)
	}
	text := fmt.Sprintf("%s may be set by %s, whose ENV is not known before the build", u.name, u.base)
	if u.global {
		text += fmt.Sprintf(": write ARG %s above to take that of the build", u.name)
	}
	return text
}

// tracker is an environment that notes what is looked up in it.
type tracker struct {
	lookup func(string) value
	deps   []string
	// undeclared are the names that nothing declares, unknown is the first that
	// is not known, of the name blamed.
	undeclared []string
	unknown    *unknown
	blamed     string
}

var _ shell.EnvGetter = (*tracker)(nil)

// Get implements shell.EnvGetter.
func (t *tracker) Get(name string) (string, bool) {
	v := t.lookup(name)
	if !v.declared {
		t.undeclared = append(t.undeclared, name)
	}
	if v.unknown != nil && t.unknown == nil {
		t.unknown, t.blamed = v.unknown, name
	}
	t.deps = merge(t.deps, v.deps)
	return v.text, v.set
}

// Keys implements shell.EnvGetter; nothing here asks for them.
func (t *tracker) Keys() []string { return nil }

// value is what a word expanded to.
func (t *tracker) value(text string) value {
	return value{text: text, set: true, declared: true, deps: t.deps, unknown: t.unknown}
}

// merge returns the names of both lists, each once. The shorter one goes into the
// longer one: values of a chain of ARGs depend on all before them.
func merge(a, b []string) []string {
	if len(a) < len(b) {
		a, b = b, a
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(slices.Clip(a), name)
		}
	}
	return a
}
