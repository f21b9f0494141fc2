//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockedRefs guards that what a line calls by a short ref is what git takes for it, with a lock
// too: a branch before a tag of its name, heads/ and tags/, and the name of a tag in a .git.
func TestLockedRefs(t *testing.T) {
	t.Parallel()
	repo, gitURL, _ := repository(t, "-- lib.Dockerfile --\nFROM scratch AS tool\nCOPY text /\n-- text --\nfirst\n")
	commit := func(text string, then ...[]string) {
		t.Helper()
		writeFile(t, filepath.Join(repo, "text"), []byte(text+"\n"))
		for _, args := range append([][]string{{"commit", "-q", "-a", "-m", text}}, then...) {
			run(t, repo, append([]string{"git", "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...).ok(t)
		}
	}
	commit("tag", []string{"tag", "both"})
	commit("branch", []string{"branch", "both"})
	commit("light", []string{"tag", "light"})
	commit("annotated", []string{"tag", "-a", "-m", "x", "annotated"})
	commit("feature", []string{"branch", "feature"})
	commit("main", []string{"update-server-info"})
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+"LOCK\nIMPORT --from="+gitURL+"#both lib.Dockerfile AS lib\nFROM scratch\nCOPY --from=lib.tool /text /lib\n"+
		"ADD "+gitURL+"#both /branch\nADD "+gitURL+"?tag=both /tag\nADD "+gitURL+"#heads/main /main\nADD "+gitURL+"#tags/v1 /v1\n"+
		"ADD --keep-git-dir "+gitURL+"#light /light\nADD --keep-git-dir "+gitURL+"#annotated /annotated\nADD --keep-git-dir "+gitURL+"#feature /feature\n")
	file := filepath.Join(dir, "Dockerfile.lock")
	buildx(t, dir, "--target=:lock", "--output=.").ok(t)
	lock, out := readText(t, file), t.TempDir()
	buildx(t, dir, "--output=type=local,dest="+out).ok(t)
	for name, want := range map[string]string{"lib": "branch", "branch/text": "branch", "tag/text": "tag", "main/text": "main", "v1/text": "first", "light/text": "light", "annotated/text": "annotated"} {
		if got := strings.TrimSpace(readText(t, filepath.Join(out, name))); got != want {
			t.Errorf("%s is of %s, not %s", name, got, want)
		}
	}
	for _, name := range []string{"light", "annotated"} {
		if got := run(t, filepath.Join(out, name), "git", "tag").ok(t).stdout; got != name+"\n" {
			t.Errorf("the .git of %s has the tags %q", name, got)
		}
	}
	buildx(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").ok(t).prints(t, "up to date")

	branch := "ADD " + gitURL + "?branch=both&"
	without := ""
	for line := range strings.Lines(lock) {
		if !strings.HasPrefix(line, branch) {
			without += line
		}
	}
	writeFile(t, file, []byte(without))
	buildx(t, dir, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").fails(t, gitURL+"#both is not there")
	buildx(t, dir, "--target=:lock", "--output=.", "--build-arg=STAGECRAFT_LOCK=prune").ok(t)
	if got := readText(t, file); got != lock {
		t.Errorf("the lock is\n%s\nnot\n%s", got, lock)
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	commit("moved", []string{"tag", "-f", "light"}, []string{"update-server-info"})
	buildx(t, dir, "--output=type=local,dest="+out, "--no-cache").fails(t, "Dockerfile.lock pins "+gitURL+"#light to ", "STAGECRAFT_LOCK=update:"+gitURL+"#light")
}
