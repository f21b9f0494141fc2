// Package hack tests the scripts that a release runs.
package hack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs one of the scripts in dir. It returns what it printed, or its error.
func script(t *testing.T, dir, name string, args ...string) (stdout, failure string) {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", strings.TrimSpace(stderr.String())
	}
	return strings.TrimSpace(string(out)), ""
}

// TestReleaseTags guards images that users follow by tag: a release of an old
// line must not take 1 or latest away from a newer one.
func TestReleaseTags(t *testing.T) {
	t.Parallel()
	repository := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repository, "-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "--message", "one")
	for _, tag := range []string{
		"v0.9.0", "v1.2.0", "v1.2.1", "v1.9.0", "v1.10.0", "v1.10.1-rc.1", "v2.0.0", "v2.1.0-rc.1", "vendor-1",
	} {
		git("tag", tag)
	}
	for _, c := range []struct{ version, tags, failure string }{
		{"v2.0.0", "2.0.0,2.0,2,latest", ""},
		{"v2.1.0-rc.1", "2.1.0-rc.1", ""},
		{"v1.10.0", "1.10.0,1.10,1", ""}, // a candidate of 1.10.1 is no release
		{"v1.9.0", "1.9.0,1.9", ""},
		{"v1.2.1", "1.2.1,1.2", ""},
		{"v1.2.0", "1.2.0", ""},
		{"v0.9.0", "0.9.0,0.9,0", ""},
		{"v3.0.0", "", "error: there is no git tag v3.0.0"},
		{"1.2.0", "", "usage: release-tags.sh v1.2.3"},
		{"v1.2", "", "usage: release-tags.sh v1.2.3"},
		{"v1.2.0,latest", "", "usage: release-tags.sh v1.2.3"},
		{"", "", "usage: release-tags.sh v1.2.3"},
	} {
		if tags, failure := script(t, repository, "release-tags.sh", c.version); tags != c.tags || failure != c.failure {
			t.Errorf("release-tags.sh %s: %q, %q; want %q, %q", c.version, tags, failure, c.tags, c.failure)
		}
	}
}

// TestReleaseNotes guards the text of a release: its own section of the
// changelog, never that of another one, and never nothing.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	changelog := filepath.Join(t.TempDir(), "CHANGELOG.md")
	text := "# Changelog\n\n## Unreleased\n\n- soon\n\n## [1.10.0] - 2026-12-01\n\n### Added\n\n- ten\n\n### Fixed\n\n- eleven\n\n## 1.1.0\n\n## 1.0.0 - 2026-11-01\n\n- one\n"
	if err := os.WriteFile(changelog, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ version, notes, failure string }{
		{"v1.10.0", "### Added\n\n- ten\n\n### Fixed\n\n- eleven", ""},
		{"v1.0.0", "- one", ""},
		{"v1.1.0", "", "error: CHANGELOG.md says nothing of 1.1.0"}, // an empty section
		{"v1.1", "", "error: CHANGELOG.md says nothing of 1.1:"},
		{"v1.10", "", "error: CHANGELOG.md says nothing of 1.10:"},
		{"v2.0.0", "", "error: CHANGELOG.md says nothing of 2.0.0"},
		{"", "", "usage: release-notes.sh v1.2.3"},
	} {
		notes, failure := script(t, ".", "release-notes.sh", c.version, changelog)
		if notes != c.notes || !strings.HasPrefix(failure, c.failure) || (failure == "") != (c.failure == "") {
			t.Errorf("release-notes.sh %s: %q, %q; want %q, %q", c.version, notes, failure, c.notes, c.failure)
		}
	}
	// without the second argument it is the changelog of this repository
	if _, failure := script(t, t.TempDir(), "release-notes.sh", "v0.0.0"); !strings.HasPrefix(failure, "error: CHANGELOG.md says nothing of 0.0.0") {
		t.Errorf("release-notes.sh of this repository: %q", failure)
	}
}
