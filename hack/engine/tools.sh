# tools.sh: builds the programs of the engines from the modules that pin them:
# hack/tools, hack/moby and hack/buildkit07. Sourced, not run.
# shellcheck shell=bash

# programs_dir MODULE: where those of hack/MODULE lie, keyed by all that decides
# what they are.
programs_dir() {
  local key
  key=$( (cat "$root/hack/$1/go.mod" "$root/hack/$1/go.sum"; go env GOVERSION GOARCH) | sha256sum | cut -c1-12)
  echo "$cache/$1-$key"
}

# pinned MODULE PATH: the version of the module PATH that hack/MODULE requires.
pinned() { sed -n "s#^\s*$2 \(v[^ ]*\).*#\1#p" "$root/hack/$1/go.mod"; }

# build_programs MODULE FLAG...: with further flags of go build.
build_programs() {
  local module=$1 tmp
  shift
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/$module.XXXXXX")
  (cd "$root/hack/$module" && go build -trimpath -buildvcs=false -o "$tmp/" "$@" tool) ||
    { rm -rf "$tmp"; die "cannot build the programs of hack/$module"; }
  chmod 755 "$tmp"
  # another clone may have been faster; its result is the same
  mv -T "$tmp" "$(programs_dir "$module")" 2> /dev/null || rm -rf "$tmp"
}

build_tools() {
  local buildkit buildx
  [ -d "$(programs_dir tools)" ] && return
  buildkit=$(pinned tools github.com/moby/buildkit)
  buildx=$(pinned tools github.com/docker/buildx)
  say "building BuildKit $buildkit, buildx $buildx and a registry from source (some minutes, once)"
  CGO_ENABLED=0 build_programs tools -ldflags "-s -w \
    -X github.com/moby/buildkit/version.Version=$buildkit -X github.com/docker/buildx/version.Version=$buildx"
}
