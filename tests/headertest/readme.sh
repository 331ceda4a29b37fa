#!/bin/sh
# The C program in README.md compiles without a warning, in at most as many lines as it promises,
# and runs.
#
#     readme.sh C-COMPILER README.md INCLUDE-FOLDER LIBRARY LINES
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$2" >"$work/readme.c"
lines=$(sed -n '/^int main/,/^}/p' "$work/readme.c" | grep -c '[^ {}]')
[ "$lines" -le "$5" ] || {
    echo "the program has $lines lines, at most $5 were promised"
    exit 1
}
"$1" -std=c17 -Wall -Wextra -Werror -I"$3" "$work/readme.c" "$4" -o "$work/readme"
LD_LIBRARY_PATH=$(dirname "$4")
export LD_LIBRARY_PATH
[ "$(cd "$work" && ./readme)" = "done" ]
