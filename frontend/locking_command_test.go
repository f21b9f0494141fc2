package frontend_test

import (
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestLockCommands guards that messages print the command that writes the lock which the build reads,
// wherever the Dockerfile and its lock lie, and a word in capitals where the client does not say it.
func TestLockCommands(t *testing.T) {
	t.Parallel()
	const remote = "https://github.com/acme/app.git#main"
	for name, tc := range map[string]struct {
		lock, file, want, lacks string
		opts, context           map[string]string
	}{
		"beside":       {want: "docker build --target=:lock -o . ."},
		"its own name": {file: "go.Dockerfile", want: "docker build -f go.Dockerfile --target=:lock -o . .", lacks: "go.lock.Dockerfile"},
		"a path":       {lock: "./locks/my.lock", want: "docker build --target=:lock -o locks .", lacks: "locks/my.lock"},
		"of the root":  {lock: "/locks/my.lock", want: "docker build --target=:lock -o locks .", lacks: "locks/my.lock"},
		"a repository of the client": {
			opts: map[string]string{"vcs:localdir:context": ".", "vcs:localdir:dockerfile": "deploy"},
			want: "docker build -f deploy/Dockerfile --target=:lock -o deploy .",
		},
		"a path in one": {
			lock: "./locks/my.lock", opts: map[string]string{"vcs:localdir:context": "app", "vcs:localdir:dockerfile": "app/deploy"},
			want: "docker build -f deploy/Dockerfile --target=:lock -o deploy/locks .",
		},
		"of the root in one": {
			lock: "/locks/my.lock", opts: map[string]string{"vcs:localdir:context": ".", "vcs:localdir:dockerfile": "deploy"},
			want: "docker build -f deploy/Dockerfile --target=:lock -o locks .",
		},
		"found":     {context: map[string]string{"Dockerfile": "FROM busybox\n", "deploy/Dockerfile": "LOCK\nFROM alpine\n"}, want: "docker build -f deploy/Dockerfile --target=:lock -o deploy ."},
		"not found": {context: map[string]string{"Dockerfile": "FROM busybox\n"}, want: "docker build -f FOLDER/Dockerfile --target=:lock -o FOLDER . (FOLDER is that of the Dockerfile)"},
		"not found, a path": {
			lock: "./locks/my.lock", context: map[string]string{"Dockerfile": "FROM busybox\n"},
			want: "docker build -f FOLDER/Dockerfile --target=:lock -o FOLDER/locks . (FOLDER is that of the Dockerfile)",
		},
		"standard input":            {opts: map[string]string{"dockerfilekey": "dockerfile"}, want: "docker build -f - --target=:lock -o . . (and the Dockerfile on standard input)"},
		"a remote context":          {file: "deploy/go.Dockerfile", opts: map[string]string{"context": remote}, want: "docker build -f deploy/go.Dockerfile --target=:lock -o . '" + remote + "'", lacks: "Dockerfile.lock"},
		"and a Dockerfile of ours":  {opts: map[string]string{"context": remote, "dockerfilekey": "dockerfile"}, want: "docker build -f FOLDER/Dockerfile --target=:lock -o FOLDER CONTEXT (FOLDER is that of the Dockerfile)"},
		"a stage of another file":   {opts: map[string]string{"target": "lib.x"}, want: "docker build --call=lock --target=lib.x . (into a file, then move that)"},
		"a build with other values": {opts: map[string]string{"build-arg:A": "1"}, want: "docker build --target=:lock -o . . (with the --build-arg and --platform of this build)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.TrimSpace("LOCK "+tc.lock) + "\nFROM alpine\n"
			b := gatewaytest.Dockerfile(text)
			if tc.file != "" {
				b.Opts["filename"] = tc.file
				b.Files["dockerfile"][tc.file] = text
				b.Files["context"][tc.file] = text
			}
			if tc.context != nil {
				b.Files["context"] = tc.context
			}
			for key, value := range tc.opts {
				b.Opts[key] = value
			}
			b.Files["git://github.com/acme/app.git#main"] = b.Files["dockerfile"]
			_, err := frontend.Build(t.Context(), gatewaytest.New(b))
			if err == nil {
				t.Fatal("the build has no lock, and goes on")
			}
			if got := err.Error(); !strings.HasSuffix(got, "to write it, run "+tc.want) {
				t.Errorf("%s\ndoes not say\n%s", got, tc.want)
			}
			if tc.lacks != "" && !strings.Contains(err.Error(), "there is no file "+tc.lacks+" in ") {
				t.Errorf("%s\nlooks for another file than %s", err, tc.lacks)
			}
			if b.Opts["target"] != "" || b.Opts["build-arg:A"] != "" { // what is not the file's
				return
			}
			res, err := frontend.Build(t.Context(), gatewaytest.New(withOption(b, "requestid", "frontend.lock")))
			if err != nil {
				t.Fatal(err)
			}
			header, _, _ := strings.Cut(string(res.Metadata["result.txt"]), "\n")
			if !strings.HasSuffix(header, "Write it anew: "+tc.want) {
				t.Errorf("the lock is headed\n%s\nnot\n%s", header, tc.want)
			}
		})
	}
}
