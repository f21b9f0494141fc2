package syntax

import (
	"fmt"

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

// Locate gives an error of upstream's parser its place in this file.
func (f *File) Locate(err error) error { return diagnostic.Locate(f.Text, err) }
