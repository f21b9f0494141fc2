#!/bin/sh
# tiny 3.10.18: an interpreter of one word. It prints what follows "print".
[ "$1" = --version ] && { echo "tiny 3.10.18$(cat /usr/local/lib/tiny/features)"; exit; }
while read -r word rest; do
  case $word in
    print) echo "$rest" ;;
    '' | '#'*) ;;
    *) echo "tiny: no such word: $word" >&2; exit 1 ;;
  esac
done < "$1"
