package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
)

// nameOf returns how a user would write the instance.
func (i *Instance) nameOf(written []string) string { return i.nameIn(i.Env, written) }

// nameIn returns how a user would write the instance as a stage of env, where it may not
// have been met first: the bindings as the call gives them, then those of outer calls
// that it depends on.
func (i *Instance) nameIn(env *Environment, written []string) string {
	names := slices.Clip(written)
	if len(env.Bound) > len(written) {
		for _, name := range slices.Sorted(maps.Keys(env.Bound)) {
			if !slices.Contains(names, name) && i.DependsOn(name) {
				names = append(names, name)
			}
		}
	}
	stage := env.prefix + i.Stage.String()
	if len(names) == 0 {
		return stage
	}
	return reference(stage, names, env.Bound)
}

// DependsOn reports whether the instance is another one under another value of a
// binding.
func (i *Instance) DependsOn(binding string) bool {
	if binding == targetPlatform {
		return slices.ContainsFunc(i.Reads, func(name string) bool {
			return ofPlatform(name) || slices.Contains(platformNames[:], name)
		})
	}
	return slices.Contains(i.Reads, binding)
}

// reference spells a call.
func reference(name string, order []string, values map[string]string) string {
	var out strings.Builder
	out.WriteString(name)
	out.WriteByte('(')
	for i, key := range order {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(key + "=" + spelled(values[key]))
	}
	out.WriteByte(')')
	return out.String()
}

// spelled quotes a value where a call has to.
func spelled(v string) string {
	if v == "" || strings.ContainsAny(v, " \t\r\n,()[]\"'$\\") {
		return strconv.Quote(v)
	}
	return v
}

// Spelled returns the value of a binding as a call of the instance spells it, also where
// none binds the name; false when only the stage has it.
func (i *Instance) Spelled(binding string) (string, bool) {
	if binding == targetPlatform {
		return platforms.FormatAll(i.Env.Platform), true
	}
	v, ok := i.Env.Args[binding]
	if !ok {
		v, ok = i.Env.Global(binding)
	}
	return spelled(v), ok
}
