package needed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A cache of any bytes gives entries that lie in it, or an error.
func FuzzCache(f *testing.F) {
	whole := cacheText(binary.LittleEndian, 0x303, [3]string{"liba.so", "/opt/liba.so", "v2"}, [3]string{"liba.so", "/lib/liba.so"})
	f.Add([]byte(whole), false)
	f.Add([]byte(cacheText(binary.BigEndian, 0x403, [3]string{"liba.so", "/lib/liba.so"})), true)
	old := oldMagic + "\x00\x01\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00" + "a\x00/a\x00"
	f.Add([]byte(old), false)
	f.Add([]byte(old[:oldHeader+oldEntry]+"\x00\x00\x00\x00"+whole), false)
	f.Add([]byte(newMagic), false)
	f.Fuzz(func(t *testing.T, data []byte, big bool) {
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		entries, err := parseCache(data, order)
		if err != nil {
			return
		}
		count := 0
		for name, all := range entries {
			count += len(all)
			for _, c := range all {
				if !bytes.Contains(data, []byte(name)) || !bytes.Contains(data, []byte(c.path)) {
					t.Errorf("%q %q are not in the cache", name, c.path)
				}
			}
		}
		if count*oldEntry > len(data) {
			t.Errorf("%d entries in %d bytes", count, len(data))
		}
	})
}

// An ELF file of any bytes is an object or an error, within bounds.
func FuzzELF(f *testing.F) {
	dir := f.TempDir()
	for i, args := range [][]string{{"-shared", "-Wl,-rpath,$ORIGIN/x:/y", "-Wl,-soname,a.so"}, {"-pie", "-Wl,-e,start"}, {"-static", "-Wl,-e,start"}} {
		b := &builtTree{tb: f, root: dir}
		at := filepath.Join(dir, string(rune('a'+i)))
		b.gcc(at, append(args, "-nostdlib", "-Wl,-z,max-page-size=64", "-s")...)
		text, err := os.ReadFile(at)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)/3])
	}
	f.Add([]byte("\x7fELF\x01\x02\x01" + string(make([]byte, 60))))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := readELF(bytes.NewReader(data))
		if err != nil {
			if errors.Is(err, errNotELF) && bytes.HasPrefix(data, []byte("\x7fELF")) {
				t.Error(err)
			}
			return
		}
		if len(o.needs) > maxDependences || len(o.runpath.text) > maxString {
			t.Errorf("%d libraries", len(o.needs))
		}
	})
}

// The texts of a loader are looked for in any bytes.
func FuzzLoader(f *testing.F) {
	f.Add([]byte("x\x00/lib/x/\x00/usr/lib/\x00\x00/etc/ld.so.cache\x00"))
	f.Add([]byte("/lib/\x00/"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range systemDirs(data) {
			if !bytes.Contains(data, []byte(d)) {
				t.Errorf("%q", d)
			}
		}
	})
}
