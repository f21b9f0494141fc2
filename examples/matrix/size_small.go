//go:build small

// Package matrix has a size.
package matrix

// Size is the size.
const Size = "small"
