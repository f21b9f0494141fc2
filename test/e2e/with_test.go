//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// merged is a file with operands that share an image, a stage or nothing with the base.
const merged = `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox AS common
RUN mkdir -p /opt/shared /t && chmod 1777 /t && echo common > /opt/shared/f && echo gone > /opt/gone && echo kept > /opt/kept

FROM common AS base
ARG BASE_ID=0
RUN echo $BASE_ID > /base

FROM common AS python
ARG PYTHON_ID=0
RUN mkdir -p /opt/python/bin && echo $PYTHON_ID > /opt/python/bin/python && ln /opt/python/bin/python /opt/python/bin/python3 && \
    chown 7:8 /opt/python && chmod 4755 /opt/python/bin/python && rm /opt/gone && echo python > /t/python && echo python > /both
ENV PATH=/opt/python/bin:$PATH PYTHON=1

FROM busybox AS node
ARG NODE_ID=0
RUN mkdir -p /opt/node/bin && echo $NODE_ID > /opt/node/bin/node && mkdir -p /t && chmod 1777 /t && echo node > /t/node && echo node > /both
ENV PATH=/opt/node/bin:$PATH
LABEL node=22

FROM scratch AS tool
COPY tool /opt/tool

FROM --with=python,node,tool base AS dev
FROM --with=node,tool,python base AS turned
-- tool --
tool
`

// TestMergedLayersAreThoseOfTheOperands guards that a merge makes no layers of its own: those
// of the base come first, then those that each operand has beyond what it shares.
func TestMergedLayersAreThoseOfTheOperands(t *testing.T) {
	t.Parallel()
	dir := project(t, merged)
	layers := func(target string) (out []string) {
		img := buildImage(t, dir, "--target="+target)
		for _, l := range img.Manifest.Layers {
			out = append(out, l.Digest.String())
		}
		return out
	}
	common, image := layers("common"), len(layers("base"))-2 // one RUN in common, one in base
	want := slices.Concat(layers("base"), layers("python")[len(common):], layers("node")[image:], layers("tool"))
	if diff := cmp.Diff(want, layers("dev")); diff != "" {
		t.Errorf("layers of the operands (-) and of the merge (+):\n%s", diff)
	}
}

// TestMergedTree guards what is in a merge: files, deletions, links, modes and owners of the
// operands, and the config.
func TestMergedTree(t *testing.T) {
	t.Parallel()
	dir := project(t, merged)
	img := buildImage(t, dir, "--target=dev")
	for path, want := range map[string]string{"/base": "0\n", "/opt/python/bin/python": "0\n", "/opt/node/bin/node": "0\n", "/opt/tool": "tool\n", "/opt/kept": "kept\n", "/t/python": "python\n", "/t/node": "node\n", "/both": "node\n"} {
		if got := img.read(t, path); got != want {
			t.Errorf("%s is %q, not %q", path, got, want)
		}
	}
	if img.has(t, "/opt/gone") {
		t.Error("what an operand deleted is there")
	}
	stat := func(path string) (fs.FileMode, *syscall.Stat_t) {
		info, err := os.Lstat(filepath.Join(img.rootfs, path))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode(), info.Sys().(*syscall.Stat_t)
	}
	if mode, _ := stat("/t"); mode.Perm() != 0o777 || mode&fs.ModeSticky == 0 {
		t.Errorf("the directory that operands share has the mode %v", mode)
	}
	mode, one := stat("/opt/python/bin/python")
	_, other := stat("/opt/python/bin/python3")
	if one.Ino != other.Ino || mode&fs.ModeSetuid == 0 {
		t.Errorf("inodes %d and %d, mode %v", one.Ino, other.Ino, mode)
	}
	if _, owned := stat("/opt/python"); owned.Uid != 7 || owned.Gid != 8 {
		t.Errorf("owner %d:%d", owned.Uid, owned.Gid)
	}
	config := img.Config.Config
	if !slices.ContainsFunc(config.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=/opt/node/bin:/opt/python/bin:/") }) ||
		!slices.Contains(config.Env, "PYTHON=1") || config.Labels["node"] != "22" {
		t.Errorf("the config is %+v", config)
	}
	// order decides conflicts alone
	turned := buildImage(t, dir, "--target=turned")
	want, got := img.tree(t), turned.tree(t)
	if want["/both"] == got["/both"] {
		t.Error("the later operand does not win")
	}
	delete(want, "/both")
	delete(got, "/both")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trees in one order (-) and the other (+):\n%s", diff)
	}
}

// TestMergedCachesAreApart guards that a change in one operand builds nothing of the others.
func TestMergedCachesAreApart(t *testing.T) {
	t.Parallel()
	dir, id := project(t, merged), unique()
	build := func(args ...string) string {
		return buildx(t, dir, append([]string{"--progress=plain", "--target=dev", "--output=type=cacheonly", "--build-arg=BASE_ID=" + id, "--build-arg=NODE_ID=" + id}, args...)...).ok(t).stderr
	}
	build("--build-arg=PYTHON_ID=1" + id)
	progress := build("--build-arg=PYTHON_ID=2" + id)
	if !ran(progress, "[python 1/1] RUN") || ran(progress, "[node 2/2] RUN") || ran(progress, "[base 1/1] RUN") {
		t.Errorf("the second build ran:\n%s", progress)
	}
}

// TestMergeOfManyLayers guards that operands of many layers merge.
func TestMergeOfManyLayers(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("# syntax=stagecraft/dockerfile:1\n")
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("s%d", i)
		names = append(names, name)
		fmt.Fprintf(&text, "FROM busybox AS %s\n", name)
		for j := range 3 {
			fmt.Fprintf(&text, "COPY file /many/%d-%d\n", i, j)
		}
	}
	fmt.Fprintf(&text, "FROM --with=%s busybox\n", strings.Join(names, ","))
	dir := project(t, "-- file --\nx\n")
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(text.String()))
	img := buildImage(t, dir)
	for i := range 20 {
		for j := range 3 {
			if path := fmt.Sprintf("/many/%d-%d", i, j); !img.has(t, path) {
				t.Errorf("%s is missing", path)
			}
		}
	}
	if n := len(img.Manifest.Layers); n < 61 {
		t.Errorf("%d layers", n)
	}
}

// TestMergeOfImagesAndContexts guards operands that are images and named contexts.
func TestMergeOfImagesAndContexts(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n# syntax=stagecraft/dockerfile:1\nFROM scratch AS files\nCOPY f /f\nFROM busybox AS app\nRUN echo app > /app\nFROM --with=files,app,extra busybox AS dev\n-- f --\nf\n")
	layout := filepath.Join(t.TempDir(), "extra")
	extra := project(t, "-- Dockerfile --\nFROM scratch\nCOPY extra /extra\n-- extra --\nextra\n")
	buildx(t, extra, "--provenance=false", "--output=type=oci,tar=false,dest="+layout).ok(t)
	// an image of another build shares nothing that the files tell of
	buildx(t, dir, "--build-context=extra=oci-layout://"+layout, "--output=type=cacheonly").fails(t, "extra and busybox share nothing that both are built FROM")
	// one that the base and an operand are both built FROM is their ancestor
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("# syntax=stagecraft/dockerfile:1\nFROM scratch AS files\nCOPY f /f\nFROM extra AS app\nCOPY f /app\nFROM --with=app,files extra\n"))
	if img := buildImage(t, dir, "--build-context=extra=oci-layout://"+layout); !img.has(t, "/extra") || !img.has(t, "/app") || !img.has(t, "/f") {
		t.Errorf("the image holds %v", img.tree(t))
	}
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("# syntax=stagecraft/dockerfile:1\nFROM busybox AS a\nRUN echo a > /a\nFROM --with=busybox,a busybox\n"))
	img := buildImage(t, dir)
	if !img.has(t, "/a") {
		t.Error("/a is missing")
	}
}

// TestMergeOnEngines guards that engines without merges make the same tree, by copies, and the
// same config.
func TestMergeOnEngines(t *testing.T) {
	t.Parallel()
	dir := project(t, merged)
	want := map[string]map[string]string{}
	for _, target := range []string{"dev", "turned"} {
		out := filepath.Join(t.TempDir(), "now.tar")
		buildx(t, dir, "--target="+target, "--output=type=tar,dest="+out).ok(t)
		want[target] = entriesOf(t, out)
	}
	onEngines(t, func(t *testing.T, on target) {
		for target, want := range want {
			if diff := cmp.Diff(want, on.tree(t, dir, "--target="+target)); diff != "" {
				t.Errorf("%s: the tree of the development engine (-) and of this one (+):\n%s", target, diff)
			}
		}
		progress := on.build(t, dir, "--target=dev").ok(t).output()
		if merges := strings.Contains(progress, "[dev] what python adds"); merges != (on.name == "containerd") {
			t.Errorf("merges are there: %v", merges)
		}
		if on.docker == "" {
			return
		}
		got := on.prints(t, dir, []string{"--target=dev"}, "sh", "-c", "cat /opt/tool; ls /opt; echo $PATH $PYTHON")
		if got != "tool\nkept\nnode\npython\nshared\ntool\n/opt/node/bin:/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin 1\n" {
			t.Errorf("it prints %q", got)
		}
	})
}

// entriesOf tells what a tar has at each path, but for times: steps run at their own.
func entriesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		dt, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.Trim(h.Name, "./")] = fmt.Sprintf("%c %o %d:%d %s %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, sha256.Sum256(dt))
	}
}

// TestMergedCapabilities guards file capabilities through a merge and a squash, with merges and
// without.
func TestMergedCapabilities(t *testing.T) {
	t.Parallel()
	dir := project(t, `
-- Dockerfile --
# syntax=stagecraft/dockerfile:1
FROM busybox AS capable
ADD caps.tar /
FROM --with=capable busybox AS dev
RUN echo dev > /dev-file
FROM --squash dev AS flat
`)
	// cap_net_bind_service, effective and permitted, as VFS_CAP_REVISION_2 has it
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: "opt/tool", Mode: 0o755, Size: 4, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability}}
	if err := errors.Join(w.WriteHeader(header), func() error { _, err := w.Write([]byte("tool")); return err }(), w.Close()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "caps.tar"), archive.Bytes())
	for _, target := range []string{"dev", "flat"} {
		out := filepath.Join(t.TempDir(), "now")
		buildx(t, dir, "--target="+target, "--provenance=false", "--output=type=oci,tar=false,compression=uncompressed,force-compression=true,dest="+out).ok(t)
		if got := capabilityOf(t, out, "opt/tool"); got != capability {
			t.Errorf("%s: the capability is %q", target, got)
		}
	}
	onEngines(t, func(t *testing.T, on target) {
		if got := capabilityOf(t, on.layers(t, dir, "--target=flat"), "opt/tool"); got != capability {
			t.Errorf("the capability is %q", got)
		}
	})
}

// capabilityOf returns the capability that a file has in the layers below a directory.
func capabilityOf(t *testing.T, dir, name string) (capability string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		layer := io.Reader(f)
		if unzipped, err := gzip.NewReader(f); err == nil {
			layer = unzipped
		} else if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		for r := tar.NewReader(layer); ; {
			h, err := r.Next()
			if err != nil { // the end, or no layer
				return nil
			}
			if strings.Trim(h.Name, "./") == name {
				capability = h.PAXRecords["SCHILY.xattr.security.capability"]
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return capability
}
