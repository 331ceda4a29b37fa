/* rich's Table as Keras uses it: box HEAVY_HEAD, a line between rows, columns of fixed widths
 * squeezed into one length of line. Mirrors rich/table.py, rich/_ratio.py and rich/box.py.
 *
 * The widths Keras asks for add up to the whole line, padding and borders not counted, so that rich
 * always takes some off every column. Rows are printed as they come. */
#include "models/summary.h"

enum { PADDING = 2, LEAST = 4 };

/* ------------------------------------------------------------------------------- widths */

/* What Keras asks for. */
static bool ask_for_widths(krti_table *t, int line_length)
{
    int current = 0;

    for (size_t i = 0; i < t->num_columns; i++) {
        const int width = (int)(t->columns[i].position * line_length) - current;

        if (width < LEAST)
            return false;
        t->columns[i].width = (size_t)width + PADDING;
        current += width;
    }
    return true;
}

/* round(a / b) of Python: halves go to the even side. */
static size_t rounded(size_t a, size_t b)
{
    const size_t whole = a / b, twice = 2 * (a % b);

    return whole + (twice > b || (twice == b && whole % 2 != 0) ? 1 : 0);
}

/* What rich makes of it: every column gives its share, ratio_reduce(excess, [1, 1, ...]). */
static void squeeze(krti_table *t, size_t line_length)
{
    size_t total = t->num_columns + 1; /* borders */

    for (size_t i = 0; i < t->num_columns; i++)
        total += t->columns[i].width;
    size_t excess = total - line_length;
    for (size_t i = 0; i < t->num_columns; i++) {
        const size_t share = rounded(excess, t->num_columns - i);

        t->columns[i].width -= share;
        excess -= share;
    }
}

/* ------------------------------------------------------------------------------- borders */

typedef struct border {
    const char *left, *line, *middle, *right;
} border;

static const border top = {"┏", "━", "┳", "┓\n"};
static const border below_header = {"┡", "━", "╇", "┩\n"};
static const border between = {"├", "─", "┼", "┤\n"};
static const border bottom = {"└", "─", "┴", "┘\n"};

static krt_status print_border(const krti_table *t, const border *b)
{
    krti_str_add(t->out, b->left);
    for (size_t i = 0; i < t->num_columns; i++) {
        for (size_t j = 0; j < t->columns[i].width; j++)
            krti_str_add(t->out, b->line);
        krti_str_add(t->out, i + 1 < t->num_columns ? b->middle : b->right);
    }
    return t->out->status;
}

/* ------------------------------------------------------------------------------- rows */

/* One line of one cell; what is above or below the text is blank. */
static void print_cell(const krti_table *t, size_t column, const char **text, bool is_blank)
{
    const size_t n = is_blank ? 0 : strcspn(*text, "\n");

    if (is_blank) {
        krti_str_fill(t->out, ' ', t->columns[column].width);
        return;
    }
    krti_str_add(t->out, " ");
    krti_str_add_n(t->out, *text, n);
    krti_str_add(t->out, " ");
    *text += n + 1;
}

static krt_status print_row(krti_table *t, const krti_str *markup, bool is_header)
{
    const char *const side = is_header ? "┃" : "│";
    const char *text[KRTI_TABLE_MAX_COLUMNS];
    size_t lines[KRTI_TABLE_MAX_COLUMNS], height = 1;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < t->num_columns; i++) {
        krti_str_clear(&t->cells[i]);
        TRY(krti_markup_wrap(&t->cells[i],
                             is_header ? t->columns[i].header : krti_str_text(&markup[i]),
                             t->columns[i].width - PADDING, t->columns[i].justify, &lines[i]));
        text[i] = krti_str_text(&t->cells[i]);
        height = lines[i] > height ? lines[i] : height;
    }
    for (size_t line = 0; line < height; line++) {
        for (size_t i = 0; i < t->num_columns; i++) {
            krti_str_add(t->out, side);
            print_cell(t, i, &text[i], is_header ? line + lines[i] < height : line >= lines[i]);
        }
        TRY(krti_str_addf(t->out, "%s\n", side));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- the whole */

krt_status krti_table_begin(krti_table *t, krti_str *out, int line_length)
{
    krt_status st = KRT_OK;

    KRTI_ASSERT(t->num_columns > 0 && t->num_columns <= KRTI_TABLE_MAX_COLUMNS);
    t->out = out;
    t->has_rows = false;
    for (size_t i = 0; i < t->num_columns; i++)
        t->cells[i] = (krti_str)KRTI_STR_INIT(out->k);
    if (line_length > KRTI_TABLE_MAX_LENGTH)
        return krti_fail(out->k, KRT_E_INVALID, NULL, "line_length is %d, at most %d is possible",
                         line_length, (int)KRTI_TABLE_MAX_LENGTH);
    if (line_length < 0 || !ask_for_widths(t, line_length))
        return krti_fail(out->k, KRT_E_INVALID, NULL,
                         "Insufficient console width to print summary: line_length is %d",
                         line_length);
    squeeze(t, (size_t)line_length);
    TRY(print_border(t, &top));
    TRY(print_row(t, NULL, true));
    TRY(print_border(t, &below_header));

done:
    return st;
}

krt_status krti_table_add(krti_table *t, const krti_str *markup)
{
    const krt_status st = t->has_rows ? print_border(t, &between) : KRT_OK;

    t->has_rows = true;
    return st == KRT_OK ? print_row(t, markup, false) : st;
}

krt_status krti_table_end(krti_table *t)
{
    return print_border(t, &bottom);
}

void krti_table_free(krti_table *t)
{
    for (size_t i = 0; i < t->num_columns; i++)
        krti_str_free(&t->cells[i]);
}
