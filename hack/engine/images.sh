# images.sh: makes the stand-in base images and pushes them to the development
# registry under the names of the real ones. Sourced, not run.
#
# They are made of Debian packages and of this machine's Go, for there need not
# be an image registry in reach. They do what tests and examples need of them.
# shellcheck shell=bash

debian_packages=(base-files bash coreutils dash debianutils findutils grep gzip libacl1 libattr1
  libc6 libc-bin libgmp10 libpcre2-8-0 libselinux1 libtinfo6 mawk sed tar)

images_key() {
  (cat "$root"/hack/engine/images.sh "$root"/hack/engine/images/*; go env GOVERSION) | sha256sum | cut -c1-16
}

images_current() { [ "$(cat "$state/images.key" 2> /dev/null)" = "$(images_key)" ]; }

# apt_for ARCH COMMAND...: apt-get for a foreign platform, in a root of its own:
# the machine's package lists stay as they are.
apt_for() {
  local arch=$1 dir=$state/images/apt-$1
  shift
  mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
  touch "$dir/status"
  apt-get -qq -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
    -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root "$@"
}

# unpack ARCH DIR PACKAGE...: the files of Debian packages, below DIR.
unpack() {
  local arch=$1 dir=$2 debs deb
  shift 2
  debs=$state/images/debs-$arch
  mkdir -p "$debs" "$dir"
  (cd "$debs" && apt_for "$arch" download "$@")
  for deb in "$@"; do dpkg -x "$debs/${deb}"_*.deb "$dir"; done
}

# skeleton DIR: the folders and users that every root has.
skeleton() {
  mkdir -p "$1"/{bin,dev,etc/ssl/certs,home,proc,root,run,sbin,sys,usr/bin,usr/sbin,usr/local/bin,var/tmp}
  install -d -m 1777 "$1/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$1/etc/passwd"
  printf 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\nnobody:x:65534:\n' > "$1/etc/group"
  cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
}

# busybox_links DIR: a link to busybox for every applet.
busybox_links() {
  local applet
  for applet in $(busybox --list); do
    [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"
  done
}

make_busybox() { # ARCH
  local dir=$state/images/busybox/$1
  unpack "$1" "$state/images/unpacked/$1" busybox-static
  skeleton "$dir"
  rm "$dir/etc/ssl/certs/ca-certificates.crt"
  cp "$state/images/unpacked/$1/bin/busybox" "$dir/bin/busybox"
  busybox_links "$dir"
}

make_alpine() { # ARCH
  local dir=$state/images/alpine/$1
  skeleton "$dir"
  cp "$state/images/busybox/$1/bin/busybox" "$dir/bin/busybox"
  busybox_links "$dir"
  echo 3.23.0 > "$dir/etc/alpine-release"
  printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.23.0\nPRETTY_NAME="Alpine Linux stand-in"\n' > "$dir/etc/os-release"
  install -m 755 "$root/hack/engine/images/apk" "$dir/sbin/apk"
}

# hide_git DIR: git for apk add git, with the libraries that it needs.
hide_git() {
  local lib git
  git=$(command -v git)
  install -D -m 755 "$(readlink -f "$git")" "$1/usr/libexec/standin/git"
  for lib in $(ldd "$git" | grep -o '/[^ ]*'); do install -D -m 755 "$(readlink -f "$lib")" "$1$lib"; done
}

make_debian() {
  local dir=$state/images/debian
  skeleton "$dir"
  unpack amd64 "$dir" "${debian_packages[@]}"
  ln -sf dash "$dir/bin/sh"
  rm -rf "$dir"/usr/share/{doc,man,locale,info,i18n}
}

# make_goproxy: a module proxy on disk, for posts whose builds get a module.
make_goproxy() {
  local dir=$state/images/goproxy work
  work=$(mktemp -d)
  (cd "$work" && export GOMODCACHE="$work/cache" GOFLAGS=-modcacherw GO111MODULE=on &&
    go mod init standin && go get golang.org/x/net/html@v0.50.0) > /dev/null 2>&1 ||
    die "cannot fetch golang.org/x/net: is the Go module proxy in reach?"
  mkdir -p "$dir"
  cp -r "$work"/cache/cache/download/. "$dir"
  # the list of versions, which says that there is no newer one
  (cd "$dir/golang.org/x/net/@v" && basename -s .info ./*.info > list)
  rm -rf "$work"
}

push_images() {
  local arch start=$SECONDS
  say "making stand-ins for busybox, alpine, debian, golang, xx and docker/dockerfile (a minute, once)"
  rm -rf "$state/images"
  apt_for amd64 update
  apt_for arm64 update
  for arch in amd64 arm64; do
    make_busybox $arch
    make_alpine $arch
  done
  hide_git "$state/images/alpine/amd64"
  make_debian
  make_goproxy
  push busybox linux/amd64,linux/arm64 library/busybox:{latest,stable,1.36,1.37}
  push alpine linux/amd64,linux/arm64 library/alpine:{latest,3.15.0-rc.4,3.20,3.21,3.22,3.23}
  push debian linux/amd64 library/debian:{latest,12,12-slim,bookworm,bookworm-slim}
  push golang linux/amd64 library/golang:{latest,1.26,1.26-bookworm,1.25,1.7.3}
  push golang-alpine linux/amd64 library/golang:{alpine,1.26-alpine,1.26-alpine3.23,1.25-alpine,1.18-rc-alpine}
  push xx linux/amd64 tonistiigi/xx:{latest,1.9.0}
  push dockerfile linux/amd64 docker/dockerfile:1
  rm -rf "$state/images"
  images_key > "$state/images.key"
  say "made the stand-ins in $((SECONDS - start)) s"
}

push() { # TARGET PLATFORMS NAME...
  local target=$1 platforms=$2 name names=
  shift 2
  for name in "$@"; do names+=${names:+,}$STAGECRAFT_REGISTRY/$name; done
  say "  $target: $*"
  buildctl build --progress=plain --frontend dockerfile.v0 --opt "target=$target" --opt "platform=$platforms" \
    --local dockerfile="$root/hack/engine/images" --local context="$state/images" \
    --local goroot="$(go env GOROOT)" --opt context:goroot=local:goroot \
    --local scripts="$root/hack/engine/images" --opt context:scripts=local:scripts \
    --local tools="$tools" --opt context:tools=local:tools \
    --opt "build-arg:GOPROXY=$(go env GOPROXY)" \
    --output "type=image,\"name=$names\",push=true,compression=gzip,compression-level=1" > "$state/images.log" 2>&1 ||
    { tail -n 30 "$state/images.log" >&2; die "cannot make the stand-in for $target"; }
}
