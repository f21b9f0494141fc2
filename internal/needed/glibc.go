package needed

import (
	"debug/elf"
	"path"
	"slices"
	"strings"
)

// glibc searches for a library as glibc's loader does.
func (k *linking) glibc(by *mapped, name string) (hits []hit, tried []string, err error) {
	dirs := by.chain
	if by.obj.runpath.set {
		dirs = by.own
	}
	tried = dirNames(dirs)
	hits, done, err := k.inDirs(dirs, name)
	if done || err != nil {
		return hits, tried, err
	}
	byCache, err := k.inCache(by, name)
	if err != nil {
		return nil, nil, err
	}
	if k.loader.configFile != "" {
		tried = append(tried, k.loader.configFile)
	}
	var last []hit
	if !by.obj.noDefault {
		var dirs []searchDir
		for _, d := range k.loader.dirs {
			dirs = append(dirs, searchDir{name: d})
			tried = append(tried, d)
		}
		if last, _, err = k.inDirs(dirs, name); err != nil && !slices.ContainsFunc(byCache, hit.forAll) {
			return nil, nil, err
		}
	}
	if !slices.ContainsFunc(byCache, hit.forAll) {
		return slices.Concat(hits, markConfig(byCache, last), last), tried, nil
	}
	return append(hits, markConfig(byCache, last)...), tried, nil
}

func (h hit) forAll() bool { return !h.some }

// markConfig notes which hits of a cache the loader would not come to without it.
func markConfig(byCache, byDirs []hit) []hit {
	for i := range byCache {
		h := &byCache[i]
		same := slices.IndexFunc(byDirs, func(d hit) bool { return d.some == h.some && d.real == h.real })
		if h.config = same < 0; !h.config {
			h.also = byDirs[same].name
		}
	}
	return byCache
}

// A searchDir is a directory in which a loader looks.
type searchDir struct {
	name string
	some bool // on some processors only
}

func dirNames(dirs []searchDir) []string {
	names := make([]string, 0, len(dirs))
	for _, d := range dirs {
		names = append(names, d.name)
	}
	return names
}

// glibcPaths returns the directories of an object's DT_RUNPATH, and those of its DT_RPATH, which
// hold for all that it loads. One that has a DT_RUNPATH has no DT_RPATH.
func (k *linking) glibcPaths(m *mapped) (runpath, rpath []searchDir) {
	if m.obj.runpath.set {
		return k.expandPath(m, m.obj.runpath.text), nil
	}
	return nil, k.expandPath(m, m.obj.rpath.text)
}

// inDirs returns the first library of a name that serves every processor, and those
// before it that serve some. It reports whether there is one for all.
func (k *linking) inDirs(dirs []searchDir, name string) ([]hit, bool, error) {
	var hits []hit
	for _, d := range dirs {
		variants, err := k.f.variants(k.loader, d.name)
		if err != nil {
			return nil, false, err
		}
		for _, v := range variants {
			h, ok, err := k.open(join(join(d.name, v), name))
			if err != nil {
				return nil, false, err
			}
			if ok {
				h.some = true
				hits = append(hits, h)
			}
		}
		h, ok, err := k.open(join(d.name, name))
		if err != nil {
			return nil, false, err
		}
		if ok {
			h.some = d.some
			hits = append(hits, h)
			if !d.some {
				return hits, true, nil
			}
		}
	}
	return hits, false, nil
}

// inCache returns what the loader's cache has of a name, as inDirs does.
func (k *linking) inCache(by *mapped, name string) ([]hit, error) {
	var hits []hit
	flags := cacheFlags[k.maps[0].obj.abi]
	for _, c := range k.loader.cache[name] {
		if flags != nil && !slices.Contains(flags, c.flags) || !path.IsAbs(c.path) {
			continue
		}
		if by.obj.noDefault && slices.ContainsFunc(k.loader.dirs, func(d string) bool { return strings.HasPrefix(c.path, d+"/") }) {
			if !c.hwcap {
				break
			}
			continue
		}
		h, ok, err := k.open(c.path)
		if err != nil {
			return nil, err
		}
		if ok {
			h.some = c.hwcap
			hits = append(hits, h)
		}
		if !c.hwcap && (ok || flags != nil) {
			break // the loader asks for no second one
		}
	}
	// the one for all is the last
	slices.SortStableFunc(hits, func(a, b hit) int {
		switch {
		case a.some == b.some:
			return 0
		case a.some:
			return -1
		}
		return 1
	})
	return hits, nil
}

// legacyVariants are the directories, each within others of them too, in which loaders
// before glibc 2.37 look on some processors.
var legacyVariants = map[elf.Machine][]string{
	elf.EM_X86_64:  {"tls", "haswell", "xeon_phi", "avx512_1", "x86_64"},
	elf.EM_386:     {"tls", "i686", "i586", "i486", "i386", "sse2", "cmov", "nosegneg"},
	elf.EM_AARCH64: {"tls", "aarch64", "atomics"},
	elf.EM_ARM:     {"tls", "v6l", "v7l", "v8l", "neon", "vfp", "vfpv3"},
	elf.EM_PPC64:   {"tls", "power7", "power8", "power9", "power10"},
	elf.EM_S390:    {"tls", "z900", "z990", "z9-109", "z10", "z196", "zEC12", "z13", "z14", "z15", "z16"},
}

// platforms are what $PLATFORM may stand for, that of every processor last.
var platforms = map[elf.Machine][]string{
	elf.EM_X86_64:  {"haswell", "xeon_phi", "x86_64"},
	elf.EM_386:     {"i686", "i586", "i486", "i386"},
	elf.EM_AARCH64: {"aarch64"},
	elf.EM_ARM:     {"v8l", "v7l", "v6l"},
	elf.EM_PPC64:   {"power10", "power9", "power8"},
	elf.EM_S390:    {"z16", "z15", "z14", "z13", "zEC12", "z196", "z10"},
}

// variants returns the directories below a directory of which a loader looks in some,
// by the processor.
func (f *finder) variants(l *loader, dir string) ([]string, error) {
	if v, ok := f.variantsOf[variantKey{l, dir}]; ok {
		return v, nil
	}
	names, err := f.tree.list(join(dir, "glibc-hwcaps"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, n := range names {
		found = append(found, "glibc-hwcaps/"+n)
	}
	if l.legacy {
		if found, err = f.legacy(l, dir, "", 4, found); err != nil {
			return nil, err
		}
	}
	f.variantsOf[variantKey{l, dir}] = found
	return found, nil
}

func (f *finder) legacy(l *loader, dir, below string, depth int, found []string) ([]string, error) {
	if depth == 0 {
		return found, nil
	}
	for _, name := range legacyVariants[l.obj.machine] {
		sub := path.Join(below, name)
		_, n, err := f.tree.resolve(join(dir, sub))
		if absent(err) || err == nil && !n.isDir() {
			continue
		}
		if err != nil {
			return nil, err
		}
		if found, err = f.legacy(l, dir, sub, depth-1, append(found, sub)); err != nil {
			return nil, err
		}
	}
	return found, nil
}
