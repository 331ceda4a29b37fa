/* Layers as the objects of a Keras 3 config. Keras: saving/serialization_lib.py and
 * layers/layer.py, get_config() and get_build_config().
 *
 * A layer made in C, or read from a file of Keras 1 or 2, is written from its arguments: its Python
 * twin would write the same. One that Keras 3 wrote is copied, for its config may say more than this
 * build knows, and only what can have changed since is put in anew: its name, whether it is
 * trainable, and the layers in it. */
#include "base/str.h"
#include "layers/config.h"
#include "layers/lora.h"
#include "layers/weight_rules.h"

static bool is_in(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A copy that says nothing about sharing: the identities are those of a process long gone. */
static krti_conf *copy_plain(krti_arena *a, const krti_conf *c)
{
    krti_conf *copy = krti_conf_copy(a, c);

    if (krti_conf_is(copy, KRTI_CONF_DICT))
        krti_conf_remove(copy, "shared_object_id");
    return copy;
}

/* ------------------------------------------------------------------------------- small objects */

/* Regularizers and constraints, and what their arguments are when they are left out. */
static const struct small {
    const char *class_name, *name, *module;
    struct {
        const char *key;
        double value;
        const char *text; /* of an argument that is no number */
        bool is_int;
    } args[4];
} smalls[] = {
    {"L1", "l1", "keras.regularizers", {{.key = "l1", .value = 0.01}}},
    {"L2", "l2", "keras.regularizers", {{.key = "l2", .value = 0.01}}},
    {"L1L2", "l1_l2", "keras.regularizers", {{.key = "l1"}, {.key = "l2"}}},
    {"OrthogonalRegularizer",
     "orthogonal_regularizer",
     "keras.regularizers",
     {{.key = "factor", .value = 0.01}, {.key = "mode", .text = "rows"}}},
    {"MaxNorm",
     "max_norm",
     "keras.constraints",
     {{.key = "max_value", .value = 2, .is_int = true}, {.key = "axis", .is_int = true}}},
    {"NonNeg", "non_neg", "keras.constraints", {{0}}},
    {"UnitNorm", "unit_norm", "keras.constraints", {{.key = "axis", .is_int = true}}},
    {"MinMaxNorm",
     "min_max_norm",
     "keras.constraints",
     {{.key = "min_value"},
      {.key = "max_value", .value = 1},
      {.key = "rate", .value = 1},
      {.key = "axis", .is_int = true}}},
};

/* Keras 1 and 2 called them so, too. */
static const char *const small_aliases[][2] = {
    {"WeightRegularizer", "L1L2"},
    {"L1L2Regularizer", "L1L2"},
    {"l1l2", "L1L2"},
    {"maxnorm", "MaxNorm"},
    {"nonneg", "NonNeg"},
    {"unitnorm", "UnitNorm"},
    {"UnitNormConstraint", "UnitNorm"},
};

static const struct small *small_named(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(small_aliases); i++)
        if (strcmp(small_aliases[i][0], name) == 0)
            name = small_aliases[i][1];
    for (size_t i = 0; i < KRTI_COUNT(smalls); i++)
        if (strcmp(smalls[i].class_name, name) == 0 || strcmp(smalls[i].name, name) == 0)
            return &smalls[i];
    return NULL;
}

/* What an older config may call an argument. */
static const krti_conf *small_value(const krti_conf *config, const char *key)
{
    const krti_conf *value = krti_conf_get(config, key);

    return value == NULL && strcmp(key, "max_value") == 0 ? krti_conf_get(config, "m") : value;
}

static krti_conf *small_conf(krti_arena *a, const struct small *s, const krti_conf *given)
{
    krti_conf *config = krti_conf_dict(a);

    for (size_t i = 0; i < KRTI_COUNT(s->args) && s->args[i].key != NULL; i++) {
        const krti_conf *value = small_value(given, s->args[i].key);
        krti_conf *copy = NULL;

        if (value != NULL)
            copy = krti_conf_copy(a, value);
        else if (s->args[i].text != NULL)
            copy = krti_conf_string(a, s->args[i].text);
        else if (s->args[i].is_int)
            copy = krti_conf_int(a, (int64_t)s->args[i].value);
        else
            copy = krti_conf_float(a, s->args[i].value);
        if (krti_conf_set(a, config, s->args[i].key, copy) != KRT_OK)
            return NULL;
    }
    return krti_object_conf(a, s->module, NULL, s->class_name, config);
}

/* An initializer of an older file: its own values where it has them. "normal" meant the truncated
 * one, and Keras 3 respells it so. */
static krti_conf *respelled_initializer(krti_arena *a, const krt_layer *l,
                                        const krt_layer_class *cls, const krti_conf *given)
{
    krti_conf *config = krti_conf_dict(a);
    const char *distribution = krti_conf_get_text(given, "distribution");

    for (size_t i = 0; i < cls->num_fields; i++) {
        const krti_conf *value = krti_conf_get(given, cls->fields[i].key);

        if (value != NULL &&
            krti_conf_set(a, config, cls->fields[i].key, krti_conf_copy(a, value)) != KRT_OK)
            return NULL;
    }
    if (distribution != NULL && strcmp(distribution, "normal") == 0 &&
        krti_conf_set(a, config, "distribution", krti_conf_string(a, "truncated_normal")) != KRT_OK)
        return NULL;
    if (krti_fields_to_conf(a, config, l, cls, cls->defaults) != KRT_OK)
        return NULL;
    return krti_object_conf(a, "keras.initializers", NULL, cls->name, config);
}

/* A regularizer or constraint with arguments from C. */
static bool is_rule_of_c(const krt_spec *spec)
{
    const krt_layer_class *rule = krti_weight_rule_find(spec->class_name);

    return rule != NULL && spec->struct_size > sizeof *spec &&
           spec->struct_size == rule->defaults->struct_size;
}

static krti_conf *rule_conf(krti_arena *a, const krt_layer *l, const char *key,
                            const krt_spec *spec)
{
    const krt_layer_class *rule = krti_weight_rule_find(spec->class_name);
    krti_conf *config = krti_conf_dict(a);
    const char *module =
        krti_ends_with(key, "constraint") ? "keras.constraints" : "keras.regularizers";

    if (config == NULL || krti_fields_to_conf(a, config, l, rule, spec) != KRT_OK)
        return NULL;
    return krti_object_conf(a, module, NULL, rule->name, config);
}

krti_conf *krti_given_to_conf(krti_arena *a, const krt_layer *l, const char *key,
                              const krt_spec *spec)
{
    const krti_conf *whole = spec != NULL ? krti_spec_conf(spec) : NULL;
    const bool is_initializer = krti_ends_with(key, "initializer");

    if (spec == NULL)
        return krti_conf_null(a);
    if (krti_conf_get_text(whole, "module") != NULL)
        return copy_plain(a, whole);
    const krt_layer_class *cls = is_initializer ? krti_initializer_find(spec->class_name) : NULL;
    const struct small *small = is_initializer ? NULL : small_named(spec->class_name);
    if (small != NULL && whole == NULL && is_rule_of_c(spec))
        return rule_conf(a, l, key, spec);
    if (small != NULL)
        return small_conf(a, small, krti_conf_get(whole, "config"));
    if (cls == NULL) /* nobody's that we know: as it was given */
        return whole != NULL ? copy_plain(a, whole) : krti_conf_string(a, spec->class_name);
    if (spec->struct_size != cls->defaults->struct_size)
        return respelled_initializer(a, l, cls, krti_conf_get(whole, "config"));
    krti_conf *config = krti_conf_dict(a);
    if (config == NULL || krti_fields_to_conf(a, config, l, cls, spec) != KRT_OK)
        return NULL;
    return krti_object_conf(a, "keras.initializers", NULL, cls->name, config);
}

/* ------------------------------------------------------------------------------- config */

krti_conf *krti_policy_to_conf(krti_arena *a, const char *name)
{
    krti_conf *config = krti_conf_dict(a);

    if (krti_conf_set(a, config, "name", krti_conf_string(a, name)) != KRT_OK)
        return NULL;
    return krti_object_conf(a, "keras", NULL, "DTypePolicy", config);
}

/* What Keras's classes write that is no argument of ours: always null. */
static const char *const null_keys[][2] = {
    {"Dense", "quantization_config"},          {"EinsumDense", "quantization_config"},
    {"Embedding", "quantization_config"},      {"ReversibleEmbedding", "quantization_config"},
    {"BatchNormalization", "renorm_clipping"},
};

/* Classes whose get_config() does not say whether they are trainable; their dtype is a name. */
static const char *const without_trainable[] = {
    "InputLayer", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Discretization",
};
/* Classes that leave the base class to write this, which it does only when there is one. */
static const char *const base_regularizer[] = {"Dense"};

static krt_status add_null_keys(krti_arena *a, krti_conf *dict, const char *class_name)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(null_keys); i++)
        if (strcmp(null_keys[i][0], class_name) == 0 &&
            krti_conf_get(dict, null_keys[i][1]) == NULL)
            st = krti_conf_set(a, dict, null_keys[i][1], krti_conf_null(a));
    return st;
}

/* Arguments that are lists in Keras's configs, be it of one element or of none; and one that is a
 * number where its kin are lists. */
static const struct {
    const char *class_name, *key;
    bool is_list;
} list_keys[] = {
    {"LayerNormalization", "axis", true}, {"RMSNormalization", "axis", true},
    {"Normalization", "axis", true},      {"PReLU", "shared_axes", true},
    {"UpSampling1D", "size", false},      {"MultiHeadAttention", "attention_axes", true},
};

static krti_conf *as_list(krti_arena *a, const krti_conf *value)
{
    krti_conf *list = krti_conf_list(a);

    if (krti_conf_is(value, KRTI_CONF_INT) &&
        krti_conf_add(a, list, krti_conf_int(a, value->as.integer)) != KRT_OK)
        return NULL;
    return list;
}

static krt_status mend_lists(krti_arena *a, krti_conf *dict, const char *class_name)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(list_keys); i++) {
        const char *key = list_keys[i].key;
        const krti_conf *value = krti_conf_get(dict, key);

        if (strcmp(list_keys[i].class_name, class_name) != 0)
            continue;
        if (list_keys[i].is_list && !krti_conf_is(value, KRTI_CONF_LIST) &&
            (value->kind == KRTI_CONF_INT || strcmp(class_name, "Normalization") == 0))
            st = krti_conf_set(a, dict, key, as_list(a, value));
        else if (!list_keys[i].is_list && krti_conf_num(value) == 1)
            st = krti_conf_set(a, dict, key, krti_conf_copy(a, krti_conf_at(value, 0)));
    }
    return st;
}

static krti_conf *dtype_conf(krti_arena *a, const krt_layer *l)
{
    const bool is_text = is_in(without_trainable, KRTI_COUNT(without_trainable), l->class_name);

    return is_text ? krti_conf_string(a, l->dtype_policy) : krti_policy_to_conf(a, l->dtype_policy);
}

/* From the arguments. */
static krti_conf *fresh_config(krti_arena *a, const krt_layer *l)
{
    krti_conf *dict = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, dict, "name", krti_conf_string(a, l->name)));
    TRY(krti_conf_set(a, dict, "trainable", krti_conf_bool(a, l->trainable)));
    TRY(krti_conf_set(a, dict, "dtype", dtype_conf(a, l)));
    TRY(krti_fields_to_conf(a, dict, l, l->cls, l->args));
    TRY(add_null_keys(a, dict, l->class_name));
    TRY(mend_lists(a, dict, l->class_name));
    if (is_in(without_trainable, KRTI_COUNT(without_trainable), l->class_name))
        krti_conf_remove(dict, "trainable");
    if (is_in(base_regularizer, KRTI_COUNT(base_regularizer), l->class_name) &&
        krti_conf_is_null(krti_conf_get(dict, "activity_regularizer")))
        krti_conf_remove(dict, "activity_regularizer");
    if (strcmp(l->class_name, "CategoryEncoding") == 0)
        krti_conf_remove(dict, "sparse"); /* an argument that Keras does not keep */
    TRY(krti_lora_to_conf(a, dict, l));

done:
    return st == KRT_OK ? dict : NULL;
}

/* A layer in the config is an object of a class that the layer has as an inner one. */
static krt_status renew_inner(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++) {
        const krti_inner *inner = &l->inner[i];

        if (!inner->in_list &&
            krti_conf_get_text(krti_conf_get(dict, inner->attribute), "class_name") != NULL)
            st = krti_conf_set(a, dict, inner->attribute, krti_layer_to_object(a, inner->layer));
    }
    return st;
}

/* As the file had it, with what may have changed. */
static krti_conf *renewed_config(krti_arena *a, const krt_layer *l)
{
    krti_conf *dict = krti_conf_copy(a, l->config);
    const char *name = krti_conf_get_text(dict, "name");
    krt_status st = KRT_OK;

    if (!krti_conf_is(dict, KRTI_CONF_DICT))
        return dict;
    if (name != NULL && strcmp(name, l->name) != 0)
        TRY(krti_conf_set(a, dict, "name", krti_conf_string(a, l->name)));
    if (krti_conf_get_bool(dict, "trainable", true) != l->trainable)
        TRY(krti_conf_set(a, dict, "trainable", krti_conf_bool(a, l->trainable)));
    if (l->lora_rank > 0)
        TRY(krti_lora_to_conf(a, dict, l));
    TRY(renew_inner(a, dict, l));

done:
    return st == KRT_OK ? dict : NULL;
}

/* What a Lambda is called with nobody here looks into: its config is the file's. */
static bool has_arguments(const krt_layer *l)
{
    return l->cls != NULL && l->args != NULL && (l->cls->flags & KRT_LAYER_OPERATION) == 0 &&
           strcmp(l->class_name, "Lambda") != 0;
}

bool krti_layer_is_keras3(const krt_layer *l)
{
    return l->generation >= 3 && krti_conf_get(l->object, "module") != NULL;
}

krti_conf *krti_layer_to_conf(krti_arena *a, const krt_layer *l)
{
    if (l->config != NULL && (krti_layer_is_keras3(l) || !has_arguments(l)))
        return renewed_config(a, l);
    return has_arguments(l) ? fresh_config(a, l) : krti_conf_dict(a);
}

/* ------------------------------------------------------------------------------- build_config */

/* Keras's classes that are built as soon as they are made. */
static const char *const built_at_once[] = {
    "InputLayer",
    "Activation",
    "ActivityRegularization",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Softmax",
    "Identity",
    "Masking",
    "Reshape",
    "Dropout",
    "AlphaDropout",
    "UnitNormalization",
};

static bool is_built_at_once(const char *class_name)
{
    return is_in(built_at_once, KRTI_COUNT(built_at_once), class_name) ||
           krti_starts_with(class_name, "SpatialDropout") ||
           krti_starts_with(class_name, "Gaussian") ||
           (strstr(class_name, "Pooling") != NULL && !krti_starts_with(class_name, "Adaptive"));
}

krti_conf *krti_shape_to_conf(krti_arena *a, krt_shape shape)
{
    krti_conf *list = shape.rank >= 0 ? krti_conf_list(a) : krti_conf_null(a);

    for (int i = 0; i < shape.rank; i++) {
        krti_conf *d =
            shape.dim[i] == KRT_NONE ? krti_conf_null(a) : krti_conf_int(a, shape.dim[i]);

        if (krti_conf_add(a, list, d) != KRT_OK)
            return NULL;
    }
    return list;
}

krti_conf *krti_build_conf(krti_arena *a, const krt_shape *shapes, size_t n, bool is_list)
{
    krti_conf *dict = krti_conf_dict(a), *list = NULL;

    if (!is_list && n == 1)
        list = krti_shape_to_conf(a, shapes[0]);
    else
        list = krti_conf_list(a);
    for (size_t i = 0; (is_list || n > 1) && i < n; i++)
        if (krti_conf_add(a, list, krti_shape_to_conf(a, shapes[i])) != KRT_OK)
            return NULL;
    return krti_conf_set(a, dict, "input_shape", list) == KRT_OK ? dict : NULL;
}

/* A shape for each argument of MultiHeadAttention's build(); a key is only there where it was given. */
static krti_conf *shapes_dict(krti_arena *a, const krt_layer *l)
{
    static const char *const keys[] = {"query_shape", "value_shape", "key_shape"};
    krti_conf *dict = krti_conf_dict(a), *shapes = krti_conf_dict(a);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_build_shapes && i < KRTI_COUNT(keys); i++)
        st = krti_conf_set(a, shapes, keys[i], krti_shape_to_conf(a, l->build_shapes[i]));
    if (st == KRT_OK)
        st = krti_conf_set(a, dict, "shapes_dict", shapes);
    return st == KRT_OK ? dict : NULL;
}

static krt_status add_build_config(krti_arena *a, krti_conf *object, const krt_layer *l)
{
    const krti_conf *given = krti_conf_get(l->object, "build_config");
    const bool takes_list = l->cls != NULL && (l->cls->flags & KRT_LAYER_TAKES_LIST) != 0;

    if (krti_layer_is_keras3(l))
        return given != NULL ? krti_conf_set(a, object, "build_config", krti_conf_copy(a, given))
                             : KRT_OK;
    if (!l->is_built || l->num_build_shapes == 0 || is_built_at_once(l->class_name))
        return KRT_OK;
    if (strcmp(l->class_name, "MultiHeadAttention") == 0)
        return krti_conf_set(a, object, "build_config", shapes_dict(a, l));
    return krti_conf_set(a, object, "build_config",
                         krti_build_conf(a, l->build_shapes, l->num_build_shapes, takes_list));
}

/* ------------------------------------------------------------------------------- objects */

/* The names an object of Keras 3 goes by, which say where its class is found. */
static krt_status add_names(krti_arena *a, krti_conf *object, const krt_layer *l)
{
    static const char *const keys[] = {"module", "class_name", "registered_name"};
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(keys); i++) {
        const krti_conf *value = krti_conf_get(l->object, keys[i]);

        if (value != NULL)
            st = krti_conf_set(a, object, keys[i], krti_conf_copy(a, value));
    }
    return st;
}

/* A class of the host's own, registered under no package: Keras writes the bare name. */
static bool is_custom(const krt_layer *l)
{
    return l->cls == NULL || (l->package == NULL && krti_class_is_registered(l->owned.k, l->cls));
}

/* Layers that keras.applications keeps to itself. */
static const char *const private_classes[][2] = {
    {"LayerScale", "keras.src.applications.convnext"},
    {"StochasticDepth", "keras.src.applications.convnext"},
    {"CustomScaleLayer", "keras.src.applications.inception_resnet_v2"},
};

static const char *private_module(const krt_layer *l)
{
    for (size_t i = 0; l->package == NULL && i < KRTI_COUNT(private_classes); i++)
        if (strcmp(private_classes[i][0], l->class_name) == 0)
            return private_classes[i][1];
    return NULL;
}

/* Where Keras 3 keeps its operations; the others are in numpy. */
static const char *operation_module(const char *class_name)
{
    static const char *const others[][2] = {
        {"Cast", "core"},
        {"StopGradient", "core"},
        {"Slice", "core"},
        {"Unstack", "core"},
        {"Scatter", "core"},
        {"TopK", "math"},
        {"Logsumexp", "math"},
        {"Rsqrt", "math"},
        {"Erf", "math"},
        {"Erfinv", "math"},
        {"Norm", "linalg"},
        {"Resize", "image"},
        {"RGBToGrayscale", "image"},
        {"OneHot", "nn"},
        {"MultiHot", "nn"},
        {"Softmax", "nn"},
        {"LogSoftmax", "nn"},
        {"MaxPool", "nn"},
        {"AveragePool", "nn"},
        {"Conv", "nn"},
        {"DepthwiseConv", "nn"},
        {"SeparableConv", "nn"},
        {"ConvTranspose", "nn"},
        {"Moments", "nn"},
        {"Normalize", "nn"},
        {"BatchNorm", "nn"},
        {"LayerNorm", "nn"},
        {"RMSNorm", "nn"},
        {"DotProductAttention", "nn"},
    };
    static const char *const functions[] = {
        "Relu",        "Relu6",      "Sigmoid",  "SparseSigmoid", "Softplus",   "Softsign",
        "SoftShrink",  "SparsePlus", "Silu",     "Squareplus",    "LogSigmoid", "LeakyRelu",
        "HardSigmoid", "HardSilu",   "Elu",      "Selu",          "Gelu",       "Celu",
        "Glu",         "TanhShrink", "HardTanh", "HardShrink",    "Threshold",  "Sparsemax"};

    for (size_t i = 0; i < KRTI_COUNT(others); i++)
        if (strcmp(others[i][0], class_name) == 0)
            return others[i][1];
    return is_in(functions, KRTI_COUNT(functions), class_name) ? "nn" : "numpy";
}

/* An operation of a file of Keras 3 that does not say where its class is. */
static krt_status add_operation_names(krti_arena *a, krti_conf *object, const krt_layer *l)
{
    char module[64];
    krt_status st = KRT_OK;

    if (l->cls->package == NULL || krti_conf_get(l->object, "module") != NULL)
        return KRT_OK;
    snprintf(module, sizeof module, "keras.src.ops.%s", operation_module(l->class_name));
    TRY(krti_conf_set(a, object, "module", krti_conf_string(a, module)));
    TRY(krti_conf_set(a, object, "registered_name", krti_conf_string(a, l->class_name)));

done:
    return st;
}

static krti_conf *fresh_object(krti_arena *a, const krt_layer *l)
{
    krti_conf *object =
        krti_object_conf(a, "keras.layers", l->package, l->class_name, krti_layer_to_conf(a, l));
    const char *module = private_module(l);

    if (object == NULL || (module == NULL && (l->package != NULL || !is_custom(l))))
        return object;
    krti_conf *where = module != NULL ? krti_conf_string(a, module) : krti_conf_null(a);
    if (krti_conf_set(a, object, "module", where) != KRT_OK ||
        krti_conf_set(a, object, "registered_name", krti_conf_string(a, l->class_name)) != KRT_OK)
        return NULL;
    return object;
}

krti_conf *krti_layer_to_object(krti_arena *a, const krt_layer *l)
{
    krti_conf *object = NULL;
    krt_status st = KRT_OK;

    if (l->cls != NULL && (l->cls->flags & KRTI_LAYER_OWN) != 0)
        return ((const krti_own_class *)(const void *)l->cls)->to_conf(a, l);
    object = fresh_object(a, l);
    if (object == NULL)
        return NULL;
    if (krti_layer_is_keras3(l) || (l->cls != NULL && (l->cls->flags & KRT_LAYER_OPERATION) != 0))
        TRY(add_names(a, object, l));
    if (l->cls != NULL && (l->cls->flags & KRT_LAYER_OPERATION) != 0)
        TRY(add_operation_names(a, object, l));
    TRY(add_build_config(a, object, l));

done:
    return st == KRT_OK ? object : NULL;
}
