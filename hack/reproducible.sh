#!/usr/bin/env bash
# reproducible.sh [IMAGE]
#
# Checks that a release can be built again: builds the image of this tree twice,
# the second time with no compiled package at hand, and compares all blobs; or builds
# it once and looks for it in IMAGE, which was published from this tree. TARGET is
# the target of bake: image for this platform, image-all for every one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/engine/lib.sh"
cd "$root"

target=${TARGET:-image} image=${1:-}
buildx=(buildx)
command -v buildx > /dev/null || buildx=(docker buildx)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
layouts=$(mktemp -d)
trap 'rm -rf "$layouts"' EXIT

# build NAME BAKE-OPTION...: the image as an OCI layout. Attestations have times
# in them and stand in manifests of their own.
build() {
  local name=$1
  shift
  "${buildx[@]}" bake --progress=plain --allow=fs.write="$layouts" --provenance=false --sbom=false "$target" \
    --set "$target.output=type=oci,tar=false,rewrite-timestamp=true,dest=$layouts/$name" "$@" > "$layouts/$name.log" 2>&1 ||
    { tail -n 40 "$layouts/$name.log" >&2; die "the build failed"; }
}
blobs() { (cd "$layouts/$1/blobs/sha256" && ls); }

# Times are cut off at that of the commit, so files have to be newer than it:
# nothing may come from the cache. What outlives --no-cache is a cache mount, but
# for one in a name space of its own.
anew=(--no-cache --set "*.args.BUILDKIT_CACHE_MOUNT_NS=again-$(date +%s%N)")

if [ -n "$image" ]; then
  say "building $target to compare it with $image"
  build again "${anew[@]}"
  manifests=$("${buildx[@]}" imagetools inspect "$image" \
    --format '{{if .Manifest.Manifests}}{{range .Manifest.Manifests}}{{if ne .Platform.OS "unknown"}}{{println .Digest}}{{end}}{{end}}{{else}}{{println .Manifest.Digest}}{{end}}')
  [ -n "$manifests" ] || die "$image has no manifests"
  for digest in $manifests; do
    blobs again | grep -qx "${digest#sha256:}" || die "$image has the manifest $digest, which this tree does not give"
    say "$digest is the same"
  done
else
  say "building $target"
  build first --no-cache
  say "building $target once more, with empty cache mounts (some minutes)"
  build again "${anew[@]}"
  diff <(blobs first) <(blobs again) || die "two builds of one tree differ: < are blobs of the first, > of the second"
  say "all $(blobs first | wc -l) blobs are the same: layers, configs and manifests"
fi
