// Package memory sets the garbage collector for the program of the frontend image,
// which lives for a second: to collect as often as a server does costs it a third of
// its time.
package memory

import "runtime/debug"

const (
	// percent is how much the heap may grow between two collections.
	percent = 1600
	// limit is the heap, in bytes, near which the collector works as often as it
	// has to.
	limit = 1 << 30
)

// Tune sets the collector of this process, whatever GOGC and GOMEMLIMIT say:
// BuildKit passes neither.
func Tune() {
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}
