#!/usr/bin/env bash
# engine.sh up|down|status|env
#
# The development engine: buildkitd, a registry with stand-in base images that
# buildkitd asks in the place of Docker Hub, and a buildx builder named
# stagecraft. Its state lies in .cache/engine; "up" may be called again and
# starts what is missing; "down" ends what "up" started and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
. "$here/tools.sh"
. "$here/images.sh"

state=$root/.cache/engine

start_registry() {
  local port
  port=$(cat "$state/port" 2> /dev/null || echo 5050)
  until port_free "$port"; do port=$((port + 1)); done
  echo "$port" > "$state/port"
  cat > "$state/registry.yml" <<YML
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $state/registry }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$port" }
YML
  say "starting the registry on 127.0.0.1:$port"
  OTEL_TRACES_EXPORTER=none launch "$state" registry "$tools/registry" serve "$state/registry.yml"
  wait_for "$state" registry registry_answers "$port"
}

registry_answers() { exec 3<> "/dev/tcp/127.0.0.1/$1"; }

write_buildkitd_config() {
  local port
  port=$(cat "$state/port")
  cat > "$state/buildkitd.toml" <<TOML
root = "$state/buildkit"
insecure-entitlements = ["network.host", "security.insecure"]
[grpc]
  address = ["unix://$socket"]
[worker.oci]
  enabled = true
  networkMode = "host"
[worker.containerd]
  enabled = false
[registry."docker.io"]
  mirrors = ["127.0.0.1:$port"]
[registry."127.0.0.1:$port"]
  http = true
TOML
}

start_buildkitd() {
  say "starting buildkitd"
  clean_mounts
  mkdir -p "$tmp"
  TMPDIR=$tmp launch "$state" buildkitd "$tools/buildkitd" --config "$state/buildkitd.toml"
  wait_for "$state" buildkitd "$tools/buildctl" --addr "unix://$socket" debug workers
}

# clean_mounts: a buildkitd that was killed leaves its mounts behind.
clean_mounts() {
  unmount_below "$state/buildkit"
  unmount_below "$tmp"
}

write_client_config() {
  mkdir -p "$state/docker/cli-plugins"
  ln -sfn "$tools/buildx" "$state/docker/cli-plugins/docker-buildx"
  cat > "$state/env" <<ENV
export PATH="$tools:\$PATH"
export DOCKER_CONFIG="$state/docker"
export BUILDX_BUILDER=stagecraft
export BUILDKIT_HOST="unix://$socket"
export STAGECRAFT_REGISTRY="127.0.0.1:$(cat "$state/port")"
export STAGECRAFT_STATE="$root/.cache"
ENV
  # shellcheck source=/dev/null
  . "$state/env"
  buildx rm stagecraft > /dev/null 2>&1 || true
  buildx create --name stagecraft --driver remote "unix://$socket" > /dev/null
}

up() {
  need_root engine
  if alive "$state" registry && alive "$state" buildkitd && images_current; then
    say "the development engine is up"
    return
  fi
  mkdir -p "$state"
  need_packages runc busybox-static ca-certificates git iproute2
  build_tools
  if ! alive "$state" registry; then
    start_registry
    finish "$state" buildkitd # its mirror may have moved
  fi
  if ! alive "$state" buildkitd; then
    write_buildkitd_config
    start_buildkitd
  fi
  write_client_config
  images_current || push_images
  say "the development engine is up; for a shell: . .cache/engine/env"
}

down() {
  need_root engine-stop
  [ -d "$state" ] || return 0
  finish "$state" buildkitd
  finish "$state" registry
  clean_mounts
  rm -rf "$state/docker" "$state/env" "$tmp"
  case $socket in "$state"/*) ;; *) rm -rf "$(dirname "$socket")" ;; esac
  say "the development engine is down"
}

status() {
  local name
  for name in registry buildkitd; do
    if alive "$state" "$name"; then echo "$name: up"; else echo "$name: down"; fi
  done
}

command -v go > /dev/null || die "no go in PATH; the development engine is built with Go"
tools=$(programs_dir tools)
mkdir -p "$state"
socket=$(socket_path "$state" buildkitd)
tmp=$(dirname "$socket")/tmp # short too: buildkitd makes sockets there
case ${1:-} in
  up | down | status) "$1" ;;
  env) cat "$state/env" 2> /dev/null || die "the development engine is not up: make engine" ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
