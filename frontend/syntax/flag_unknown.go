package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/suggest"
)

// unknownFlag words an error of upstream about a flag that an instruction does
// not have: the flag may be nearly one of ours, or stand elsewhere.
func (in *Instruction) unknownFlag(err error) (error, bool) {
	_, name, ok := strings.Cut(err.Error(), "unknown flag: ")
	if !ok {
		return err, false
	}
	name, upstream, suggested := strings.Cut(name, " ")
	if _, ok := strings.CutPrefix(upstream, "(did you mean"); suggested && ok {
		return err, false
	}
	unknown := fmt.Errorf("unknown flag: %s", name)
	if lower := strings.ToLower(name); lower != name && slices.Contains(oursOf(in.Keyword), lower) {
		return fmt.Errorf("%w (flags stand in lower case: write %s)", unknown, lower), true
	}
	var near []string
	for _, flag := range oursOf(in.Keyword) {
		near = append(near, strings.TrimPrefix(flag, "--"))
	}
	bare := strings.TrimPrefix(name, "--")
	if len(bare) > 3 || strings.Trim(bare, "if") == "" { // else every short name is near to --if
		if ok, err := suggest.WrapErrorMaybe(unknown, bare, near, true); ok {
			return err, true
		}
	}
	switch name {
	case "--else":
		return errors.New("unknown flag: --else (write --if with the opposite condition on this line)"), true
	case "--after", "--bake", "--max-size", "--reset", "--squash", "--with":
		return fmt.Errorf("unknown flag: %s (it stands on FROM)", name), true
	case "--if-exists":
		return errors.New("unknown flag: --if-exists (it stands on COPY and ADD)"), true
	case "--needed":
		return errors.New("unknown flag: --needed (it stands on COPY)"), true
	case "--no-cache":
		return errors.New("unknown flag: --no-cache (it stands on RUN)"), true
	case "--required", "--oneof", "--global":
		return fmt.Errorf("unknown flag: %s (it stands on ARG)", name), true
	}
	return err, false
}
