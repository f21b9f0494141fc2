package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/suggest"
)

// suggestStage adds the stage that name may have been meant for, or all.
func suggestStage(file *dockerfile, err error, name string) error {
	var names []string
	for _, stage := range file.Stages {
		if stage.Name != "" {
			names = append(names, stage.Name)
		}
	}
	if ok, err := suggest.WrapErrorMaybe(err, name, names, false); ok {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (the stages have no names: write FROM … AS %s)", err, name)
	}
	return fmt.Errorf("%w (the stages are %s)", err, strings.Join(names, ", "))
}

func suggestName(err error, name string, names *scope) error {
	var known []string
	for n := range names.env.globals {
		known = append(known, n)
	}
	for n := range names.local {
		known = append(known, n)
	}
	slices.Sort(known)
	return suggest.WrapError(err, name, known, true)
}

func suggestArg(err error, name string, names []string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if ok, err := suggest.WrapErrorMaybe(err, name, names, true); ok {
		return err
	}
	if ok, err := suggest.WrapErrorMaybe(err, name, names, false); ok {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (it has none)", err)
	}
	return fmt.Errorf("%w (it takes %s)", err, strings.Join(names, ", "))
}
