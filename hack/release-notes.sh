#!/bin/sh
# release-notes.sh VERSION [CHANGELOG]
#
# Prints what CHANGELOG.md says of the release v1.2.3 (## 1.2.3, or
# ## [1.2.3] - 2026-12-01): the text of its GitHub release. A release without a
# section, and one with an empty section, is an error.
set -eu

version=${1:-}
changelog=${2:-$(dirname "$0")/../CHANGELOG.md}
if [ -z "$version" ]; then
  echo "usage: release-notes.sh v1.2.3" >&2
  exit 2
fi
notes=$(awk -v version="${version#v}" '
  /^## / { inside = $2 == version || $2 == "[" version "]"; next }
  inside && (started || NF) { print; started = 1 }
' "$changelog")
if [ -z "$notes" ]; then
  echo "error: CHANGELOG.md says nothing of ${version#v}: head its section with ## ${version#v} - $(date -u +%Y-%m-%d)" >&2
  exit 1
fi
printf '%s\n' "$notes"
