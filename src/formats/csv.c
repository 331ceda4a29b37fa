/* Tables of numbers as text: one row a line, fields separated by commas, semicolons or tabs (the
 * first row decides), an optional line of column names, '#' before a comment line. The result is one
 * array of (rows, columns): rows are samples.
 *
 * The text is walked twice, to count and to fill. Quotes, empty fields and rows of unequal length are
 * errors that name the line, since guessing there would shift a table silently. */
#include "formats/array_forms.h"

#include "base/number.h"

#include <math.h>

enum { SHOWN = 24 }; /* of a field in a message */

typedef struct table {
    krt_ctx *k;
    const char *p, *end;
    char separator;
    size_t line, rows, columns;
    bool is_integer;   /* every field so far */
    int64_t *integers; /* where to put them, while filling */
    double *reals;
    size_t n, room; /* fields seen; fields there is room for */
} table;

typedef struct text {
    const char *p;
    size_t length;
} text;

static bool is_blank(char c)
{
    return c == ' ' || c == '\r' || c == '\t';
}

static text trim(text t)
{
    while (t.length > 0 && is_blank(t.p[0])) {
        t.p++;
        t.length--;
    }
    while (t.length > 0 && is_blank(t.p[t.length - 1]))
        t.length--;
    return t;
}

/* Splits off what stands before the first `c`; all of it, and *is_last, when there is none. */
static text split(text *rest, char c, bool *is_last)
{
    const char *found = rest->length > 0 ? memchr(rest->p, c, rest->length) : NULL;
    const text head = {rest->p, found != NULL ? (size_t)(found - rest->p) : rest->length};
    const size_t gone = head.length + (found != NULL);

    *is_last = found == NULL;
    rest->p += gone;
    rest->length -= gone;
    return head;
}

/* The next line that is neither blank nor a comment. */
static bool next_line(table *t, text *line)
{
    bool is_last = false;

    while (t->p < t->end) {
        text rest = {t->p, (size_t)(t->end - t->p)};
        const text whole = split(&rest, '\n', &is_last);

        t->p = rest.p;
        t->line++;
        *line = trim(whole);
        if (line->length == 0 || line->p[0] == '#')
            continue;
        if (t->separator == '\t')
            *line = whole; /* empty fields at the ends count */
        return true;
    }
    return false;
}

static bool is_word(text t, const char *word)
{
    if (t.length != strlen(word))
        return false;
    for (size_t i = 0; i < t.length; i++)
        if ((t.p[i] >= 'A' && t.p[i] <= 'Z' ? t.p[i] + 32 : t.p[i]) != word[i])
            return false;
    return true;
}

/* A number, or one of the words that NumPy and pandas write for what is none. */
static bool parse_field(text t, double *real, int64_t *integer, bool *is_integer)
{
    text bare = t;

    *is_integer = krti_number_parse_int(t.p, t.length, integer);
    if (*is_integer) {
        *real = (double)*integer;
        return true;
    }
    if (krti_number_parse(t.p, t.length, real))
        return true;
    const bool is_negative = t.length > 0 && t.p[0] == '-';
    if (t.length > 0 && (t.p[0] == '-' || t.p[0] == '+')) {
        bare.p++;
        bare.length--;
    }
    if (is_word(bare, "nan"))
        *real = (double)NAN;
    else if (is_word(bare, "inf") || is_word(bare, "infinity"))
        *real = is_negative ? -HUGE_VAL : HUGE_VAL;
    else
        return false;
    return true;
}

static krt_status fail_field(const table *t, size_t column, text field)
{
    const int shown = field.length > SHOWN ? SHOWN : (int)field.length;

    if (field.length == 0)
        return krti_fail(t->k, KRT_E_FORMAT, NULL, "CSV line %zu: field %zu is empty", t->line,
                         column);
    return krti_fail(t->k, KRT_E_FORMAT, NULL,
                     "CSV line %zu: field %zu is \"%.*s%s\", expected a number (fields are "
                     "separated by commas, semicolons or tabs)",
                     t->line, column, shown, field.p, field.length > SHOWN ? "..." : "");
}

static krt_status take_row(table *t, text line)
{
    size_t columns = 0;
    bool is_last = false;

    while (!is_last) {
        const text field = trim(split(&line, t->separator, &is_last));
        double real = 0;
        int64_t integer = 0;
        bool is_integer = false;

        if (t->n == t->room)
            return krti_fail(t->k, KRT_E_IO, NULL, "file changed while it was read");
        columns++;
        if (!parse_field(field, &real, &integer, &is_integer))
            return fail_field(t, columns, field);
        t->is_integer = t->is_integer && is_integer;
        if (t->integers != NULL)
            t->integers[t->n] = integer;
        if (t->reals != NULL)
            t->reals[t->n] = real;
        t->n++;
    }
    if (t->rows > 0 && columns != t->columns)
        return krti_fail(t->k, KRT_E_FORMAT, NULL,
                         "CSV line %zu has %zu fields, the rows before have %zu", t->line, columns,
                         t->columns);
    t->columns = columns;
    t->rows++;
    return KRT_OK;
}

static char guess_separator(text line)
{
    static const char candidates[] = {';', '\t', ','};

    for (size_t i = 0; i < sizeof candidates; i++)
        if (memchr(line.p, candidates[i], line.length) != NULL)
            return candidates[i];
    return ',';
}

/* Column names: no field of the line is a number. */
static bool is_header(const table *t, text line)
{
    double real = 0;
    int64_t integer = 0;
    bool is_integer = false, is_last = false;

    while (!is_last)
        if (parse_field(trim(split(&line, t->separator, &is_last)), &real, &integer, &is_integer))
            return false;
    return true;
}

static krt_status walk(table *t)
{
    krt_status st = KRT_OK;
    bool is_first = true;
    text line;

    while (st == KRT_OK && next_line(t, &line)) {
        if (is_first)
            t->separator = guess_separator(line);
        if (!is_first || !is_header(t, line))
            st = take_row(t, line);
        is_first = false;
    }
    return st;
}

static krt_status count(table *t)
{
    const krt_status st = walk(t);

    if (st == KRT_OK && t->rows == 0)
        return krti_fail(t->k, KRT_E_FORMAT, NULL,
                         "is text without a row of numbers, expected .npy, .npz, IDX or CSV");
    return st;
}

krt_status krti_csv_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes)
{
    const bool has_mark = bytes->size >= 3 && memcmp(bytes->data, "\xEF\xBB\xBF", 3) == 0;
    const char *start = (const char *)bytes->data + (has_mark ? 3 : 0);
    const table fresh = {.k = k,
                         .p = start,
                         .end = (const char *)bytes->data + bytes->size,
                         .is_integer = true,
                         .room = SIZE_MAX};
    table counted = fresh, filled = fresh;
    krti_ndarray a = {.item_size = 8, .rank = 2};
    krti_bytes *numbers = NULL;
    krt_status st = KRT_OK;

    TRY(count(&counted));
    void *data = krti_array(k, counted.n, sizeof(double));
    if (data == NULL)
        return KRT_E_NOMEM;
    TRY(krti_bytes_take(k, &numbers, data, counted.n * sizeof(double)));
    if (counted.is_integer)
        filled.integers = data;
    else
        filled.reals = data;
    filled.room = counted.n;
    TRY(walk(&filled));
    if (filled.n != counted.n)
        TRY(krti_fail(k, KRT_E_IO, NULL, "file changed while it was read"));
    a.kind = counted.is_integer ? KRTI_ARRAY_INT : KRTI_ARRAY_FLOAT;
    a.dim[0] = (int64_t)counted.rows;
    a.dim[1] = (int64_t)counted.columns;
    a.data = data;
    a.size_bytes = counted.n * sizeof(double);
    a.big_endian = krti_is_big_endian();
    TRY(krti_ndarrays_add(k, out, &a, numbers, NULL));

done:
    krti_bytes_drop(numbers);
    return st;
}
