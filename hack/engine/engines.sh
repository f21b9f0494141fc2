#!/usr/bin/env bash
# engines.sh up|down|env [all]
#
# The engines that make e2e tests on beside the development engine. That of
# moby takes part when it is built already, or when all shall: it takes minutes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

engines=(docker20 buildkit07 moby)

takes_part() { # ENGINE
  [ "$1" != moby ] || [ "$which" = all ] || "$here/$1.sh" built
}

up() {
  local engine
  for engine in "${engines[@]}"; do
    if takes_part "$engine"; then "$here/$engine.sh" up; fi
  done
}

# env also says which take no part: right above what the tests print
env() {
  local engine part=
  for engine in "${engines[@]}"; do
    if takes_part "$engine"; then
      "$here/$engine.sh" env
      part+=" $engine"
    else
      say "NOT TESTED ON $engine, which is not built here: make $engine builds it, and so does ENGINES=all"
    fi
  done
  echo "export STAGECRAFT_ENGINES='${part# }'"
}

down() {
  local engine
  for engine in "${engines[@]}"; do "$here/$engine.sh" down; done
}

which=${2:-built}
case $which in built | all) ;; *) die "ENGINES is built or all, not $which" ;; esac
case ${1:-} in
  up | down | env) "$1" ;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
