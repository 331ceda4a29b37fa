#!/bin/sh
# The shared library, stripped, is smaller than so many bytes.
#
#     size.sh LIBRARY BYTES
set -eu
work=$(mktemp)
trap 'rm -f "$work"' EXIT
strip -o "$work" "$1"
size=$(wc -c <"$work")
echo "$size bytes stripped, at most $2"
[ "$size" -lt "$2" ]
