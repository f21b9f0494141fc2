package needed

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
)

const (
	maxCache = 16 << 20 // bytes; a distribution's has some hundred thousand

	oldMagic  = "ld.so-1.7.0"
	newMagic  = "glibc-ld.so.cache1.1"
	oldHeader = 16
	oldEntry  = 12
	newHeader = 48
	newEntry  = 24
	// longestCached is how long a name or path of a cache may be.
	longestCached = 4096
)

// A cached is an entry of the cache of glibc's loader.
type cached struct {
	path  string
	flags uint32
	hwcap bool // for some processors only
}

// parseCache returns the entries of a loader's cache by the name of the library,
// in their order. It reads the format of glibc 2.2 and later, alone or behind the
// older one, and the older one alone.
func parseCache(data []byte, order binary.ByteOrder) (map[string][]cached, error) {
	if bytes.HasPrefix(data, []byte(newMagic)) {
		return parseNewCache(data, order)
	}
	if !bytes.HasPrefix(data, []byte(oldMagic)) || len(data) < oldHeader {
		return nil, errors.New("not a loader's cache")
	}
	end, ok := tableEnd(data, order, 12, oldHeader, oldEntry)
	if !ok {
		return nil, errors.New("the cache is cut off")
	}
	// the newer format begins where eight divides the offset, seen by the
	// strictest of the old machines
	for at := end; at <= end+8 && at < len(data); at++ {
		if bytes.HasPrefix(data[at:], []byte(newMagic)) {
			return parseNewCache(data[at:], order)
		}
	}
	return parseEntries(data[oldHeader:end], data[end:], order, oldEntry)
}

func parseNewCache(data []byte, order binary.ByteOrder) (map[string][]cached, error) {
	end, ok := tableEnd(data, order, len(newMagic), newHeader, newEntry)
	if !ok {
		return nil, errors.New("the cache is cut off")
	}
	// the low bits tell the byte order: 2 is little, 3 big, 0 is not told
	const little, big = 2, 3
	if told := data[28] & 3; told == little && order != binary.LittleEndian || told == big && order != binary.BigEndian || told == 1 {
		return nil, errors.New("the cache is for another byte order")
	}
	return parseEntries(data[newHeader:end], data, order, newEntry)
}

// tableEnd returns where a table of entries ends, whose length stands at an offset.
func tableEnd(data []byte, order binary.ByteOrder, at, header, size int) (int, bool) {
	if len(data) < header {
		return 0, false
	}
	count := uint64(order.Uint32(data[at:]))
	if count > uint64(len(data)-header)/uint64(size) {
		return 0, false
	}
	return header + int(count)*size, true
}

func parseEntries(table, rest []byte, order binary.ByteOrder, size int) (map[string][]cached, error) {
	texts := string(rest) // all names share it: a hostile table points at one text again and again
	entries := map[string][]cached{}
	for ; len(table) > 0; table = table[size:] {
		name, ok := cachedText(texts, order.Uint32(table[4:]))
		path, okay := cachedText(texts, order.Uint32(table[8:]))
		if !ok || !okay {
			return nil, errors.New("the cache names strings that it does not have")
		}
		c := cached{path: path, flags: order.Uint32(table)}
		if size == newEntry {
			c.hwcap = order.Uint64(table[16:]) != 0
		}
		entries[name] = append(entries[name], c)
	}
	return entries, nil
}

func cachedText(texts string, at uint32) (string, bool) {
	if uint64(at) >= uint64(len(texts)) {
		return "", false
	}
	texts = texts[at:min(len(texts), int(at)+longestCached)]
	end := strings.IndexByte(texts, 0)
	if end < 0 {
		return "", false
	}
	return texts[:end], true
}

// cacheFlags are what glibc's ldconfig writes for a library of a machine. The
// older ones among them are of libraries that no program of today takes.
var cacheFlags = map[abi][]uint32{
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_X86_64}:  {0x0303},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_X86_64}:  {0x0803},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_386}:     {0x0003},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_AARCH64}: {0x0a03},
	{elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM}:     {0x0903, 0x0b03, 0x0003},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_PPC64}:   {0x0503},
	{elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_S390}:    {0x0403},
	{elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_RISCV}:   {0x1003, 0x0f03},
}
