package frontend

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/stagecraft-build/stagecraft/frontend/source"
)

// lockCommand is what writes the lock of the build, from the folder of the build context.
func (q *query) lockCommand(ctx context.Context) string {
	return q.lockCall(ctx, "")
}

// lockAdvice is what adds to the lock all that this build asks for.
func (q *query) lockAdvice(ctx context.Context) string {
	opts := q.client.BuildOpts().Opts
	target := opts["target"]
	if !strings.ContainsAny(target, ".(/#") { // else it may be none of the file's stages
		target = ""
	}
	advice := q.lockCall(ctx, target)
	for key := range opts {
		name, isArg := strings.CutPrefix(key, "build-arg:")
		if key == "platform" || isArg && name != lockArg && !strings.HasPrefix(name, "BUILDKIT_") {
			return advice + " (with the --build-arg and --platform of this build)"
		}
	}
	return advice
}

// adviseOnce returns lockAdvice, which may have to look for the Dockerfile, for many sources.
func (q *query) adviseOnce() func(context.Context) string {
	var (
		once   sync.Once
		advice string
	)
	return func(ctx context.Context) string {
		once.Do(func() { advice = q.lockAdvice(ctx) })
		return advice
	}
}

// lockCall is lockCommand, or what prints the lock with a target beside all stages.
func (q *query) lockCall(ctx context.Context, target string) string {
	var file, behind string
	folder, place := ".", "."
	switch at, ok := q.dockerfilePath(ctx); {
	case ok:
		folder, file = path.Dir(at), at
	case q.sources.Alone():
		file, behind = "-", " (and the Dockerfile on standard input)"
	default:
		folder, file, behind = "FOLDER", "FOLDER/"+q.file, " (FOLDER is that of the Dockerfile)"
		if q.client.BuildOpts().Opts[keyContext] != "" {
			place = "CONTEXT"
		}
	}
	if line := q.pins.Line(); !q.sources.Local() && file != dockerui.DefaultDockerfileName && (line == nil || line.Path == "") {
		// a checkout has the lock of this file under another name
		place = shellWord(source.WithoutCredentials(q.client.BuildOpts().Opts[keyContext]))
	}
	command := "docker build "
	if file != dockerui.DefaultDockerfileName {
		command += "-f " + shellWord(file) + " "
	}
	if target != "" {
		return command + "--call=lock --target=" + shellWord(target) + " " + place + " (into a file, then move that)" + behind
	}
	out := folder
	if found, err := q.sources.LockFile(ctx, q.sources.Files.Main(), q.pins.Line()); err == nil {
		if out = path.Dir(found.Path); !found.InContext {
			out = path.Join(folder, out)
		}
	}
	return command + "--target=" + lockTarget + " -o " + shellWord(out) + " " + place + behind
}

// dockerfilePath returns the path of the Dockerfile from the folder of the build context; ok is
// false where the client does not say where that lies.
func (q *query) dockerfilePath(ctx context.Context) (at string, ok bool) {
	opts := q.client.BuildOpts().Opts
	switch {
	case !q.sources.Local():
		return q.file, true
	case opts[keyContext] != "" || q.sources.Alone():
		return "", false
	}
	if at, err := relativeDockerfile(opts, q.file); at != "" && err == nil {
		return at, true
	}
	found, err := q.sources.FindMain(ctx)
	if err != nil || len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// shellWord quotes a text for a shell where that is needed.
func shellWord(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:=,@+") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
