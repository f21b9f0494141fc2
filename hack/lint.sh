#!/usr/bin/env bash
# lint.sh
#
# Checks the sources with the linters that bake's validate group runs in
# containers, but on this machine, with its caches.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/engine/lib.sh"
cd "$root"

version=$(sed -n 's/^ARG GOLANGCI_LINT_VERSION=//p' Dockerfile)
actionlint=v1.7.12
linter=$cache/golangci-lint-$version/golangci-lint
if [ ! -x "$linter" ]; then
  say "building golangci-lint $version (a minute or two, once)"
  CGO_ENABLED=0 GOBIN=${linter%/*} go install -trimpath "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
fi
say "golangci-lint"
CGO_ENABLED=0 "$linter" run
say "go.mod"
go mod tidy -diff
for module in tools moby buildkit07; do (cd "hack/$module" && go mod verify > /dev/null); done
(cd examples/hello && go vet ./...)
say "actionlint $actionlint"
go run "github.com/rhysd/actionlint/cmd/actionlint@$actionlint"
if command -v shellcheck > /dev/null; then
  say "shellcheck"
  # lib.sh and its like are checked where they are sourced
  shellcheck -x -P SCRIPTDIR .ci/run hack/*.sh hack/engine/{engine,engines,docker20,moby,buildkit07}.sh hack/engine/images/{apk,xx-go,xx-verify}
else
  say "shellcheck is not installed: shell scripts are not checked"
fi
# what is installed is that of the lock file, or it is installed anew
grammar=editors/vscode
if cmp -s $grammar/package-lock.json $grammar/node_modules/.locked ||
  { command -v npm > /dev/null && (cd $grammar && npm ci --ignore-scripts --no-audit --no-fund --silent && cp package-lock.json node_modules/.locked); }; then
  say "$grammar"
  npm --prefix $grammar --silent test
else
  say "npm is not installed, or has no registry: the grammar for editors is not tested"
fi
