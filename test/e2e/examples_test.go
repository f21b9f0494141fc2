//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExamples builds and runs what examples/ shows.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*/Dockerfile*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	greets := func(t *testing.T, dir, name string) {
		img := buildImage(t, dir, "--file="+name)
		if got := img.exec(t, nil, append(img.Config.Config.Entrypoint, "-once")...).ok(t).stdout; got != "Hello, world, from version 1.0.\n" {
			t.Errorf("it prints %q", got)
		}
	}
	checks := map[string]func(t *testing.T, dir, name string){
		"hello/Dockerfile":        greets,
		"hello/Dockerfile.single": greets,
		"monorepo/Dockerfile": func(t *testing.T, dir, _ string) {
			for target, want := range map[string]string{"api": "api: tea, coffee\n", "worker": "worker: made tea\nworker: made coffee\n", "tools": "migrate: 2 orders\n"} {
				img := buildImage(t, dir, "--target="+target)
				if got := img.run(t).ok(t).stdout; got != want {
					t.Errorf("%s prints %q", target, got)
				}
				if target != "tools" && len(img.tree(t)) != 1 {
					t.Errorf("%s holds more than its program: %v", target, img.tree(t))
				}
			}
			run(t, dir, "buildx", "bake", "--progress=plain", "--set=*.output=type=cacheonly").ok(t).prints(t, "build(PKG=./cmd/migrate)")
		},
		"release/Dockerfile": func(t *testing.T, dir, _ string) {
			img := buildImage(t, dir, "--target=release", "--build-arg=VERSION=2.0")
			for _, name := range []string{"linux-amd64", "linux-arm64", "darwin-arm64", "windows-amd64.exe"} {
				if !img.has(t, "/hello-"+name) {
					t.Errorf("hello-%s is missing", name)
				}
			}
			if got := img.exec(t, nil, "/hello-linux-amd64").ok(t).stdout; got != "hello 2.0 on linux/amd64\n" {
				t.Errorf("it prints %q", got)
			}
			buildx(t, dir, "--platform=linux/amd64,linux/arm64", "--output=type=cacheonly").ok(t)
		},
		"gates/Dockerfile": func(t *testing.T, dir, _ string) {
			img := buildImage(t, dir)
			if got := img.run(t, "1", "2", "3").ok(t).stdout; got != "6\n" || len(img.tree(t)) != 1 {
				t.Errorf("it prints %q and holds %v", got, img.tree(t))
			}
			broken := t.TempDir()
			if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(broken, "broken_test.go"), []byte("package main\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Error(\"broken\") }\n"))
			buildx(t, broken).fails(t, "--- FAIL: TestBroken", "--after=test,vet")
		},
		"library/Dockerfile": func(t *testing.T, dir, _ string) {
			stages, err := os.ReadFile(filepath.Join(dir, "stages/stages.Dockerfile"))
			if err != nil {
				t.Fatal(err)
			}
			_, url, commit := repository(t, "-- stages.Dockerfile --\n"+string(stages))
			img := buildImage(t, dir, "--build-arg=STAGES="+url+"#"+commit)
			if got := img.run(t).ok(t).stdout; got != "<title>Example</title>\nWelcome.\n" {
				t.Errorf("it prints %q", got)
			}
			buildx(t, dir).fails(t, "ARG STAGES is required")
		},
		"variants/Dockerfile": func(t *testing.T, dir, _ string) {
			small := buildImage(t, dir)
			if got := small.run(t, "you").ok(t).stdout; got != "Hello, you.\n" || len(small.tree(t)) != 1 {
				t.Errorf("it prints %q and holds %v", got, small.tree(t))
			}
			if debug := buildImage(t, dir, "--build-arg=DEBUG=1"); !debug.has(t, "/bin/sh") || debug.Config.Config.Labels["com.example.debug"] != "true" {
				t.Errorf("the variant to debug has no shell or no label: %v", debug.Config.Config.Labels)
			}
			run(t, dir, "buildx", "bake", "--progress=plain", "--set=*.output=type=cacheonly").ok(t)
			buildx(t, dir, "--build-arg=DISTRO=gentoo").fails(t, "it has to be one of alpine, debian, none")
			buildx(t, dir, "--call=outline").ok(t).prints(t, "adds what helps to look into a running container")
		},
		"toolbox/Dockerfile": func(t *testing.T, dir, _ string) {
			img := buildImage(t, dir)
			if !img.has(t, "/usr/local/go/bin/go") || !img.has(t, "/opt/scripts/greet") {
				t.Error("a toolchain is missing")
			}
			if env := strings.Join(img.Config.Config.Env, " "); !strings.Contains(env, "PATH=/opt/scripts:/usr/local/go/bin:/") || img.Config.Config.Labels["scripts"] != "1" {
				t.Errorf("the config is %+v", img.Config.Config)
			}
			// go runs in a container only: it asks /proc where it is
			text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
			if err != nil {
				t.Fatal(err)
			}
			used := filepath.Join(t.TempDir(), "Dockerfile")
			writeFile(t, used, append(text, "RUN greet\n"...))
			buildx(t, dir, "--progress=plain", "--no-cache-filter=dev", "--file="+used, "--output=type=cacheonly").ok(t).prints(t, "hello from dev, with go1.26")
		},
		"stamped/Dockerfile": func(t *testing.T, dir, _ string) {
			img := buildImage(t, dir)
			if got := img.run(t).ok(t).stdout; got != "stamped 2.4.1\n" || len(img.tree(t)) != 1 {
				t.Errorf("it prints %q and holds %v", got, img.tree(t))
			}
			if labels := img.Config.Config.Labels; labels["org.opencontainers.image.version"] != "2.4.1" || labels["com.example.notes"] != "- Says which version it is" {
				t.Errorf("the labels are %v", labels)
			}
		},
		"pinned/Dockerfile": func(t *testing.T, dir, _ string) {
			locked := t.TempDir()
			if err := os.CopyFS(locked, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			buildx(t, locked, "--output=type=cacheonly").fails(t, "docker build --target=:lock -o . .")
			buildx(t, locked, "--target=:lock", "--output=.").ok(t)
			if got := buildImage(t, locked).run(t, "you").ok(t).stdout; got != "Hello, you.\n" {
				t.Errorf("it prints %q", got)
			}
			buildx(t, locked, "--call=lock", "--build-arg=STAGECRAFT_LOCK=verify").ok(t)
			buildx(t, locked, "--output=type=cacheonly", "--build-arg=BUILDKIT_SYNTAX="+upstreamImage).ok(t)
			if text := expands(t, locked); !strings.Contains(text, "FROM golang:1.26-alpine@sha256:") {
				t.Errorf("the plain form lacks the digest of the lock:\n%s", text)
			}
		},
		"interpreter/Dockerfile": func(t *testing.T, dir, _ string) {
			for args, want := range map[string]string{
				"VERSION=3.14 VARIANT=slim THREADS=locked": "tiny 3.14.2+jit\n",
				"VERSION=3.12 VARIANT=alpine THREADS=free": "tiny 3.12.11+experimental+free\n",
				"VERSION=3.15 VARIANT=full THREADS=free":   "tiny 3.15.0+jit+free\n",
			} {
				var flags []string
				for arg := range strings.FieldsSeq(args) {
					flags = append(flags, "--build-arg="+arg)
				}
				img := buildImage(t, dir, flags...)
				if got := img.run(t).ok(t).stdout; got != want {
					t.Errorf("%s prints %q", args, got)
				}
				full, coming := strings.Contains(args, "full"), img.Config.Config.Labels["com.example.status"]
				if img.has(t, "/usr/local/share/tiny/manual") != full || (coming == "prerelease") != full {
					t.Errorf("%s: the manual is there or not, and the status is %q", args, coming)
				}
			}
			run(t, dir, "buildx", "bake", "--progress=plain", "--call=check").ok(t)
			buildx(t, dir, "--build-arg=VERSION=2.7").fails(t, "it has to be one of 3.10, 3.11")
		},
		"fleet/Dockerfile": func(t *testing.T, dir, _ string) {
			mail := buildImage(t, dir, "--target=service", "--build-arg=SERVICE=mail")
			if got := mail.run(t).ok(t).stdout; got != "mail is ready\n" || len(mail.tree(t)) != 1 {
				t.Errorf("it prints %q and holds %v", got, mail.tree(t))
			}
			if _, ok := mail.Config.Config.ExposedPorts["9000/tcp"]; !ok {
				t.Errorf("its ports are %v", mail.Config.Config.ExposedPorts)
			}
			if web := buildImage(t, dir, "--target=web"); !web.has(t, "/api") || !web.has(t, "/shop") || web.has(t, "/mail") {
				t.Errorf("the services of the web are %v", web.tree(t))
			}
			if fleet := buildImage(t, dir); len(fleet.tree(t)) != 3 {
				t.Errorf("the fleet is %v", fleet.tree(t))
			}
			run(t, dir, "buildx", "bake", "--progress=plain", "--set=*.output=type=cacheonly").ok(t)
			buildx(t, dir, "--target=service", "--build-arg=SERVICE=mial").fails(t, `there is no key "mial" (did you mean mail?)`)
		},
		"distroless/Dockerfile": checkDistroless,
		"matrix/Dockerfile": func(t *testing.T, dir, _ string) {
			img := buildImage(t, dir)
			for _, name := range []string{"go1.25-default", "go1.25-small", "go1.26-default", "go1.26-small"} {
				if got := img.read(t, "/"+name+".txt"); !strings.HasPrefix(got, "ok") {
					t.Errorf("%s says %q", name, got)
				}
			}
		},
	}
	for _, file := range files {
		dir, name := filepath.Split(file)
		example := filepath.Join(filepath.Base(dir), name)
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			check, ok := checks[example]
			if !ok {
				t.Fatal("this example has no check")
			}
			check(t, dir, name)
		})
	}
}

// TestToolchainExample builds the services of examples/toolchain, each with its
// own Dockerfile.
func TestToolchainExample(t *testing.T) {
	t.Parallel()
	const dir = "../../examples/toolchain"
	for _, service := range []string{"orders", "mail", "web"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			img := buildImage(t, dir, "--file=services/"+service+"/Dockerfile")
			if got := img.run(t).ok(t).stdout; got != service+" is ready\n" || len(img.tree(t)) != 1 {
				t.Errorf("it prints %q and holds %v", got, img.tree(t))
			}
		})
	}
	t.Run("bake", func(t *testing.T) {
		t.Parallel()
		run(t, dir, "buildx", "bake", "--progress=plain", "--set=*.output=type=cacheonly").ok(t).prints(t, "#image(SERVICE=web)] after test")
	})
}

var dockerfileBlock = regexp.MustCompile("(?s)```dockerfile\n(.*?)```")

// TestReadme builds the Dockerfiles of README.md, that for upstream's frontend too, and gets the
// error that it shows.
func TestReadme(t *testing.T) {
	t.Parallel()
	text := readText(t, "../../README.md")
	dir := project(t, "-- go.mod --\nmodule app\n-- cmd/api/main.go --\npackage main\n\nfunc main() { println(\"hello\") }\n"+
		"-- cmd/worker/main.go --\npackage main\n\nfunc main() {}\n")
	blocks := dockerfileBlock.FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("README.md has %d Dockerfiles: one from before and one from after", len(blocks))
	}
	var trees [][]string
	for i, syntax := range []string{"# syntax=" + upstreamImage + "\n", syntaxLine} {
		if !strings.HasPrefix(blocks[i][1], syntax) {
			t.Errorf("a Dockerfile without %s:\n%s", syntax, blocks[i][1])
		}
		writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(blocks[i][1]))
		img := buildImage(t, dir)
		img.run(t).ok(t).prints(t, "hello")
		trees = append(trees, slices.Sorted(maps.Keys(img.tree(t))))
	}
	if !slices.Equal(trees[0], trees[1]) {
		t.Errorf("the images hold %q", trees)
	}
	_, shown, _ := strings.Cut(text, "```\nERROR: ")
	shown, _, _ = strings.Cut(shown, "\n")
	mistaken := strings.Replace(blocks[1][1], "(PKG=", "(PGK=", 1)
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(mistaken))
	buildx(t, dir).fails(t, "ERROR: "+shown)
}
