/* A TensorFlow NodeDef as a dict of protobuf's JSON: what tf.keras 2.1 and newer keep in a
 * TensorFlowOpLayer.
 *
 *     {"name": "Mean", "op": "Mean", "input": [...],
 *      "attr": {"keep_dims": {"b": true}, "T": {"type": "DT_FLOAT"}, "axis": {"i": "1"}}}
 *
 * The attributes come out flat, by name. tf.keras 2.0 kept the bytes of the message as text, which
 * few such files survived; they are not read. */
#include "layers/operations_run.h"

#include <stdlib.h>

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

/* Bytes are written as base64; these are the words an operation here asks for. */
static const char *word_of(const char *base64)
{
    static const char *const words[][2] = {
        {"TkhXQw==", "NHWC"}, {"TkNIVw==", "NCHW"}, {"U0FNRQ==", "SAME"}, {"VkFMSUQ=", "VALID"}};

    for (size_t i = 0; i < KRTI_COUNT(words); i++)
        if (strcmp(words[i][0], base64) == 0)
            return words[i][1];
    return NULL;
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
    const char *const bytes = krti_conf_get_text(value, "s");
    const char *const word = bytes != NULL ? word_of(bytes) : NULL;
    return word != NULL ? krti_conf_string(a, word) : NULL;
}

krt_status krti_node_def_read(krti_arena *a, const krti_conf *node, const char **op,
                              krti_conf **attrs)
{
    const krti_conf *const given = krti_conf_get(node, "attr");

    *op = krti_conf_get_text(node, "op");
    *attrs = krti_conf_dict(a);
    if (*attrs == NULL)
        return KRT_E_NOMEM;
    if (*op == NULL)
        return krti_fail(a->k, KRT_E_FORMAT, NULL,
                         "node_def is no dict of a TensorFlow node: it names no op");
    for (size_t i = 0; i < krti_conf_num(given); i++) {
        krti_conf *const value = attribute(a, krti_conf_at(given, i));

        if (value != NULL && krti_conf_set(a, *attrs, krti_conf_key_at(given, i), value) != KRT_OK)
            return KRT_E_NOMEM;
    }
    return KRT_OK;
}
