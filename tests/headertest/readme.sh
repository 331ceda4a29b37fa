#!/bin/sh
# The C program in README.md compiles without a warning, in at most as many lines as it promises,
# and runs; and so does every line of the tool there, on the model that the program left.
#
#     readme.sh C-COMPILER README.md INCLUDE-FOLDER LIBRARY LINES TOOL
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

# Eight images and their labels, in the form of MNIST: content tells the form, not the name.
cd "$work"
{ printf '\000\000\010\003\000\000\000\010\000\000\000\034\000\000\000\034' && head -c 6272 /dev/zero; } >images.npy
{ printf '\000\000\010\001\000\000\000\010' && head -c 8 /dev/zero; } >labels
cp images.npy x.npy
cp mnist_cnn.keras model.keras
for file in model.h5 w.weights.h5; do
    "$6" convert --quiet model.keras "$file" >out 2>&1 || {
        cat out
        exit 1
    }
done
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$2" |
    sed -n 's/^keratin \([^#]*\).*/\1/p' >lines
[ "$(wc -l <lines)" -ge 6 ]
while read -r line; do
    case $line in
    fit*) cp labels y.npy ;;    # which predict wrote
    convert*) rm model.keras ;; # nothing is replaced unasked
    esac
    # shellcheck disable=SC2086 # words of a command line
    "$6" $line >out 2>&1 </dev/null || {
        echo "keratin $line"
        cat out
        exit 1
    }
done <lines
