// Package lock reads and writes lock files: Dockerfiles that name every source of a
// build with its digest, commit or checksum. It knows the text alone, no gateway.
package lock

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/distribution/reference"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/internal/glob"
)

// Entry is a source with its pin.
type Entry struct {
	Source
	// Pin is the digest of an image or a file, or the commit of a repository.
	Pin string
	// Place is its line; the zero place for one that was just added.
	Place diagnostic.Place
}

// Pinned is an entry that a build asked for.
type Pinned struct {
	Entry
	// Before is the pin that the lock had; empty for none.
	Before string
}

// Lock is what a lock file says.
type Lock struct {
	// Name is the file's name.
	Name    string
	Entries []Entry
}

// NameFor returns the name of the lock file beside a Dockerfile: Dockerfile.lock,
// Dockerfile.dev.lock, go.lock.Dockerfile.
func NameFor(dockerfile string) string {
	dir, base := path.Split(dockerfile)
	if stem, ok := strings.CutSuffix(base, ".Dockerfile"); ok && stem != "" {
		return dir + stem + ".lock.Dockerfile"
	}
	return dir + base + ".lock"
}

// Find returns the entry that pins a source; nil for none. sure is false for that of a tag where
// the name may be that of a branch too, which git takes first: only the repository knows.
func (l *Lock) Find(s Source) (e *Entry, sure bool) {
	for _, candidate := range s.spellings() {
		if i := slices.IndexFunc(l.Entries, func(e Entry) bool { return e.Source == candidate }); i >= 0 {
			return &l.Entries[i], candidate == s || !candidate.IsTag() || candidate.Ref == "refs/"+s.Ref
		}
	}
	return nil, false
}

// String writes the lock as a Dockerfile that upstream's parser and those of update bots
// read: an entry a line, images first, each part sorted. dockerfile is whose lock it is and
// command how to write it anew: words for people, whatever bytes they have.
func (l *Lock) String(dockerfile, command string) string {
	var images, others []string
	for _, e := range l.Entries {
		switch e.Kind {
		case Image:
			images = append(images, "FROM "+e.String()+"@"+e.Pin)
		default:
			others = append(others, e.line())
		}
	}
	slices.Sort(images)
	slices.Sort(others)
	var out strings.Builder
	out.WriteString(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) { // no line end makes it more than a comment
			return ' '
		}
		return r
	}, fmt.Sprintf("# Sources of %s. Write it anew: %s", dockerfile, command)) + "\n")
	for _, line := range images {
		out.WriteString(line + "\n")
	}
	if len(others) > 0 || len(images) == 0 {
		out.WriteString("FROM scratch\n")
	}
	for _, line := range others {
		out.WriteString(line + "\n")
	}
	return out.String()
}

// Matches reports whether a pattern, a name or a glob, means the entry's source: its
// whole name, or that of an image without its tag or registry, or of a repository.
func (s Source) Matches(pattern string) bool {
	for _, name := range s.names() {
		if ok, err := glob.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// names are how a user may call the source.
func (s Source) names() []string {
	out := []string{s.String(), s.Name}
	switch s.Kind {
	case Image:
		if named, err := reference.ParseNormalizedNamed(s.Name); err == nil {
			out = append(out, reference.FamiliarName(named), named.Name())
		}
	case Git:
		bare := strings.TrimSuffix(s.Name[strings.Index(s.Name, "://")+1:], ".git")
		out = append(out, s.Name+"#"+shortRef(s.Ref), strings.TrimLeft(bare, "/"), path.Base(bare))
	case HTTP:
		out = append(out, path.Base(s.Name))
	}
	return out
}
