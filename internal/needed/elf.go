package needed

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What an ELF file may have: the largest known ones are far below.
const (
	maxSegments    = 64 << 10  // bytes of program headers, the kernel's own limit
	maxDynamic     = 1 << 20   // bytes of the dynamic section
	maxDependences = 4096      // libraries that one file names
	maxString      = 64 << 10  // bytes of a search path
	maxStrings     = 256 << 10 // bytes of all names and search paths
	maxElements    = 1024      // directories of a search path
)

// errNotELF says that a file does not begin as an ELF file does.
var errNotELF = errors.New("not an ELF file")

// A dependence is a library that an object names.
type dependence struct {
	name     string
	optional bool // DT_AUXILIARY: used if it is there
}

// A searchPath is a DT_RPATH or DT_RUNPATH. An empty one counts too.
type searchPath struct {
	text string
	set  bool
}

// An object is what a loader reads of an ELF file.
type object struct {
	abi
	kind        elf.Type
	interpreter string // PT_INTERP
	soname      string
	rpath       searchPath
	runpath     searchPath
	noDefault   bool // DF_1_NODEFLIB
	needs       []dependence
	strings     int // bytes of all names and search paths
}

// An abi is what a loader compares before it takes a library.
type abi struct {
	class   elf.Class
	data    elf.Data
	machine elf.Machine
}

func (a abi) order() binary.ByteOrder {
	if a.data == elf.ELFDATA2MSB {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (a abi) String() string {
	bits := "64-bit"
	if a.class == elf.ELFCLASS32 {
		bits = "32-bit"
	}
	return bits + " " + strings.ToLower(strings.TrimPrefix(a.machine.String(), "EM_"))
}

// readELF reads an ELF file through its program headers alone, as loaders do:
// section headers may be stripped or lie.
func readELF(r io.ReaderAt) (o *object, err error) {
	defer func() {
		// the standard library does not promise to stand what is hostile
		if v := recover(); v != nil {
			o, err = nil, fmt.Errorf("malformed: %v", v)
		}
	}()
	head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(withHead{r, head})
	if err != nil {
		return nil, fmt.Errorf("malformed: %w", err)
	}
	o = &object{abi: abi{f.Class, f.Data, f.Machine}, kind: f.Type}
	if f.Type != elf.ET_DYN && f.Type != elf.ET_EXEC {
		return o, nil
	}
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			text, err := readString(p, 0, maxString)
			if err != nil {
				return nil, fmt.Errorf("malformed: interpreter: %w", err)
			}
			o.interpreter = text
		case elf.PT_DYNAMIC:
			if err := o.readDynamic(f, p); err != nil {
				return nil, fmt.Errorf("malformed: %w", err)
			}
		}
	}
	return o, nil
}

// readHead returns the header without its section headers.
func readHead(r io.ReaderAt) ([]byte, error) {
	head := make([]byte, 64)
	n, err := r.ReadAt(head, 0)
	head = head[:n]
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errNotELF
	}
	// the offsets of e_shoff, its length, and of e_phentsize
	shoff, size, phentsize := 32, 4, 42
	if n > elf.EI_CLASS && elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64 {
		shoff, size, phentsize = 40, 8, 54
	}
	if n < phentsize+10 {
		return nil, errors.New("malformed: the header is cut off")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	if int(order.Uint16(head[phentsize:]))*int(order.Uint16(head[phentsize+2:])) > maxSegments {
		return nil, errors.New("malformed: too many program headers")
	}
	clear(head[shoff : shoff+size])
	clear(head[phentsize+6 : phentsize+10]) // e_shnum, e_shstrndx
	return head, nil
}

// withHead reads a file whose beginning is another.
type withHead struct {
	io.ReaderAt
	head []byte
}

func (w withHead) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	if off < int64(len(w.head)) {
		copy(p[:n], w.head[off:])
	}
	return n, err
}

func (o *object) readDynamic(f *elf.File, p *elf.Prog) error {
	if p.Filesz > maxDynamic {
		return errors.New("the dynamic section is too long")
	}
	data := make([]byte, p.Filesz)
	if _, err := p.ReadAt(data, 0); err != nil {
		return fmt.Errorf("dynamic section: %w", err)
	}
	type entry struct {
		tag   elf.DynTag
		value uint64
	}
	var entries []entry
	var strtab uint64
	word := 8
	if o.class == elf.ELFCLASS32 {
		word = 4
	}
	for ; len(data) >= 2*word; data = data[2*word:] {
		e := entry{elf.DynTag(o.word(data)), o.word(data[word:])}
		if e.tag == elf.DT_NULL {
			break
		}
		if e.tag == elf.DT_STRTAB {
			strtab = e.value
		}
		entries = append(entries, e)
	}
	text := func(offset uint64, limit int) (string, error) {
		s, err := readVirtual(f, strtab, offset, limit)
		if o.strings += len(s); o.strings > maxStrings {
			err = errors.New("its names are too long together")
		}
		return s, err
	}
	for _, e := range entries {
		var err error
		switch e.tag {
		case elf.DT_NEEDED, elf.DT_FILTER, elf.DT_AUXILIARY:
			if len(o.needs) == maxDependences {
				return errors.New("it needs too many libraries")
			}
			d := dependence{optional: e.tag == elf.DT_AUXILIARY}
			d.name, err = text(e.value, 4096)
			o.needs = append(o.needs, d)
		case elf.DT_SONAME:
			o.soname, err = text(e.value, 4096)
		case elf.DT_RPATH:
			o.rpath.set = true
			o.rpath.text, err = text(e.value, maxString)
		case elf.DT_RUNPATH:
			o.runpath.set = true
			o.runpath.text, err = text(e.value, maxString)
		case elf.DT_FLAGS_1:
			o.noDefault = elf.DynFlag1(e.value)&elf.DF_1_NODEFLIB != 0
		}
		if err != nil {
			return fmt.Errorf("%v: %w", e.tag, err)
		}
	}
	if strings.Count(o.rpath.text, ":") >= maxElements || strings.Count(o.runpath.text, ":") >= maxElements {
		return errors.New("a search path has too many directories")
	}
	return nil
}

func (o *object) word(data []byte) uint64 {
	if o.class == elf.ELFCLASS32 {
		return uint64(o.order().Uint32(data))
	}
	return o.order().Uint64(data)
}

// readVirtual returns the string that will stand at an offset of a table in memory.
func readVirtual(f *elf.File, table, offset uint64, limit int) (string, error) {
	at := table + offset
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && at >= p.Vaddr && at-p.Vaddr < p.Filesz {
			return readString(p, int64(at-p.Vaddr), limit)
		}
	}
	return "", errors.New("a string lies outside of the file")
}

// readString returns the string that ends at the next NUL.
func readString(r io.ReaderAt, at int64, limit int) (string, error) {
	var text []byte
	for chunk := 256; len(text) <= limit; chunk *= 2 {
		part := make([]byte, chunk)
		n, err := r.ReadAt(part, at+int64(len(text)))
		if end := bytes.IndexByte(part[:n], 0); end >= 0 {
			if len(text)+end > limit {
				break
			}
			return string(append(text, part[:end]...)), nil
		}
		if err != nil {
			return "", errors.New("a string has no end")
		}
		text = append(text, part...)
	}
	return "", errors.New("a string is too long")
}
