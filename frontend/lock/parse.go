package lock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// Parse reads a lock file. An empty one has no entries. Errors are located in text.
func Parse(text *diagnostic.Text) (*Lock, error) {
	l := &Lock{Name: text.Name}
	at := func(first, last int) diagnostic.Place {
		return diagnostic.Place{Text: text, Ranges: []parser.Range{{Start: parser.Position{Line: first}, End: parser.Position{Line: last}}}}
	}
	if n := conflict(text.Data); n > 0 {
		return nil, diagnostic.At(at(n, n), errors.New("this is the mark of a merge conflict: keep the lines of both sides, each source once, and write the lock anew"))
	}
	if len(bytes.TrimSpace(text.Data)) == 0 {
		return l, nil
	}
	parsed, err := parser.Parse(bytes.NewReader(text.Data))
	if err != nil {
		var located *parser.LocationError
		where := at(1, 1)
		if errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
			where.Ranges = located.Locations[0]
		}
		return nil, diagnostic.At(where, fmt.Errorf("a lock is a Dockerfile: %w", err))
	}
	known := map[Source]int{}
	for _, node := range parsed.AST.Children {
		place := at(node.StartLine, node.EndLine)
		e, ok, err := parseEntry(node, parsed.EscapeToken)
		if err != nil {
			return nil, diagnostic.At(place, fmt.Errorf("this is no entry of a lock: %w", err))
		}
		if !ok {
			continue
		}
		if line, twice := known[e.Source]; twice {
			return nil, diagnostic.At(place, fmt.Errorf("%s stands on line %d too: keep one of them", e.Source, line))
		}
		known[e.Source] = node.StartLine
		e.Place = place
		l.Entries = append(l.Entries, e)
	}
	return l, nil
}

// conflict returns the first line that a merge left; 0 for none.
func conflict(data []byte) int {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
			if bytes.HasPrefix(line, []byte(mark)) {
				return n
			}
		}
	}
	return 0
}

// parseEntry reads a line; ok is false for FROM scratch.
func parseEntry(node *parser.Node, escape rune) (e Entry, ok bool, err error) {
	var words []string
	for n := node.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	switch strings.ToLower(node.Value) {
	case command.From:
		if len(words) == 1 && words[0] == "scratch" && len(node.Flags) == 0 {
			return Entry{}, false, nil
		}
		if len(words) != 1 || len(node.Flags) > 0 {
			return Entry{}, false, errors.New("write FROM image:tag@digest")
		}
		e, err = imageEntry(words[0])
		return e, true, err
	case command.Add:
		if len(words) != 2 || words[1] != "/" || len(node.Heredocs) > 0 {
			return Entry{}, false, errors.New("write ADD --checksum=digest URL /")
		}
		e, err = addEntry(words[0], node.Flags, escape)
		return e, true, err
	}
	return Entry{}, false, fmt.Errorf("a lock has lines with FROM and ADD, not %s", strings.ToUpper(node.Value))
}

func imageEntry(word string) (Entry, error) {
	named, err := reference.ParseNormalizedNamed(word)
	if err != nil {
		return Entry{}, fmt.Errorf("failed to parse the image name %q: %w", word, err)
	}
	digested, ok := named.(reference.Digested)
	if !ok {
		return Entry{}, fmt.Errorf("%s has no digest", word)
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return Entry{}, fmt.Errorf("%s has no tag, so nothing says which images it pins", word)
	}
	name := reference.TrimNamed(named).String() + ":" + tagged.Tag()
	return Entry{Source: Source{Kind: Image, Name: name}, Pin: digested.Digest().String()}, nil
}

func addEntry(word string, flags []string, escape rune) (Entry, error) {
	res, err := shell.NewLex(escape).ProcessWordWithMatches(word, shell.EnvsFromSlice(nil))
	if err != nil {
		return Entry{}, fmt.Errorf("failed to read %s: %w", word, err)
	}
	if len(res.Unmatched) > 0 {
		return Entry{}, fmt.Errorf("%s has a variable, and a lock has none", word)
	}
	address := res.Result
	if _, isGit, _ := dfgitutil.ParseGitRef(address); isGit {
		if len(flags) > 0 {
			return Entry{}, errors.New("the pin of a repository stands in its URL, as checksum=COMMIT")
		}
		return gitEntry(address)
	}
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		return Entry{}, fmt.Errorf("%s is no URL", address)
	}
	if len(flags) != 1 || !strings.HasPrefix(flags[0], "--checksum=") {
		return Entry{}, errors.New("write ADD --checksum=digest URL /")
	}
	pin, err := digest.Parse(strings.TrimPrefix(flags[0], "--checksum="))
	if err != nil {
		return Entry{}, fmt.Errorf("failed to parse the checksum: %w", err)
	}
	return Entry{Source: HTTPSource(address), Pin: pin.String()}, nil
}
