/* What the tool prints: safe text, failures, and JSON. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- text ------------------------------------------------------------------------------------ */

/* Bytes of the UTF-8 character at p, 0 when there is none. C1 controls (U+0080 to U+009F) count as
 * none: terminals obey them. */
static size_t utf8_length(const unsigned char *p)
{
    static const struct {
        unsigned char mask, lead, length;
        unsigned least;
    } forms[] = {{0xe0, 0xc0, 2, 0xa0}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

    for (size_t i = 0; i < COUNT(forms); i++) {
        unsigned code = p[0] & (unsigned char)~forms[i].mask;

        if ((p[0] & forms[i].mask) != forms[i].lead)
            continue;
        for (size_t j = 1; j < forms[i].length; j++) {
            if ((p[j] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (p[j] & 0x3f);
        }
        return code >= forms[i].least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
                   ? forms[i].length
                   : 0;
    }
    return 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

void print_safe(FILE *f, const char *text, const char *keep)
{
    const unsigned char *p = (const unsigned char *)text, *from = p;

    while (*p != '\0') {
        const size_t length = is_plain(*p) || strchr(keep, *p) != NULL ? 1 : utf8_length(p);

        if (length > 0) {
            p += length;
            continue;
        }
        fwrite(from, 1, (size_t)(p - from), f);
        fprintf(f, "\\x%02x", *p++);
        from = p;
    }
    fwrite(from, 1, (size_t)(p - from), f);
}

const char *with_commas(long long value, char *buffer)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%lld", value);
    char *to = buffer;

    for (int i = 0; i < n; i++) {
        *to++ = digits[i];
        if ((n - 1 - i) % 3 == 0 && i + 1 < n && digits[i] != '-')
            *to++ = ',';
    }
    *to = '\0';
    return buffer;
}

/* --- failures -------------------------------------------------------------------------------- */

/* What helps with weights that do not fit, unless the sentence says so itself. */
static const char *help_for(const krt_error *e)
{
    return e->status == KRT_E_MISMATCH && strstr(e->message, "keratin ") == NULL
               ? ". See how they align with: keratin explain WEIGHTS --into MODEL"
               : "";
}

/* The name to show: an empty one would leave no trace. */
static const char *shown(const char *file)
{
    return file != NULL && file[0] == '\0' ? "\"\"" : file;
}

int fail_with(const krt_error *e, const char *file)
{
    const char *const parts[] = {shown(e->filepath != NULL ? e->filepath : file), e->object,
                                 e->message};

    fflush(stdout);
    fputs("keratin: ", stderr);
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i] == NULL || parts[i][0] == '\0')
            continue;
        print_safe(stderr, parts[i], "");
        fputs(i + 1 < COUNT(parts) ? ": " : help_for(e), stderr);
    }
    fputc('\n', stderr);
    return CLI_FAILED;
}

int fail(const cli *c, const char *file)
{
    return fail_with(krt_ctx_error(c->k), file);
}

static void print_formatted(const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    print_safe(stderr, text, "");
    fputc('\n', stderr);
}

int fail_says(const char *file, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("keratin: ", stderr);
    if (file != NULL) {
        print_safe(stderr, shown(file), "");
        fputs(": ", stderr);
    }
    va_start(args, format);
    print_formatted(format, args);
    va_end(args);
    return CLI_FAILED;
}

int misuse(const cli *c, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "keratin %s: ", c->command->name);
    va_start(args, format);
    print_formatted(format, args);
    va_end(args);
    return CLI_MISUSED;
}

/* --- JSON ------------------------------------------------------------------------------------ */

void json_begin(json *j, FILE *f)
{
    memset(j, 0, sizeof *j);
    j->f = f;
}

static void new_line(json *j)
{
    fputc('\n', j->f);
    for (int i = 0; i < j->depth; i++)
        fputs("  ", j->f);
}

/* What goes before a value or a key: a comma and a new line, unless it follows its key. */
static void separate(json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->used[j->depth])
        fputc(',', j->f);
    if (j->one_line && j->used[j->depth])
        fputc(' ', j->f);
    if (!j->one_line && j->depth > 0)
        new_line(j);
    j->used[j->depth] = true;
}

void json_open(json *j, char bracket)
{
    separate(j);
    fputc(bracket, j->f);
    if (j->depth + 1 < JSON_DEPTH)
        j->depth++;
    j->used[j->depth] = false;
}

void json_close(json *j, char bracket)
{
    const bool used = j->used[j->depth];

    j->depth--;
    if (used && !j->one_line)
        new_line(j);
    fputc(bracket, j->f);
}

static void write_characters(FILE *f, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p != '\0') {
        const size_t length = is_plain(*p) ? 1 : utf8_length(p);

        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (length > 0)
            fwrite(p, 1, length, f);
        else
            fprintf(f, *p < 0x80 ? "\\u%04x" : "\\ufffd", *p);
        p += length > 0 ? length : 1;
    }
}

static void write_string(FILE *f, const char *text)
{
    fputc('"', f);
    write_characters(f, text);
    fputc('"', f);
}

void json_key(json *j, const char *key)
{
    separate(j);
    write_string(j->f, key);
    fputs(": ", j->f);
    j->after_key = true;
}

void json_text(json *j, const char *text)
{
    separate(j);
    if (text != NULL)
        write_string(j->f, text);
    else
        fputs("null", j->f);
}

void json_int(json *j, long long value)
{
    separate(j);
    if (value == KRT_NONE)
        fputs("null", j->f);
    else
        fprintf(j->f, "%lld", value);
}

/* The shortest text that reads back as the same number, or null. */
static void write_real(FILE *f, double value, bool is_float32)
{
    char text[40];

    if (!isfinite(value)) {
        fputs("null", f);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_float32 ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    fputs(text, f);
}

void json_number(json *j, double value)
{
    separate(j);
    write_real(j->f, value, false);
}

void json_bool(json *j, bool value)
{
    separate(j);
    fputs(value ? "true" : "false", j->f);
}

void json_shape(json *j, krt_shape shape)
{
    const bool before = j->one_line;

    if (shape.rank < 0) {
        json_text(j, NULL);
        return;
    }
    json_open(j, '[');
    j->one_line = true;
    for (int i = 0; i < shape.rank; i++)
        json_int(j, shape.dim[i]);
    json_close(j, ']');
    j->one_line = before;
}

void json_end(json *j)
{
    fputc('\n', j->f);
}

/* --- arrays as JSON -------------------------------------------------------------------------- */

/* Bytes that may hold zeros and do not end in one. */
static void write_bytes(FILE *f, krt_string text)
{
    char *const copy = calloc(text.size + 1, 1);

    fputc('"', f);
    if (copy != NULL && text.size > 0)
        memcpy(copy, text.data, text.size);
    for (size_t at = 0; copy != NULL && at < text.size; at += strlen(copy + at) + 1) {
        if (at > 0)
            fputs("\\u0000", f);
        write_characters(f, copy + at);
    }
    if (copy != NULL && text.size > 0 && copy[text.size - 1] == '\0')
        fputs("\\u0000", f);
    fputc('"', f);
    free(copy);
}

static void write_element(FILE *f, krt_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case KRT_FLOAT32:
        write_real(f, (double)((const float *)data)[i], true);
        break;
    case KRT_FLOAT64:
        write_real(f, ((const double *)data)[i], false);
        break;
    case KRT_UINT64:
        fprintf(f, "%llu", (unsigned long long)((const uint64_t *)data)[i]);
        break;
    case KRT_BOOL:
        fputs(((const uint8_t *)data)[i] != 0 ? "true" : "false", f);
        break;
    case KRT_STRING:
        write_bytes(f, ((const krt_string *)data)[i]);
        break;
    default:
        fprintf(f, "%lld", (long long)((const int64_t *)data)[i]);
        break;
    }
}

/* What write_element() can take without loss: the dtype itself or a wider one. */
static krt_dtype printable(krt_dtype dtype)
{
    switch (dtype) {
    case KRT_FLOAT16:
    case KRT_BFLOAT16:
        return KRT_FLOAT32;
    case KRT_FLOAT32:
    case KRT_FLOAT64:
    case KRT_UINT64:
    case KRT_BOOL:
    case KRT_STRING:
        return dtype;
    default:
        return KRT_INT64;
    }
}

/* Writes the list along `axis` whose first element is number `from`. */
static void write_axis(json *j, krt_dtype dtype, const void *data, krt_shape shape, int axis,
                       int64_t from)
{
    int64_t step = 1;

    if (axis == shape.rank) {
        separate(j);
        write_element(j->f, dtype, data, from);
        return;
    }
    for (int i = axis + 1; i < shape.rank; i++)
        step *= shape.dim[i];
    json_open(j, '[');
    j->one_line = axis + 1 == shape.rank;
    for (int64_t i = 0; i < shape.dim[axis]; i++)
        write_axis(j, dtype, data, shape, axis + 1, from + i * step);
    json_close(j, ']');
    j->one_line = false;
}

krt_status json_tensor(json *j, const krt_tensor *t)
{
    krt_tensor *copy = NULL;
    const krt_status st = krt_tensor_cast(t, &copy, printable(krt_tensor_dtype(t)));

    if (st == KRT_OK)
        write_axis(j, krt_tensor_dtype(copy), krt_tensor_data(copy), krt_tensor_shape(copy), 0, 0);
    krt_tensor_free(copy);
    return st;
}

bool ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}
