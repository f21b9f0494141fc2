//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
)

// TestUnset runs a step above and one below UNSET: below it there is no variable, user, directory
// and shell, and nothing of them in the image, whose layers are those of the stage above.
func TestUnset(t *testing.T) {
	t.Parallel()
	dockerfile := syntaxLine + `FROM debian AS base
ARG MODE=test
ENV A=1 B=2
LABEL com.acme.a=1 org.b=2
USER nobody
WORKDIR /tmp
SHELL ["/bin/bash", "-c"]
ENTRYPOINT ["entry"]
CMD ["cmd"]
EXPOSE 80 81
VOLUME /v /w
STOPSIGNAL SIGINT
HEALTHCHECK CMD true
ONBUILD RUN false
UNSET ONBUILD
RUN echo "$(id -un) $PWD ${BASH_VERSION:+bash} $A $B $MODE" > /tmp/above

FROM base AS unset
UNSET ENV A
UNSET LABEL com.acme.*
UNSET USER
UNSET WORKDIR
UNSET SHELL
UNSET ENTRYPOINT
UNSET CMD
UNSET EXPOSE 80
UNSET VOLUME /v
UNSET STOPSIGNAL
UNSET HEALTHCHECK

FROM unset AS below
RUN echo "$(id -un) $PWD ${BASH_VERSION:+bash} ${A-none} ${A+set} $B $MODE" > /tmp/below; env > /tmp/env
`
	triggered := project(t, "-- Dockerfile --\n"+strings.Replace(dockerfile, "UNSET ONBUILD\n", "", 1))
	buildx(t, triggered, "--target=below").fails(t, "ONBUILD RUN false")
	dir := project(t, "-- Dockerfile --\n"+dockerfile)
	base, unset, below := buildImage(t, dir, "--target=base"), buildImage(t, dir, "--target=unset"), buildImage(t, dir)
	for name, want := range map[string]string{
		"/tmp/above": "nobody /tmp bash 1 2 test\n",
		"/tmp/below": "root /  none  2 test\n",
	} {
		if got := below.read(t, name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if env := strings.Split(below.read(t, "/tmp/env"), "\n"); slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "A=") }) {
		t.Errorf("the environment below has A: %q", env)
	}
	var full dockerspec.DockerOCIImage
	readJSON(t, unset.blob(unset.Manifest.Config.Digest), &full)
	want := dockerspec.DockerOCIImageConfig{}
	want.Env = slices.DeleteFunc(slices.Clone(base.Config.Config.Env), func(kv string) bool { return kv == "A=1" })
	want.Labels = map[string]string{"org.b": "2"}
	want.ExposedPorts = map[string]struct{}{"81/tcp": {}}
	want.Volumes = map[string]struct{}{"/w": {}}
	want.WorkingDir = "/"
	if diff := cmp.Diff(want, full.Config); diff != "" {
		t.Errorf("the config is not what is left (-):\n%s", diff)
	}
	if diff := cmp.Diff(layers(base), layers(unset)); diff != "" {
		t.Errorf("the layers of the base (-) are not those of the stage with UNSET (+):\n%s", diff)
	}
	if got := layers(below); !slices.Equal(got[:len(got)-1], layers(base)) {
		t.Errorf("the layers %v do not start with those of the base, %v", got, layers(base))
	}
}

// TestFromReset builds the files of a stage under the config of scratch, which is what a COPY of
// them gives, with the layers of the stage.
func TestFromReset(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- Dockerfile --\n"+syntaxLine+`FROM debian AS base
ENV A=1
LABEL b=2
WORKDIR /w
CMD ["x"]
ONBUILD RUN false
RUN echo made > /made
FROM --reset base AS reset
FROM scratch AS copied
COPY --from=base / /
`)
	base, reset, copied := buildImage(t, dir, "--target=base"), buildImage(t, dir, "--target=reset"), buildImage(t, dir, "--target=copied")
	if diff := cmp.Diff(copied.tree(t), reset.tree(t)); diff != "" {
		t.Errorf("the trees of a copy (-) and a reset (+) differ:\n%s", diff)
	}
	if diff := cmp.Diff(copied.Config.Config, reset.Config.Config); diff != "" {
		t.Errorf("the configs of a copy (-) and a reset (+) differ:\n%s", diff)
	}
	if diff := cmp.Diff(layers(base), layers(reset)); diff != "" {
		t.Errorf("the layers of the base (-) and of the reset (+) differ:\n%s", diff)
	}
	if diff := cmp.Diff(base.Config.History, reset.Config.History); diff != "" {
		t.Errorf("the histories of the base (-) and of the reset (+) differ:\n%s", diff)
	}
}

// TestFromSquash makes one layer of a stage with all that a file can have: owner, mode, times,
// hard and symbolic links, extended attributes, capabilities; and with deletions.
func TestFromSquash(t *testing.T) {
	t.Parallel()
	dir := project(t, "-- attributes.go --\n"+`package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	for _, path := range os.Args[2:] {
		for name, value := range map[string]string{
			"user.note":           "hello",
			"security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		} {
			got := make([]byte, 64)
			var n int
			var err error
			if os.Args[1] == "set" {
				err = syscall.Setxattr(path, name, []byte(value), 0)
			} else if n, err = syscall.Getxattr(path, name, got); err == nil && string(got[:n]) != value {
				err = fmt.Errorf("it is %q", got[:n])
			}
			if err != nil {
				fmt.Println(path, name, err)
				os.Exit(1)
			}
		}
	}
}
-- Dockerfile --
`+syntaxLine+`FROM golang AS attributes
COPY attributes.go /src/
RUN CGO_ENABLED=0 go build -o /attributes /src/attributes.go

FROM debian AS made
ENV KEPT=yes
CMD ["x"]
RUN mkdir -p /made/dir && cd /made && echo file > file && chown 1234:5678 file && chmod 4755 file && \
    ln file hard && ln -s file soft && chown -h 7:8 soft && chmod 2711 dir && mkdir sticky && chmod 1777 sticky && mkfifo pipe && \
    echo capable > capable && echo gone > gone && touch -d 2001-02-03T04:05:06 file && touch -h -d 2002-02-03 soft && touch -d 2003-02-03 sticky
RUN --mount=from=attributes,target=/run/attributes /run/attributes/attributes set /made/capable /made/dir
RUN rm /made/gone && touch -d 2004-02-03 /made/dir /made

FROM --squash made AS squashed

FROM made AS was
RUN find /made | sort | xargs stat -c '%n %F %a %u:%g %Y' > /list

FROM squashed AS checked
RUN find /made | sort | xargs stat -c '%n %F %a %u:%g %Y' > /list; \
    stat -c %i /made/file > /inode; stat -c %i /made/hard >> /inode; readlink /made/soft > /link
RUN --mount=from=attributes,target=/run/attributes /run/attributes/attributes get /made/capable /made/dir

FROM scratch AS lists
COPY --from=was /list /was
COPY --from=checked /list /inode /link /
`)
	// BuildKit takes a copy of equal files from its cache, and steps on it, whatever the times and hard links are
	anew := "--no-cache-filter=squashed,checked"
	made, squashed, lists := buildImage(t, dir, "--target=made"), buildImage(t, dir, "--target=squashed", anew), buildImage(t, dir, "--target=lists", anew)
	if n, history := len(squashed.Manifest.Layers), squashed.Config.History; n != 1 || len(squashed.Config.RootFS.DiffIDs) != 1 || len(history) != 1 || history[0].EmptyLayer {
		t.Errorf("%d layers, %d diff IDs, history %v: not one", n, len(squashed.Config.RootFS.DiffIDs), history)
	}
	if diff := cmp.Diff(made.Config.Config, squashed.Config.Config); diff != "" {
		t.Errorf("the config of the base (-) is not kept (+):\n%s", diff)
	}
	if diff := cmp.Diff(made.tree(t), squashed.tree(t)); diff != "" {
		t.Errorf("the tree of the base (-) is not that of its one layer (+):\n%s", diff)
	}
	if diff := cmp.Diff(lists.read(t, "/was"), lists.read(t, "/list")); diff != "" || !strings.Contains(lists.read(t, "/list"), "/made/file regular file 4755 1234:5678 981173106\n") {
		t.Errorf("the files of the base (-) and of its one layer (+):\n%s\n%s", diff, lists.read(t, "/list"))
	}
	if inodes := strings.Fields(lists.read(t, "/inode")); len(inodes) != 2 || inodes[0] != inodes[1] {
		t.Errorf("a hard link is another file: %v", inodes)
	}
	if link := lists.read(t, "/link"); link != "file\n" {
		t.Errorf("a symbolic link leads to %q", link)
	}
}

// layers returns the digests of the layers of an image.
func layers(img image) []digest.Digest {
	var out []digest.Digest
	for _, l := range img.Manifest.Layers {
		out = append(out, l.Digest)
	}
	return out
}
