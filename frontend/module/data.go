package module

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/data"
	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// Data is a data file of a build.
type Data struct {
	// Source holds the file.
	Source *Source
	// Value is an object or a list, as package data reads it. Nobody changes it.
	Value any

	err error // of reading it
}

// Data returns the data file that a file asks for; the same one each time. Errors
// are of type *Error, or those of the file itself.
func (s *Set) Data(ctx context.Context, importer *File, req Request) (*Data, error) {
	f, err := s.resolve(ctx, importer, req)
	if err != nil {
		return nil, err
	}
	f.BuildContext = nil // from which nothing of it copies
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.data[f.key()]
	if !ok {
		d = &Data{Source: f.Source}
		s.data[f.key()] = d
		d.Value, d.err = s.loadData(ctx, f)
	}
	return d, d.err
}

func (s *Set) loadData(ctx context.Context, f *File) (any, error) {
	if s.full() {
		return nil, &Error{err: fmt.Errorf("the build has more than %d files", MaxFiles)}
	}
	text, err := s.read(ctx, f)
	if err != nil {
		return nil, err
	}
	v, err := data.Read(text.Data)
	var at *data.Error
	switch errors.As(err, &at); {
	case at != nil && len(text.Data) > data.MaxSize: // errors carry the file
		return nil, &Error{err: err}
	case at != nil:
		return nil, diagnostic.Errorf(diagnostic.Place{Text: text, Ranges: []parser.Range{{Start: position(text, at.Start), End: position(text, at.End)}}}, "%w", at.Err)
	}
	return v, err
}

func position(text *diagnostic.Text, at int) parser.Position {
	return parser.Position{Line: data.Line(text.Data, at), Character: data.Column(text.Data, at)}
}
