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
exit $status
