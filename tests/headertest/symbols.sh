#!/bin/sh
# The shared library shows what the public headers declare with KRT_API: all of it, and no more.
#
#     symbols.sh LIBRARY INCLUDE-FOLDER
set -eu
library=$1
include=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names of the compiler's own run-time (sanitizers, coverage) begin with an underscore.
nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' |
    grep -v -e '^_' -e '^llvm_' -e '^mangle_path$' | LC_ALL=C sort -u >"$work/shown"

# A declaration is "KRT_API type name(", the name the last word before the first bracket.
find "$include" -name '*.h' -exec cat {} + | tr '\n' ' ' | sed 's/KRT_API/\
&/g' | sed -n 's/^KRT_API \([^(;]*\)(.*/\1/p' | sed 's/[ *]*$//; s/.*[ *]//' | grep '^krt_' |
    LC_ALL=C sort -u >"$work/declared"

status=0
comm -13 "$work/declared" "$work/shown" | sed 's/$/: shown by the library, declared in no public header/' >"$work/more"
comm -23 "$work/declared" "$work/shown" | sed 's/$/: declared, and missing in the library/' >"$work/less"
if [ -s "$work/more" ] || [ -s "$work/less" ]; then
    cat "$work/more" "$work/less"
    status=1
fi
echo "$(wc -l <"$work/shown") symbols shown, $(wc -l <"$work/declared") declared"
[ -s "$work/declared" ] || status=1
exit $status
