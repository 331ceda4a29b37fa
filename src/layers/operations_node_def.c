/* A TensorFlow NodeDef as protobuf's JSON: what tf.keras 2.1 to 2.3 kept in a TensorFlowOpLayer.
 *
 *     {"name": "Mean", "op": "Mean", "input": [...],
 *      "attr": {"keep_dims": {"b": true}, "T": {"type": "DT_FLOAT"}, "axis": {"i": "1"}}}
 *
 * The text stands inside a config that was JSON itself and has been read; this floor has no reader
 * of files, so here is as much of one as such a node needs. Attributes come out flat, by name. */
#include "layers/operations_run.h"

#include <stdlib.h>

enum { MAX_NESTING = 16 };

typedef struct reader {
    krti_arena *a;
    const char *at;
} reader;

static krti_conf *read_value(reader *r, int depth);

static void skip_blanks(reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static bool take(reader *r, char c)
{
    skip_blanks(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* An escape stands for its character; names and dtypes have none. */
static char *read_string(reader *r)
{
    size_t n = 0;

    if (!take(r, '"'))
        return NULL;
    char *const text = krti_arena_alloc(r->a, strlen(r->at) + 1);
    while (text != NULL && *r->at != '"') {
        if (*r->at == '\\')
            r->at++;
        if (*r->at == '\0')
            return NULL;
        text[n++] = *r->at++;
    }
    r->at++;
    return text;
}

static krti_conf *read_dict(reader *r, int depth)
{
    krti_conf *const dict = krti_conf_dict(r->a);

    if (take(r, '}'))
        return dict;
    do {
        char *const key = read_string(r);
        krti_conf *const value = key != NULL && take(r, ':') ? read_value(r, depth + 1) : NULL;

        if (value == NULL || krti_conf_set(r->a, dict, key, value) != KRT_OK)
            return NULL;
    } while (take(r, ','));
    return take(r, '}') ? dict : NULL;
}

static krti_conf *read_list(reader *r, int depth)
{
    krti_conf *const list = krti_conf_list(r->a);

    if (take(r, ']'))
        return list;
    do {
        krti_conf *const item = read_value(r, depth + 1);

        if (item == NULL || krti_conf_add(r->a, list, item) != KRT_OK)
            return NULL;
    } while (take(r, ','));
    return take(r, ']') ? list : NULL;
}

static krti_conf *read_word(reader *r)
{
    static const char *const words[] = {"null", "false", "true"};
    char *end = NULL;

    for (size_t i = 0; i < KRTI_COUNT(words); i++)
        if (krti_starts_with(r->at, words[i])) {
            r->at += strlen(words[i]);
            return i == 0 ? krti_conf_null(r->a) : krti_conf_bool(r->a, i == 2);
        }
    const double number = strtod(r->at, &end);
    if (end == r->at)
        return NULL;
    r->at = end;
    return krti_conf_float(r->a, number);
}

static krti_conf *read_value(reader *r, int depth)
{
    if (depth > MAX_NESTING)
        return NULL;
    skip_blanks(r);
    if (*r->at == '"') {
        char *const text = read_string(r);

        return text != NULL ? krti_conf_string(r->a, text) : NULL;
    }
    if (take(r, '{'))
        return read_dict(r, depth);
    if (take(r, '['))
        return read_list(r, depth);
    return read_word(r);
}

/* ------------------------------------------------------------------------------- attributes */

/* protobuf writes 64-bit integers as strings. */
static krti_conf *integer_of(krti_arena *a, const krti_conf *c)
{
    const char *const text = krti_conf_text(c);
    int64_t value = 0;

    if (text != NULL)
        return krti_conf_int(a, strtoll(text, NULL, 10));
    krti_conf_as_int(c, &value);
    return krti_conf_int(a, value);
}

static krti_conf *integers_of(krti_arena *a, const krti_conf *list)
{
    krti_conf *const out = krti_conf_list(a);

    for (size_t i = 0; out != NULL && i < krti_conf_num(list); i++)
        if (krti_conf_add(a, out, integer_of(a, krti_conf_at(list, i))) != KRT_OK)
            return NULL;
    return out;
}

static const char *dtype_of(const char *type)
{
    static const char *const names[][2] = {
        {"DT_FLOAT", "float32"},     {"DT_DOUBLE", "float64"}, {"DT_HALF", "float16"},
        {"DT_BFLOAT16", "bfloat16"}, {"DT_INT8", "int8"},      {"DT_INT16", "int16"},
        {"DT_INT32", "int32"},       {"DT_INT64", "int64"},    {"DT_UINT8", "uint8"},
        {"DT_UINT16", "uint16"},     {"DT_BOOL", "bool"},
    };

    for (size_t i = 0; type != NULL && i < KRTI_COUNT(names); i++)
        if (strcmp(names[i][0], type) == 0)
            return names[i][1];
    return type;
}

/* One AttrValue; NULL for the kinds no operation here asks for. */
static krti_conf *attribute(krti_arena *a, const krti_conf *value)
{
    const krti_conf *const integers = krti_conf_get(krti_conf_get(value, "list"), "i");
    double number;

    if (krti_conf_get(value, "i") != NULL)
        return integer_of(a, krti_conf_get(value, "i"));
    if (integers != NULL)
        return integers_of(a, integers);
    if (krti_conf_is(krti_conf_get(value, "b"), KRTI_CONF_BOOL))
        return krti_conf_copy(a, krti_conf_get(value, "b"));
    if (krti_conf_as_float(krti_conf_get(value, "f"), &number))
        return krti_conf_float(a, number);
    if (krti_conf_get_text(value, "type") != NULL)
        return krti_conf_string(a, dtype_of(krti_conf_get_text(value, "type")));
    return NULL;
}

krt_status krti_node_def_read(krti_arena *a, const char *json, const char **op, krti_conf **attrs)
{
    reader r = {a, json};
    const krti_conf *const node = read_value(&r, 0);
    const krti_conf *const given = krti_conf_get(node, "attr");

    *op = krti_conf_get_text(node, "op");
    *attrs = krti_conf_dict(a);
    if (*attrs == NULL)
        return KRT_E_NOMEM;
    if (*op == NULL)
        return krti_fail(a->k, KRT_E_FORMAT, NULL,
                         "node_def is no TensorFlow node in JSON: it names no op");
    for (size_t i = 0; i < krti_conf_num(given); i++) {
        krti_conf *const value = attribute(a, krti_conf_at(given, i));

        if (value != NULL && krti_conf_set(a, *attrs, krti_conf_key_at(given, i), value) != KRT_OK)
            return KRT_E_NOMEM;
    }
    return KRT_OK;
}
