/* Configs of older generations, respelled as Keras 3 would write them.
 *
 * Four tables, applied to one layer: renamed classes, renamed keys, keys that are gone (dropped when
 * their value means nothing; any other stays and is refused by name), and values whose form changed.
 * Nested layers are respelled when they are made. Keras: legacy/saving/{serialization,
 * legacy_h5_format,saving_utils}.py and tf.keras's layers of old. */
#include "layers/legacy.h"

#include "base/str.h"

#include <ctype.h>

/* ------------------------------------------------------------------------------- classes */

static const struct {
    const char *old_name, *name;
} renamed_classes[] = {
    {"Custom>CustomScaleLayer", "CustomScaleLayer"}, /* of tf.keras's Inception-ResNet */
    {"AtrousConvolution1D", "Conv1D"},
    {"AtrousConvolution2D", "Conv2D"},
    {"AvgPool1D", "AveragePooling1D"},
    {"AvgPool2D", "AveragePooling2D"},
    {"AvgPool3D", "AveragePooling3D"},
    {"BatchNormalizationV1", "BatchNormalization"},
    {"BatchNormalizationV2", "BatchNormalization"},
    {"Convolution1D", "Conv1D"},
    {"Convolution1DTranspose", "Conv1DTranspose"},
    {"Convolution2D", "Conv2D"},
    {"Convolution2DTranspose", "Conv2DTranspose"},
    {"Convolution3D", "Conv3D"},
    {"Convolution3DTranspose", "Conv3DTranspose"},
    {"CuDNNGRU", "GRU"},
    {"CuDNNLSTM", "LSTM"},
    {"Deconvolution2D", "Conv2DTranspose"},
    {"Deconvolution3D", "Conv3DTranspose"},
    {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
    {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
    {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
    {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
    {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
    {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
    {"GroupQueryAttention", "GroupedQueryAttention"},
    {"MaxPool1D", "MaxPooling1D"},
    {"MaxPool2D", "MaxPooling2D"},
    {"MaxPool3D", "MaxPooling3D"},
    {"SeparableConvolution1D", "SeparableConv1D"},
    {"SeparableConvolution2D", "SeparableConv2D"},
    {"SyncBatchNormalization", "BatchNormalization"},
    {"TimeDistributedDense", "TimeDistributed"},
};

const char *krti_legacy_class_name(const char *class_name)
{
    const char *dot = strrchr(class_name, '.'); /* keras.layers.experimental.X */

    if (dot != NULL && krti_starts_with(class_name, "keras."))
        class_name = dot + 1;
    for (size_t i = 0; i < KRTI_COUNT(renamed_classes); i++)
        if (strcmp(renamed_classes[i].old_name, class_name) == 0)
            return renamed_classes[i].name;
    return class_name;
}

/* ------------------------------------------------------------------------------- keys */

bool krti_legacy_about(const char *pattern, const char *class_name)
{
    const size_t n = pattern != NULL ? strlen(pattern) : 0;

    if (n == 0)
        return true;
    return pattern[n - 1] == '*' ? strncmp(pattern, class_name, n - 1) == 0
                                 : strcmp(pattern, class_name) == 0;
}

/* A new name that is already there wins. */
static const krti_legacy_rename renamed_keys[] = {
    {"InputLayer", "batch_input_shape", "batch_shape"},
    {"LeakyReLU", "alpha", "negative_slope"},
};

typedef enum emptiness { ANYTHING, NOTHING, FALSE_ONLY, ONE_ONLY } emptiness;

static const struct {
    const char *classes, *key;
    emptiness when;
} dropped_keys[] = {
    /* Of the base class in some release, without effect on the result. */
    {NULL, "build_config", ANYTHING},
    {NULL, "shared_object_id", ANYTHING},
    {NULL, "__passive_serialization__", ANYTHING},
    /* tf.keras. */
    {NULL, "time_major", FALSE_ONLY},
    {NULL, "rng_type", ANYTHING},
    {"DepthwiseConv*", "groups", ONE_ONLY},
    {"DepthwiseConv*", "filters", ANYTHING},
    {"DepthwiseConv*", "kernel_initializer", ANYTHING},
    {"DepthwiseConv*", "kernel_regularizer", ANYTHING},
    {"DepthwiseConv*", "kernel_constraint", ANYTHING},
    {"Conv1DTranspose", "groups", ONE_ONLY},
    {"Conv2DTranspose", "groups", ONE_ONLY},
    {"Conv3DTranspose", "groups", ONE_ONLY},
    {"SeparableConv*", "groups", ONE_ONLY},
    {"SeparableConv*", "kernel_initializer", ANYTHING},
    {"SeparableConv*", "kernel_regularizer", ANYTHING},
    {"SeparableConv*", "kernel_constraint", ANYTHING},
    {"MultiHeadAttention", "query_shape", ANYTHING},
    {"MultiHeadAttention", "key_shape", ANYTHING},
    {"MultiHeadAttention", "value_shape", ANYTHING},
    {"Softmax", "softmax_robust_masking", ANYTHING},
    {"MultiHeadAttention", "softmax_robust_masking", ANYTHING},
    {"InputLayer", "type_spec", NOTHING},
    {"InputLayer", "input_tensor", NOTHING},
    {"InputLayer", "_init_type_spec", NOTHING},
    {"Embedding", "sparse", FALSE_ONLY},
    {"UpSampling1D", "data_format", ANYTHING},
    {"SimpleRNN*", "implementation", ANYTHING},
    {"GlobalAveragePooling*", "keep_dims", FALSE_ONLY},
};

static bool is_empty(const krti_conf *value, emptiness when)
{
    int64_t number = 0;

    if (when == ANYTHING || krti_conf_is_null(value))
        return true;
    if (when == FALSE_ONLY)
        return krti_conf_is(value, KRTI_CONF_BOOL) && !value->as.boolean;
    return when == ONE_ONLY && krti_conf_as_int(value, &number) && number == 1;
}

static void drop_keys(const char *class_name, krti_conf *config)
{
    for (size_t i = 0; i < KRTI_COUNT(dropped_keys); i++) {
        const krti_conf *value = krti_conf_get(config, dropped_keys[i].key);

        if (value != NULL && krti_legacy_about(dropped_keys[i].classes, class_name) &&
            is_empty(value, dropped_keys[i].when))
            krti_conf_remove(config, dropped_keys[i].key);
    }
}

krt_status krti_legacy_set(krti_arena *a, krti_conf *dict, const char *key, const krti_conf *value)
{
    return krti_conf_set(a, dict, key, (krti_conf *)(uintptr_t)value);
}

krt_status krti_legacy_rename_keys(krti_arena *a, const krti_legacy_rename *renames, size_t n,
                                   const char *class_name, krti_conf *config)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        const krti_conf *value = krti_conf_get(config, renames[i].old_key);

        if (value == NULL || !krti_legacy_about(renames[i].classes, class_name))
            continue;
        if (krti_conf_get(config, renames[i].key) == NULL)
            st = krti_legacy_set(a, config, renames[i].key, value);
        krti_conf_remove(config, renames[i].old_key);
    }
    return st;
}

/* ------------------------------------------------------------------------------- values */

typedef enum value_change {
    TAKE_ELEMENT, /* [3] is 3 */
    LOWER_CASE,   /* "SAME" is "same" */
    TAKE_NAME     /* a dtype policy's dict is its name */
} value_change;

static const struct {
    const char *classes, *key;
    value_change change;
} changed_values[] = {
    {NULL, "axis", TAKE_ELEMENT},
    {"ReLU", "max_value", TAKE_ELEMENT},
    {"ReLU", "negative_slope", TAKE_ELEMENT},
    {"ReLU", "threshold", TAKE_ELEMENT},
    {"LeakyReLU", "negative_slope", TAKE_ELEMENT},
    {"ELU", "alpha", TAKE_ELEMENT},
    {"ThresholdedReLU", "theta", TAKE_ELEMENT},
    {NULL, "padding", LOWER_CASE},
    {NULL, "data_format", LOWER_CASE},
    {NULL, "interpolation", LOWER_CASE},
    {"InputLayer", "dtype", TAKE_NAME},
};

/* The items of a list, also where tf.keras wrote a wrapper of its own around it. */
static const krti_conf *list_of(const krti_conf *value)
{
    const char *class_name = krti_conf_get_text(value, "class_name");

    if (class_name != NULL &&
        (strcmp(class_name, "ListWrapper") == 0 || strcmp(class_name, "__tuple__") == 0))
        value = krti_conf_get(value, "items");
    return krti_conf_is(value, KRTI_CONF_LIST) ? value : NULL;
}

static const krti_conf *lower_case(krti_arena *a, const krti_conf *value)
{
    const char *text = krti_conf_text(value);
    bool has_upper = false;

    for (const char *p = text; p != NULL && *p != '\0'; p++)
        has_upper = has_upper || isupper((unsigned char)*p);
    if (!has_upper)
        return value;
    char *lower = krti_arena_strdup(a, text);
    if (lower == NULL)
        return NULL;
    for (char *p = lower; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return krti_conf_string(a, lower);
}

/* The value in today's form, itself when it is already; NULL: out of memory. */
static const krti_conf *change(krti_arena *a, value_change how, const krti_conf *value)
{
    switch (how) {
    case TAKE_ELEMENT:
        return krti_conf_num(list_of(value)) == 1 ? krti_conf_at(list_of(value), 0) : value;
    case LOWER_CASE:
        return lower_case(a, value);
    case TAKE_NAME:
        return krti_conf_get_text(krti_conf_get(value, "config"), "name") != NULL
                   ? krti_conf_get(krti_conf_get(value, "config"), "name")
                   : value;
    }
    return value;
}

static krt_status change_values(krti_arena *a, const char *class_name, krti_conf *config)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(changed_values); i++) {
        const krti_conf *value = krti_conf_get(config, changed_values[i].key);

        if (value != NULL && krti_legacy_about(changed_values[i].classes, class_name))
            st = krti_legacy_set(a, config, changed_values[i].key,
                                 change(a, changed_values[i].change, value));
    }
    return st;
}

/* ------------------------------------------------------------------------------- InputLayer */

/* `shape` or `input_shape` with `batch_size` is what `batch_shape` says at once. */
static krt_status join_batch(krti_arena *a, krti_conf *config)
{
    const krti_conf *shape = list_of(krti_conf_get(config, "shape"));
    const krti_conf *batch = krti_conf_get(config, "batch_size");
    krti_conf *whole = krti_conf_list(a);
    krt_status st = KRT_OK;

    if (shape == NULL)
        shape = list_of(krti_conf_get(config, "input_shape"));
    if (shape == NULL || krti_conf_get(config, "batch_shape") != NULL)
        return KRT_OK;
    TRY(krti_conf_add(a, whole, batch != NULL ? (krti_conf *)(uintptr_t)batch : krti_conf_null(a)));
    for (size_t i = 0; i < krti_conf_num(shape); i++)
        TRY(krti_conf_add(a, whole, (krti_conf *)(uintptr_t)krti_conf_at(shape, i)));
    TRY(krti_conf_set(a, config, "batch_shape", whole));
    krti_conf_remove(config, "shape");

done:
    return st;
}

/* ------------------------------------------------------------------------------- one config */

krt_status krti_legacy_config(krti_arena *a, krti_arena *scratch, int generation,
                              const char *class_name, const krti_conf *config,
                              const krti_conf **out)
{
    krti_conf *copy = NULL;
    krt_status st = KRT_OK;

    *out = config;
    if (!krti_conf_is(config, KRTI_CONF_DICT))
        return KRT_OK;
    copy = krti_conf_view(scratch, config);
    if (copy == NULL)
        return KRT_E_NOMEM;
    if (generation < 3)
        TRY(krti_legacy_keras1(a, class_name, copy));
    TRY(krti_legacy_rename_keys(a, renamed_keys, KRTI_COUNT(renamed_keys), class_name, copy));
    drop_keys(class_name, copy);
    TRY(change_values(a, class_name, copy));
    if (strcmp(class_name, "InputLayer") == 0)
        TRY(join_batch(a, copy));
    *out = copy;

done:
    return st;
}
