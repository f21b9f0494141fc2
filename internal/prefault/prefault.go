// Package prefault has the kernel map the pages of the program and of its first heap in a few calls, as
// soon as it is initialized, when BuildKit starts the program as a frontend. Else the program takes a page
// fault for each, a thousand until it has started: a fifth of that time in the virtual machine in which it
// was measured, where a fault takes 11 microseconds; where it takes less, there is less to win. The price is some ten megabytes more of resident memory, most of it the
// program's file.
//
// Go initializes a package once all that it imports is, by their paths: this one imports next to nothing,
// so that the pages are there before most other packages need them.
package prefault

import (
	"syscall"
	"unsafe"
)

// The advice of madvise(2): MADV_HUGEPAGE, MADV_POPULATE_READ and MADV_POPULATE_WRITE.
const hugePages, populateRead, populateWrite = 14, 22, 23

func init() {
	if _, ok := syscall.Getenv("BUILDKIT_SESSION_ID"); !ok { // a step of a build, which may have little memory
		return
	}
	var maps [4 << 10]byte
	populate(maps[:read(maps[:])], uintptr(unsafe.Pointer(&maps)), func(r region, advice uintptr) {
		_ = advise(r, advice) // a kernel that does not know it goes on as it is
	})
}

// read reads the first of the kernel's text about the regions of this process, and returns its length; 0
// where there is none. The program and the heap have the lowest addresses, and come first.
func read(maps []byte) int {
	fd, err := syscall.Open("/proc/self/maps", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	n, _ := syscall.Read(fd, maps)
	_ = syscall.Close(fd)
	return max(n, 0)
}

func advise(r region, advice uintptr) syscall.Errno {
	_, _, err := syscall.RawSyscall(syscall.SYS_MADVISE, r.start, r.end-r.start, advice)
	return err
}

// populate calls advise for each region of maps, the text of proc_pid_maps(5), that shows a file, of which
// a static program has its own alone, or holds the address heap. A last line that is cut off does not count.
func populate(maps []byte, heap uintptr, advise func(r region, advice uintptr)) {
	for start, i := 0, 0; i < len(maps); i++ {
		if maps[i] != '\n' {
			continue
		}
		r := parse(maps[start:i])
		start = i + 1
		switch {
		case r.file && r.writable:
			advise(r, populateWrite)
		case r.file:
			advise(r, populateRead)
		case r.start <= heap && heap < r.end: // stacks stand there too
			advise(r, hugePages)
			advise(r, populateWrite)
		}
	}
}

// region is a range of addresses.
type region struct {
	start, end uintptr
	// file says that it shows a file.
	file     bool
	writable bool
}

// parse reads a line: 00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/program.
func parse(line []byte) region {
	var r region
	r.start, line = hexadecimal(line)
	r.end, line = hexadecimal(line)
	for i, c := range line {
		r.writable = r.writable || i == 1 && c == 'w'
		r.file = r.file || c == '/'
	}
	return r
}

// hexadecimal reads a number and what ends it.
func hexadecimal(text []byte) (n uintptr, rest []byte) {
	for i, c := range text {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uintptr(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uintptr(c-'a'+10)
		default:
			return n, text[i+1:]
		}
	}
	return n, nil
}
