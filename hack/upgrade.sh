#!/usr/bin/env bash
# upgrade.sh BUILDKIT [BUILDX]
#
# Moves everything to another release of BuildKit, and of buildx: the modules of
# the program and of the development engine, and the texts that name the release.
# CONTRIBUTING.md says what to look at then.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/engine/lib.sh"
cd "$root"

buildkit=${1:-} buildx=${2:-}
for version in "$buildkit" ${buildx:+"$buildx"}; do
  [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.-]+)?$ ]] || die "usage: make upgrade BUILDKIT=v1.2.3 [BUILDX=v1.2.3]"
done
say "go.mod: BuildKit $buildkit"
go get "github.com/moby/buildkit@$buildkit"
go mod tidy
say "hack/tools/go.mod: BuildKit $buildkit${buildx:+, buildx $buildx}"
(cd hack/tools && go get "github.com/moby/buildkit@$buildkit" ${buildx:+"github.com/docker/buildx@$buildx"} && go mod tidy)
# the texts: a test of internal/version fails for one that names another release
sed -i -E "s/BuildKit v[0-9]+\.[0-9]+\.[0-9]+/BuildKit $buildkit/" README.md
go build ./... && go test ./internal/version
