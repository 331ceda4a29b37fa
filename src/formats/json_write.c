/* json.h, writing: Python's json.dumps (json/encoder.py), character for character. */
#include "formats/json.h"

#include "base/number.h"
#include "base/utf8.h"

void krti_json_float(char *buffer, size_t size, double value)
{
    if (isnan(value))
        snprintf(buffer, size, "NaN");
    else if (isinf(value))
        snprintf(buffer, size, value < 0 ? "-Infinity" : "Infinity");
    else
        krti_number_repr(buffer, size, value);
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
    const char *p = text, *end = p + length;

    krti_str_add_n(s, "\"", 1);
    while (p < end) {
        const char *start = p;

        while (p < end && *p >= 0x20 && *p < 0x7F && *p != '"' && *p != '\\')
            p++;
        krti_str_add_n(s, start, (size_t)(p - start));
        if (p < end) {
            const uint32_t c = krti_utf8_next(&p, end);

            write_escaped(s, c != UINT32_MAX ? c : 0xFFFD); /* strings of a tree are UTF-8 */
        }
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
