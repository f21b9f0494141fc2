package needed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/stagecraft-build/stagecraft/internal/step"
)

// EnvPath is where env looks for programs in the tree, as PATH has it.
const EnvPath = "SEARCH"

// Main is the subcommand "needed" of the frontend's program: it finds what sources of the first tree need,
// and writes what the second one lacks of it, the destination before the COPY; without a second one that is
// empty. args are where the COPY puts the sources, with a slash at its end where that is a directory, and the
// sources. Its error is one line for who reads the log of the step.
func Main(ctx context.Context, args []string, getenv func(string) string) error {
	c := Copy{Tree: path.Join(step.Dir, "0"), Into: path.Join(step.Dir, "1"), Out: step.OutDir}
	if _, err := os.Lstat(c.Into); errors.Is(err, fs.ErrNotExist) {
		c.Into = ""
	}
	if err := c.run(ctx, args, getenv(EnvPath)); err != nil {
		return fmt.Errorf("COPY --needed: %s", oneLine(err))
	}
	return nil
}

// run finds and copies for a destination and sources.
func (c Copy) run(ctx context.Context, args []string, search string) error {
	if len(args) < 2 || !path.IsAbs(args[0]) {
		return fmt.Errorf("a destination and sources are expected, not %q", args)
	}
	c.To = args[0]
	r, err := Find(ctx, c.Tree, Options{Sources: args[1:], Path: search})
	if err != nil {
		return err
	}
	return Write(ctx, c, r)
}

// oneLine is an error's text without control characters.
func oneLine(err error) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, err.Error())
}
