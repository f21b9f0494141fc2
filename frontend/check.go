package frontend

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

// check answers a check of a file with extensions, whatever is wrong with it: an
// error of the call itself is nothing that an editor shows. run gives the warnings
// and returns the mistake.
//
// Editors show what the JSON form says on the lines of the file that is open, and
// do not look which file a finding belongs to. So there a finding in an imported
// file stands where the main file asks for that file, and its text says where it
// is. The text form shows it in its own file.
func check(ctx context.Context, sources *source.Sources, run func(context.Context, llbgen.Warn) error) (*client.Result, error) {
	c := &checker{sources: sources}
	c.shown.AddSource(sources.Main.SourceMap)
	c.editor.AddSource(sources.Main.SourceMap)
	c.lines = bytes.Split(sources.Main.Data, []byte("\n"))
	w := &warner{show: c.warn}
	err := guarded(func() error { return run(ctx, w.warn) })
	if err == nil {
		err = w.bug()
	}
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		c.editor.Error = c.mistake(err)
	}
	res, err := c.editor.ToResult(nil)
	if err != nil || !c.imported {
		return res, err
	}
	var text bytes.Buffer
	if err := c.shown.PrintTo(&text, nil); err != nil {
		return nil, err
	}
	if c.shown.Error != nil {
		text.WriteByte('\n')
		c.shown.PrintErrorTo(&text, nil)
	}
	res.AddMeta("result.txt", text.Bytes())
	res.AddMeta("version", []byte(checkVersion))
	return res, nil
}

// checkVersion is above that of upstream's answer: clients then print our text.
const checkVersion = "1.0.1"

// checker collects the findings of a check.
type checker struct {
	sources *source.Sources
	// editor has all of them in the main file, shown each in its own.
	editor, shown lint.LintResults
	// imported is set when one is in another file.
	imported bool
	lines    [][]byte // of the main file
}

// inMain reports whether a place is in the main file.
func inMain(place diagnostic.Place) bool { return place.Text == nil || place.Text.Name == "" }

func (c *checker) warn(w *diagnostic.Diagnostic) {
	place, name, message := w.Place, w.Rule.Name, w.Message
	if !inMain(place) {
		c.imported = true
		message = where(place) + ": " + message
		if slices.Contains(rewriting[:], name) {
			name += " in " + place.Text.Name
		}
		place = c.sources.Files.Asked(place.Text)
	}
	c.editor.AddWarning(name, w.Rule.Description, w.Rule.URL, message, 0, c.inEditor(place.Ranges))
	c.shown.AddWarning(w.Rule.Name, w.Rule.Description, w.Rule.URL, w.Message, c.shown.AddSource(c.sources.SourceMap(w.Place.Text)), w.Place.Ranges)
}

// rewriting are the rules that editors know by name how to mend, by writing the line
// of the finding anew: one that stands where a file is imported needs another name.
var rewriting = [...]string{
	linter.RuleMaintainerDeprecated.Name,
	linter.RuleStageNameCasing.Name,
	linter.RuleConsistentInstructionCasing.Name,
	linter.RuleRedundantTargetPlatform.Name,
}

// mistake returns what ended the check, for editors.
func (c *checker) mistake(err error) *lint.BuildError {
	out := &lint.BuildError{Message: err.Error()}
	var (
		at      *diagnostic.Diagnostic
		located *parser.LocationError
		ranges  []parser.Range
	)
	switch {
	case errors.As(err, &at) && inMain(at.Place):
		ranges = at.Place.Ranges
	case at != nil:
		c.imported = true
		place, _, _ := strings.Cut(at.Error(), at.Message)
		out.Message = where(at.Place) + ": " + strings.Replace(out.Message, place, "", 1)
		c.shown.Error = &lint.BuildError{Message: out.Message}
		c.shown.Error.Location.SourceIndex = int32(c.shown.AddSource(c.sources.SourceMap(at.Place.Text)))
		c.shown.Error.Location.Ranges = pbRanges(at.Place.Ranges)
		ranges = c.sources.Files.Asked(at.Place.Text).Ranges
		for _, related := range at.Related {
			if inMain(related.Place) && len(related.Ranges) > 0 {
				ranges = related.Ranges
				break
			}
		}
	case errors.As(err, &located):
		ranges = slices.Concat(located.Locations...)
	}
	if len(ranges) > 0 {
		out.Location.Ranges = pbRanges(c.inEditor(ranges))
	}
	return out
}

// inEditor gives ranges of the main file the form that editors read: columns counted
// from 0, every line one of the file, and one range at least, for some editors look
// at the first without a check.
func (c *checker) inEditor(ranges []parser.Range) []parser.Range {
	if len(ranges) == 0 { // of a warning
		ranges = []parser.Range{{Start: parser.Position{Line: 1}, End: parser.Position{Line: 1}}}
	}
	position := func(p parser.Position) parser.Position {
		return parser.Position{Line: min(max(p.Line, 1), len(c.lines)), Character: max(p.Character-1, 0)}
	}
	out := make([]parser.Range, 0, len(ranges))
	for _, r := range ranges {
		out = append(out, parser.Range{Start: position(r.Start), End: position(r.End)})
	}
	return out
}
