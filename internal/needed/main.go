package needed

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path"
	"strings"
)

// Main is a step of a build: it finds what sources need and writes what a destination
// lacks of it. The arguments are
//
//	--tree=DIR --into=DIR --to=PATH --out=DIR [--path=PATH] -- SOURCE…
//
// with the meaning of Copy and Options. An error is written to stderr as one line, and
// returned for the exit status alone.
func Main(ctx context.Context, args []string, stderr io.Writer) error {
	err := run(ctx, args)
	if err != nil {
		fmt.Fprintln(stderr, "COPY --needed:", oneLine(err))
	}
	return err
}

func run(ctx context.Context, args []string) error {
	var c Copy
	var opt Options
	flags := flag.NewFlagSet("needed", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.Tree, "tree", "", "")
	flags.StringVar(&c.Into, "into", "", "")
	flags.StringVar(&c.To, "to", "", "")
	flags.StringVar(&c.Out, "out", "", "")
	flags.StringVar(&opt.Path, "path", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	opt.Sources = flags.Args()
	switch {
	case c.Tree == "" || c.Into == "" || c.Out == "":
		return errors.New("--tree, --into and --out are needed")
	case !path.IsAbs(c.To):
		return fmt.Errorf("--to=%s is no absolute path", show(c.To))
	case len(opt.Sources) == 0:
		return errors.New("no source is named")
	}
	r, err := Find(ctx, c.Tree, opt)
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
