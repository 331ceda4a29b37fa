#!/bin/sh
# Compiles each public header alone, as C17 and (where there is a C++ compiler) as C++17, with every
# warning an error; then what must be said by the compiler about a caller's slips: each case of
# misuse.c alone has to fail, and the file without any case has to pass.
#
#     run.sh C-COMPILER INCLUDE-FOLDER
set -u
cc=$1
include=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only'
case $cc in
*clang*) cxx=$(command -v clang++ || command -v c++ || true) ;;
*) cxx=$(command -v g++ || command -v c++ || true) ;;
esac

# shellcheck disable=SC2086 # flags are words
for header in $(cd "$include" && find keratin -name '*.h' | LC_ALL=C sort); do
    printf '#include <%s>\n' "$header" | "$cc" -std=c17 $strict -Wstrict-prototypes \
        -I"$include" -x c - || {
        echo "$header does not compile alone as C17"
        status=1
    }
    [ -z "$cxx" ] || printf '#include <%s>\n' "$header" | "$cxx" -std=c++17 $strict \
        -I"$include" -x c++ - || {
        echo "$header does not compile alone as C++17"
        status=1
    }
done

# shellcheck disable=SC2086
"$cc" -std=c17 $strict -I"$include" "$here/misuse.c" || {
    echo "misuse.c without a case must compile"
    status=1
}
cases=$(sed -n 's/^#if[a-z]* *CASE_\([a-z0-9_]*\).*/\1/p' "$here/misuse.c")
[ -n "$cases" ] || status=1
for name in $cases; do
    # shellcheck disable=SC2086
    if "$cc" -std=c17 $strict -DCASE_"$name" -I"$include" "$here/misuse.c" 2>/dev/null; then
        echo "misuse.c compiles with CASE_$name and must not"
        status=1
    fi
done

# A macro whose arguments all go by name must refuse a value without one. It does as long as its
# list of defaults ends with the struct's last member; else the value slides into what follows.
# (GroupNormalization lets its first argument go by position and says so with a second .spec.)
# shellcheck disable=SC2046 # no name holds a space
macros=$(sed -e ':more' -e '/\\$/N; s/\\\n//; t more' $(find "$include" -name '*.h') |
    sed -n -e '/\.spec = {[^}]*}, __VA_ARGS__)$/d' -e 's/^#define \(KRT_[A-Z0-9_]*\)(\.\.\.).*KRT_[AS][RP][GE][SC](.*, __VA_ARGS__)$/\1/p')
[ -n "$macros" ] || status=1
{
    (cd "$include" && find keratin -name '*.h') | sed 's/.*/#include <&>/'
    # One function a line, so that every line has to have its error.
    for macro in $macros; do
        echo "void f_$macro(void); void f_$macro(void) { (void)$macro(\"x\"); }"
        echo "void g_$macro(void); void g_$macro(void) { (void)$macro(1); }"
    done
} >"$work/slips.c"
case $cc in
*clang*) all=-ferror-limit=0 ;;
*) all=-fmax-errors=0 ;;
esac
# shellcheck disable=SC2086
"$cc" -std=c17 $strict $all -I"$include" "$work/slips.c" 2>&1 |
    sed -n 's/^.*slips\.c:\([0-9]*\):.*/\1/p' | sort -un >"$work/seen"
awk 'NR == FNR { seen[$1] = 1; next } /^void/ && !(FNR in seen) {
    sub(/.*\(void\)/, ""); sub(/;.*/, "")
    print $0 " compiles and must not: its defaults do not end with the last member"; bad = 1
} END { exit bad }' "$work/seen" "$work/slips.c" || status=1
exit $status
