package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// isOneName reports whether a text is one name of a stage, an image, a context or
// a file, whatever reads it: letters and digits, and what these names are made of.
func isOneName(text string) bool {
	if !utf8.ValidString(text) || strings.HasPrefix(text, "-") {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/:@#+~%[]", r)
	}) < 0
}

// isText reports whether a value is UTF-8. What upstream reads of an ARG that is not has
// the letter that stands for what cannot be read.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsRune(value, utf8.RuneError)
}

// notText is the mistake of a value that is not UTF-8.
func notText(value string) error {
	return fmt.Errorf("the value %s is not UTF-8, and BuildKit takes no other text", shortened(value))
}

// shortened quotes a value for a message.
func shortened(text string) string {
	const most = 80
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return strconv.Quote(text)
}

// The systems and processors that Go knows: what an image can be for.
var (
	systems    = [...]string{"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix", "android", "ios", "js", "plan9", "wasip1", "wasi"}
	processors = [...]string{"amd64", "386", "arm64", "arm", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x", "wasm"}
)

// ParsePlatform reads a platform and nothing else. One that nobody knows and that
// is almost a known one is a mistake.
func ParsePlatform(text string) (ocispecs.Platform, error) {
	platform, err := platforms.Parse(text)
	if err != nil {
		return platform, err
	}
	platform = platforms.Normalize(platform)
	near := platform
	for _, part := range []struct {
		value *string
		known []string
	}{{&near.OS, systems[:]}, {&near.Architecture, processors[:]}} {
		if slices.Contains(part.known, *part.value) {
			continue
		}
		if match, ok := suggest.Search(*part.value, part.known, true); ok {
			*part.value = match
		}
	}
	if near.OS != platform.OS || near.Architecture != platform.Architecture {
		return platform, &platformTypo{platforms.FormatAll(platform), platforms.FormatAll(near)}
	}
	return platform, nil
}

// platformTypo says that a platform is almost a known one.
type platformTypo struct{ name, near string }

func (e *platformTypo) Error() string {
	return fmt.Sprintf("nobody knows the platform %s (did you mean %s?)", e.name, e.near)
}

// platformError words the mistake of a FROM --platform as upstream does.
func platformError(expr, text string, err error) error {
	if text == "" {
		return fmt.Errorf("empty platform value from expression %s", expr)
	}
	return fmt.Errorf("failed to parse platform %s: %w", expr, err)
}

// platformFlag returns where the --platform of a FROM stands.
func platformFlag(in *syntax.Instruction) syntax.Span {
	flags := in.Line[:min(in.Arguments, len(in.Line))]
	start := strings.Index(flags, "--platform=")
	if start < 0 {
		return syntax.Span{Start: 0, End: len(strings.TrimRightFunc(in.Line, unicode.IsSpace))}
	}
	end := strings.IndexFunc(in.Line[start:], unicode.IsSpace)
	if end < 0 {
		end = len(in.Line) - start
	}
	return syntax.Span{Start: start, End: start + end}
}
