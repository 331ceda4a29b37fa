#!/bin/sh
# The manual page has every command of the tool, and under it every option that its help lists.
#
#     manual.sh TOOL PAGE
set -eu
tool=$1
page=$2
status=0

# The page's words on one command: from its paragraph to the next command's or the next section.
section() {
    sed -e 's/\\-/-/g' -e 's/\\f.//g' "$page" | awk -v name="$1" '
        /^\.SH/ || (/^\.BI? "?[a-z]/ && depth == 0) { inside = 0 }
        /^\.RS/ { depth++ }
        /^\.RE/ { depth-- }
        /^\.BI? "?[a-z]/ && depth == 0 { split($0, word, /[" ]+/); inside = word[2] == name }
        inside'
}

common=$(sed -e 's/\\-/-/g' "$page" | sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p')
for command in $("$tool" help | sed -n 's/^  \([a-z-]*\)  *.*/\1/p'); do
    words=$(section "$command")
    [ -n "$words" ] || {
        echo "the manual page has no command \"$command\""
        status=1
    }
    for option in $("$tool" help "$command" | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
        printf '%s\n' "$words" "$common" | grep -q -e "$option\\([^a-z-]\\|\$\\)" || {
            echo "$command: the manual page lacks $option"
            status=1
        }
    done
done
exit $status
