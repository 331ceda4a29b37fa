/* Configs of Keras 1, respelled with the keys of Keras 2, which are those of today.
 *
 * Keras 2 read them through decorators on every constructor (keras/legacy/interfaces.py, gone since
 * tf.keras); here they are tables: keys that were renamed, keys that became one, forms of values
 * that changed, and classes that became others. Keras 2 wrote none of these keys, so its configs
 * pass unchanged. Page: docs/formats/legacy_h5.md, "Keras 1". */
#include "base/str.h"
#include "layers/legacy.h"

/* ------------------------------------------------------------------------------- classes */

static const struct {
    const char *mode, *class_name;
} merge_classes[] = {
    {"sum", "Add"},     {"mul", "Multiply"},       {"ave", "Average"},
    {"max", "Maximum"}, {"concat", "Concatenate"}, {"dot", "Dot"},
    {"cos", "Dot"},
};

const char *krti_legacy_class(const krti_conf *object)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    const char *mode = krti_conf_get_text(krti_conf_get(object, "config"), "mode");

    for (size_t i = 0; mode != NULL && i < KRTI_COUNT(merge_classes); i++)
        if (strcmp(class_name, "Merge") == 0 && strcmp(merge_classes[i].mode, mode) == 0)
            return merge_classes[i].class_name;
    return krti_legacy_class_name(class_name);
}

/* ------------------------------------------------------------------------------- keys */

/* The first line that is about the class counts; a new name that is already there wins. */
static const krti_legacy_rename renamed_keys[] = {
    {"Dense", "output_dim", "units"},
    {"LSTM", "output_dim", "units"},
    {"GRU", "output_dim", "units"},
    {"SimpleRNN", "output_dim", "units"},
    {"Embedding", "init", "embeddings_initializer"},
    {"Embedding", "W_regularizer", "embeddings_regularizer"},
    {"Embedding", "W_constraint", "embeddings_constraint"},
    {"PReLU", "init", "alpha_initializer"},
    {NULL, "init", "kernel_initializer"},
    {NULL, "inner_init", "recurrent_initializer"},
    {NULL, "gamma_init", "gamma_initializer"},
    {NULL, "beta_init", "beta_initializer"},
    {NULL, "W_regularizer", "kernel_regularizer"},
    {NULL, "U_regularizer", "recurrent_regularizer"},
    {NULL, "b_regularizer", "bias_regularizer"},
    {NULL, "W_constraint", "kernel_constraint"},
    {NULL, "b_constraint", "bias_constraint"},
    {NULL, "bias", "use_bias"},
    {NULL, "inner_activation", "recurrent_activation"},
    {NULL, "dropout_W", "dropout"},
    {NULL, "dropout_U", "recurrent_dropout"},
    {NULL, "forget_bias_init", "unit_forget_bias"},
    {NULL, "consume_less", "implementation"},
    {NULL, "nb_filter", "filters"},
    {NULL, "filter_length", "kernel_size"},
    {NULL, "subsample", "strides"},
    {NULL, "subsample_length", "strides"},
    {NULL, "atrous_rate", "dilation_rate"},
    {NULL, "border_mode", "padding"},
    {NULL, "dim_ordering", "data_format"},
    {NULL, "pool_length", "pool_size"},
    {NULL, "stride", "strides"},
    {"UpSampling1D", "length", "size"},
    {"Dropout", "p", "rate"},
    {"GaussianDropout", "p", "rate"},
    {"SpatialDropout*", "p", "rate"},
    {"GaussianNoise", "sigma", "stddev"},
    {"Concatenate", "concat_axis", "axis"},
    {"Dot", "dot_axes", "axes"},
};

/* What the classes of today have no argument for, and never had in this meaning. */
static const struct {
    const char *classes, *key;
} dropped_keys[] = {
    {"Conv2DTranspose", "output_shape"},
    {"Embedding", "dropout"},
    {"Embedding", "dropout_W"},
    {"Embedding", "input_length"},
};

static const char *const merge_keys[] = {
    "mode",         "mode_type",      "concat_axis", "dot_axes",         "output_shape",
    "layers",       "arguments",      "output_mask", "output_mask_type", "output_shape_type",
    "node_indices", "tensor_indices",
};

static bool was_merge(const char *class_name)
{
    for (size_t i = 0; i < KRTI_COUNT(merge_classes); i++)
        if (strcmp(merge_classes[i].class_name, class_name) == 0)
            return true;
    return strcmp(class_name, "Merge") == 0;
}

static void drop_keys(const char *class_name, krti_conf *config)
{
    for (size_t i = 0; i < KRTI_COUNT(dropped_keys); i++)
        if (krti_legacy_about(dropped_keys[i].classes, class_name))
            krti_conf_remove(config, dropped_keys[i].key);
    if (was_merge(class_name) && krti_conf_get_text(config, "mode") != NULL)
        for (size_t i = 0; i < KRTI_COUNT(merge_keys); i++)
            krti_conf_remove(config, merge_keys[i]);
    /* Statistics of the features, the only ones that are left. */
    if (strcmp(class_name, "BatchNormalization") == 0 && krti_conf_get_int(config, "mode", 1) == 0)
        krti_conf_remove(config, "mode");
}

/* ------------------------------------------------------------------------------- keys that became one */

static const char *const size_keys[][3] = {
    {"nb_row", "nb_col", NULL},
    {"kernel_dim1", "kernel_dim2", "kernel_dim3"},
};

static krt_status join_sizes(krti_arena *a, krti_conf *config)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < KRTI_COUNT(size_keys); i++) {
        krti_conf *list = NULL;

        if (krti_conf_get(config, size_keys[i][0]) == NULL)
            continue;
        list = krti_conf_list(a);
        for (size_t j = 0; j < 3 && size_keys[i][j] != NULL; j++) {
            const krti_conf *value = krti_conf_get(config, size_keys[i][j]);

            TRY(krti_conf_add(a, list, krti_conf_copy(a, value)));
            krti_conf_remove(config, size_keys[i][j]);
        }
        TRY(krti_conf_set(a, config, "kernel_size", list));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- values */

/* Words that became others, by key. */
static const struct {
    const char *key, *old_value, *value; /* value NULL: Keras's own default */
} renamed_values[] = {
    {"data_format", "tf", "channels_last"},
    {"data_format", "th", "channels_first"},
    {"data_format", "default", NULL},
};

static const struct {
    const char *key, *old_value;
    int value;
    bool is_bool;
} counted_values[] = {
    {"implementation", "cpu", 0, false},    {"implementation", "mem", 1, false},
    {"implementation", "gpu", 2, false},    {"unit_forget_bias", "one", 1, true},
    {"unit_forget_bias", "ones", 1, true},  {"unit_forget_bias", "zero", 0, true},
    {"unit_forget_bias", "zeros", 0, true},
};

static bool says(const krti_conf *config, const char *key, const char *value)
{
    const char *text = krti_conf_get_text(config, key);

    return text != NULL && strcmp(text, value) == 0;
}

static krt_status change_words(krti_arena *a, krti_conf *config)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(renamed_values); i++) {
        const char *key = renamed_values[i].key, *value = renamed_values[i].value;

        if (!says(config, key, renamed_values[i].old_value))
            continue;
        if (value == NULL)
            krti_conf_remove(config, key);
        else
            st = krti_conf_set(a, config, key, krti_conf_string(a, value));
    }
    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(counted_values); i++)
        if (says(config, counted_values[i].key, counted_values[i].old_value))
            st = krti_conf_set(a, config, counted_values[i].key,
                               counted_values[i].is_bool
                                   ? krti_conf_bool(a, counted_values[i].value != 0)
                                   : krti_conf_int(a, counted_values[i].value));
    return st;
}

/* {"name": "WeightRegularizer", "l1": 0, "l2": 0.1} is an object without its config. */
static krt_status wrap_object(krti_arena *a, krti_conf *config, const char *key)
{
    const krti_conf *flat = krti_conf_get(config, key);
    const char *name = krti_conf_get_text(flat, "name");
    krti_conf *object = NULL, *inner = NULL;
    krt_status st = KRT_OK;

    if (name == NULL || krti_conf_get(flat, "class_name") != NULL)
        return KRT_OK;
    object = krti_conf_dict(a);
    inner = krti_conf_copy(a, flat);
    if (inner == NULL)
        return KRT_E_NOMEM;
    krti_conf_remove(inner, "name");
    TRY(krti_conf_set(a, object, "class_name", krti_conf_string(a, name)));
    TRY(krti_conf_set(a, object, "config", inner));
    TRY(krti_conf_set(a, config, key, object));

done:
    return st;
}

static krt_status wrap_objects(krti_arena *a, krti_conf *config)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(config); i++) {
        const char *key = krti_conf_key_at(config, i);

        if (krti_ends_with(key, "_regularizer") || krti_ends_with(key, "_constraint"))
            st = wrap_object(a, config, key);
    }
    return st;
}

/* One initializer for both kernels. */
static krt_status share_initializer(krti_arena *a, krti_conf *config)
{
    const krti_conf *init = krti_conf_get(config, "init");
    krt_status st = KRT_OK;

    if (init == NULL)
        return KRT_OK;
    TRY(krti_legacy_set(a, config, "depthwise_initializer", init));
    TRY(krti_legacy_set(a, config, "pointwise_initializer", init));
    krti_conf_remove(config, "init");

done:
    return st;
}

/* A TimeDistributedDense is a Dense in a TimeDistributed. */
static krt_status wrap_dense(krti_arena *a, krti_conf *config)
{
    static const char *const outer_keys[] = {"name", "trainable", "batch_input_shape",
                                             "input_shape", "input_dtype"};
    krti_conf *inner = krti_conf_copy(a, config), *layer = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, layer, "class_name", krti_conf_string(a, "Dense")));
    TRY(krti_conf_set(a, layer, "config", inner));
    for (size_t i = krti_conf_num(config); i-- > 0;) {
        const char *key = krti_conf_key_at(config, i);
        bool is_outer = false;

        for (size_t j = 0; j < KRTI_COUNT(outer_keys); j++)
            is_outer = is_outer || strcmp(key, outer_keys[j]) == 0;
        if (!is_outer)
            krti_conf_remove(config, key);
    }
    TRY(krti_conf_set(a, config, "layer", layer));

done:
    return st;
}

krt_status krti_legacy_keras1(krti_arena *a, const char *class_name, krti_conf *config)
{
    const bool is_cosine = says(config, "mode", "cos");
    krt_status st = KRT_OK;

    if (strcmp(class_name, "TimeDistributed") == 0 && krti_conf_get(config, "layer") == NULL &&
        krti_conf_get(config, "output_dim") != NULL)
        return wrap_dense(a, config);
    if (krti_starts_with(class_name, "SeparableConv"))
        TRY(share_initializer(a, config));
    TRY(krti_legacy_rename_keys(a, renamed_keys, KRTI_COUNT(renamed_keys), class_name, config));
    drop_keys(class_name, config);
    if (is_cosine)
        TRY(krti_conf_set(a, config, "normalize", krti_conf_bool(a, true)));
    TRY(join_sizes(a, config));
    TRY(change_words(a, config));
    TRY(wrap_objects(a, config));

done:
    return st;
}
