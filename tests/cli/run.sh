#!/bin/sh
# Runs one test of the tool or of an example in an empty folder and compares what it printed with
# the transcript beside it, NAME.out. Update a transcript with UPDATE=1, and read the difference.
#
#     run.sh NAME.sh BUILD-FOLDER SOURCE-FOLDER
#
# A script finds data/ and fixtures/ in its folder, and says
#
#     try WORDS...    runs it; the transcript gets the line, all output, and the status unless 0
#     show WORDS...   the same, standard output only
#     roughly WORDS.. the same, fractions cut to three digits: kernels differ in the last ones
set -u
script=$1
build=$2
source=$3
expected=${script%.sh}.out
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$source/data" "$work/data"
ln -s "$source/tests/fixtures" "$work/fixtures"
cd "$work" || exit 1

keratin() {
    "$build/keratin" "$@"
}

example() {
    name=$1
    shift
    "$build/examples/$name" "$@"
}

try() {
    printf '$ %s\n' "$*"
    code=0
    "$@" 2>&1 || code=$?
    [ "$code" -eq 0 ] || echo "(status $code)"
}

show() {
    printf '$ %s\n' "$*"
    code=0
    "$@" 2>/dev/null || code=$?
    [ "$code" -eq 0 ] || echo "(status $code)"
}

roughly() {
    try "$@" | sed -e 's/\(\.[0-9]\{3\}\)[0-9]*/\1/g' -e 's/  */ /g' -e 's/ \]/]/g'
}

# The script runs in this shell, so that it knows the words above.
# shellcheck disable=SC1090
. "$script" >found 2>&1

if [ -n "${UPDATE:-}" ]; then
    cp found "$expected"
    exit 0
fi
diff -u "$expected" found
