package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/internal/step"
)

// Out is the file in which a step gives a Report.
const Out = step.OutDir + "/size.json"

// What a step needs to know of its trees, each a state, is in its environment, which no mistake of it
// shows.
const (
	// EnvStates is how many states there are.
	EnvStates = "STATES"
	// EnvLine, with the number of a state behind it, is the step that made that state, for people.
	EnvLine = "LINE_"
	// EnvLimit is how many bytes the tree may have.
	EnvLimit = "LIMIT"
)

// CheckLimit is the subcommand "max-size": it holds the size of a tree against the limit. args are the
// limit as a user wrote it and the name of the stage. Its error is for who reads the log of the step.
func CheckLimit(ctx context.Context, args []string, getenv func(string) string) error {
	if len(args) != 2 {
		return fmt.Errorf("max-size takes a limit and the name of a stage, not %q", args)
	}
	limit, err := strconv.ParseInt(getenv(EnvLimit), 10, 64)
	if err != nil {
		return fmt.Errorf("failed to read the limit: %w", err)
	}
	r, err := measureStates(ctx, step.Dir, getenv)
	if err != nil {
		return err
	}
	return r.check(args[1], args[0], limit, getenv)
}

// WriteSizes is the subcommand "size": it writes the Report of a tree as JSON.
func WriteSizes(ctx context.Context, _ []string, getenv func(string) string) error {
	r, err := measureStates(ctx, step.Dir, getenv)
	if err != nil {
		return err
	}
	dt, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(Out, dt, 0o644)
}

func measureStates(ctx context.Context, dir string, getenv func(string) string) (*Report, error) {
	n, err := strconv.Atoi(getenv(EnvStates))
	if err != nil {
		return nil, fmt.Errorf("failed to read the number of states: %w", err)
	}
	states := make([]string, n)
	for i := range states {
		states[i] = path.Join(dir, strconv.Itoa(i))
	}
	return Measure(ctx, states...)
}

// listed is how many directories a mistake names.
const listed = 5

// check holds the size against a limit.
func (r *Report) check(stage, stated string, limit int64, getenv func(string) string) error {
	if r.Size() <= limit {
		return nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s has %s (%d bytes), which is %s more than --max-size=%s", stage, Bytes(r.Size()), r.Size(), Bytes(r.Size()-limit), stated)
	for i, e := range r.LargestDirectories[:min(listed, len(r.LargestDirectories))] {
		if i == 0 {
			out.WriteString("\nlargest directories:")
		}
		fmt.Fprintf(&out, "\n  %-8s %s", Bytes(e.Size), e.Path)
	}
	most := 0
	for i := range r.Steps {
		if r.Steps[i].Adds > r.Steps[most].Adds {
			most = i
		}
	}
	if line := getenv(EnvLine + strconv.Itoa(most)); line != "" {
		fmt.Fprintf(&out, "\nmost was added here:\n  %-8s %s", Bytes(r.Steps[most].Adds), line)
	}
	return errors.New(out.String())
}
