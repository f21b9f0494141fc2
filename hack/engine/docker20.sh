#!/usr/bin/env bash
# docker20.sh up|down|env
#
# Docker Engine 20.10 from Debian's packages, beside whatever the machine has:
# an engine whose gateway API is old, for tests. Needs the development engine,
# whose registry it asks for images. Its state lies in .cache/docker20.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/dockerd.sh"

state=$root/.cache/docker20
version=20.10.24
programs=$cache/docker-$version

fetch() {
  [ -d "$programs" ] && return
  say "fetching Docker Engine $version (not installed, only unpacked)"
  mkdir -p "$cache"
  local tmp deb
  tmp=$(mktemp -d "$cache/docker.XXXXXX")
  (
    cd "$tmp"
    apt-get update -qq
    apt-get -o APT::Sandbox::User=root download -qq docker.io containerd runc tini > /dev/null
    for deb in *.deb; do dpkg -x "$deb" .; done
    rm ./*.deb
  )
  "$tmp/usr/sbin/dockerd" --version | grep -q "$version" || die "Debian's docker.io is not $version here"
  chmod 755 "$tmp"
  mv -T "$tmp" "$programs" 2> /dev/null || rm -rf "$tmp"
}

up() {
  need_root docker20
  alive "$state" dockerd && return
  need_packages curl iproute2 libdevmapper1.02.1
  fetch
  say "starting Docker Engine $version"
  PATH=$programs/usr/bin:$PATH start_dockerd "$state" "$run" "$bridge" 10.213 "$programs/usr/sbin"
}

down() {
  need_root docker20-stop
  [ -d "$state" ] || return 0
  stop_dockerd "$state" "$run" "$bridge"
}

run=/run/stagecraft-docker20-$id # containerd's sockets lie deep below it
bridge=sc-$id
case ${1:-} in
  up | down) "$1" ;;
  env)
    echo "export DOCKER20_HOST=unix://$run/docker.sock"
    echo "export DOCKER20_CLI=$programs/usr/bin/docker"
    ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
