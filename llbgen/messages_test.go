package llbgen

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestSharedErrorKeepsItsPlace has two users of a broken unit, as the converter has them: each adds
// its place to what it got, and the error of the unit has its own place only.
func TestSharedErrorKeepsItsPlace(t *testing.T) {
	t.Parallel()
	at := func(line int) []parser.Range {
		return []parser.Range{{Start: parser.Position{Line: line}, End: parser.Position{Line: line}}}
	}
	shared := parser.WithLocation(fs.ErrNotExist, at(1))
	for line := 2; line < 4; line++ {
		user := parser.WithLocation(&unitError{shared}, at(line))
		var other *unitError
		if !errors.As(user, &other) || !errors.Is(user, fs.ErrNotExist) {
			t.Errorf("the error of the unit is not found in %v", user)
		}
	}
	var located *parser.LocationError
	if !errors.As(shared, &located) || len(located.Locations) != 1 {
		t.Errorf("the error of the unit has the places %v", located.Locations)
	}
}
