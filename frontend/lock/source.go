package lock

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
)

// Kind is what a source is.
type Kind string

// The kinds of sources that a lock pins.
const (
	Image Kind = "image"
	Git   Kind = "git"
	HTTP  Kind = "http"
)

// Source is what a Dockerfile takes from outside, by the name that may mean something
// else tomorrow. Equal sources are equal values.
type Source struct {
	Kind Kind
	// Name is an image with its registry and tag, the URL of a repository or that of a
	// file; URLs stand without user and password.
	Name string
	// Ref is the branch, tag or other ref of a repository, empty for its default
	// branch: refs/tags/v1 or a name alone.
	Ref string
}

// ImageSource returns the source that an image reference names. pinned is set for one
// that has its digest.
func ImageSource(ref string) (s Source, pinned bool, err error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return Source{}, false, fmt.Errorf("failed to parse the image name %q: %w", ref, err)
	}
	_, pinned = named.(reference.Digested)
	return Source{Kind: Image, Name: reference.TagNameOnly(named).String()}, pinned, nil
}

// GitSource returns the source that is a ref of a repository.
func GitSource(remote, ref string) Source {
	return Source{Kind: Git, Name: withoutUser(remote), Ref: ref}
}

// HTTPSource returns the source that is a URL.
func HTTPSource(address string) Source {
	return Source{Kind: HTTP, Name: withoutUser(address)}
}

// withoutUser takes user and password out of a URL; the user of a git server, which is no
// secret, stays.
func withoutUser(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	host, path := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		host, path = rest[:end], rest[end:]
	}
	at := strings.LastIndexByte(host, '@')
	if user := host[:max(at, 0)]; at >= 0 && (scheme != "ssh" || strings.Contains(user, ":")) {
		host = host[at+1:]
		if name, _, _ := strings.Cut(user, ":"); scheme == "ssh" {
			host = name + "@" + host
		}
	}
	return scheme + "://" + host + path
}

// spellings returns the sources that s may stand as in a lock, in the order in which BuildKit
// takes what a ref may mean: the ref itself, as in heads/main, then a branch, then a tag.
func (s Source) spellings() []Source {
	if s.Kind != Git || s.Ref == "" {
		return []Source{s}
	}
	out := []Source{s}
	for _, prefix := range []string{"refs/", branchPrefix, tagPrefix} {
		out = append(out, Source{s.Kind, s.Name, prefix + strings.TrimPrefix(s.Ref, prefix)})
	}
	return out
}

// Where git has branches and tags.
const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

// IsTag reports whether the source is a tag of a repository.
func (s Source) IsTag() bool { return s.Kind == Git && strings.HasPrefix(s.Ref, tagPrefix) }

// String returns the source as a user writes it.
func (s Source) String() string {
	switch s.Kind {
	case Image:
		if named, err := reference.ParseNormalizedNamed(s.Name); err == nil {
			return reference.FamiliarString(named)
		}
	case Git:
		if s.Ref != "" {
			return s.Name + "#" + shortRef(s.Ref)
		}
	}
	return s.Name
}

func shortRef(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, tagPrefix), branchPrefix)
}

// line writes an entry of a repository or a file.
func (e Entry) line() string {
	if e.Kind == HTTP {
		return "ADD --checksum=" + e.Pin + " " + quote(e.Name) + " /"
	}
	return "ADD " + quote(e.Name+"?"+GitQuery(e.Ref, e.Pin, true)) + " /"
}

// GitQuery returns the query of the URL of a repository that pins a ref of it to a commit.
// byCommit fetches that, whatever the ref is today.
func GitQuery(ref, commit string, byCommit bool) string {
	query := ""
	switch tag, isTag := strings.CutPrefix(ref, tagPrefix); {
	case isTag:
		query = "tag=" + EscapeRef(tag) + "&"
	case strings.HasPrefix(ref, branchPrefix):
		query = "branch=" + EscapeRef(shortRef(ref)) + "&"
	case ref != "":
		query = "ref=" + EscapeRef(ref) + "&"
	}
	query += "checksum=" + commit
	if byCommit {
		query += "&fetch-by-commit=true"
	}
	return query
}

// EscapeRef writes a ref, or a folder of a repository, as a value of such a query.
func EscapeRef(ref string) string { return strings.ReplaceAll(url.QueryEscape(ref), "%2F", "/") }

// quote writes a URL as one word of an ADD that stands for itself.
func quote(address string) string {
	return strings.NewReplacer(`\`, `\\`, "$", `\$`, `"`, `\"`, "'", `\'`).Replace(address)
}

// Check reports why a source cannot stand in a lock; nil when it can.
func (s Source) Check() error {
	if strings.ContainsFunc(s.Name+s.Ref, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\u00a0' || r == 0x85 }) {
		return fmt.Errorf("%q holds a space or a control character: write it percent-encoded", s.Name)
	}
	return nil
}

// gitEntry reads the URL of a repository as a lock has it.
func gitEntry(address string) (Entry, error) {
	ref, isGit, err := dfgitutil.ParseGitRef(address)
	if err != nil || !isGit {
		return Entry{}, fmt.Errorf("%s is not the URL of a repository: %w", address, err)
	}
	switch {
	case ref.Checksum == "":
		return Entry{}, errors.New("the URL has no checksum=COMMIT")
	case !IsCommit(ref.Checksum):
		return Entry{}, fmt.Errorf("%s is no full commit", ref.Checksum)
	case !ref.FetchByCommit:
		return Entry{}, errors.New("the URL has no fetch-by-commit=true, so the repository would be asked for the ref")
	case ref.SubDir != "":
		return Entry{}, errors.New("an entry pins the whole repository: leave the subdir out")
	}
	return Entry{Source: GitSource(ref.Remote, ref.Ref), Pin: ref.Checksum}, nil
}

// IsCommit reports whether text is the whole name of a commit.
func IsCommit(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}
