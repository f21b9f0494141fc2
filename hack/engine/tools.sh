# tools.sh: builds the programs of the engine from the modules that hack/tools
# pins. Sourced, not run.
# shellcheck shell=bash

# tools_dir: where they lie, keyed by all that decides what they are.
tools_dir() {
  local key
  key=$( (cat "$root/hack/tools/go.mod" "$root/hack/tools/go.sum"; go env GOVERSION GOARCH) | sha256sum | cut -c1-12)
  echo "$cache/tools-$key"
}

build_tools() {
  local dir tmp buildkit buildx
  dir=$(tools_dir)
  [ -d "$dir" ] && return
  buildkit=$(sed -n 's#^\s*github.com/moby/buildkit \(v[^ ]*\).*#\1#p' "$root/hack/tools/go.mod")
  buildx=$(sed -n 's#^\s*github.com/docker/buildx \(v[^ ]*\).*#\1#p' "$root/hack/tools/go.mod")
  say "building BuildKit $buildkit, buildx $buildx and a registry from source (some minutes, once)"
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/tools.XXXXXX")
  (cd "$root/hack/tools" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$tmp/" -ldflags "-s -w \
    -X github.com/moby/buildkit/version.Version=$buildkit -X github.com/docker/buildx/version.Version=$buildx" tool)
  chmod 755 "$tmp"
  # another clone may have been faster; its result is the same
  mv -T "$tmp" "$dir" 2> /dev/null || rm -rf "$tmp"
}
