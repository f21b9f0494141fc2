package tree

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Main is the subcommand "tree" of the frontend's program: it measures the states that its arguments
// name, and writes the Report as JSON or holds the size against a limit. What it returns is for the
// user who reads the log of the step. Usage goes to stderr.
func Main(ctx context.Context, args []string, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("tree", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "out", "", "write the sizes to this `file` as JSON")
	flags.StringVar(&o.limit, "limit", "", "fail if the tree has more than so many `bytes`")
	flags.StringVar(&o.stated, "stated", "", "the limit as the user `wrote` it")
	flags.StringVar(&o.stage, "stage", "tree", "the `name` of what is measured")
	flags.Func("line", "what made a state, once for each `state`", func(line string) error {
		o.lines = append(o.lines, line)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("tree needs the directories of the states to measure")
	}
	r, err := Measure(ctx, flags.Args()...)
	if err != nil {
		return err
	}
	if err := o.check(r); err != nil || o.out == "" {
		return err
	}
	dt, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, dt, 0o644)
}

type options struct {
	out, limit, stated, stage string
	lines                     []string
}

// listed is how many directories a mistake names.
const listed = 5

// check holds a tree against the limit.
func (o *options) check(r *Report) error {
	if o.limit == "" {
		return nil
	}
	limit, err := strconv.ParseInt(o.limit, 10, 64)
	if err != nil {
		return fmt.Errorf("failed to read the limit: %w", err)
	}
	if r.Size() <= limit {
		return nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s has %s (%d bytes), which is %s more than --max-size=%s", o.stage, Bytes(r.Size()), r.Size(), Bytes(r.Size()-limit), o.stated)
	for i, e := range r.LargestDirectories[:min(listed, len(r.LargestDirectories))] {
		if i == 0 {
			out.WriteString("\nlargest directories:")
		}
		fmt.Fprintf(&out, "\n  %-8s %s", Bytes(e.Size), e.Path)
	}
	most := 0
	for i, step := range r.Steps {
		if step.Adds > r.Steps[most].Adds {
			most = i
		}
	}
	if most < len(o.lines) {
		fmt.Fprintf(&out, "\nmost was added here:\n  %-8s %s", Bytes(r.Steps[most].Adds), o.lines[most])
	}
	return errors.New(out.String())
}
