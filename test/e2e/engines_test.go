//go:build e2e

package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// target is an engine beside the development engine, and a stock client of it.
type target struct {
	name    string
	environ []string // of the client
	client  []string // the command that builds
	docker  string   // a Docker client, for a Docker Engine
}

// onEngines runs a test on each engine that hack/engine/engines.sh has started.
func onEngines(t *testing.T, test func(t *testing.T, on target)) {
	t.Helper()
	onDockerEngines(t, test)
	t.Run("buildkit07", func(t *testing.T) {
		t.Parallel()
		takesPart(t, "buildkit07")
		on := target{"buildkit07", []string{"DOCKER_CONFIG=" + t.TempDir(), "BUILDX_BUILDER=buildkit07", "BUILDKIT_PROGRESS=plain"}, []string{"buildx", "build"}, ""}
		runWith(t, "", on.environ, "buildx", "create", "--name=buildkit07", "--driver=remote", env(t, "BUILDKIT07_HOST")).ok(t)
		test(t, on)
	})
}

// onDockerEngines runs it on each that runs containers: the Docker Engine of 2020 with its own
// client, and that of today with each of its image stores.
func onDockerEngines(t *testing.T, test func(t *testing.T, on target)) {
	t.Helper()
	for _, engine := range []struct{ name, makes, host string }{
		{"docker20", "docker20", "DOCKER20_HOST"},
		{"containerd", "moby", "MOBY_CONTAINERD_HOST"},
		{"classic", "moby", "MOBY_CLASSIC_HOST"},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			takesPart(t, engine.makes)
			on := target{
				engine.name,
				[]string{"DOCKER_HOST=" + env(t, engine.host), "DOCKER_CONFIG=" + t.TempDir(), "BUILDX_BUILDER=default", "BUILDKIT_PROGRESS=plain", "DOCKER_BUILDKIT=1"},
				[]string{"buildx", "build"}, env(t, "DOCKER20_CLI"),
			}
			if engine.name == "docker20" {
				on.client = []string{on.docker, "build"}
			}
			pulled := registry(t) + "/" + frontendImage
			on.run(t, "pull", pulled).ok(t)
			on.run(t, "tag", pulled, frontendImage).ok(t)
			test(t, on)
		})
	}
}

// takesPart skips a test of an engine that is not built: engines.sh has said so.
func takesPart(tb testing.TB, engine string) {
	tb.Helper()
	if !slices.Contains(strings.Fields(env(tb, "STAGECRAFT_ENGINES")), engine) {
		tb.Skipf("%s is not built: make %s, or make e2e ENGINES=all", engine, engine)
	}
}

// build builds dir.
func (on target) build(tb testing.TB, dir string, args ...string) command {
	tb.Helper()
	return runWith(tb, dir, on.environ, slices.Concat(on.client, args, []string{"."})...)
}

// call builds with a client of today, for calls and what else an old one lacks.
func (on target) call(tb testing.TB, dir string, args ...string) command {
	tb.Helper()
	return runWith(tb, dir, on.environ, slices.Concat([]string{"buildx", "build"}, args, []string{"."})...)
}

// run runs a command of the Docker client.
func (on target) run(tb testing.TB, args ...string) command {
	tb.Helper()
	return runWith(tb, "", on.environ, append([]string{on.docker}, args...)...)
}

// tag returns a name for an image that is no longer there after the test.
func (on target) tag(t *testing.T) string {
	t.Helper()
	tag := "sc-" + strings.ReplaceAll(unique(), ".", "-")
	t.Cleanup(func() {
		cmd := exec.Command(on.docker, "rmi", "-f", tag) // the context of the test is over
		cmd.Env = append(os.Environ(), on.environ...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return tag
}

// prints builds an image and returns what a command prints in it: in a container, or where there
// are none in the tree of the image.
func (on target) prints(t *testing.T, dir string, args []string, argv ...string) string {
	t.Helper()
	if on.docker != "" {
		tag := on.tag(t)
		on.build(t, dir, append(args, "-t", tag)...).ok(t)
		return on.run(t, append([]string{"run", "--rm", "--network=none", tag}, argv...)...).ok(t).stdout
	}
	img := image{rootfs: filepath.Join(t.TempDir(), "rootfs")}
	if err := os.Mkdir(img.rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	tar := img.rootfs + ".tar"
	on.build(t, dir, append(args, "--output=type=tar,dest="+tar)...).ok(t)
	run(t, img.rootfs, "tar", "xf", tar).ok(t)
	return img.exec(t, []string{"PATH=/usr/bin:/bin"}, argv...).ok(t).stdout
}

// refuses guards that a build fails, with all that is wanted in what it prints, and that nothing
// comes out of it.
func (on target) refuses(t *testing.T, dir string, args []string, want ...string) command {
	t.Helper()
	if on.docker != "" {
		tag := on.tag(t)
		c := on.build(t, dir, append(args, "-t", tag)...).fails(t, want...)
		on.run(t, "inspect", tag).fails(t, "No such object")
		return c
	}
	out := filepath.Join(t.TempDir(), "out")
	c := on.build(t, dir, append(args, "--output="+out)...).fails(t, want...)
	if files, err := os.ReadDir(out); len(files) > 0 {
		t.Errorf("the failed build left %v, %v", files, err)
	}
	return c
}

// tree builds an image and tells what is at each path.
func (on target) tree(t *testing.T, dir string, args ...string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tree.tar")
	on.build(t, dir, append(args, "--output=type=tar,dest="+out)...).ok(t)
	tree := entriesOf(t, out)
	if on.name == "buildkit07" { // where a RUN leaves the files that it mounted
		maps.DeleteFunc(tree, func(path, _ string) bool {
			return strings.HasSuffix(path, "etc/hosts") || strings.HasSuffix(path, "etc/resolv.conf")
		})
	}
	return tree
}

// layers builds an image and returns a directory that has its layers.
func (on target) layers(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image")
	if on.docker != "" {
		tag := on.tag(t)
		on.build(t, dir, append(args, "-t", tag)...).ok(t)
		on.run(t, "save", "-o", out+".tar", tag).ok(t)
	} else {
		on.build(t, dir, append(args, "--output=type=oci,dest="+out+".tar")...).ok(t)
	}
	run(t, "", "sh", "-c", "mkdir "+out+" && tar xf "+out+".tar -C "+out).ok(t)
	return out
}

// TestEnginesAreOfTheirKind guards that an engine is what tests take it for.
func TestEnginesAreOfTheirKind(t *testing.T) {
	t.Parallel()
	onDockerEngines(t, func(t *testing.T, on target) {
		store := on.run(t, "info", "--format={{.ServerVersion}} {{.Driver}} {{.DriverStatus}}").ok(t).stdout
		old, containerd := strings.HasPrefix(store, "20.10."), strings.Contains(store, "io.containerd.snapshotter.v1")
		if old != (on.name == "docker20") || containerd != (on.name == "containerd") {
			t.Errorf("it is %s", store)
		}
	})
}

// TestCallsOnEngines guards the calls of clients on other engines.
func TestCallsOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, gated)
	wrong := project(t, "-- Dockerfile --\n"+syntaxLine+"FROM busybox AS tset\nFROM --after=test busybox\n")
	onEngines(t, func(t *testing.T, on target) {
		on.call(t, dir, "--call=check").ok(t).prints(t, "no warnings found")
		on.call(t, wrong, "--call=check").fails(t, "Dockerfile:3", "test")
		on.call(t, dir, "--call=targets").ok(t).prints(t, "app", "deploy")
		on.call(t, dir, "--call=graph", "--target=app").ok(t).prints(t, "AFTER test")
		on.call(t, dir, "--call=expand", "--target=app").ok(t).prints(t, "FROM busybox AS app")
		on.call(t, dir, "--call=size", "--target=app").ok(t).prints(t, "RUN echo hello > /hello")
	})
}
