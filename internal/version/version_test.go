package version

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"testing"
)

func TestRevisionFromBuildInfo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, ""},
		{[]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}, "abc"},
		{[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}}, "abc+dirty"},
	} {
		if got := vcsRevision(c.settings); got != c.want {
			t.Errorf("%v gives %q, not %q", c.settings, got, c.want)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, info := range map[string]Info{
		"devel, BuildKit v1":        {Version: "devel", BuildKit: "v1"},
		"v1.2.3 (abc), BuildKit v1": {Version: "v1.2.3", Revision: "abc", BuildKit: "v1"},
	} {
		if got := info.String(); got != want {
			t.Errorf("got %q, not %q", got, want)
		}
	}
}

// named returns what the group of a pattern matches first in a file of the repository.
func named(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(pattern).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return string(match[1])
}

// TestOneReleaseOfBuildKit guards that the program, the development engine and the
// README are of one release: make upgrade moves all three.
func TestOneReleaseOfBuildKit(t *testing.T) {
	t.Parallel()
	want := named(t, "go.mod", `github\.com/moby/buildkit (v\S+)`)
	for file, pattern := range map[string]string{
		"hack/tools/go.mod": `github\.com/moby/buildkit (v\S+)`,
		"README.md":         `BuildKit (v\d+\.\d+\.\d+)`,
	} {
		if got := named(t, file, pattern); got != want {
			t.Errorf("%s names %s, and go.mod %s", file, got, want)
		}
	}
}

// TestTestedEnginesAreNamed guards that docs/support.md names the engines that tests run on.
func TestTestedEnginesAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, pin, name string }{
		{"hack/buildkit07/go.mod", `github\.com/moby/buildkit (v\S+)`, `\| BuildKit (v\S+) \|`},
		{"hack/engine/docker20.sh", `(?m)^version=(\S+)`, `\| Docker Engine (\S+) \|`},
		{"hack/moby/go.mod", `github\.com/moby/moby/v2 (v\S+)`, `\| Docker Engine of moby (v\S+) \|`},
	} {
		if got, want := named(t, "docs/support.md", c.name), named(t, c.file, c.pin); got != want {
			t.Errorf("docs/support.md names %s, and %s %s", got, c.file, want)
		}
	}
}
