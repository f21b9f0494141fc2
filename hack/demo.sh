#!/usr/bin/env bash
# demo.sh
#
# The main job from end to end: builds the frontend image, then through it
# examples/hello, single-stage and multi-stage, of which it runs both and prints the
# sizes that --call=size tells; examples/release, a stage called for each platform; and
# examples/gates, with its graph, and with a test that fails.
# Uses the Docker engine at hand, or the buildx builder together with the
# registry that REGISTRY names (a builder finds frontends in registries only);
# otherwise the development engine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/engine/lib.sh"
cd "$root"
logs=$root/.cache/demo
mkdir -p "$logs"
work=$(mktemp -d "$logs/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
# what builds with the frontend image: the client, and flags that name another one than the files do
client=() flags=()

# quietly LOG COMMAND...: the log is shown when the command fails.
quietly() {
  local log=$logs/$1.log
  shift
  "$@" > "$log" 2>&1 || { tail -n 30 "$log" >&2; die "this failed: $*"; }
}

demo_on_docker() {
  local name greeting
  say "using the Docker engine $(docker version --format '{{.Server.Version}}')"
  say "building the frontend image with docker buildx bake (a minute, once)"
  quietly image docker buildx bake --builder default --progress=plain image-local --set image-local.tags=stagecraft/dockerfile:1
  client=(docker buildx) flags=(--builder default)
  for name in single multi; do
    say "building examples/hello, $name-stage"
    quietly "$name" build --load -f "$(dockerfile "$name")" -t "hello:$name" examples/hello
    greeting=$(docker run --rm "hello:$name" -once)
    say "running it: $greeting"
    if calls; then
      measure "$name"
    else # an old client
      sizes[$name]=$(docker image inspect --format '{{.Size}}' "hello:$name") behind[$name]=-
    fi
  done
}

# a builder without an engine cannot load images, so each is exported and run from
# its unpacked tree.
demo_on_builder() {
  local name tree greeting
  need_root demo
  for name in single multi; do
    say "building examples/hello, $name-stage"
    tree=$work/$name
    quietly "$name" build --output "type=tar,dest=$tree.tar" -f "$(dockerfile "$name")" examples/hello
    mkdir "$tree"
    tar xf "$tree.tar" -C "$tree"
    chmod 755 "$work" "$tree"
    case $name in
      single) greeting=$(chroot "$tree" /bin/hello -once) ;;
      multi) greeting=$(chroot --userspec=65534:65534 "$tree" /hello -once) ;;
    esac
    say "running it: $greeting"
    measure "$name"
  done
}

demo_on_users_builder() {
  local frontend=$REGISTRY/stagecraft/dockerfile:1
  say "using your buildx builder and the registry $REGISTRY"
  say "building the frontend image and pushing it as $frontend (a minute, once)"
  quietly image docker buildx bake --progress=plain image --set image.output=type=registry --set "image.tags=$frontend"
  client=(docker buildx) flags=(--build-arg "BUILDKIT_SYNTAX=$frontend")
  demo_on_builder
}

demo_on_development_engine() {
  need_root demo
  say "no Docker engine at hand; using the development engine"
  "$here/engine/engine.sh" up
  # shellcheck source=/dev/null
  . "$root/.cache/engine/env"
  say "building the frontend image with buildx bake (a minute or two, once)"
  make --no-print-directory image
  client=(buildx)
  demo_on_builder
}

build() { "${client[@]}" build --progress=plain "${flags[@]}" "$@"; }

# calls reports whether the client knows --call.
calls() { "${client[@]}" build --help | grep -q -- --call; }

dockerfile() { if [ "$1" = single ]; then echo examples/hello/Dockerfile.single; else echo examples/hello/Dockerfile; fi; }

# measure NAME: what --call=size tells of an image.
measure() {
  local name=$1 json=$logs/$1.json
  say "measuring it: docker build --call=size"
  build --call=size,format=json -f "$(dockerfile "$name")" examples/hello > "$json" 2> "$logs/$name-size.log" ||
    { tail -n 30 "$logs/$name-size.log" >&2; die "this failed: --call=size"; }
  sizes[$name]=$(number size "$json")
  behind[$name]=$(number leftBehind "$json")
}

# number NAME FILE: the first of that name, which is of the whole build.
number() { sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}$/\1/p" "$2" | head -n 1; }

row() { # NAME
  awk -v name="hello:$1" -v size="${sizes[$1]}" -v behind="${behind[$1]}" -v all="${sizes[single]}" \
    'BEGIN { printf "%-14s %9.2f MB %7.1f %% %12s\n", name, size / 1e6, 100 * size / all, behind == "-" ? behind : sprintf("%.2f MB", behind / 1e6) }'
}

# demo_release: a stage that is called for four platforms.
demo_release() {
  say "building examples/release: one stage, called for each platform"
  grep -- '--from=build(' examples/release/Dockerfile
  quietly release build --target=release --output "$work/release" examples/release
  (cd "$work/release" && ls -l hello-*) | awk '{ printf "%-24s %6.2f MB\n", $NF, $5 / 1e6 }'
}

# demo_gates: tests that an image waits for.
demo_gates() {
  local file=examples/gates/Dockerfile
  say "building examples/gates: the image waits for its tests"
  grep -- --after "$file"
  quietly gates build --output "$work/gates" examples/gates
  if calls; then
    say "the stages that it needs: docker build --call=graph"
    build --call=graph examples/gates 2> "$logs/graph.log" || { cat "$logs/graph.log" >&2; die "this failed: --call=graph"; }
  fi
  say "building it again, with a sum that is wrong"
  cp -r examples/gates "$work/broken"
  sed 's/total += n/total -= n/' examples/gates/main.go > "$work/broken/main.go"
  if build --output "$work/none" "$work/broken" > "$logs/broken.log" 2>&1; then
    die "a test fails, and the build does not"
  fi
  [ ! -e "$work/none" ] || die "a test fails, and there is an image"
  sed -n '/^ > \[/,$p' "$logs/broken.log"
}

declare -A sizes behind
if docker version > /dev/null 2>&1 && docker buildx version > /dev/null 2>&1; then
  demo_on_docker
elif [ -n "${REGISTRY:-}" ] && docker buildx inspect > /dev/null 2>&1; then
  demo_on_users_builder
else
  demo_on_development_engine
fi
printf '\n%-14s %12s %9s %12s\n' IMAGE SIZE SHARE 'LEFT BEHIND'
row single
row multi
printf '\n'
demo_release
printf '\n'
demo_gates
