#!/bin/sh
# Holds every C file against the rules that no compiler checks: banned functions, length of files
# and functions, a head comment, white space, and the layout of .clang-format where the version
# that layout is pinned to is at hand. Prints one line a finding; fails when there is any.
#
#     tools/check_source.sh [--formatter]     --formatter prints which clang-format is used
cd "$(dirname "$0")/.." || exit 2

formatter() {
    for name in clang-format-14 clang-format; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" --version | grep -q 'version 14\.'; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if [ "${1:-}" = --formatter ]; then
    formatter
    exit
fi

status=0
files=$(find include src cli tests examples fuzz bench -name '*.[ch]' | LC_ALL=C sort)

# Everything but the layout: one awk over all files. Comments and string literals are blanked
# before names are looked at.
# shellcheck disable=SC2086 # no file name of ours holds a space
LC_ALL=C awk '
function say(text) { print FILENAME ":" FNR ": " text; bad = 1 }
function blank(s,    out, i, c, two) { # uses and sets in_comment
    out = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1); two = substr(s, i, 2)
        if (in_comment) { if (two == "*/") { in_comment = 0; i++ } continue }
        if (two == "/*") { in_comment = 1; i++; continue }
        if (two == "//") break
        if (c == "\"" || c == "\047") {
            for (i++; i <= length(s) && substr(s, i, 1) != c; i++)
                if (substr(s, i, 1) == "\\") i++
            out = out c c
            continue
        }
        out = out c
    }
    return out
}
function banned(line, names, why,    n, list, i) {
    n = split(names, list, " ")
    for (i = 1; i <= n; i++)
        if (index(line, list[i]) && match(line, "(^|[^A-Za-z0-9_.>])" list[i] "[ ]*\\("))
            say("\"" list[i] "\" " why)
}
BEGIN {
    never = "strcpy strcat sprintf vsprintf atoi atol atof strtok gets alloca"
    library = "assert exit abort printf puts putchar fprintf system"
    memory = "malloc calloc realloc free strdup aligned_alloc posix_memalign"
}
FNR == 1 {
    if (NR > 1 && lines > 1200) { print previous ": " lines " lines; above 1200 it wants splitting"; bad = 1 }
    in_comment = 0; start = 0; previous = FILENAME
    is_library = FILENAME ~ /^src\//
    if ($0 !~ /^\/\*/) say("no head comment: what the file is, and why in this way")
}
{
    lines = FNR
    if (index($0, "\t")) say("a tab")
    if ($0 ~ /[ \r]$/) say("white space at the end of the line")
    code = blank($0)
    banned(code, never, "is banned")
    if (is_library) {
        if (FILENAME !~ /^src\/base\/(ctx|alloc)\.c$/) banned(code, library, "does not belong into a library")
        if (FILENAME !~ /^src\/base\/(ctx|alloc)\.c$/) banned(code, memory, "goes around krti_alloc")
        if ($0 ~ /^#[ ]*include[ ]*"\.\.\//) say("includes by \"../\"")
    }
    if (is_library && FILENAME !~ /^src\/base\/os_/ && code ~ /^#.*_WIN32/) say("the system is known to os_*.c only")
    if (code == "{") start = FNR
    if (code == "}" && start) {
        if (FNR - start > 120) say("a function of " FNR - start " lines; above 120 it wants splitting")
        start = 0
    }
}
END {
    if (lines > 1200) { print previous ": " lines " lines; above 1200 it wants splitting"; bad = 1 }
    exit bad
}' $files || status=1

if format=$(formatter); then
    # shellcheck disable=SC2086
    "$format" --dry-run -Werror $files 2>&1 | grep -E 'error:' | cut -d: -f1,2 | LC_ALL=C sort -u |
        sed 's/$/: not as .clang-format lays it out; run: .\/dev format/' >"${TMPDIR:-/tmp}/layout.$$"
    if [ -s "${TMPDIR:-/tmp}/layout.$$" ]; then
        cat "${TMPDIR:-/tmp}/layout.$$"
        status=1
    fi
    rm -f "${TMPDIR:-/tmp}/layout.$$"
fi
exit $status
