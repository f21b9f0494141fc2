// Package guard turns panics into errors. A panic that ends the process of the
// frontend reaches the user as "exit code: 2" and nothing else, so every goroutine
// that runs our code recovers, and so does all of ours that BuildKit's packages
// call: they do so from goroutines of their own.
package guard

import (
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/moby/buildkit/util/stack"
	"github.com/pkg/errors"

	"github.com/stagecraft-build/stagecraft/internal/version"
)

// Recover turns a panic of the deferring function into an error.
func Recover(err *error) {
	if v := recover(); v != nil {
		*err = panicError(v)
	}
}

// panicError says what panicked and where. The whole stack travels with the
// error: docker build --debug prints it.
func panicError(v any) error {
	return stack.Enable(errors.Errorf("internal error: %v, at %s; "+
		"this is a bug in stagecraft %s, please report it with the Dockerfile at https://github.com/stagecraft-build/stagecraft/issues",
		v, panicSite(), version.Get().Version))
}

// panicSite returns function, file and line of the panic under recovery.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicked && !inRuntime {
			return fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}
