/* json.h, writing: Python's json.dumps (json/encoder.py), character for character. */
#include "formats/json.h"

#include "base/number.h"

void krti_json_float(char *buffer, size_t size, double value)
{
    if (isnan(value))
        snprintf(buffer, size, "NaN");
    else if (isinf(value))
        snprintf(buffer, size, value < 0 ? "-Infinity" : "Infinity");
    else
        krti_number_repr(buffer, size, value);
}

/* The code point at *p, stepping over it. Strings are UTF-8 by the time they are in a tree; a
 * byte that is not becomes U+FFFD. */
static uint32_t next_code_point(const unsigned char **p, const unsigned char *end)
{
    const unsigned char first = *(*p)++;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC2 ? 1 : 0;
    uint32_t c = first;

    if (first < 0x80)
        return c;
    if (more == 0 || end - *p < more)
        return 0xFFFD;
    c = first & (0x3Fu >> more);
    for (int i = 0; i < more; i++) {
        if (((*p)[i] & 0xC0) != 0x80)
            return 0xFFFD;
        c = (c << 6) | ((*p)[i] & 0x3Fu);
    }
    *p += more;
    return c <= 0x10FFFF ? c : 0xFFFD;
}

static void write_escaped(krti_str *s, uint32_t c)
{
    static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = c != 0 && c < 0x80 ? strchr(values, (int)c) : NULL;

    if (found != NULL) {
        const char text[] = {'\\', names[found - values]};

        krti_str_add_n(s, text, sizeof text);
    } else if (c >= 0x10000) {
        krti_str_addf(s, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                      (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
    } else {
        krti_str_addf(s, "\\u%04x", (unsigned)c);
    }
}

static void write_string(krti_str *s, const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + length;

    krti_str_add_n(s, "\"", 1);
    while (p < end) {
        const unsigned char *start = p;

        while (p < end && *p >= 0x20 && *p < 0x7F && *p != '"' && *p != '\\')
            p++;
        krti_str_add_n(s, (const char *)start, (size_t)(p - start));
        if (p < end)
            write_escaped(s, next_code_point(&p, end));
    }
    krti_str_add_n(s, "\"", 1);
}

static void write_break(krti_str *s, int indent, int depth)
{
    if (indent < 0)
        return;
    krti_str_add_n(s, "\n", 1);
    krti_str_fill(s, ' ', (size_t)indent * (size_t)depth);
}

static void write_value(krti_str *s, const krti_conf *c, int indent, int depth);

static void write_container(krti_str *s, const krti_conf *c, int indent, int depth)
{
    const bool is_dict = c->kind == KRTI_CONF_DICT;

    krti_str_add_n(s, is_dict ? "{" : "[", 1);
    for (size_t i = 0; i < c->as.list.n && s->status == KRT_OK; i++) {
        if (i > 0)
            krti_str_add(s, indent < 0 ? ", " : ",");
        write_break(s, indent, depth + 1);
        if (is_dict) {
            write_string(s, c->as.list.keys[i], strlen(c->as.list.keys[i]));
            krti_str_add_n(s, ": ", 2);
        }
        write_value(s, c->as.list.items[i], indent, depth + 1);
    }
    if (c->as.list.n > 0)
        write_break(s, indent, depth);
    krti_str_add_n(s, is_dict ? "}" : "]", 1);
}

static void write_value(krti_str *s, const krti_conf *c, int indent, int depth)
{
    char number[KRTI_NUMBER_TEXT];

    switch (krti_conf_is_null(c) ? KRTI_CONF_NULL : c->kind) {
    case KRTI_CONF_NULL:
        krti_str_add(s, "null");
        break;
    case KRTI_CONF_BOOL:
        krti_str_add(s, c->as.boolean ? "true" : "false");
        break;
    case KRTI_CONF_INT:
        krti_str_addf(s, "%lld", (long long)c->as.integer);
        break;
    case KRTI_CONF_FLOAT:
        krti_json_float(number, sizeof number, c->as.real);
        krti_str_add(s, number);
        break;
    case KRTI_CONF_STRING:
        write_string(s, c->as.string.text, c->as.string.length);
        break;
    case KRTI_CONF_LIST:
    case KRTI_CONF_DICT:
        write_container(s, c, indent, depth);
        break;
    }
}

krt_status krti_json_write(krti_str *s, const krti_conf *c, int indent)
{
    write_value(s, c, indent, 0);
    return s->status;
}
