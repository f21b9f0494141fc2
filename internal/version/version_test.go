package version

import (
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
