#!/usr/bin/env bash
# buildkit07.sh up|down|env
#
# BuildKit v0.7, built from the sources that hack/buildkit07 pins: the oldest
# that can still be built, for tests. Needs the development engine, whose
# registry it asks for images. Its state lies in .cache/buildkit07.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/tools.sh"

state=$root/.cache/buildkit07

build() {
  [ -d "$programs" ] && return
  say "building BuildKit $version from source (a minute or two, once)"
  CGO_ENABLED=0 build_programs buildkit07 -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$version"
}

up() {
  need_root buildkit07
  alive "$state" buildkitd && return
  need_packages runc
  build
  local engine=$root/.cache/engine
  [ -e "$engine/buildkitd.toml" ] || die "start the development engine first: make engine"
  mkdir -p "$state"
  say "starting BuildKit $version"
  unmount_below "$state"
  sed "s#^root = .*#root = \"$state/buildkit\"#; s#unix://.*sock#unix://$socket#" "$engine/buildkitd.toml" > "$state/buildkitd.toml"
  launch "$state" buildkitd "$programs/buildkitd" --config "$state/buildkitd.toml"
  wait_for "$state" buildkitd "$(programs_dir tools)/buildctl" --addr "unix://$socket" debug workers
}

down() {
  need_root buildkit07-stop
  [ -d "$state" ] || return 0
  finish "$state" buildkitd
  unmount_below "$state"
  case $socket in "$state"/*) ;; *) rm -rf "$(dirname "$socket")" ;; esac
  rm -rf "$state"
}

command -v go > /dev/null || die "no go in PATH; this engine is built with Go"
programs=$(programs_dir buildkit07)
version=$(pinned buildkit07 github.com/moby/buildkit)
socket=$(socket_path "$state" buildkitd)
case ${1:-} in
  up | down) "$1" ;;
  env) echo "export BUILDKIT07_HOST=unix://$socket" ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
