package syntax

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// lockInstruction says that a lock file pins the sources of the build: LOCK, LOCK path.
const lockInstruction = "lock"

// Lock is a LOCK.
type Lock struct {
	// Path is the lock file as written; empty for the one beside the Dockerfile.
	Path string
	// Place is the instruction.
	Place diagnostic.Place
}

// addLock reads a LOCK, which stands in line.
func (f *File) addLock(line logicalLine, started bool, open *blocks) error {
	f.Extended = true
	r := readLine(line.text, 0, f.Escape)
	span := func(s Span) []parser.Range {
		return []parser.Range{{Start: f.index.position(line.offset(s.Start, false)), End: f.index.position(line.offset(s.End, true))}}
	}
	refuse := func(s Span, format string, args ...any) error {
		return f.errorAt(line.offset(s.Start, false), line.offset(s.End, true), format, args...)
	}
	whole := Span{r.keyword.Start, max(r.args.End, r.keyword.End)}
	path := line.text[r.args.Start:r.args.End]
	switch {
	case started:
		return refuse(r.keyword, "LOCK stands before the first FROM")
	case open.open != nil:
		return refuse(r.keyword, "LOCK stands outside of blocks: a build is locked or not, pass --build-arg STAGECRAFT_LOCK=off for one that is not")
	case len(r.flags) > 0:
		return refuse(r.flags[0].Span, "LOCK takes no flags: a build is locked or not, pass --build-arg STAGECRAFT_LOCK=off for one that is not")
	case f.Lock != nil:
		return refuse(whole, "a second LOCK: the first one stands on line %d", f.Lock.Place.Line())
	case spaces().MatchString(path):
		return refuse(r.args, "LOCK takes the path of one file: write LOCK or LOCK path/to/file")
	case strings.ContainsAny(path, "$\"'"):
		return refuse(r.args, "the path of a lock stands for itself: write it without quotes and variables")
	}
	f.Lock = &Lock{Path: path, Place: f.at(span(whole))}
	return nil
}
