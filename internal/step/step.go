// Package step says where the program of the frontend finds what it works on when it runs as a step
// of a build.
package step

const (
	// Dir is the directory of the trees, each at its number, read-only.
	Dir = "/trees"
	// OutDir is the directory that the step gives.
	OutDir = "/out"
)
