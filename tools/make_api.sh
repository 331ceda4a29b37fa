#!/bin/sh
# Writes docs/api/*.md from the comments of the public headers: each declaration as code, its
# comment as text above it.
#
#     tools/make_api.sh [--check]     --check writes nothing and fails where a page is out of date
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=include/keratin

# page NAME TITLE HEADER...
page() {
    name=$1
    title=$2
    shift 2
    {
        printf '# %s\n\nWritten by %s from the header; edit the comments there.\n' \
            "$title" tools/make_api.sh
        LC_ALL=C awk '
function flush_code() {
    sub(/\n+$/, "", code)
    if (code != "") print "\n```c\n" code "\n```"
    code = ""
}
function text(line) { # one line of a comment, without its marks
    sub(/^\/\*\*/, "", line); sub(/[ ]*\*\/$/, "", line); sub(/^[ ]*\*/, "", line)
    if (line ~ /^     /) sub(/^ /, "", line) # an example
    else sub(/^ +/, "", line)
    return line
}
FNR == 1 && NR > 1 {
    flush_code(); heading = FILENAME; gsub(/^.*\/|\.h$/, "", heading)
    print "\n## " toupper(substr(heading, 1, 1)) substr(heading, 2)
}
/^\/\* clang-format/ || /^#include/ || /^extern "C"/ { next }
/^#(ifndef|define|endif).*KERATIN_[A-Z_]*_H/ { next }
/^#ifdef __cplusplus/ { skip = 1 }
skip { if (/^#endif/) skip = 0; next }
/^\/\* ---[- ]*[A-Za-z]/ && !in_comment {
    flush_code(); heading = $0
    gsub(/^\/\*[- ]*|[- ]*\*\/$/, "", heading)
    print "\n## " toupper(substr(heading, 1, 1)) substr(heading, 2)
    next
}
/^\/\* -+ *\*\/$/ { next }
/^\/\* [A-Z0-9].*  +\*\/$/ && !in_comment { # a title, filled up to the margin
    flush_code()
    gsub(/^\/\* | +\*\/$/, "")
    print (/^[A-Z]/ ? "\n" : "") $0
    next
}
/^\/\*\*/ && !in_comment { flush_code(); in_comment = 1; print "" }
in_comment {
    line = text($0)
    sub(/^@file [a-z_0-9]+\.h ?/, "", line)
    if (!(line == "" && $0 ~ /^\/\*\*|\*\/$/)) {
        print line
    }
    if (/\*\//) in_comment = 0
    next
}
/^$/ { flush_code(); next }
FNR > 1 && /^#endif$/ && depth == 0 { next }
{
    if (/^#[ ]*if/) depth++
    if (/^#[ ]*endif/) depth--
    code = code $0 "\n"
}
END { flush_code() }' "$@"
    } >"$work/$name.md"
}

page base base.h $headers/base.h
page tensor tensor.h $headers/tensor.h
page models models.h $headers/models.h
page saving saving.h $headers/saving.h
page callbacks callbacks.h $headers/callbacks.h
page inspect inspect.h $headers/inspect.h
page sys_layer_class sys/layer_class.h $headers/sys/layer_class.h
page sys_op sys/op.h $headers/sys/op.h
page sys_score_class sys/score_class.h $headers/sys/score_class.h
page train train.h $headers/train.h $headers/training/losses.h $headers/training/metrics.h \
    $headers/training/optimizers.h $headers/training/schedules.h
# The layers in the order the umbrella includes them.
# shellcheck disable=SC2046 # no name holds a space
page layers layers.h $headers/layers.h \
    $(sed -n "s|^#include \"\(layers/.*\)\"|$headers/\1|p" $headers/layers.h)

status=0
for header in "$headers"/*.h; do
    name=$(basename "$header" .h)
    if [ "$name" != keratin ] && [ ! -f "$work/$name.md" ]; then
        echo "$header has no page; it needs a line in tools/make_api.sh and in docs/api/README.md"
        status=1
    fi
done
for made in "$work"/*.md; do
    name=$(basename "$made")
    if [ "${1:-}" != --check ]; then
        cp "$made" "docs/api/$name"
    elif ! cmp -s "$made" "docs/api/$name"; then
        echo "docs/api/$name does not say what the headers say; run: ./dev format"
        status=1
    fi
done
exit $status
