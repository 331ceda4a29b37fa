#!/bin/sh
# Holds the pages against the tree: the files, tests, fixtures and links that they name are there.
# That every class has its row in docs/keras_map.md is tests/unit/layers/test_registry.c's.
cd "$(dirname "$0")/.." || exit 2
status=0

# look PAGE NAME PATTERN...: one of the patterns is a file.
look() {
    page=$1 name=$2
    shift 2
    for file; do
        [ -e "$file" ] && return
    done
    echo "$page names $name, which is not there"
    status=1
}

for page in README.md CONTRIBUTING.md SECURITY.md bench/README.md docs/*.md docs/*/*.md; do
    # shellcheck disable=SC2016 # backquotes of the page
    for name in $(grep -o '`[^` ]*`' "$page" | tr -d '`' | LC_ALL=C sort -u); do
        # shellcheck disable=SC2086 # a name may be a pattern
        case $name in
        *NAME* | *'<'* | *=* | '*'* | */vars/*) ;;
        test_*.[ch] | *.inc) look "$page" "$name" tests/unit/*/"$name" src/ops/*/"$name" ;;
        test_*) look "$page" "$name" tests/unit/*/"$name".c tests/parity/"$name".c ;;
        */test_*) look "$page" "$name" tests/unit/"$name".c tests/"$name".c "$name" ;;
        cli/[a-z]*) look "$page" "$name" tests/"$name".sh "$name" ;;
        layers/*.c | models/*.c | ops/*.c | base/*.[ch]) look "$page" "$name" src/"$name" ;;
        layers/[a-z]* | models/[a-z]* | training/[a-z]*)
            look "$page" "$name" tests/fixtures/"$name" tests/fixtures/"$name".* src/"$name" ;;
        src/* | include/* | tools/* | tests/* | bench/*.* | examples/* | docs/*) look "$page" "$name" $name ;;
        esac
    done
    # shellcheck disable=SC2013 # no name holds a space
    for name in $(grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/[#)].*//' | grep -v '^[a-z]*:' | sort -u); do
        look "$page" "$name" "$(dirname "$page")/$name"
    done
done
# The third or fourth column of the map: file names beside the folder of their table.
awk -F'|' '/^\| Keras \|/ { folder = $4 ~ /src/ ? $4 : "src/callbacks/"; gsub(/[` ]/, "", folder); next }
    /^\| / && NF > 5 { n = split($4, file, /[ ,]+/)
        for (i = 1; i <= n; i++) if (file[i] ~ /\.c$/) print folder file[i] }' docs/keras_map.md |
    LC_ALL=C sort -u | {
    while read -r file; do
        # shellcheck disable=SC2086 # metrics*.c is a pattern
        look docs/keras_map.md "$file" $file
    done
    exit $status
} || status=1
exit $status
