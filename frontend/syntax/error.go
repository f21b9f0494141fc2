package syntax

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// at returns ranges of the file as a place.
func (f *File) at(ranges []parser.Range) diagnostic.Place {
	return diagnostic.Place{Text: f.Text, Ranges: ranges}
}

// span returns the place between two offsets of the file.
func (f *File) span(from, to int) diagnostic.Place {
	return f.at([]parser.Range{{Start: f.index.position(from), End: f.index.position(to)}})
}

// errorAt returns a mistake between two offsets of the file.
func (f *File) errorAt(from, to int, format string, args ...any) error {
	return diagnostic.At(f.span(from, to), fmt.Errorf(format, args...))
}

// Place returns where span stands in the file, to the column.
func (in *Instruction) Place(span Span) diagnostic.Place { return in.file.at(in.Ranges(span)) }

// Lines returns the lines of the instruction, heredocs included.
func (in *Instruction) Lines() diagnostic.Place { return in.file.at(in.Location()) }

// Error returns err as a mistake at span.
func (in *Instruction) Error(span Span, err error) error { return diagnostic.At(in.Place(span), err) }

// Errorf returns a mistake at span.
func (in *Instruction) Errorf(span Span, format string, args ...any) error {
	return diagnostic.Errorf(in.Place(span), format, args...)
}

// Locate gives an error at a span of the logical line its place in the file, any
// other the lines of the instruction.
func (in *Instruction) Locate(err error) error {
	span, mistake, ok := SpanOf(err)
	if !ok {
		return diagnostic.At(in.Lines(), err)
	}
	return in.Error(span, mistake)
}

// ErrorOfLine returns err as a mistake of the whole logical line, which names the column where it starts.
func (in *Instruction) ErrorOfLine(err error) error {
	return in.Error(Span{0, len(strings.TrimRightFunc(in.Line, unicode.IsSpace))}, err)
}

// Locate gives an error of upstream's parser its place in this file.
func (f *File) Locate(err error) error { return diagnostic.Locate(f.Text, err) }

// refusedFrom words an error of upstream's parser about the words of a line that was meant as
// an ENV --from, which it does not know.
func (f *File) refusedFrom(err error) error {
	var located *parser.LocationError
	if !errors.As(err, &located) || len(located.Locations) == 0 || len(located.Locations[0]) == 0 {
		return err
	}
	n := located.Locations[0][0].Start.Line
	if n < 1 || n > len(f.index.starts) {
		return err
	}
	line, at := f.index.line(n)
	better := f.refusedValues(readLine(string(line), 0, f.Escape), string(line), at)
	if better == nil {
		return err
	}
	f.Extended = true
	return better
}

// CutOff refuses a last line that ends in an escape token when what it continues ends in
// one too: only the end of the file ends that, and lowering writes lines below. A plain file
// that is built as it is may have it.
func (f *File) CutOff() error {
	if len(f.Stages) == 0 {
		return nil
	}
	stage := f.Stages[len(f.Stages)-1]
	last := stage.From
	if n := len(stage.Instructions); n > 0 {
		last = stage.Instructions[n-1]
	}
	if last.dangling && newJoiner(f.index, f.Escape).continues([]byte(last.logical.text)) >= 0 {
		at := last.logical.offset(len(last.logical.text), true)
		return f.errorAt(at, at+1, "the %c ends the file and continues nothing: remove it", f.Escape)
	}
	return nil
}
