package plan

import (
	"errors"
	"fmt"
	"strings"

	units "github.com/docker/go-units"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// Limit is how large the tree of a finished stage may be (FROM --max-size).
type Limit struct {
	// Of is the instance that has it.
	Of *Instance
	// Bytes is the limit, Text what the user wrote. Without a text there is no limit, and
	// the tree is measured.
	Bytes int64
	Text  string
}

// Limits is what becomes of the limits of stages' sizes.
type Limits int

// What becomes of limits.
const (
	// Hold makes gates of them.
	Hold Limits = iota
	// Ignore only reads them.
	Ignore
	// Measure plans without any gates, and has each stage measured.
	Measure
)

// limitOf returns that of a FROM; nil where it has none.
func (p *planner) limitOf(inst *Instance) (*Limit, error) {
	from := inst.From
	if from.MaxSize == "" {
		return p.measured(inst), nil
	}
	text, err := p.fromWord(from, inst.Env, from.MaxSize)
	if err != nil {
		return nil, err
	}
	bytes, err := parseSize(text)
	if err != nil {
		if text != from.MaxSize {
			err = fmt.Errorf("%s is %s here: %w", from.MaxSize, shortened(text), err)
		}
		return nil, from.Error(from.MaxSizeFlag, fmt.Errorf("--max-size: %w", err))
	}
	if p.opt.Limits != Hold {
		return p.measured(inst), nil
	}
	return &Limit{inst, bytes, text}, nil
}

// measured returns what has an instance measured where the build asks for sizes; nil where it does
// not.
func (p *planner) measured(inst *Instance) *Limit {
	if p.opt.Limits != Measure {
		return nil
	}
	return &Limit{Of: inst}
}

// sizes are the sizes that are understood, none of which is too large for a number.
var sizes = pattern.New(`^([0-9]{1,15}|[0-9]{1,6}(\.[0-9]{1,6})?[kKMGT]i?)B$`)

// parseSize returns the bytes of a size with a decimal (kB, MB, GB, TB: powers of 1000) or binary
// unit (KiB, MiB, GiB, TiB: powers of 1024), or in B.
func parseSize(text string) (int64, error) {
	parse := units.FromHumanSize
	if strings.Contains(text, "i") {
		parse = units.RAMInBytes
	}
	if sizes().MatchString(text) {
		if bytes, err := parse(text); err == nil {
			return bytes, nil
		}
	}
	return 0, errors.New("a size is a number with its unit, such as 20MB (decimal: kB, MB, GB, TB) or 20MiB (binary: KiB, MiB, GiB, TiB)")
}
