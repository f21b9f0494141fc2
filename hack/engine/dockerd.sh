# dockerd.sh: starts and ends a Docker Engine beside whatever the machine has.
# Sourced, not run.
# shellcheck shell=bash

# Several clones may have engines at a time.
id=$(printf '%s' "$root" | sha256sum | cut -c1-8)

# start_dockerd STATE RUN BRIDGE NETWORK PROGRAMS FLAG...: the engine keeps its data in
# STATE and its sockets in RUN, and knows no network but BRIDGE, with an address
# of NETWORK. Its images come from the development registry.
start_dockerd() {
  local state=$1 run=$2 bridge=$3 address=$4.$((0x${id:0:2})).1/24 programs=$5 registry
  shift 5
  registry=127.0.0.1:$(cat "$root/.cache/engine/port" 2> /dev/null) || die "start the development engine first: make engine"
  mkdir -p "$state" "$run"
  unmount_below "$state"
  rm -f "$state/docker.pid"
  echo '{}' > "$state/daemon.json" # and not the one of this machine
  ip link show "$bridge" > /dev/null 2>&1 || ip link add "$bridge" type bridge
  ip addr replace "$address" dev "$bridge"
  ip link set "$bridge" up
  PATH=$programs:$PATH launch "$state" dockerd "$programs/dockerd" --config-file "$state/daemon.json" \
    --data-root "$state/data" --exec-root "$run" --pidfile "$state/docker.pid" -H "unix://$run/docker.sock" \
    --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false --bridge="$bridge" \
    --registry-mirror "http://$registry" --insecure-registry "$registry" "$@"
  wait_for "$state" dockerd curl -fs --unix-socket "$run/docker.sock" http://docker/_ping
}

# stop_dockerd STATE RUN BRIDGE: ends it, and takes away all that it has made.
stop_dockerd() {
  local state=$1 run=$2 bridge=$3 pid
  finish "$state" dockerd
  # a dockerd that was killed leaves its containerd
  if read -r pid 2> /dev/null < "$run/containerd/containerd.pid" && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = containerd ]; then
    kill "$pid"
  fi
  unmount_below "$state"
  unmount_below "$run"
  ip link del "$bridge" 2> /dev/null || true
  rm -rf "$state" "$run"
}
