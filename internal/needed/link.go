package needed

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxObjects is how many objects one program may load.
const maxObjects = 4096

// A mapped is an object in the memory of a program.
type mapped struct {
	name string // as it was opened, the program itself as the kernel names it
	real string
	obj  *object
	by   *mapped // what asked for it first; nil for the program

	own   []searchDir // of its DT_RUNPATH
	chain []searchDir // of the DT_RPATHs from it up to the program; for musl of all search paths
}

// origin is what $ORIGIN stands for.
func (m *mapped) origin() string { return m.name[:strings.LastIndexByte(m.name, '/')] }

// A linking is the work of a loader for one program: which objects it maps. Those for
// some processors only are mapped beside the one for all.
type linking struct {
	f      *finder
	loader *loader
	maps   []*mapped
	byName map[string]*mapped
	byReal map[string]*mapped
	origin bool // some search uses $ORIGIN
}

// A hit is a file that a search came to.
type hit struct {
	name   string
	real   string
	obj    *object
	some   bool   // on some processors only
	config bool   // only the loader's cache or path file leads to it
	also   string // another name under which it is found without a cache
}

// link finds all that the program or library at a path loads, and keeps it as needed. It
// reports whether $ORIGIN is used in it.
func (f *finder) link(name, real string, obj *object) (bool, error) {
	if obj.interpreter == "" && len(obj.needs) == 0 {
		return false, nil
	}
	l, err := f.loaderOf(obj)
	if err != nil {
		return false, fmt.Errorf("%s cannot run: %w", show(name), err)
	}
	k := &linking{f: f, loader: l, byName: map[string]*mapped{}, byReal: map[string]*mapped{}}
	if err := k.add(&mapped{name: real, real: real, obj: obj}, ""); err != nil {
		return false, err
	}
	own := &mapped{name: l.name, real: l.real, obj: l.obj}
	k.byName[l.name], k.byReal[l.real] = own, own
	if l.obj.soname != "" {
		k.byName[l.obj.soname] = own
	}
	if obj.interpreter != "" {
		if err := f.need(l.name, name, false); err != nil {
			return false, err
		}
	}
	for i := 0; i < len(k.maps); i++ {
		for _, d := range k.maps[i].obj.needs {
			if err := k.load(k.maps[i], d); err != nil {
				return false, err
			}
		}
	}
	return k.origin, nil
}

func (k *linking) add(m *mapped, name string) error {
	own := k.glibcPaths
	if k.loader.musl {
		own = k.muslPath
	}
	m.own, m.chain = own(m)
	switch {
	case m.by == nil:
	case len(m.chain) == 0:
		m.chain = m.by.chain // long ways share it
	default:
		m.chain = slices.Concat(m.chain, m.by.chain)
	}
	if len(m.chain) > maxElements {
		return fmt.Errorf("what %s needs is searched for in more than %d directories", k.way(m), maxElements)
	}
	k.maps = append(k.maps, m)
	k.byReal[m.real] = m
	k.alias(name, m)
	if !k.loader.musl {
		k.alias(m.obj.soname, m)
	}
	if usesOrigin(m.obj.rpath.text) || usesOrigin(m.obj.runpath.text) {
		k.origin = true
	}
	return nil
}

// alias lets later requests for a name find what is mapped. The first one counts.
func (k *linking) alias(name string, m *mapped) {
	if _, ok := k.byName[name]; !ok && name != "" {
		k.byName[name] = m
	}
}

// load maps the library that an object asks for.
func (k *linking) load(by *mapped, d dependence) error {
	name := d.name
	if k.loader.musl && muslOwn(name) {
		return k.use(k.loader.name, by)
	}
	if !k.loader.musl {
		if usesOrigin(name) {
			k.origin = true
		}
		var ok bool
		if name, ok = k.only(by, name); !ok {
			return fmt.Errorf("%s: what $PLATFORM stands for is not known", k.asks(by, d.name))
		}
	}
	if m, ok := k.byName[name]; ok {
		if m.real == k.loader.real {
			return k.use(m.name, by)
		}
		return nil
	}
	search := k.glibc
	if k.loader.musl {
		search = k.muslSearch
	}
	if strings.Contains(name, "/") {
		search = k.path
	}
	hits, tried, err := search(by, name)
	if err != nil {
		return fmt.Errorf("%s: %w", k.asks(by, name), err)
	}
	if len(hits) == 0 && !d.optional {
		return k.missing(by, name, tried)
	}
	for i := len(hits) - 1; i >= 0; i-- { // the one for all processors is the last, and takes the name
		if err := k.take(by, name, hits[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k *linking) take(by *mapped, name string, h hit) error {
	for _, n := range []string{h.name, h.also} {
		if n != "" {
			if err := k.use(n, by); err != nil {
				return err
			}
		}
	}
	if h.config {
		if err := k.f.need(k.loader.configFile, k.way(by), true); err != nil {
			return err
		}
	}
	if m, ok := k.byReal[h.real]; ok {
		k.alias(name, m)
		return nil
	}
	if len(k.maps) == maxObjects {
		return fmt.Errorf("%s loads more than %d libraries", show(k.maps[0].name), maxObjects)
	}
	return k.add(&mapped{name: h.name, real: h.real, obj: h.obj, by: by}, name)
}

// use keeps a name that the loader opens.
func (k *linking) use(name string, by *mapped) error {
	if _, ok := k.f.needs[name]; ok {
		return nil // most libraries are used again and again
	}
	return k.f.need(name, k.way(by), false)
}

// path is the search for a name with a slash in it.
func (k *linking) path(_ *mapped, name string) (hits []hit, tried []string, err error) {
	if !path.IsAbs(name) {
		return nil, nil, errors.New("the path depends on the working directory")
	}
	h, ok, err := k.open(name)
	if ok {
		hits = append(hits, h)
	}
	return hits, []string{path.Dir(name)}, err
}

// open returns the library at a path; false says that the loader goes on searching.
func (k *linking) open(name string) (hit, bool, error) {
	real, n, err := k.f.tree.resolve(name)
	if absent(err) {
		return hit{}, false, nil
	}
	if err != nil {
		return hit{}, false, err
	}
	var obj *object
	if n.isFile() {
		if obj, err = k.f.object(real); err != nil {
			return hit{}, false, err
		}
	}
	if obj == nil {
		return hit{}, false, fmt.Errorf("the loader ends at %s, which is no library", show(name))
	}
	if obj.abi != k.maps[0].obj.abi {
		if k.loader.musl {
			return hit{}, false, fmt.Errorf("the loader ends at %s, which is for %s", show(name), obj.abi)
		}
		return hit{}, false, nil
	}
	return hit{name: name, real: real, obj: obj}, true, nil
}

// way names an object by the way that leads to it from the program.
func (k *linking) way(m *mapped) string {
	text := show(m.name)
	const longest = 8 // it is for people
	for i := 0; m.by != nil; i++ {
		m = m.by
		if i == longest {
			return text + ", … of " + show(k.maps[0].name)
		}
		text += " of " + show(m.name)
	}
	return text
}

func (k *linking) asks(by *mapped, name string) string {
	return fmt.Sprintf("%s needs %s", k.way(by), show(name))
}

func (k *linking) missing(by *mapped, name string, tried []string) error {
	const most = 12
	shown := make([]string, 0, most)
	for i, dir := range tried {
		if i == most {
			shown = append(shown, "…")
			break
		}
		shown = append(shown, show(dir))
	}
	hint := ""
	if k.loader.stale {
		hint = "; the tree has no ld.so.cache: does it need a run of ldconfig?"
	}
	return fmt.Errorf("%s, which is missing for %s; its loader %s looks in %s%s",
		k.asks(by, name), k.maps[0].obj.abi, show(k.loader.name), strings.Join(shown, ", "), hint)
}
