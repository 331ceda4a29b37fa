/* See serialization.h. Keras 3 hands what is in a config to a constructor as arguments, so a key that
 * a release does not know is an error in it, and one that it misses has its default: what holds a
 * default and came after 3.0 is left out, and what is spelled in two ways is spelled in the older.
 * Page: docs/formats/keras.md. */
#include "saving/serialization.h"

#define NOTHING                \
    {                          \
        .kind = KRTI_CONF_NULL \
    }
#define OFF                                         \
    {                                               \
        .kind = KRTI_CONF_BOOL, .as.boolean = false \
    }
#define REAL(v)                                 \
    {                                           \
        .kind = KRTI_CONF_FLOAT, .as.real = (v) \
    }
#define TEXT(t)                                                      \
    {                                                                \
        .kind = KRTI_CONF_STRING, .as.string = {(t), sizeof(t) - 1 } \
    }

/* Keys that came after 3.0, by the class whose config holds them (a beginning of its name; "" is any),
 * and the value that says nothing. */
static const struct newer_key {
    const char *class_name, *key;
    krti_conf nothing;
} newer_keys[] = {
    {"", "input_axes", NOTHING},
    {"", "output_axes", NOTHING},
    {"", "quantization_config", NOTHING},
    {"", "gradient_accumulation_steps", NOTHING},
    {"", "sliding_window", NOTHING},
    {"", "use_gate", OFF},
    {"", "oov_method", TEXT("floormod")},
    {"", "salt", NOTHING},
    {"BatchNormalization", "renorm", OFF},
    {"BatchNormalization", "renorm_clipping", NOTHING},
    {"BatchNormalization", "renorm_momentum", REAL(0.99)},
    {"GroupQueryAttention", "seed", NOTHING},
    {"InputLayer", "ragged", OFF},
    {"InputLayer", "optional", OFF},
    {"MultiHeadAttention", "seed", NOTHING},
    {"RandomBrightness", "data_format", TEXT("channels_last")},
    {"RandomContrast", "data_format", TEXT("channels_last")},
    {"RandomFlip", "data_format", TEXT("channels_last")},
    {"Resizing", "pad_to_aspect_ratio", OFF},
    {"Resizing", "fill_mode", TEXT("constant")},
    {"Resizing", "fill_value", REAL(0)},
    {"Resizing", "antialias", OFF},
    {"SparseCategoricalCrossentropy", "ignore_class", NOTHING},
    {"ZeroPadding1D", "data_format", TEXT("channels_last")},
};

static krti_conf *child(const krti_conf *c, const char *key)
{
    return (krti_conf *)(uintptr_t)krti_conf_get(c, key);
}

static void drop_newer(krti_conf *config, const char *class_name)
{
    for (size_t i = 0; i < KRTI_COUNT(newer_keys); i++) {
        const krti_conf *value = krti_conf_get(config, newer_keys[i].key);

        if (value != NULL && krti_starts_with(class_name, newer_keys[i].class_name) &&
            krti_conf_equal(value, &newer_keys[i].nothing))
            krti_conf_remove(config, newer_keys[i].key);
    }
}

/* Before 3.4 the dtype of a layer was the policy's name. */
static krt_status name_policy(krti_arena *a, krti_conf *config)
{
    const krti_conf *policy = krti_conf_get(config, "dtype");
    const char *class_name = krti_conf_get_text(policy, "class_name");
    const char *name = krti_conf_get_text(krti_conf_get(policy, "config"), "name");

    if (class_name == NULL || strcmp(class_name, "DTypePolicy") != 0 || name == NULL)
        return KRT_OK;
    return krti_conf_set(a, config, "dtype", krti_conf_string(a, name));
}

/* Before 3.11 these were lists of tensors also when there was one. */
static krt_status list_ends(krti_arena *a, krti_conf *config, const char *key)
{
    krti_conf *ends = child(config, key), *list = NULL;
    krt_status st = KRT_OK;

    if (!krti_conf_is(ends, KRTI_CONF_LIST) || krti_conf_text(krti_conf_at(ends, 0)) == NULL)
        return KRT_OK;
    list = krti_conf_list(a);
    TRY(krti_conf_add(a, list, ends));
    TRY(krti_conf_set(a, config, key, list));

done:
    return st;
}

static krt_status make_object_portable(krti_arena *a, krti_conf *object, const char *class_name)
{
    krti_conf *config = child(object, "config");
    krt_status st = KRT_OK;

    if (strcmp(class_name, "Orthogonal") == 0) /* the alias that every release knows */
        TRY(krti_conf_set(a, object, "class_name", krti_conf_string(a, "OrthogonalInitializer")));
    if (!krti_conf_is(config, KRTI_CONF_DICT))
        goto done;
    drop_newer(config, class_name);
    TRY(name_policy(a, config));
    TRY(list_ends(a, config, "input_layers"));
    TRY(list_ends(a, config, "output_layers"));

done:
    return st;
}

static krt_status make_portable(krti_arena *a, krti_conf *c)
{
    const char *class_name = krti_conf_get_text(c, "class_name");
    krt_status st = KRT_OK;

    if (class_name != NULL)
        st = make_object_portable(a, c, class_name);
    if (krti_conf_is(c, KRTI_CONF_DICT))
        krti_conf_remove(c, "shared_object_id");
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = make_portable(a, c->as.list.items[i]);
    return st;
}

krt_status krti_spell_portably(krti_arena *a, krti_conf **c)
{
    *c = krti_conf_copy(a, *c); /* parts may be the layers' own */
    if (*c == NULL)
        return KRT_E_NOMEM;
    /* Before 3.9 there were no settings in the config of a model that was not compiled. */
    if (krti_conf_num(krti_conf_get(*c, "compile_config")) == 0)
        krti_conf_remove(*c, "compile_config");
    return make_portable(a, *c);
}

krt_status krti_serialize_portable(krti_arena *a, const krt_model *m, krti_conf **out)
{
    const krt_status st = krti_serialize_model(a, m, out);

    return st == KRT_OK && !krti_layer_is_keras3(&m->base) ? krti_spell_portably(a, out) : st;
}
