#!/usr/bin/env bash
# moby.sh up|down|built|env
#
# Docker Engine of today, built from the sources that hack/moby pins, beside
# whatever the machine has: one with each of its image stores, for tests. Needs
# the development engine, whose registry they ask for images. Their state lies
# in .cache/moby. "built" tells whether "up" has only to start them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/dockerd.sh"
. "$here/tools.sh"

state=$root/.cache/moby
run=/run/stagecraft-moby-$id

built() { [ -d "$programs" ]; }

build() {
  built && return
  need_packages gcc libc6-dev libseccomp-dev pkg-config # runc has C in it
  say "building Docker Engine $version from source (eight minutes of a processor, once)"
  CGO_ENABLED=1 build_programs moby -tags seccomp -ldflags "-s -w -X github.com/moby/moby/v2/dockerversion.Version=${version#v}"
}

up() {
  need_root moby
  need_packages curl iproute2 libseccomp2
  build
  start containerd scm 10.214 --feature=containerd-snapshotter=true
  start classic scc 10.215 --feature=containerd-snapshotter=false --storage-driver=overlay2
}

start() { # STORE BRIDGE NETWORK FLAG...
  local store=$1 bridge=$2-$id network=$3
  shift 3
  alive "$state/$store" dockerd && return
  say "starting Docker Engine $version with the $store image store"
  start_dockerd "$state/$store" "$run/$store" "$bridge" "$network" "$programs" "$@"
}

down() {
  need_root moby-stop
  [ -d "$state" ] || return 0
  stop_dockerd "$state/containerd" "$run/containerd" "scm-$id"
  stop_dockerd "$state/classic" "$run/classic" "scc-$id"
  rm -rf "$state" "$run"
}

command -v go > /dev/null || die "no go in PATH; this engine is built with Go"
programs=$(programs_dir moby)
version=$(pinned moby github.com/moby/moby/v2)
case ${1:-} in
  up | down | built) "$1" ;;
  env)
    echo "export MOBY_CONTAINERD_HOST=unix://$run/containerd/docker.sock"
    echo "export MOBY_CLASSIC_HOST=unix://$run/classic/docker.sock"
    ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
