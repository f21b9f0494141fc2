#!/bin/sh
# release-tags.sh VERSION
#
# Prints the tags that an image of the release v1.2.3 gets, between commas: 1.2.3,
# and 1.2, 1 and latest where no later release has them. A release candidate gets
# its own alone. What is released is known from the git tags.
set -eu

version=${1:-}
final='^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$'
if ! echo "$version" | grep -qE "${final%?}(-[0-9A-Za-z.-]+)?\$"; then
  echo "usage: release-tags.sh v1.2.3" >&2
  exit 2
fi
if ! releases=$(git tag --list 'v*' --sort=version:refname) || ! echo "$releases" | grep -qxF "$version"; then
  echo "error: there is no git tag $version" >&2
  exit 1
fi
tags=${version#v}
if echo "$version" | grep -qE "$final"; then
  releases=$(echo "$releases" | grep -E "$final")
  minor=${tags%.*}
  major=${minor%.*}
  # newest PREFIX: the last release whose name starts with it
  newest() { echo "$releases" | awk -v prefix="$1" 'index($0, prefix) == 1 { last = $0 } END { print last }'; }
  [ "$(newest "v$minor.")" = "$version" ] && tags=$tags,$minor
  [ "$(newest "v$major.")" = "$version" ] && tags=$tags,$major
  [ "$(newest v)" = "$version" ] && tags=$tags,latest
fi
echo "$tags"
