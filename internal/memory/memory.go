// Package memory sets the garbage collector and the pages of the program of the frontend image,
// which lives for a second: to collect as often as a server does, and to take its memory in pages of
// 4 KiB, costs it half of its time.
package memory

import (
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

const (
	// first is how much the heap may grow, in percent of Go's smallest of 4 MiB,
	// before the first collection. Most builds end before.
	first = 200
	// percent is how much the heap may grow between two collections after that.
	percent = 1600
	// limit is the heap, in bytes, near which the collector works as often as it
	// has to.
	limit = 1 << 30
	// room is the part of the heap, in bytes, that is made of huge pages.
	room = 128 << 20
)

// Tune sets the memory of this process, whatever GOGC and GOMEMLIMIT say:
// BuildKit passes neither.
func Tune() {
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(first)
	runtime.AddCleanup(new([1 << 10]byte), func(struct{}) { makeRoom() }, struct{}{})
}

// makeRoom lets the heap grow into huge pages. It runs after the first collection, for a process
// whose heap stays small would pay for the collection and win nothing.
func makeRoom() {
	// What is allocated here and never touched costs addresses only. After the
	// collection the heap grows into it.
	_ = unix.Madvise(make([]byte, room), unix.MADV_HUGEPAGE) // a kernel that has none goes on with small pages
	runtime.GC()
	debug.SetGCPercent(percent)
}
