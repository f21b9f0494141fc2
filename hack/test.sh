#!/usr/bin/env bash
# test.sh
#
# Every test, the engines included: on this machine when it is a Debian or
# Ubuntu with Go and we are root, otherwise in a container of the Docker engine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/engine/lib.sh"
cd "$root"

if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v go > /dev/null && command -v dpkg-query > /dev/null; then
  make --no-print-directory unit e2e ENGINES="${ENGINES:-built}"
elif docker version > /dev/null 2>&1; then
  say "running the tests in a container of your Docker engine: here they need root, Debian and Go"
  # volumes keep programs, modules and the state of the engine for the next time
  exec docker run --rm --privileged --workdir /src --volume "$root:/src" --volume stagecraft-state:/src/.cache \
    --volume stagecraft-cache:/root/.cache --volume stagecraft-modules:/go/pkg/mod golang:1.26-bookworm make test ENGINES="${ENGINES:-built}"
else
  die "the tests need root on Debian or Ubuntu with Go (sudo -E make test), or a Docker engine"
fi
