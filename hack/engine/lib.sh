# lib.sh: what the engine scripts share. Sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Programs are kept for every clone of this user, state for this clone.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stagecraft

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(uname -s)" = Linux ] || die "the development engine runs on Linux; elsewhere use Docker"
  [ "$(id -u)" = 0 ] || die "the development engine runs containers and needs root: use sudo -E make $1"
}

# need_packages PACKAGE...: installs the Debian packages that are missing.
need_packages() {
  local p missing=()
  command -v dpkg-query > /dev/null || die "the development engine needs Debian or Ubuntu (apt)"
  for p in "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2> /dev/null | grep -q 'install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# Daemons. NAME.pid in the state holds the process ID and its start time: a
# recycled ID has another.

# start_time PID: empty for a process that is gone, or dead and not yet waited for.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | awk '$1 != "Z" { print $20 }'; }

alive() { # STATE NAME
  local pid started
  read -r pid started 2> /dev/null < "$1/$2.pid" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

# launch STATE NAME COMMAND...: starts a daemon that outlives this script.
launch() {
  local state=$1 name=$2 pid
  shift 2
  setsid "$@" < /dev/null > "$state/$name.log" 2>&1 &
  pid=$!
  echo "$pid $(start_time "$pid")" > "$state/$name.pid"
}

# wait_for STATE NAME TRY...: until TRY succeeds; ends the script when the daemon dies.
wait_for() {
  local state=$1 name=$2
  shift 2
  for _ in $(seq 300); do
    "$@" > /dev/null 2>&1 && return
    alive "$state" "$name" || break
    sleep 0.1
  done
  tail -n 20 "$state/$name.log" >&2
  die "$name did not start; its log is $state/$name.log"
}

# finish STATE NAME: ends a daemon that launch started.
finish() {
  local pid
  if alive "$1" "$2"; then
    read -r pid _ < "$1/$2.pid"
    kill "$pid"
    for _ in $(seq 100); do
      alive "$1" "$2" || break
      sleep 0.1
    done
    ! alive "$1" "$2" || kill -9 "$pid"
  fi
  rm -f "$1/$2.pid"
}

# unmount_below DIR: what a killed daemon left mounted.
unmount_below() {
  local m
  awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do
    umount -l "$(printf '%b' "$m")" || true
  done
}

# socket_path STATE NAME: a path for a unix socket, which has at most 108 bytes.
socket_path() {
  local dir=$1
  if [ ${#dir} -gt 80 ]; then
    dir=/run/stagecraft-$(printf '%s' "$1" | sha256sum | cut -c1-12)
    mkdir -p "$dir"
  fi
  echo "$dir/$2.sock"
}

port_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
