/* Configs in the words of Keras 2 and tf.keras, from those of Keras 3.
 *
 * Objects lose their module, initializers the keys they got since, an InputLayer says
 * batch_input_shape, a dtype is its name, and a call is a list of [layer, call, output, arguments].
 * Keras 3 reads that too, as long as no model lies in a model: there Keras 2 counts calls from 1.
 * Page: docs/formats/legacy_h5.md, "Writing". */
#include "saving/keras2_spelling.h"

#include "base/str.h"
#include "saving/legacy_settings.h"

enum { MAX_DEPTH = 64 };

typedef struct speller {
    krti_arena *a;
    bool both;
} speller;

static krt_status fail(const speller *s, const char *name, const char *format, const char *what)
{
    char text[KRTI_MESSAGE_MAX];

    snprintf(text, sizeof text, format, what);
    return krti_fail(s->a->k, KRT_E_UNSUPPORTED, name,
                     "%s, which Keras 2 does not have. Write for Keras 3", text);
}

/* ------------------------------------------------------------------------------- values */

/* Keys that came with Keras 3, and what they hold when they mean nothing new. */
static const struct newer {
    const char *class_name, *key; /* class "": any */
    krti_conf nothing;
} newer_keys[] = {
    {"", "input_axes", {.kind = KRTI_CONF_NULL}},
    {"", "output_axes", {.kind = KRTI_CONF_NULL}},
    {"", "quantization_config", {.kind = KRTI_CONF_NULL}},
    {"", "lora_rank", {.kind = KRTI_CONF_NULL}},
    {"", "lora_alpha", {.kind = KRTI_CONF_NULL}},
    {"BatchNormalization", "renorm", {.kind = KRTI_CONF_BOOL}},
    {"BatchNormalization", "renorm_clipping", {.kind = KRTI_CONF_NULL}},
    {"BatchNormalization", "renorm_momentum", {.kind = KRTI_CONF_FLOAT, .as.real = 0.99}},
    {"BatchNormalization", "synchronized", {.kind = KRTI_CONF_BOOL}},
    {"InputLayer", "optional", {.kind = KRTI_CONF_BOOL}},
    {"LayerNormalization", "rms_scaling", {.kind = KRTI_CONF_BOOL}},
    {"Resizing", "pad_to_aspect_ratio", {.kind = KRTI_CONF_BOOL}},
    {"Resizing", "fill_mode", {.kind = KRTI_CONF_STRING, .as.string = {"constant", 8}}},
    {"Resizing", "fill_value", {.kind = KRTI_CONF_FLOAT}},
    {"Resizing", "antialias", {.kind = KRTI_CONF_BOOL}},
    {"Resizing", "data_format", {.kind = KRTI_CONF_STRING, .as.string = {"channels_last", 13}}},
    {"CenterCrop", "data_format", {.kind = KRTI_CONF_STRING, .as.string = {"channels_last", 13}}},
    {"Conv2DTranspose", "groups", {.kind = KRTI_CONF_INT, .as.integer = 1}},
    {"Conv1DTranspose", "groups", {.kind = KRTI_CONF_INT, .as.integer = 1}},
    {"Conv3DTranspose", "groups", {.kind = KRTI_CONF_INT, .as.integer = 1}},
    {"SpatialDropout1D", "noise_shape", {.kind = KRTI_CONF_NULL}},
    {"", "zero_output_for_mask", {.kind = KRTI_CONF_BOOL}},
    {"LSTM", "seed", {.kind = KRTI_CONF_NULL}},
    {"LSTMCell", "seed", {.kind = KRTI_CONF_NULL}},
    {"GRU", "seed", {.kind = KRTI_CONF_NULL}},
    {"GRUCell", "seed", {.kind = KRTI_CONF_NULL}},
    {"SimpleRNNCell", "seed", {.kind = KRTI_CONF_NULL}},
    {"ConvLSTM1D", "seed", {.kind = KRTI_CONF_NULL}},
    {"ConvLSTM2D", "seed", {.kind = KRTI_CONF_NULL}},
    {"ConvLSTM3D", "seed", {.kind = KRTI_CONF_NULL}},
    {"StringLookup", "oov_method", {.kind = KRTI_CONF_STRING, .as.string = {"floormod", 8}}},
    {"StringLookup", "salt", {.kind = KRTI_CONF_NULL}},
    {"IntegerLookup", "oov_method", {.kind = KRTI_CONF_STRING, .as.string = {"floormod", 8}}},
    {"IntegerLookup", "salt", {.kind = KRTI_CONF_NULL}},
};

/* The renamed keys; Keras 3 still takes the old one. */
static const char *const older_names[][3] = {{"LeakyReLU", "negative_slope", "alpha"}};

static const struct newer *newer_key(const char *class_name, const char *key)
{
    for (size_t i = 0; i < KRTI_COUNT(newer_keys); i++)
        if (strcmp(newer_keys[i].key, key) == 0 &&
            (newer_keys[i].class_name[0] == '\0' ||
             strcmp(newer_keys[i].class_name, class_name) == 0))
            return &newer_keys[i];
    return NULL;
}

static bool is_nothing_new(const char *class_name, const char *key, const krti_conf *value)
{
    const struct newer *newer = newer_key(class_name, key);

    return newer != NULL && krti_conf_equal(value, &newer->nothing);
}

static const char *older_name(const char *class_name, const char *key)
{
    for (size_t i = 0; i < KRTI_COUNT(older_names); i++)
        if (strcmp(older_names[i][0], class_name) == 0 && strcmp(older_names[i][1], key) == 0)
            return older_names[i][2];
    return key;
}

static krt_status spell_layer(const speller *s, const krti_conf *object, int depth,
                              krti_conf **out);

/* A layer in a layer: Keras 3 finds the class of one only by its module. */
static krt_status spell_inner(const speller *s, const krti_conf *object, int depth, krti_conf **out)
{
    const krti_conf *module = krti_conf_get(object, "module");
    krt_status st = spell_layer(s, object, depth, out);

    if (st == KRT_OK && s->both && module != NULL) {
        TRY(krti_conf_set(s->a, *out, "module", krti_conf_copy(s->a, module)));
        TRY(krti_conf_set(s->a, *out, "registered_name", krti_conf_null(s->a)));
    }

done:
    return st;
}

static krt_status spell_cells(const speller *s, const krti_conf *cells, int depth, krti_conf **out)
{
    krt_status st = KRT_OK;

    *out = krti_conf_list(s->a);
    for (size_t i = 0; i < krti_conf_num(cells); i++) {
        krti_conf *cell = NULL;

        TRY(spell_inner(s, krti_conf_at(cells, i), depth + 1, &cell));
        TRY(krti_conf_add(s->a, *out, cell));
    }

done:
    return st;
}

/* An initializer, regularizer or constraint, or a layer in a layer; anything else is copied. */
static krt_status spell_value(const speller *s, const char *key, const krti_conf *value, int depth,
                              krti_conf **out)
{
    const char *class_name = krti_conf_get_text(value, "class_name");
    const krti_conf *config = krti_conf_get(value, "config");
    krti_conf *bare = NULL;
    krt_status st = KRT_OK;

    if (strcmp(key, "cells") == 0 && krti_conf_is(value, KRTI_CONF_LIST))
        return spell_cells(s, value, depth, out);
    if (class_name == NULL || config == NULL) {
        *out = krti_conf_copy(s->a, value);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    if (strcmp(key, "dtype") == 0) {
        const char *name = krti_conf_get_text(config, "name");

        if (name == NULL)
            return fail(s, NULL, "the dtype policy %s", class_name);
        *out = krti_conf_string(s->a, name);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    if (krti_conf_get(config, "trainable") != NULL || krti_conf_get(config, "layers") != NULL)
        return spell_inner(s, value, depth + 1, out);
    *out = krti_conf_dict(s->a);
    bare = krti_conf_dict(s->a);
    for (size_t i = 0; i < krti_conf_num(config); i++)
        if (!is_nothing_new(class_name, krti_conf_key_at(config, i), krti_conf_at(config, i)))
            TRY(krti_conf_set(s->a, bare, krti_conf_key_at(config, i),
                              krti_conf_copy(s->a, krti_conf_at(config, i))));
    TRY(krti_conf_set(s->a, *out, "class_name", krti_conf_string(s->a, class_name)));
    TRY(krti_conf_set(s->a, *out, "config", bare));

done:
    return st;
}

/* ------------------------------------------------------------------------------- layers */

static const char *const new_classes[] = {
    "RMSNormalization",
    "ReversibleEmbedding",
    "Pipeline",
    "LayerScale",
    "StochasticDepth",
    "CustomScaleLayer",
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "RandomErasing",
};
static const char *const new_functions[] = {
    "celu",        "glu",         "hard_shrink", "hard_silu",      "hard_swish", "hard_tanh",
    "log_sigmoid", "soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax",  "squareplus",
    "tanh_shrink", "threshold",   "log_softmax", "relu6",
};

/* The function of a Lambda stays in the form it has, which only one Keras reads. */
static krt_status check_lambda(const speller *s, const krti_conf *config, const char *name)
{
    if (s->both || krti_conf_get(config, "function_type") == NULL)
        return fail(s, name, "%s in the form of Keras 3", "the function of a Lambda");
    return KRT_OK;
}

static krt_status check_class(const speller *s, const char *class_name, const krti_conf *config,
                              const char *name)
{
    if (strcmp(class_name, "Lambda") == 0)
        return check_lambda(s, config, name);
    if (krti_is_one_of(class_name, new_classes, KRTI_COUNT(new_classes)) ||
        krti_starts_with(class_name, "Adaptive"))
        return fail(s, name, "the layer %s", class_name);
    return KRT_OK;
}

/* A function by name. hard_sigmoid is one line in Keras 3 and another in Keras 2. */
static krt_status check_function(const speller *s, const char *name, const krti_conf *value,
                                 krti_conf **changed)
{
    const char *function = krti_conf_text(value);

    if (function == NULL)
        return KRT_OK;
    if (strcmp(function, "hard_sigmoid_v2") == 0) {
        if (s->both)
            return krti_fail(s->a->k, KRT_E_UNSUPPORTED, name,
                             "hard_sigmoid of Keras 2 is another function in Keras 3");
        *changed = krti_conf_string(s->a, "hard_sigmoid");
        return *changed != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    if (strcmp(function, "hard_sigmoid") == 0 ||
        krti_is_one_of(function, new_functions, KRTI_COUNT(new_functions)))
        return fail(s, name, "the function %s of Keras 3", function);
    return KRT_OK;
}

static krt_status spell_key(const speller *s, const char *class_name, const char *name,
                            const char *key, const krti_conf *value, int depth, krti_conf *into)
{
    const char *old_key = older_name(class_name, key);
    krti_conf *spelled = NULL;
    krt_status st = KRT_OK;

    const struct newer *newer = newer_key(class_name, key);

    if (newer != NULL && krti_conf_equal(value, &newer->nothing))
        return KRT_OK;
    /* which the last of tf.keras have */
    if (newer != NULL && strcmp(key, "synchronized") != 0 &&
        strcmp(key, "zero_output_for_mask") != 0)
        return fail(s, name, "the argument %s", key);
    if (s->both && strcmp(key, "axis") == 0 && krti_conf_num(value) > 1)
        return krti_fail(s->a->k, KRT_E_UNSUPPORTED, name,
                         "Keras 3 reads no list of axes in the words of Keras 2");
    if (strcmp(class_name, "InputLayer") == 0 && strcmp(key, "batch_shape") == 0)
        old_key = "batch_input_shape";
    TRY(spell_value(s, key, value, depth, &spelled));
    if (strstr(key, "activation") != NULL)
        TRY(check_function(s, name, value, &spelled));
    TRY(krti_conf_set(s->a, into, old_key, spelled));

done:
    return st;
}

/* Keras 2 puts the prefixes before the names by itself, and makes the second layer of the first. */
static krt_status spell_bidirectional(const speller *s, krti_conf *config)
{
    static const char *const keys[] = {"layer", "backward_layer"};
    static const char *const prefixes[] = {"forward_", "backward_"};
    krti_conf *turned = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < KRTI_COUNT(keys); i++) {
        const krti_conf *inner = krti_conf_get(krti_conf_get(config, keys[i]), "config");
        const char *name = krti_conf_get_text(inner, "name");

        if (name != NULL && krti_starts_with(name, prefixes[i]))
            TRY(krti_conf_set(s->a, (krti_conf *)(uintptr_t)inner, "name",
                              krti_conf_string(s->a, name + strlen(prefixes[i]))));
    }
    turned = krti_conf_copy(s->a, krti_conf_get(config, "layer"));
    if (turned == NULL)
        return KRT_E_NOMEM;
    if (krti_conf_get(turned, "config") != NULL)
        TRY(krti_conf_set(s->a, (krti_conf *)(uintptr_t)krti_conf_get(turned, "config"),
                          "go_backwards", krti_conf_bool(s->a, true)));
    if (krti_conf_equal(turned, krti_conf_get(config, "backward_layer")))
        krti_conf_remove(config, "backward_layer");

done:
    return st;
}

static krt_status spell_config(const speller *s, const char *class_name, const krti_conf *config,
                               int depth, krti_conf **out)
{
    const char *name = krti_conf_get_text(config, "name");
    krt_status st = check_class(s, class_name, config, name);

    *out = krti_conf_dict(s->a);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(config); i++)
        st = spell_key(s, class_name, name, krti_conf_key_at(config, i), krti_conf_at(config, i),
                       depth, *out);
    return st == KRT_OK && strcmp(class_name, "Bidirectional") == 0 ? spell_bidirectional(s, *out)
                                                                    : st;
}

/* ------------------------------------------------------------------------------- calls */

/* The names of the layers that are models: references to them count calls from 1. */
static krt_status list_models(const speller *s, const krti_conf *layers, krti_conf **out)
{
    krt_status st = KRT_OK;

    *out = krti_conf_list(s->a);
    for (size_t i = 0; i < krti_conf_num(layers); i++) {
        const krti_conf *entry = krti_conf_at(layers, i);
        const char *name = krti_conf_get_text(entry, "name");

        if (name != NULL && krti_conf_get(krti_conf_get(entry, "config"), "layers") != NULL)
            TRY(krti_conf_add(s->a, *out, krti_conf_string(s->a, name)));
    }

done:
    return st;
}

static bool is_model(const krti_conf *models, const char *name)
{
    for (size_t i = 0; i < krti_conf_num(models); i++)
        if (strcmp(krti_conf_text(krti_conf_at(models, i)), name) == 0)
            return true;
    return false;
}

static krti_conf *reference(const speller *s, const krti_conf *models, const krti_conf *history)
{
    const char *name = krti_conf_text(krti_conf_at(history, 0));
    int64_t call = 0, tensor = 0;
    krti_conf *list = krti_conf_list(s->a);
    krt_status st = KRT_OK;

    if (name == NULL || !krti_conf_as_int(krti_conf_at(history, 1), &call) ||
        !krti_conf_as_int(krti_conf_at(history, 2), &tensor))
        return NULL;
    TRY(krti_conf_add(s->a, list, krti_conf_string(s->a, name)));
    TRY(krti_conf_add(s->a, list, krti_conf_int(s->a, call + is_model(models, name))));
    TRY(krti_conf_add(s->a, list, krti_conf_int(s->a, tensor)));

done:
    return st == KRT_OK ? list : NULL;
}

static const krti_conf *history_of(const krti_conf *c)
{
    const char *class_name = krti_conf_get_text(c, "class_name");

    return class_name != NULL && strcmp(class_name, "__keras_tensor__") == 0
               ? krti_conf_get(krti_conf_get(c, "config"), "keras_history")
               : NULL;
}

/* Tensors among the arguments by name become references; what Keras fills in by itself goes. */
static krt_status spell_kwargs(const speller *s, const krti_conf *models, const krti_conf *kwargs,
                               krti_conf *into)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_conf_num(kwargs); i++) {
        const char *key = krti_conf_key_at(kwargs, i);
        const krti_conf *value = krti_conf_at(kwargs, i), *history = history_of(value);

        if (krti_conf_is_null(value) || strcmp(key, "training") == 0 || strcmp(key, "mask") == 0 ||
            strcmp(key, "initial_state") == 0)
            continue;
        TRY(krti_conf_set(s->a, into, key,
                          history != NULL ? reference(s, models, history)
                                          : krti_conf_copy(s->a, value)));
    }

done:
    return st;
}

/* The tensors of a call one after another, each with its arguments by name. */
static krt_status add_references(const speller *s, const krti_conf *models, const krti_conf *args,
                                 krti_conf *kwargs, const char *name, krti_conf *call)
{
    const krti_conf *history = history_of(args);
    krt_status st = KRT_OK;

    if (history != NULL) {
        krti_conf *ref = reference(s, models, history);

        TRY(krti_conf_add(s->a, ref, kwargs));
        return krti_conf_add(s->a, call, ref);
    }
    if (!krti_conf_is(args, KRTI_CONF_LIST))
        return fail(s, name, "a call of \"%s\" with something that is no tensor", name);
    for (size_t i = 0; i < krti_conf_num(args); i++)
        TRY(add_references(s, models, krti_conf_at(args, i), kwargs, name, call));

done:
    return st;
}

/* The states of a recurrent layer stand behind its sequence, which Keras 3 does not read so. */
static krt_status add_states(const speller *s, const krti_conf *models, const krti_conf *node,
                             krti_conf *kwargs, const char *name, krti_conf *call)
{
    const krti_conf *states = krti_conf_get(krti_conf_get(node, "kwargs"), "initial_state");

    if (krti_conf_is_null(states))
        return KRT_OK;
    if (s->both)
        return krti_fail(s->a->k, KRT_E_UNSUPPORTED, name,
                         "Keras 3 reads no initial_state in the words of Keras 2");
    return add_references(s, models, states, kwargs, name, call);
}

static krt_status spell_calls(const speller *s, const krti_conf *models, const krti_conf *nodes,
                              const char *name, krti_conf **out)
{
    krt_status st = KRT_OK;

    if (!krti_conf_is(krti_conf_at(nodes, 0), KRTI_CONF_DICT)) { /* as Keras 2 wrote it */
        *out = krti_conf_copy(s->a, nodes);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    *out = krti_conf_list(s->a);
    for (size_t i = 0; i < krti_conf_num(nodes); i++) {
        const krti_conf *node = krti_conf_at(nodes, i);
        krti_conf *call = krti_conf_list(s->a), *kwargs = krti_conf_dict(s->a);

        TRY(spell_kwargs(s, models, krti_conf_get(node, "kwargs"), kwargs));
        TRY(add_references(s, models, krti_conf_get(node, "args"), kwargs, name, call));
        TRY(add_states(s, models, node, kwargs, name, call));
        TRY(krti_conf_add(s->a, *out, call));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- models */

static bool is_leaf(const krti_conf *c)
{
    return krti_conf_num(c) == 3 && krti_conf_text(krti_conf_at(c, 0)) != NULL;
}

/* Inputs and outputs: always a list, or a dict. Keras 3 counts a nested Functional from 1 here
 * itself, a nested Sequential from 0. */
static krt_status spell_ends(const speller *s, const krti_conf *models, const krti_conf *given,
                             int depth, krti_conf **out)
{
    krt_status st = KRT_OK;

    if (is_leaf(given)) {
        const char *name = krti_conf_text(krti_conf_at(given, 0));
        int64_t call = 0;

        *out = krti_conf_copy(s->a, given);
        if (*out == NULL || !krti_conf_as_int(krti_conf_at(given, 1), &call))
            return KRT_E_NOMEM;
        (*out)->as.list.items[1]->as.integer = is_model(models, name) && call == 0 ? 1 : call;
        return KRT_OK;
    }
    *out = krti_conf_is(given, KRTI_CONF_DICT) ? krti_conf_dict(s->a) : krti_conf_list(s->a);
    for (size_t i = 0; i < krti_conf_num(given) && depth < MAX_DEPTH; i++) {
        krti_conf *item = NULL;

        TRY(spell_ends(s, models, krti_conf_at(given, i), depth + 1, &item));
        TRY((*out)->kind == KRTI_CONF_DICT
                ? krti_conf_set(s->a, *out, krti_conf_key_at(given, i), item)
                : krti_conf_add(s->a, *out, item));
    }

done:
    return st;
}

static krt_status set_ends(const speller *s, const krti_conf *models, const krti_conf *config,
                           const char *key, krti_conf *into)
{
    const krti_conf *given = krti_conf_get(config, key);
    krti_conf *ends = NULL, *list = NULL;
    krt_status st = spell_ends(s, models, given, 0, &ends);

    if (st == KRT_OK && is_leaf(given)) {
        list = krti_conf_list(s->a);
        st = krti_conf_add(s->a, list, ends);
        ends = list;
    }
    return st == KRT_OK ? krti_conf_set(s->a, into, key, ends) : st;
}

static krt_status spell_entry(const speller *s, const krti_conf *models, const krti_conf *entry,
                              int depth, krti_conf **out)
{
    const char *module = krti_conf_get_text(entry, "module");
    const char *name = krti_conf_get_text(entry, "name");
    const krti_conf *nodes = krti_conf_get(entry, "inbound_nodes");
    krti_conf *calls = NULL;
    krt_status st = KRT_OK;

    if (s->both && krti_conf_num(nodes) > 0 &&
        !krti_conf_is(krti_conf_at(nodes, 0), KRTI_CONF_DICT))
        return fail(s, name, "the operation %s of tf.keras",
                    krti_conf_get_text(entry, "class_name"));
    if (module != NULL && strstr(module, ".ops") != NULL)
        return fail(s, name, "the operation %s of keras.ops in its graph",
                    krti_conf_get_text(entry, "class_name"));
    TRY(spell_layer(s, entry, depth + 1, out));
    if (nodes == NULL)
        goto done;
    TRY(spell_calls(s, models, nodes, name, &calls));
    TRY(krti_conf_set(s->a, *out, "name", krti_conf_string(s->a, name)));
    TRY(krti_conf_set(s->a, *out, "inbound_nodes", calls));

done:
    return st;
}

/* Whether the output of an operation stands among these positional arguments. */
static bool is_used_in(const krti_conf *args, const char *name)
{
    const char *from = krti_conf_text(krti_conf_at(history_of(args), 0));

    if (from != NULL && strcmp(from, name) == 0)
        return true;
    for (size_t i = 0; i < krti_conf_num(args); i++)
        if (is_used_in(krti_conf_at(args, i), name))
            return true;
    return false;
}

/* Keras 3 makes a mask by an operation of the graph, Keras 2 on the way. */
static bool is_mask_only(const krti_conf *layers, const krti_conf *entry)
{
    const char *class_name = krti_conf_get_text(entry, "class_name");
    const char *name = krti_conf_get_text(entry, "name");

    if (class_name == NULL || name == NULL || strcmp(class_name, "NotEqual") != 0)
        return false;
    for (size_t i = 0; i < krti_conf_num(layers); i++) {
        const krti_conf *nodes = krti_conf_get(krti_conf_at(layers, i), "inbound_nodes");

        for (size_t j = 0; j < krti_conf_num(nodes); j++)
            if (is_used_in(krti_conf_get(krti_conf_at(nodes, j), "args"), name))
                return false;
    }
    return true;
}

static krt_status spell_layers(const speller *s, const krti_conf *layers, const krti_conf *models,
                               int depth, krti_conf *into)
{
    krti_conf *list = krti_conf_list(s->a);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_conf_num(layers); i++) {
        krti_conf *entry = NULL;

        if (is_mask_only(layers, krti_conf_at(layers, i)))
            continue;
        TRY(spell_entry(s, models, krti_conf_at(layers, i), depth, &entry));
        TRY(krti_conf_add(s->a, list, entry));
    }
    TRY(krti_conf_set(s->a, into, "layers", list));

done:
    return st;
}

static krt_status spell_model(const speller *s, const krti_conf *config, int depth, krti_conf **out)
{
    const krti_conf *shape = krti_conf_get(config, "build_input_shape");
    const krti_conf *layers = krti_conf_get(config, "layers");
    krti_conf *models = NULL;
    krt_status st = KRT_OK;

    *out = krti_conf_dict(s->a);
    TRY(list_models(s, layers, &models));
    TRY(krti_conf_set(s->a, *out, "name",
                      krti_conf_string(s->a, krti_conf_get_text(config, "name"))));
    if (krti_conf_get(config, "input_layers") != NULL)
        TRY(krti_conf_set(s->a, *out, "trainable",
                          krti_conf_bool(s->a, krti_conf_get_bool(config, "trainable", true))));
    TRY(spell_layers(s, layers, models, depth, *out));
    if (krti_conf_get(config, "input_layers") != NULL) {
        TRY(set_ends(s, models, config, "input_layers", *out));
        TRY(set_ends(s, models, config, "output_layers", *out));
    } else if (shape != NULL) {
        TRY(krti_conf_set(s->a, *out, "build_input_shape", krti_conf_copy(s->a, shape)));
    }

done:
    return st;
}

static krt_status spell_layer(const speller *s, const krti_conf *object, int depth, krti_conf **out)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    const krti_conf *config = krti_conf_get(object, "config");
    const bool holds_layers = krti_conf_is(krti_conf_get(config, "layers"), KRTI_CONF_LIST);
    krti_conf *spelled = NULL;
    krt_status st = KRT_OK;

    if (class_name == NULL || depth > MAX_DEPTH)
        return krti_fail(s->a->k, KRT_E_FORMAT, NULL, "a layer without a class");
    if (holds_layers && depth > 0 && s->both)
        return krti_fail(s->a->k, KRT_E_UNSUPPORTED, krti_conf_get_text(config, "name"),
                         "a model in a model cannot be written for Keras 2 and 3 at once");
    TRY(holds_layers ? spell_model(s, config, depth, &spelled)
                     : spell_config(s, class_name, config, depth, &spelled));
    *out = krti_conf_dict(s->a);
    TRY(krti_conf_set(s->a, *out, "class_name", krti_conf_string(s->a, class_name)));
    TRY(krti_conf_set(s->a, *out, "config", spelled));

done:
    return st;
}

krt_status krti_keras2_model(krti_arena *a, const krti_conf *object, bool both, krti_conf **out)
{
    const speller s = {a, both};

    return spell_layer(&s, object, 0, out);
}
