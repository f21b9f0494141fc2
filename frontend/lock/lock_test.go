package lock_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/lock"
)

func parse(text string) (*lock.Lock, error) {
	return lock.Parse(&diagnostic.Text{Name: "Dockerfile.lock", Data: []byte(text)})
}

const (
	sum    = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	commit = "0123456789abcdef0123456789abcdef01234567"
)

// TestWrittenEntriesAreReadBack guards that a lock says after writing what it said
// before, one entry a line, and that upstream's parser reads all of it.
func TestWrittenEntriesAreReadBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		letters := []rune("abcXYZ019-._~%$'\"\\?&=#+,;()[]{}@!*:ü")
		var out strings.Builder
		for range 1 + r.IntN(8) {
			out.WriteRune(letters[r.IntN(len(letters))])
		}
		return out.String()
	}
	read := 0
	for range 20_000 {
		l := &lock.Lock{Name: "Dockerfile.lock"}
		seen := map[lock.Source]bool{}
		for range r.IntN(5) {
			var e lock.Entry
			switch r.IntN(3) {
			case 0:
				s, _, err := lock.ImageSource(strings.ToLower(strings.Map(letter, word())) + ":" + strings.Map(letter, word()))
				if err != nil {
					continue
				}
				e = lock.Entry{Source: s, Pin: sum}
			case 1:
				e = lock.Entry{Source: lock.HTTPSource("https://example.com/" + word()), Pin: sum}
			case 2:
				ref := []string{"", "refs/tags/", "refs/heads/", "refs/pull/"}[r.IntN(4)]
				if ref != "" {
					ref += word()
				}
				e = lock.Entry{Source: lock.GitSource("https://example.com/"+strings.Map(letter, word())+".git", ref), Pin: commit}
			}
			repository := strings.Contains(e.Name, ".git") // which no file's URL is
			if e.Check() == nil && !seen[e.Source] && repository == (e.Kind == lock.Git) {
				seen[e.Source] = true
				l.Entries = append(l.Entries, e)
			}
		}
		text := l.String("Dockerfile", "docker build --target=:lock -o . .")
		got, err := parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(l, got, cmpopts.SortSlices(func(a, b lock.Entry) bool { return a.String()+a.Ref < b.String()+b.Ref }), cmpopts.IgnoreFields(lock.Entry{}, "Place"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("before (-) and after (+):\n%s\n%s", diff, text)
		}
		if again := got.String("Dockerfile", "docker build --target=:lock -o . ."); again != text {
			t.Fatalf("the second time:\n%s", cmp.Diff(text, again))
		}
		requireDockerfile(t, text)
		read += len(got.Entries)
	}
	if read < 20_000 {
		t.Errorf("only %d entries were read", read)
	}
}

func letter(r rune) rune {
	if strings.ContainsRune("abcXYZ019-.", r) {
		return r
	}
	return 'x'
}

func requireDockerfile(t *testing.T, text string) {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(text))
	if err == nil {
		_, _, err = instructions.Parse(parsed.AST, nil)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// TestWordsOfALockAreNoEntries guards that what a lock says of itself stays a comment.
func TestWordsOfALockAreNoEntries(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"a\nFROM evil:1@" + sum, "a\r\nFROM evil:1@" + sum, "\n\n# escape=`", "a\x00b"} {
		for _, text := range []string{(&lock.Lock{}).String(words, "x"), (&lock.Lock{}).String("x", words)} {
			if l, err := parse(text); err != nil || len(l.Entries) > 0 || strings.Count(text, "\n") != 2 {
				t.Errorf("%q: %v %v", text, l, err)
			}
		}
	}
}

// TestMistakesInLocks guards that what is no lock is refused at its line.
func TestMistakesInLocks(t *testing.T) {
	t.Parallel()
	image := "FROM alpine:3.22@" + sum + "\n"
	for text, want := range map[string]string{
		"FROM alpine:3.22\n":        "line 1: this is no entry of a lock: alpine:3.22 has no digest",
		"FROM alpine@" + sum + "\n": "line 1: this is no entry of a lock: alpine@" + sum + " has no tag, so nothing says which images it pins",
		image + image:               "line 2: alpine:3.22 stands on line 1 too: keep one of them",
		image + "FROM docker.io/library/alpine:3.22@" + sum:         "line 2: alpine:3.22 stands on line 1 too: keep one of them",
		image + "<<<<<<< HEAD\n":                                    "line 2: this is the mark of a merge conflict: keep the lines of both sides, each source once, and write the lock anew",
		image + "=======\n":                                         "line 2: this is the mark of a merge conflict: keep the lines of both sides, each source once, and write the lock anew",
		image + "RUN make\n":                                        "line 2: this is no entry of a lock: a lock has lines with FROM and ADD, not RUN",
		"FROM alpine:3.22@" + sum + " AS x\n":                       "line 1: this is no entry of a lock: write FROM image:tag@digest",
		"FROM alpine:3.22@sha256:12\n":                              `line 1: this is no entry of a lock: failed to parse the image name "alpine:3.22@sha256:12": invalid reference format`,
		"ADD https://example.com/x /\n":                             "line 1: this is no entry of a lock: write ADD --checksum=digest URL /",
		"ADD --checksum=" + sum + " https://$HOST/x /\n":            "line 1: this is no entry of a lock: https://$HOST/x has a variable, and a lock has none",
		"ADD --checksum=" + sum + " x /\n":                          "line 1: this is no entry of a lock: x is no URL",
		"ADD https://example.com/x.git?tag=v1 /\n":                  "line 1: this is no entry of a lock: the URL has no checksum=COMMIT",
		"ADD https://example.com/x.git?checksum=" + commit + " /\n": "line 1: this is no entry of a lock: the URL has no fetch-by-commit=true, so the repository would be asked for the ref",
	} {
		_, err := parse(text)
		var at *diagnostic.Diagnostic
		if !errors.As(err, &at) || at.Place.Text == nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := err.Error(); got != "Dockerfile.lock: "+want {
			t.Errorf("%q:\n%s\nnot\n%s", text, got, want)
		}
	}
}

// TestLocksThatEditorsChange guards that line ends, comments and directives are no part
// of an entry, and that an empty file is a lock without entries.
func TestLocksThatEditorsChange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":   0,
		"\n": 0,
		"\ufeff# escape=`\r\n# by hand\r\nFROM alpine:3.22@" + sum + "\r\n\r\nFROM scratch\r\nADD --checksum=" + sum + " https://example.com/x /\r\n": 2,
	} {
		if l, err := parse(text); err != nil || len(l.Entries) != want {
			t.Errorf("%q: %v %v", text, l, err)
		}
	}
}

// TestPatternsOfEntries guards by which names and globs entries are renewed.
func TestPatternsOfEntries(t *testing.T) {
	t.Parallel()
	image, _, err := lock.ImageSource("golang:1.26-alpine")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := lock.ImageSource("ghcr.io/acme/tool:v1")
	if err != nil {
		t.Fatal(err)
	}
	git := lock.GitSource("https://github.com/acme/stages.git", "refs/tags/v1.4.0")
	file := lock.HTTPSource("https://example.com/a/tool-1.4.tar.gz")
	for pattern, want := range map[string][]lock.Source{
		"*": {image, other, git, file}, "golang": {image}, "golang:1.26-alpine": {image}, "golang:1.*": {image}, "docker.io/library/golang": {image}, "go*": {image},
		"ghcr.io/*": {other}, "ghcr.io/acme/tool": {other}, "https://*": {git, file}, "https://github.com/acme/stages.git#v1.4.0": {git},
		"github.com/acme/stages": {git}, "stages": {git}, "tool-*.tar.gz": {file}, "alpine": nil, "[": nil,
	} {
		for _, s := range []lock.Source{image, other, git, file} {
			if got := s.Matches(pattern); got != slices.Contains(want, s) {
				t.Errorf("%s matches %s: %t", pattern, s, got)
			}
		}
	}
}

// TestNamesOfLocks guards where the lock of a Dockerfile is looked for.
func TestNamesOfLocks(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"Dockerfile": "Dockerfile.lock", "Dockerfile.dev": "Dockerfile.dev.lock", "go.Dockerfile": "go.lock.Dockerfile",
		"a/b.c/go.x.Dockerfile": "a/b.c/go.x.lock.Dockerfile", "Containerfile": "Containerfile.lock", ".Dockerfile": ".Dockerfile.lock",
	} {
		if got := lock.NameFor(file); got != want {
			t.Errorf("%s: %s, not %s", file, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM alpine:3.22@" + sum + "\nFROM scratch\nADD --checksum=" + sum + " https://example.com/$x /\nADD https://example.com/x.git?tag=v1&checksum=" + commit + "&fetch-by-commit=true /\n")
	f.Add("ADD https://example.com/x.git?branch=a%2Fb&checksum=" + commit + "&fetch-by-commit=true /\n")
	f.Add("ADD git@example.com:x/y.git?ref=v1&checksum=" + commit + "&fetch-by-commit=true /\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse(text)
		if err != nil {
			return
		}
		for _, e := range l.Entries {
			if e.Check() != nil {
				return
			}
		}
		written := l.String("Dockerfile", "x")
		got, err := parse(written)
		if err != nil {
			t.Fatalf("%v\n%q\n%s", err, text, written)
		}
		if again := got.String("Dockerfile", "x"); again != written || len(got.Entries) != len(l.Entries) {
			t.Fatalf("%q\n%s", text, cmp.Diff(written, again))
		}
	})
}
