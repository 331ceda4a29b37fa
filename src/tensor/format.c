/* krt_tensor_format(): the text NumPy prints for an array, str(a), with NumPy's default options.
 *
 * Two passes over the elements that are shown: one to find the widths of a column, one to print.
 * Arrays of more than 1000 elements are abbreviated to the first and last three along each axis.
 * Mirrors numpy/_core/arrayprint.py (_formatArray, FloatingFormat, IntegerFormat, BoolFormat) of
 * NumPy 2; bfloat16, which NumPy has not, prints as float32. */
#include "tensor/tensor.h"

#include "base/f16.h"
#include "base/number.h"
#include "base/str.h"

#include <stdlib.h>

enum { EDGE_ITEMS = 3, THRESHOLD = 1000, LINE_WIDTH = 75, PRECISION = 8, WORD_SIZE = 64 };

typedef enum element_kind { REAL, INTEGER, NATURAL, BOOLEAN } element_kind;

typedef union element {
    double real;
    int64_t integer;
    uint64_t natural;
    uint8_t boolean;
} element;

/* What the first pass learns: FloatingFormat.fillFormat and IntegerFormat.__init__. */
typedef struct widths {
    bool is_scientific;
    double largest, smallest; /* magnitudes, of finite numbers other than zero */
    bool has_finite, has_non_finite, has_negative_infinity;
    int left, right; /* of the point */
    int exponent;    /* digits of it */
    int precision;
    int integer; /* a whole integer */
} widths;

typedef struct printer {
    const krt_tensor *t;
    element_kind kind;
    krti_number_kind number;
    bool is_abbreviated;
    int64_t stride[KRT_MAX_RANK];
    widths w;
    krti_str *s;   /* finished lines */
    krti_str line; /* the line being filled, on the last axis */
    int unprinted; /* of its indent: the brackets of the first line stand there */
    void (*visit)(struct printer *p, element e); /* first pass */
} printer;

/* ------------------------------------------------------------------------------- elements */

static element_kind kind_of(krt_dtype dtype)
{
    if (krti_dtype_is_float(dtype))
        return REAL;
    if (dtype == KRT_BOOL)
        return BOOLEAN;
    return dtype == KRT_UINT64 ? NATURAL : INTEGER;
}

static element element_at(const printer *p, int64_t index)
{
    static const krt_dtype wide[] = {
        [REAL] = KRT_FLOAT64, [INTEGER] = KRT_INT64, [NATURAL] = KRT_UINT64, [BOOLEAN] = KRT_BOOL};
    const size_t size = krt_dtype_size(p->t->dtype);
    element e = {0};

    krti_convert(&e, wide[p->kind], (const char *)p->t->data + (size_t)index * size, p->t->dtype,
                 1);
    return e;
}

/* Whether the axis is cut and `i` is the first that is left out. */
static bool is_gap(const printer *p, int axis, int64_t i)
{
    return p->is_abbreviated && i == EDGE_ITEMS && p->t->shape.dim[axis] > 2 * EDGE_ITEMS;
}

/* Calls the visitor for every element that is shown. */
static void visit_shown(printer *p, int axis, int64_t index)
{
    const krt_shape *shape = &p->t->shape;

    if (axis == shape->rank) {
        p->visit(p, element_at(p, index));
        return;
    }
    for (int64_t i = 0; i < shape->dim[axis]; i++) {
        if (is_gap(p, axis, i))
            i = shape->dim[axis] - EDGE_ITEMS;
        visit_shown(p, axis + 1, index + i * p->stride[axis]);
    }
}

/* ------------------------------------------------------------------------------- floats */

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* The digits of |v| with at most PRECISION after the point of d.ddd (scientific) or of the number
 * itself, without trailing zeros. */
static int digits_of(const printer *p, double v, bool is_scientific, char *digits, int *point)
{
    int n = krti_number_shortest(v, p->number, digits, point);
    const int before = is_scientific ? 1 : *point; /* digits before the point; may be negative */

    if (n - before <= PRECISION)
        return n;
    if (before + PRECISION < 1) { /* cannot be: such small numbers print in scientific form */
        memcpy(digits, "0", 2);
        *point = 1;
        return 1;
    }
    krti_number_round(v, before + PRECISION, digits, point);
    n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

static int exponent_digits(int exponent)
{
    return abs(exponent) >= 100 ? 3 : 2;
}

static void put(char *word, const char *format, ...) KRTI_PRINTF(2, 3);
static void put(char *word, const char *format, ...)
{
    const size_t used = strlen(word);
    va_list args;

    va_start(args, format);
    vsnprintf(word + used, WORD_SIZE - used, format, args);
    va_end(args);
}

/* As many digits as the longest number needs, here also those that are not needed to tell this
 * number from others: NumPy prints 0.1 as 1.00000001e-01 in such company. */
static void word_of_scientific(const printer *p, double v, char *word)
{
    char digits[KRTI_NUMBER_DIGITS + 1];
    int point = 1;

    krti_number_round(v, p->w.precision + 1, digits, &point);
    const int exponent = v == 0 ? 0 : point - 1;
    put(word, "%*s%c.%s", p->w.left - 1, signbit(v) ? "-" : "", digits[0], digits + 1);
    put(word, "e%c%0*d", exponent < 0 ? '-' : '+', p->w.exponent, abs(exponent));
}

static void word_of_positional(const printer *p, double v, char *word)
{
    char digits[KRTI_NUMBER_DIGITS + 1], whole[WORD_SIZE] = "";
    int point = 0;
    const int n = digits_of(p, v, false, digits, &point);
    const int before = point < 0 ? 0 : point > n ? n : point;

    put(whole, "%s%.*s", signbit(v) ? "-" : "", before, digits);
    put(whole, "%.*s%s", point > n ? point - n : 0, "0000000000000000", point <= 0 ? "0" : "");
    put(word, "%*s.", p->w.left, whole);
    put(word, "%.*s%s", point < 0 ? -point : 0, "0000000000000000", digits + before);
    put(word, "%*s", p->w.right - (n - point > 0 ? n - point : 0), "");
}

static void word_of_real(const printer *p, double v, char *word)
{
    if (isnan(v) || isinf(v))
        put(word, "%*s", p->w.left + p->w.right + 1, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    else if (p->w.is_scientific)
        word_of_scientific(p, v, word);
    else
        word_of_positional(p, v, word);
}

static void measure_range(printer *p, element e)
{
    const double v = fabs(e.real);

    if (!isfinite(v)) {
        p->w.has_non_finite = true;
        p->w.has_negative_infinity = p->w.has_negative_infinity || (isinf(v) && e.real < 0);
        return;
    }
    if (v != 0 && (p->w.largest == 0 || v > p->w.largest))
        p->w.largest = v;
    if (v != 0 && (p->w.smallest == 0 || v < p->w.smallest))
        p->w.smallest = v;
    p->w.has_finite = true;
}

static void measure_scientific(printer *p, element e)
{
    char digits[KRTI_NUMBER_DIGITS + 1];
    int point = 0;

    if (!isfinite(e.real))
        return;
    const int n = digits_of(p, e.real, true, digits, &point);
    p->w.left = max_int(p->w.left, signbit(e.real) ? 2 : 1);
    p->w.precision = max_int(p->w.precision, n - 1);
    p->w.exponent = max_int(p->w.exponent, exponent_digits(point - 1));
}

static void measure_positional(printer *p, element e)
{
    char digits[KRTI_NUMBER_DIGITS + 1];
    int point = 0;

    if (!isfinite(e.real))
        return;
    const int n = digits_of(p, e.real, false, digits, &point);
    p->w.left = max_int(p->w.left, max_int(point, 1) + signbit(e.real));
    p->w.right = max_int(p->w.right, n - point);
}

/* The cut-offs are compared in the array's own dtype, as NumPy does. */
static bool wants_scientific(const printer *p)
{
    static const double most[] = {
        [KRTI_NUMBER_DOUBLE] = 1e8, [KRTI_NUMBER_SINGLE] = 1e6, [KRTI_NUMBER_HALF] = 1e3};
    static const double least[] = {[KRTI_NUMBER_DOUBLE] = 0.0001,
                                   [KRTI_NUMBER_SINGLE] = (double)0.0001f,
                                   [KRTI_NUMBER_HALF] = 0.00010001659393310547};
    double ratio = p->w.largest / p->w.smallest;

    if (p->w.largest == 0)
        return false;
    if (p->number == KRTI_NUMBER_SINGLE)
        ratio = (double)(float)ratio;
    else if (p->number == KRTI_NUMBER_HALF)
        ratio = (double)krti_f32_from_f16(krti_f16_from_f32((float)ratio));
    return p->w.largest >= most[p->number] || p->w.smallest < least[p->number] || ratio > 1000;
}

static void measure_reals(printer *p)
{
    widths *w = &p->w;

    p->visit = measure_range;
    visit_shown(p, 0, 0);
    w->is_scientific = wants_scientific(p);
    p->visit = w->is_scientific ? measure_scientific : measure_positional;
    visit_shown(p, 0, 0);
    if (w->is_scientific && w->has_finite)
        w->right = w->exponent + 2 + w->precision;
    if (w->has_non_finite)
        w->left = max_int(w->left, 3 + w->has_negative_infinity - (w->right + 1));
}

/* ------------------------------------------------------------------------------- integers */

static void word_of_integer(const printer *p, element e, char *word)
{
    char text[24];

    if (p->kind == NATURAL)
        snprintf(text, sizeof text, "%llu", (unsigned long long)e.natural);
    else
        snprintf(text, sizeof text, "%lld", (long long)e.integer);
    put(word, "%*s", p->w.integer, text);
}

static void measure_integer(printer *p, element e)
{
    char word[WORD_SIZE] = "";

    word_of_integer(p, e, word);
    p->w.integer = max_int(p->w.integer, (int)strlen(word));
}

static void word_of(const printer *p, element e, char *word)
{
    word[0] = '\0';
    if (p->kind == REAL)
        word_of_real(p, e.real, word);
    else if (p->kind == BOOLEAN)
        put(word, "%s", e.boolean ? " True" : "False");
    else
        word_of_integer(p, e, word);
}

/* ------------------------------------------------------------------------------- layout */

/* Prints `n` characters of the line, less what the brackets have taken. */
static void flush(printer *p, size_t n)
{
    if (p->line.status == KRT_OK)
        krti_str_add_n(p->s, p->line.ptr + p->unprinted, n - (size_t)p->unprinted);
    else
        p->s->status = p->line.status;
    p->unprinted = 0;
}

/* Adds a word to the line, or begins a new one where it would pass `width`. */
static void extend(printer *p, const char *word, int indent, int width)
{
    size_t n = p->line.length;

    if ((int)n + (int)strlen(word) > width && (int)n > indent) {
        while (n > 0 && p->line.ptr[n - 1] == ' ')
            n--;
        flush(p, n);
        krti_str_add_n(p->s, "\n", 1);
        p->line.length = 0;
        krti_str_fill(&p->line, ' ', (size_t)indent);
    }
    krti_str_add(&p->line, word);
}

/* The last axis: words on as many lines as they need. */
static void print_row(printer *p, int axis, int64_t index)
{
    const int indent = axis + 1, width = LINE_WIDTH - axis - 1;
    const int64_t n = p->t->shape.dim[axis];
    char word[WORD_SIZE];

    p->line.length = 0;
    p->unprinted = indent;
    krti_str_fill(&p->line, ' ', (size_t)indent);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0)
            krti_str_add_n(&p->line, " ", 1);
        if (is_gap(p, axis, i)) {
            extend(p, "...", indent, width);
            krti_str_add_n(&p->line, " ", 1);
            i = n - EDGE_ITEMS;
        }
        word_of(p, element_at(p, index + i * p->stride[axis]), word);
        extend(p, word, indent, width);
    }
    flush(p, p->line.length);
}

static void break_rows(printer *p, int axis)
{
    krti_str_fill(p->s, '\n', (size_t)(p->t->shape.rank - axis - 1));
    krti_str_fill(p->s, ' ', (size_t)axis + 1);
}

static void print_axis(printer *p, int axis, int64_t index)
{
    const int64_t n = p->t->shape.dim[axis];

    krti_str_add_n(p->s, "[", 1);
    if (axis == p->t->shape.rank - 1)
        print_row(p, axis, index);
    for (int64_t i = 0; i < n && axis < p->t->shape.rank - 1 && p->s->status == KRT_OK; i++) {
        if (i > 0)
            break_rows(p, axis);
        if (is_gap(p, axis, i)) {
            krti_str_add(p->s, "...");
            break_rows(p, axis);
            i = n - EDGE_ITEMS;
        }
        print_axis(p, axis + 1, index + i * p->stride[axis]);
    }
    krti_str_add_n(p->s, "]", 1);
}

static void print_scalar(printer *p)
{
    const element e = element_at(p, 0);
    char word[WORD_SIZE] = "";

    if (p->kind == REAL)
        krti_number_repr_as(word, sizeof word, e.real, p->number);
    else if (p->kind == BOOLEAN)
        put(word, "%s", e.boolean ? "True" : "False");
    else
        word_of_integer(p, e, word);
    krti_str_add(p->s, word);
}

static void print_array(printer *p)
{
    int64_t stride = 1;

    for (int i = p->t->shape.rank - 1; i >= 0; i--) {
        p->stride[i] = stride;
        stride *= p->t->shape.dim[i];
    }
    p->is_abbreviated = stride > THRESHOLD;
    p->visit = measure_integer;
    if (p->kind == REAL)
        measure_reals(p);
    else
        visit_shown(p, 0, 0);
    print_axis(p, 0, 0);
}

/* As NumPy prints an array of str, on as many lines as rows; what is no UTF-8 stays as it is. */
static void print_texts(krti_str *s, const krt_tensor *t, int axis, int64_t *index)
{
    const int64_t n = axis < t->shape.rank ? t->shape.dim[axis] : 1;
    const bool is_gap = krt_shape_size(t->shape) > THRESHOLD && n > 2 * EDGE_ITEMS;
    int64_t size = krt_shape_size(t->shape); /* of one item on this axis */

    for (int i = 0; i <= axis && i < t->shape.rank && size > 0; i++)
        size /= t->shape.dim[i];
    if (axis == t->shape.rank) {
        const krt_string e = ((const krt_string *)t->data)[(*index)++];

        krti_str_add(s, "'");
        krti_str_add_n(s, e.size > 0 ? e.data : "", e.size);
        krti_str_add(s, "'");
        return;
    }
    krti_str_add(s, "[");
    for (int64_t i = 0; i < n; i++) {
        if (i > 0)
            krti_str_add(s, axis + 1 < t->shape.rank ? "\n" : " ");
        if (i > 0 && axis + 1 < t->shape.rank)
            krti_str_fill(s, ' ', (size_t)axis + 1);
        if (is_gap && i == EDGE_ITEMS) {
            krti_str_add(s, axis + 1 < t->shape.rank ? "...\n" : "... ");
            if (axis + 1 < t->shape.rank)
                krti_str_fill(s, ' ', (size_t)axis + 1);
            *index += (n - 2 * EDGE_ITEMS) * size;
            i = n - EDGE_ITEMS;
        }
        print_texts(s, t, axis + 1, index);
    }
    krti_str_add(s, "]");
}

krt_status krt_tensor_format(const krt_tensor *t, char **out)
{
    krt_ctx *k = t->owned.k;
    krti_str s = KRTI_STR_INIT(k);
    printer p = {.t = t, .kind = kind_of(t->dtype), .s = &s, .line = KRTI_STR_INIT(k)};

    if (t->dtype == KRT_FLOAT32 || t->dtype == KRT_BFLOAT16)
        p.number = KRTI_NUMBER_SINGLE;
    else if (t->dtype == KRT_FLOAT16)
        p.number = KRTI_NUMBER_HALF;
    if (t->dtype == KRT_STRING)
        print_texts(&s, t, 0, &(int64_t){0});
    else if (t->shape.rank == 0)
        print_scalar(&p);
    else if (krt_shape_size(t->shape) == 0)
        krti_str_add(&s, "[]");
    else
        print_array(&p);
    krti_str_free(&p.line);
    *out = krti_str_take(&s);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}
