//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is a built image: its layout on disk and its unpacked tree.
type image struct {
	rootfs   string
	layout   string
	Config   ocispecs.Image
	Manifest ocispecs.Manifest
}

// buildImage builds dir and exports the result twice, as an OCI layout and as
// a tree.
func buildImage(tb testing.TB, dir string, args ...string) image {
	tb.Helper()
	out := tb.TempDir()
	img := image{rootfs: filepath.Join(out, "rootfs"), layout: filepath.Join(out, "layout")}
	// no provenance: the layout then holds one manifest
	// a tar: exporting a large tree as type=local hangs with some releases of buildx
	tar := filepath.Join(out, "rootfs.tar")
	buildx(tb, dir, append([]string{
		"--provenance=false",
		"--output", "type=tar,dest=" + tar,
		"--output", "type=oci,tar=false,dest=" + img.layout,
	}, args...)...).ok(tb)
	if err := os.Mkdir(img.rootfs, 0o755); err != nil {
		tb.Fatal(err)
	}
	run(tb, img.rootfs, "tar", "xf", tar).ok(tb)
	img.load(tb)
	return img
}

func (img *image) load(tb testing.TB) {
	tb.Helper()
	var index ocispecs.Index
	readJSON(tb, filepath.Join(img.layout, "index.json"), &index)
	if len(index.Manifests) != 1 {
		tb.Fatalf("%s holds %d manifests, not one", img.layout, len(index.Manifests))
	}
	readJSON(tb, img.blob(index.Manifests[0].Digest), &img.Manifest)
	readJSON(tb, img.blob(img.Manifest.Config.Digest), &img.Config)
}

func (img image) blob(d digest.Digest) string {
	return filepath.Join(img.layout, "blobs", d.Algorithm().String(), d.Encoded())
}

func readJSON(tb testing.TB, path string, into any) {
	tb.Helper()
	dt, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(dt, into); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
}

// tree returns the regular files of the image with their content's digest, and
// symbolic links with their target.
func (img image) tree(tb testing.TB) map[string]string {
	tb.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(img.rootfs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, img.rootfs)
		if d.Type()&fs.ModeSymlink != 0 {
			tree[name], err = os.Readlink(path)
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		dt, err := os.ReadFile(path)
		tree[name] = digest.FromBytes(dt).String()
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

// size is the sum of the sizes of the image's regular files in bytes: about
// what docker images prints.
func (img image) size(tb testing.TB) int64 {
	tb.Helper()
	var size int64
	err := filepath.WalkDir(img.rootfs, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}

// has tells whether a path exists in the image.
func (img image) has(tb testing.TB, path string) bool {
	tb.Helper()
	_, err := os.Lstat(filepath.Join(img.rootfs, path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return err == nil
}

// read returns the content of a file of the image.
func (img image) read(tb testing.TB, path string) string {
	tb.Helper()
	dt, err := os.ReadFile(filepath.Join(img.rootfs, path))
	if err != nil {
		tb.Fatal(err)
	}
	return string(dt)
}

// run runs the image as docker run would: its entrypoint with args, or with
// its command, in its own tree, environment and working directory.
func (img image) run(tb testing.TB, args ...string) command {
	tb.Helper()
	argv := slices.Concat(img.Config.Config.Entrypoint, args)
	if len(args) == 0 {
		argv = append(argv, img.Config.Config.Cmd...)
	}
	return img.exec(tb, nil, argv...)
}

// exec runs argv in the image, with further environment variables.
func (img image) exec(tb testing.TB, environ []string, argv ...string) command {
	tb.Helper()
	cmd, stdout, stderr := img.command(tb, environ, argv)
	err := cmd.Run()
	return command{argv, stdout.String(), stderr.String(), err}
}

// process is a program of an image that runs beside the test.
type process struct {
	done   chan struct{}
	stderr *bytes.Buffer
}

// start starts the image's entrypoint and ends it with the test.
func (img image) start(tb testing.TB, environ []string) process {
	tb.Helper()
	cmd, _, stderr := img.command(tb, environ, slices.Concat(img.Config.Config.Entrypoint, img.Config.Config.Cmd))
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := process{make(chan struct{}), stderr}
	go func() {
		_ = cmd.Wait() // killed at the end
		close(p.done)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

func (p process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// output is what an ended process printed on stderr.
func (p process) output() string {
	if !p.ended() {
		return "(it still runs)"
	}
	return p.stderr.String()
}

func (img image) command(tb testing.TB, environ, argv []string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	tb.Helper()
	if len(argv) == 0 {
		tb.Fatal("the image has no command")
	}
	cwd := img.Config.Config.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	environ = slices.Concat(img.Config.Config.Env, environ)
	cmd = exec.CommandContext(tb.Context(), img.lookPath(argv[0], cwd, environ), argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir = cwd
	cmd.Env = environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: img.rootfs}
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// lookPath finds a program in the image's PATH; the path is one inside the
// image.
func (img image) lookPath(name, cwd string, environ []string) string {
	if filepath.IsAbs(name) {
		return name
	}
	if strings.Contains(name, "/") {
		return filepath.Join(cwd, name)
	}
	for _, e := range slices.Backward(environ) {
		path, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(path, ":") {
			if _, err := os.Lstat(filepath.Join(img.rootfs, dir, name)); err == nil {
				return filepath.Join(dir, name)
			}
		}
	}
	return "/" + name
}
