#!/usr/bin/env bash
# docker20.sh up|down|env
#
# Docker Engine 20.10 from Debian's packages, beside whatever the machine has:
# an engine whose gateway API is old, for tests. Needs the development engine,
# whose registry it asks for images. Its state lies in .cache/docker20.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

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
  local registry
  alive "$state" dockerd && return
  registry=127.0.0.1:$(cat "$root/.cache/engine/port" 2> /dev/null) || die "start the development engine first: make engine"
  mkdir -p "$state"
  need_packages curl iproute2 libdevmapper1.02.1
  fetch
  say "starting Docker Engine $version"
  unmount_below "$state"
  rm -f "$state/docker.pid"
  ip link show "$bridge" > /dev/null 2>&1 || ip link add "$bridge" type bridge
  ip addr replace "10.213.$((0x${id:0:2})).1/24" dev "$bridge"
  ip link set "$bridge" up
  PATH=$programs/usr/sbin:$programs/usr/bin:$PATH launch "$state" dockerd "$programs/usr/sbin/dockerd" \
    --data-root "$state/data" --exec-root "$exec_root" --pidfile "$state/docker.pid" -H "unix://$socket" \
    --iptables=false --ip6tables=false --ip-forward=false --bridge="$bridge" \
    --registry-mirror "http://$registry" --insecure-registry "$registry"
  wait_for "$state" dockerd answers
}

answers() { curl -fs --unix-socket "$socket" http://docker/_ping; }

down() {
  need_root docker20-stop
  [ -d "$state" ] || return 0
  finish "$state" dockerd
  unmount_below "$state"
  unmount_below "$exec_root"
  ip link del "$bridge" 2> /dev/null || true
  rm -rf "$state" "$exec_root"
}

id=$(printf '%s' "$root" | sha256sum | cut -c1-8)
bridge=sc-$id
exec_root=/run/stagecraft-docker20-$id # containerd's sockets lie deep below it
socket=$exec_root/docker.sock
case ${1:-} in
  up | down) "$1" ;;
  env)
    echo "export DOCKER20_HOST=unix://$socket"
    echo "export DOCKER20_CLI=$programs/usr/bin/docker"
    ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
