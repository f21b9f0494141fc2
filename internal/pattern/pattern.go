// Package pattern has regular expressions that are compiled at their first use. The program of the
// image starts once a build, and a build needs few of those that there are: to compile all of
// them took a twelfth of the start.
package pattern

import (
	"regexp"
	"sync"
)

// New returns a function that gives the compiled expression. It panics, as regexp.MustCompile does,
// if the expression cannot be parsed. It is safe for use by several goroutines.
func New(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
