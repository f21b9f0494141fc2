// Package version says which build of Stagecraft this is.
package version

import (
	"fmt"
	"runtime/debug"
)

// Set at link time by the Dockerfile, from git; never written by the program.
var (
	version  string
	revision string
)

// Info identifies a build of the program.
type Info struct {
	// Version is the release, as "v1.2.3" or what git describe makes of a
	// commit between releases; "devel" in a build that was not given one.
	Version string
	// Revision is the git commit, with "+dirty" when the work tree had
	// changes; empty when unknown.
	Revision string
	// BuildKit is the release of the BuildKit packages in the program.
	BuildKit string
}

// String is the line that --version prints.
func (i Info) String() string {
	if i.Revision == "" {
		return fmt.Sprintf("%s, BuildKit %s", i.Version, i.BuildKit)
	}
	return fmt.Sprintf("%s (%s), BuildKit %s", i.Version, i.Revision, i.BuildKit)
}

// Get returns the identity of the running program.
func Get() Info {
	info := Info{Version: version, Revision: revision, BuildKit: "unknown"}
	if info.Version == "" {
		info.Version = "devel"
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	for _, m := range build.Deps {
		if m.Path == "github.com/moby/buildkit" {
			info.BuildKit = m.Version
		}
	}
	if info.Revision == "" {
		info.Revision = vcsRevision(build.Settings)
	}
	return info
}

func vcsRevision(settings []debug.BuildSetting) string {
	var rev, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if rev == "" {
		return ""
	}
	return rev + dirty
}
