package needed

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// maxLoader is how long a loader may be, in bytes; with debug information the
// known ones have a few million.
const maxLoader = 64 << 20

// A loader is an ELF interpreter of the tree, and what it was built to look at.
type loader struct {
	name string // as programs ask for it
	real string
	obj  *object

	musl       bool
	dirs       []string // where it looks at last
	builtIn    []string // what dirs would be without musl's path file
	configFile string   // glibc's cache or musl's path file; empty if the tree has none
	cache      map[string][]cached
	stale      bool // the tree has a configuration for a cache, and no cache
	lib        string
	legacy     bool // it knows the hwcaps directories from before glibc 2.33
}

var (
	muslPathFile = pattern.New(`/etc/ld-musl-[\w.-]+\.path\x00`)
	muslDirs     = pattern.New(`\x00((?:/[\w.+-]+)*/lib[\w.+/-]*(?::(?:/[\w.+-]+)*/lib[\w.+/-]*)*)\x00`)
)

// readLoader tells what a loader looks at from the texts that were built into it:
// distributions differ.
func (f *finder) readLoader(name string) (*loader, error) {
	if l, ok := f.loaders[name]; ok {
		return l, nil
	}
	real, _, err := f.tree.resolve(name)
	if err != nil {
		return nil, err
	}
	obj, err := f.object(real)
	if err != nil {
		return nil, err
	}
	if obj == nil {
		return nil, fmt.Errorf("%s is not an ELF file", show(name))
	}
	data, err := f.tree.read(real, maxLoader)
	if err != nil {
		return nil, err
	}
	l := &loader{name: name, real: real, obj: obj}
	if file := muslPathFile().Find(data); file != nil {
		err = f.readMusl(l, string(file[:len(file)-1]), data)
	} else if at := bytes.Index(data, []byte("/ld.so.cache\x00")); at >= 0 {
		err = f.readGlibc(l, textBefore(data, at)+"/ld.so.cache", data)
	} else {
		err = fmt.Errorf("%s is neither glibc's loader nor musl's: where it looks for libraries is not known", show(name))
	}
	if err != nil {
		return nil, err
	}
	f.loaders[name] = l
	return l, nil
}

func (f *finder) readMusl(l *loader, file string, data []byte) error {
	dirs := muslDirs().FindSubmatch(data)
	if dirs == nil {
		return fmt.Errorf("%s does not tell where it looks for libraries", show(l.name))
	}
	l.musl, l.builtIn = true, muslSplit(string(dirs[1]))
	l.dirs = l.builtIn
	// the file lies beside the directory of the loader
	if prefix := path.Dir(path.Dir(l.name)); prefix != "/" && prefix != "." {
		file = prefix + file
	}
	real, n, err := f.tree.resolve(file)
	switch {
	case err == nil && n.isFile():
		text, err := f.tree.read(real, maxString)
		if err != nil {
			return err
		}
		text, _, _ = bytes.Cut(text, []byte{0})
		l.configFile, l.dirs = file, muslSplit(string(text))
		if len(l.dirs) > maxElements {
			return fmt.Errorf("%s: too many directories", show(file))
		}
		return nil
	case err == nil:
		return fmt.Errorf("%s is not a regular file", show(file))
	case absent(err):
		return nil
	}
	return err
}

func (f *finder) readGlibc(l *loader, file string, data []byte) error {
	if l.dirs = systemDirs(data); l.dirs == nil {
		return fmt.Errorf("%s does not tell where it looks for libraries", show(l.name))
	}
	l.lib = strings.TrimPrefix(l.dirs[0], "/")
	l.legacy = bytes.Contains(data, []byte("\x00tls\x00"))

	real, n, err := f.tree.resolve(file)
	switch {
	case absent(err):
		_, _, err := f.tree.resolve(strings.TrimSuffix(file, "cache") + "conf")
		l.stale = err == nil
		return nil
	case err != nil:
		return err
	case !n.isFile():
		return fmt.Errorf("%s is not a regular file", show(file))
	}
	cache, err := f.tree.read(real, maxCache)
	if err == nil {
		l.cache, err = parseCache(cache, l.obj.order())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", show(file), err)
	}
	l.configFile = file
	return nil
}

// systemDirs returns the directories that glibc's loader looks at last: the first texts of
// it that stand one after the other, each of which ends with a slash.
func systemDirs(data []byte) []string {
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("/\x00"))
		if i < 0 {
			return nil
		}
		at += i + 2
		first := textBefore(data, at-2)
		if !strings.Contains(first, "/lib") {
			continue
		}
		dirs := []string{first}
		for {
			text, rest, _ := bytes.Cut(data[at:], []byte{0})
			dir, ok := strings.CutSuffix(string(text), "/")
			if !ok || textBefore(text, len(text)) != string(text) || len(dirs) == maxElements {
				return dirs
			}
			dirs = append(dirs, dir)
			at = len(data) - len(rest)
		}
	}
}

// textBefore returns the absolute path that ends at an offset, empty if there is none.
func textBefore(data []byte, end int) string {
	from := end
	for from > 0 && end-from < longestCached && (isWord(data[from-1]) || bytes.IndexByte([]byte("/.+-"), data[from-1]) >= 0) {
		from--
	}
	// what stands before may look as a path does
	slash := bytes.IndexByte(data[from:end], '/')
	if slash < 0 {
		return ""
	}
	return string(data[from+slash : end])
}

// commonLoaders are the loaders of libraries that name none: of a library which is
// opened by programs.
var commonLoaders = map[abi]struct{ glibc, musl string }{
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_X86_64}:    {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_X86_64}:    {"/libx32/ld-linux-x32.so.2", "/lib/ld-musl-x32.so.1"},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_386}:       {"/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_AARCH64}:   {"/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM}:       {"/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_PPC64}:     {"/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_S390}:      {"/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_RISCV}:     {"/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_LOONGARCH}: {"/lib64/ld-linux-loongarch-lp64d.so.1", "/lib/ld-musl-loongarch64.so.1"},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_MIPS}:      {"/lib64/ld.so.1", "/lib/ld-musl-mips64el.so.1"},
}

// loaderOf returns the loader for an object.
func (f *finder) loaderOf(obj *object) (*loader, error) {
	if obj.interpreter != "" {
		if !path.IsAbs(obj.interpreter) {
			return nil, fmt.Errorf("its loader %s is no absolute path", show(obj.interpreter))
		}
		l, err := f.readLoader(obj.interpreter)
		if absent(err) {
			return nil, fmt.Errorf("its loader %s is missing", show(obj.interpreter))
		}
		return l, err
	}
	common := commonLoaders[obj.abi]
	names := []string{common.glibc, common.musl}
	for _, d := range obj.needs {
		if d.name == "libc.so" || strings.HasPrefix(d.name, "libc.musl-") {
			names = []string{common.musl}
		}
	}
	for _, name := range names {
		l, err := f.readLoader(name)
		if !absent(err) {
			return l, err
		}
	}
	return nil, errors.New("it is a library, and the tree has no loader for " + obj.String())
}
