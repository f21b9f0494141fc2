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

// TestOneReleaseOfBuildKit guards that the program, the development engine and the
// README are of one release: make upgrade moves all three.
func TestOneReleaseOfBuildKit(t *testing.T) {
	t.Parallel()
	releases := map[string]string{}
	for file, pattern := range map[string]string{
		"go.mod":            `github\.com/moby/buildkit (v\S+)`,
		"hack/tools/go.mod": `github\.com/moby/buildkit (v\S+)`,
		"README.md":         `BuildKit (v\d+\.\d+\.\d+)`,
	} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(pattern).FindSubmatch(text)
		if match == nil {
			t.Fatalf("%s names no release", file)
		}
		releases[file] = string(match[1])
	}
	if want := releases["go.mod"]; releases["hack/tools/go.mod"] != want || releases["README.md"] != want {
		t.Errorf("the releases differ: %v", releases)
	}
}
