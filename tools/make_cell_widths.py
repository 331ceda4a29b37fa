#!/usr/bin/env python3
"""Writes src/models/summary_cells.c: how many columns a character takes, from the tables of the rich package.

  python tools/make_cell_widths.py

Run it with the packages of tools/requirements-parity.txt when rich's newest Unicode version changes.
"""

import os

from rich._unicode_data import load

HEAD = """/* How many columns of a terminal a character takes. Written by tools/make_cell_widths.py from the
 * tables of Python's rich package (Unicode {version}), because Keras's summary is laid out with them:
 * combining characters take none, East Asian ones and most pictures two. */
#include "models/summary.h"

typedef struct range {{
    uint32_t first, last;
}} range;
"""

TAIL = """
static bool is_in(const range *ranges, size_t n, uint32_t c)
{
    size_t low = 0;

    while (low < n) {
        const size_t middle = low + (n - low) / 2;

        if (c < ranges[middle].first)
            n = middle;
        else if (c > ranges[middle].last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

size_t krti_cell_width(uint32_t c)
{
    const bool is_control = (c > 0 && c < 0x20) || (c >= 0x7f && c < 0xa0);

    if (is_control || is_in(without_width, KRTI_COUNT(without_width), c))
        return 0;
    return is_in(wide, KRTI_COUNT(wide), c) ? 2 : 1;
}

bool krti_cell_is_widened(uint32_t c)
{
    return is_in(widened, KRTI_COUNT(widened), c);
}
"""


def merged(ranges):
    out = []
    for first, last in sorted(ranges):
        if out and out[-1][1] + 1 == first:
            out[-1][1] = last
        else:
            out.append([first, last])
    return out


def table(name, comment, ranges):
    lines, line = [], "   "
    for first, last in ranges:
        item = f" {{0x{first:x}, 0x{last:x}}},"
        if len(line + item) > 100:
            lines.append(line)
            line = "   "
        line += item
    return f"\n/* {comment} */\n/* clang-format off */\nstatic const range {name}[] = {{\n" + "\n".join(lines + [line]) + "\n};\n/* clang-format on */\n"


def main():
    cells = load("latest")
    widths = {w: merged((a, b) for a, b, have in cells.widths if have == w) for w in (0, 2)}
    text = HEAD.format(version=cells.unicode_version.rsplit(".", 1)[0])
    text += table("without_width", "No column.", widths[0])
    text += table("wide", "Two columns.", widths[2])
    text += table("widened", "One column, and two when variation selector 16 follows.", merged((ord(c), ord(c)) for c in cells.narrow_to_wide))
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "src", "models", "summary_cells.c"), "w", encoding="utf-8") as f:
        f.write(text + TAIL)


main()
