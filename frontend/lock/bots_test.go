package lock_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/lock"
)

// What update bots look for, as facts of those programs: which files they read, and what
// they take for an image in a line.
var (
	// dependabot-core, docker/lib/dependabot/docker/file_fetcher.rb and file_parser.rb
	dependabotFile = regexp.MustCompile(`(?i)dockerfile`)
	dependabotFrom = regexp.MustCompile(`^(?i:FROM)\s+(?:--platform=\S+\s+)?(?:(?P<registry>(?:[[:alnum:]]|[[:alnum:]][[:alnum:]-]*[[:alnum:]])(?:\.(?:[[:alnum:]]|[[:alnum:]][[:alnum:]-]*[[:alnum:]]))+(?::\d+)?)/)?` +
		`(?P<image>[a-z\d]+(?:(?:[._]|__|-*)[a-z\d]+)*(?:/[a-z\d]+(?:(?:[._]|__|-*)[a-z\d]+)*)*)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>\S+))?`)
	// renovate, lib/modules/manager/dockerfile: defaultConfig and extractPackageFile
	renovateFiles = []*regexp.Regexp{regexp.MustCompile(`(^|/|\.)([Dd]ocker|[Cc]ontainer)file$`), regexp.MustCompile(`(^|/)([Dd]ocker|[Cc]ontainer)file[^/]*$`)}
	renovateFrom  = regexp.MustCompile(`(?im)^[ \t]*FROM(?: |\t|--platform=\S+)+(?P<image>\S+)`)
)

// TestUpdateBotsReadLocks guards that Dependabot and Renovate take a lock for a Dockerfile,
// and read each of its images with tag and digest.
func TestUpdateBotsReadLocks(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"Dockerfile", "Dockerfile.dev", "go.Dockerfile", "deploy/Dockerfile"} {
		name := lock.NameFor(file)
		if !dependabotFile.MatchString(name) {
			t.Errorf("Dependabot does not read %s", name)
		}
		if !renovateFiles[0].MatchString(name) && !renovateFiles[1].MatchString(name) {
			t.Errorf("Renovate does not read %s", name)
		}
	}
	images := []string{"alpine:3.22", "library/x:1", "acme/tool:v1.2-rc.1", "registry.example.com/a/b:1", "registry.example.com:5000/a/b_c:latest", "localhost:5000/x:1"}
	l := &lock.Lock{}
	for _, image := range images {
		s, _, err := lock.ImageSource(image)
		if err != nil {
			t.Fatal(err)
		}
		l.Entries = append(l.Entries, lock.Entry{Source: s, Pin: sum})
	}
	found := 0
	for line := range strings.Lines(l.String("Dockerfile", "x")) {
		line = strings.TrimSuffix(line, "\n")
		want, ok := strings.CutPrefix(line, "FROM ")
		if !ok {
			continue
		}
		found++
		name, digest, _ := strings.Cut(want, "@")
		if m := renovateFrom.FindStringSubmatch(line); m == nil || m[1] != want {
			t.Errorf("Renovate reads %q in %s", m, line)
		}
		m := dependabotFrom.FindStringSubmatch(line)
		if strings.HasPrefix(name, "localhost:") {
			continue // which to Dependabot is an image of that name
		}
		if m == nil || strings.TrimPrefix(m[1]+"/"+m[2]+":"+m[3], "/") != name || m[4] != digest {
			t.Errorf("Dependabot reads %q in %s", m, line)
		}
	}
	if found != len(images) {
		t.Errorf("%d images were written, not %d", found, len(images))
	}
}
