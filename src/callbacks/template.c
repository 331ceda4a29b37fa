/* See template.h. Grammar: Python's library reference, "Format specification mini-language"; of it
 * what makes sense for numbers. Conversions, attributes, indices and fields inside a field are
 * refused by name. */
#include "callbacks/template.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>

enum { MAX_NAME = 128, MAX_WIDTH = 255, MAX_PRECISION = 100, MAX_TEXT = 1024 };

/* "{name:fill align sign # 0 width grouping .precision type}" */
typedef struct format_spec {
    char fill, align, sign, grouping, type; /* 0 where none was given */
    bool is_alternate;
    int width, precision; /* precision -1: none */
} format_spec;

typedef struct formatting {
    krt_ctx *k;
    const char *template;
    const krti_template_values *values;
    krti_str *out; /* NULL: only names and specs are checked */
} formatting;

typedef struct number {
    bool is_whole;
    int64_t whole;
    double real;
} number;

static krt_status fail(const formatting *f, const char *reason)
{
    return krti_fail(f->k, KRT_E_INVALID, NULL,
                     "Failed to format this callback filepath: \"%s\". Reason: %s", f->template,
                     reason);
}

static krt_status fail_name(const formatting *f, const char *name)
{
    krti_str s = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    krti_str_addf(&s, "'%s' (there are: epoch", name);
    if (f->values->batch != KRT_NONE)
        krti_str_add(&s, ", batch");
    for (size_t i = 0; f->values->logs != NULL && i < f->values->logs->n; i++)
        krti_str_addf(&s, ", %s", f->values->logs->names[i]);
    st = krti_str_add(&s, ")");
    if (st == KRT_OK)
        st = fail(f, krti_str_text(&s));
    krti_str_free(&s);
    return st;
}

/* ------------------------------------------------------------------------------- reading a spec */

static bool take(const char **p, const char *set, char *out)
{
    if (**p == '\0' || strchr(set, **p) == NULL)
        return false;
    *out = *(*p)++;
    return true;
}

static bool read_count(const char **p, int most, int *out)
{
    int n = 0, digits = 0;

    for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
        n = n > most ? n : n * 10 + (**p - '0');
    *out = digits > 0 ? n : *out;
    return n <= most;
}

static krt_status read_spec(const formatting *f, const char *text, format_spec *s)
{
    const char *p = text;
    char flag = 0;

    *s = (format_spec){.precision = -1};
    if (p[0] != '\0' && p[1] != '\0' && strchr("<>=^", p[1]) != NULL) {
        s->fill = *p;
        p++;
    }
    (void)take(&p, "<>=^", &s->align);
    (void)take(&p, "+- ", &s->sign);
    s->is_alternate = take(&p, "#", &flag);
    if (take(&p, "0", &flag) && s->fill == 0) {
        s->fill = '0';
        s->align = s->align == 0 ? '=' : s->align;
    }
    if (!read_count(&p, MAX_WIDTH, &s->width))
        return fail(f, "the width is more than 255");
    (void)take(&p, ",_", &s->grouping);
    if (take(&p, ".", &flag)) {
        if (*p < '0' || *p > '9')
            return fail(f, "Format specifier missing precision");
        if (!read_count(&p, MAX_PRECISION, &s->precision))
            return fail(f, "the precision is more than 100");
    }
    (void)take(&p, "bcdeEfFgGnoxX%s", &s->type);
    if (*p != '\0')
        return fail(f, "Invalid format specifier");
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- digits */

static void trim_zeros(char *text)
{
    char *e = strpbrk(text, "e"), *end = e != NULL ? e : text + strlen(text), *last = end;

    if (memchr(text, '.', (size_t)(end - text)) == NULL)
        return;
    while (last[-1] == '0')
        last--;
    if (last[-1] == '.')
        last--;
    memmove(last, end, strlen(end) + 1);
}

static int exponent_of(double value, int digits)
{
    char text[MAX_TEXT];
    int64_t exponent = 0;

    krti_number_print(text, sizeof text, value, 'e', digits - 1);
    const char *e = strchr(text, 'e');
    if (e != NULL)
        (void)krti_number_parse_int(e + 1, strlen(e + 1), &exponent);
    return (int)exponent;
}

/* "g" with `digits` digits: as printf's, but with a point and zeros kept when asked. No type and a
 * precision is the same, except that one digit always follows the point. */
static void put_general(char *text, double value, int digits, bool keeps_zeros, bool adds_point)
{
    const int n = digits > 0 ? digits : 1;
    const int exponent = isfinite(value) ? exponent_of(value, n) : 0;
    const bool is_scientific = exponent < -4 || exponent >= n - (adds_point ? 1 : 0);

    if (!isfinite(value)) {
        krti_number_print(text, MAX_TEXT, value, 'g', 6);
        return;
    }
    krti_number_print(text, MAX_TEXT, value, is_scientific ? 'e' : 'f',
                      is_scientific ? n - 1 : n - 1 - exponent);
    if (!keeps_zeros)
        trim_zeros(text);
    if (adds_point && !is_scientific && strchr(text, '.') == NULL)
        memcpy(text + strlen(text), ".0", 3);
}

static void put_real(char *text, double value, const format_spec *s)
{
    const int precision = s->precision >= 0 ? s->precision : 6;
    const char type = s->type;

    if (type == 0 && s->precision < 0)
        krti_number_repr(text, MAX_TEXT, value);
    else if (type == 'e' || type == 'E')
        krti_number_print(text, MAX_TEXT, value, 'e', precision);
    else if (type == 'g' || type == 'G' || type == 'n' || type == 0)
        put_general(text, value, precision, s->is_alternate, type == 0);
    else
        krti_number_print(text, MAX_TEXT, type == '%' ? value * 100 : value, 'f', precision);
    if (s->is_alternate && isfinite(value) && strchr(text, '.') == NULL) {
        const size_t digits = strcspn(text, "e");

        memmove(text + digits + 1, text + digits, strlen(text + digits) + 1);
        text[digits] = '.';
    }
    if (type == '%')
        memcpy(text + strlen(text), "%", 2);
    for (char *c = text; type != 0 && strchr("EFG", type) != NULL && *c != '\0'; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
}

static void put_whole(char *text, uint64_t value, const format_spec *s)
{
    const unsigned base = s->type == 'b' ? 2 : s->type == 'o' ? 8 : 16;
    const char *const digits = s->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char reversed[72];
    size_t n = 0;

    if (s->type == 0 || s->type == 'd' || s->type == 'n') {
        snprintf(text, MAX_TEXT, "%" PRIu64, value);
        return;
    }
    do {
        reversed[n++] = digits[value % base];
    } while ((value /= base) > 0);
    while (n > 0)
        *text++ = reversed[--n];
    *text = '\0';
}

/* Separators into the whole part, from the right; zeros before it until all has `width` characters. */
static void group(char *text, char separator, size_t every, size_t width)
{
    size_t whole = strspn(text, every == 4 ? "0123456789abcdefABCDEF" : "0123456789");

    while (whole > 0 && strlen(text) + (whole - 1) / every < width) {
        memmove(text + 1, text, strlen(text) + 1);
        text[0] = '0';
        whole++;
    }
    for (size_t i = every; i < whole; i += every) {
        char *at = text + whole - i;

        memmove(at + 1, at, strlen(at) + 1);
        *at = separator;
    }
}

/* ------------------------------------------------------------------------------- a field */

static bool is_real_type(char type)
{
    return type != 0 && strchr("eEfFgG%", type) != NULL;
}

static krt_status check_type(const formatting *f, const number *n, const format_spec *s)
{
    char reason[96];

    if ((!n->is_whole && s->type != 0 && strchr("bcdoxXs", s->type) != NULL) ||
        (n->is_whole && (s->type == 's' || s->type == 'c'))) {
        snprintf(reason, sizeof reason, "Unknown format code '%c' for object of type '%s'", s->type,
                 n->is_whole ? "int" : "float");
        return fail(f, reason);
    }
    if (n->is_whole && s->precision >= 0 && !is_real_type(s->type))
        return fail(f, "Precision not allowed in integer format specifier");
    if ((s->grouping == ',' && s->type != 0 && strchr("boxXn", s->type) != NULL) ||
        (s->grouping == '_' && s->type == 'n')) {
        snprintf(reason, sizeof reason, "Cannot specify '%c' with '%c'.", s->grouping, s->type);
        return fail(f, reason);
    }
    return KRT_OK;
}

/* "-", "+", " " and "0x", which zeros go behind. */
static void put_sign(char sign[4], const number *n, bool is_negative, const format_spec *s)
{
    if (is_negative || s->sign == '+' || s->sign == ' ')
        *sign++ = (char)(is_negative ? '-' : s->sign);
    if (n->is_whole && s->is_alternate && s->type != 0 && strchr("boxX", s->type) != NULL) {
        *sign++ = '0';
        *sign++ = s->type;
    }
    *sign = '\0';
}

static void pad(krti_str *out, const char *sign, const char *text, const format_spec *s)
{
    const size_t length = strlen(sign) + strlen(text), width = (size_t)s->width;
    const size_t room = width > length ? width - length : 0;
    const char fill = s->fill != 0 ? s->fill : ' ', align = s->align != 0 ? s->align : '>';
    const size_t before = align == '>' ? room : align == '^' ? room / 2 : 0;

    krti_str_fill(out, fill, before);
    krti_str_add(out, sign);
    krti_str_fill(out, fill, align == '=' ? room : 0);
    krti_str_add(out, text);
    krti_str_fill(out, fill, align == '=' ? 0 : room - before);
}

static krt_status put_number(const formatting *f, const number *n, const format_spec *s)
{
    const bool as_real = !n->is_whole || is_real_type(s->type);
    const double real = n->is_whole ? (double)n->whole : n->real;
    const bool is_negative = as_real ? signbit(real) && !isnan(real) : n->whole < 0;
    char sign[4], text[MAX_TEXT + 512]; /* the largest double has 309 digits, and separators */
    const krt_status st = check_type(f, n, s);

    if (st != KRT_OK || f->out == NULL)
        return st;
    if (as_real)
        put_real(text, fabs(real), s);
    else
        put_whole(text, n->whole < 0 ? 0 - (uint64_t)n->whole : (uint64_t)n->whole, s);
    put_sign(sign, n, is_negative, s);
    const bool pads = s->fill == '0' && s->align == '=' && (size_t)s->width > strlen(sign);
    if (s->grouping != 0)
        group(text, s->grouping, s->type != 0 && strchr("boxX", s->type) != NULL ? 4 : 3,
              pads ? (size_t)s->width - strlen(sign) : 0);
    pad(f->out, sign, text, s);
    return f->out->status;
}

static bool look_up(const formatting *f, const char *name, number *n)
{
    *n = (number){.is_whole = true};
    if (krt_logs_get(f->values->logs, name, &n->real)) {
        n->is_whole = false;
        return true;
    }
    n->whole = strcmp(name, "epoch") == 0 ? f->values->epoch : f->values->batch;
    return strcmp(name, "epoch") == 0 ||
           (strcmp(name, "batch") == 0 && f->values->batch != KRT_NONE);
}

/* The inside of the braces. */
static krt_status put_field(const formatting *f, const char *text, size_t length)
{
    char name[MAX_NAME], spec[MAX_NAME] = "";
    const size_t name_length = strcspn(text, ":}");
    format_spec s;
    number n;

    if (length >= MAX_NAME)
        return fail(f, "a field is longer than 127 bytes");
    memcpy(name, text, name_length);
    name[name_length] = '\0';
    if (name_length < length) {
        memcpy(spec, text + name_length + 1, length - name_length - 1);
        spec[length - name_length - 1] = '\0';
    }
    if (name_length == 0 || strspn(name, "0123456789") == name_length)
        return fail(f, "Replacement index 0 out of range for positional args tuple");
    if (strpbrk(name, "!.[") != NULL)
        return fail(f, "conversions (!r), attributes and indices are not supported");
    const krt_status st = read_spec(f, spec, &s);
    if (st != KRT_OK)
        return st;
    return look_up(f, name, &n) ? put_number(f, &n, &s) : fail_name(f, name);
}

static krt_status format(const formatting *f)
{
    const char *p = f->template;
    krt_status st = KRT_OK;

    while (st == KRT_OK && *p != '\0') {
        const size_t plain = strcspn(p, "{}");

        if (f->out != NULL)
            st = krti_str_add_n(f->out, p, plain);
        p += plain;
        if (*p == '\0' || st != KRT_OK)
            break;
        if (p[0] == p[1]) {
            st = f->out != NULL ? krti_str_add_n(f->out, p, 1) : KRT_OK;
            p += 2;
            continue;
        }
        if (*p == '}')
            return fail(f, "Single '}' encountered in format string");
        const size_t length = strcspn(p + 1, "{}");
        if (p[1 + length] == '{')
            return fail(f, "a field inside a field is not supported");
        if (p[1 + length] == '\0')
            return fail(f, "expected '}' before end of string");
        st = put_field(f, p + 1, length);
        p += length + 2;
    }
    return st;
}

krt_status krti_template_format(krt_ctx *k, krti_str *out, const char *template,
                                const krti_template_values *values)
{
    return format(&(formatting){k, template, values, out});
}

krt_status krti_template_check(krt_ctx *k, const char *template, const krt_logs *names,
                               bool has_batch)
{
    const krti_template_values values = {0, has_batch ? 0 : KRT_NONE, names};

    return format(&(formatting){k, template, &values, NULL});
}
