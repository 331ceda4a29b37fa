/* What a class is and takes, from the tables that read its config, so that the two cannot differ.
 *
 * A default is shown as get_config() of a layer made without that argument would give it: the
 * initializers Keras fills in are filled in here too. Keras: the signatures under keras/src/layers,
 * activations and initializers. */
#include "layers/manual.h"

#include "layers/weight_rules.h"

#include "layers/config.h"
#include "layers/operations.h"

static const char *const type_names[] = {
    [KRT_FIELD_BOOL] = "bool",
    [KRT_FIELD_INT] = "int",
    [KRT_FIELD_FLOAT] = "float",
    [KRT_FIELD_STRING] = "str",
    [KRT_FIELD_INT1] = "int",
    [KRT_FIELD_INT2] = "int or 2 ints",
    [KRT_FIELD_INT3] = "int or 3 ints",
    [KRT_FIELD_PAIR1] = "int or 2 ints",
    [KRT_FIELD_PAIR2] = "int, 2 ints or 2 pairs",
    [KRT_FIELD_PAIR3] = "int, 3 ints or 3 pairs",
    [KRT_FIELD_SHAPE] = "shape",
    [KRT_FIELD_AXES] = "int or ints",
    [KRT_FIELD_ACTIVATION] = "activation",
    [KRT_FIELD_OBJECT] = "object",
    [KRT_FIELD_LAYER] = "layer",
    [KRT_FIELD_NUMBERS] = "number or numbers",
    [KRT_FIELD_IGNORED] = "ignored",
    [KRT_FIELD_NAMES] = "strs",
    [KRT_FIELD_LAYERS] = "layers",
    [KRT_FIELD_INTS] = "ints",
};

/* Arguments that Keras's signatures give no default. Whether one is required is told by its default
 * too: where a class has one, the name alone says nothing (axis, scale, rate). */
static const char *const required_keys[] = {
    "units",
    "num_bins",
    "filters",
    "kernel_size",
    "input_dim",
    "output_dim",
    "rate",
    "stddev",
    "n",
    "dims",
    "height",
    "width",
    "target_shape",
    "output_size",
    "scale",
    "layer",
    "axes",
    "equation",
    "function",
    "output_shape",
    "initial_learning_rate",
    "decay_steps",
    "first_decay_steps",
    "decay_rate",
    "boundaries",
    "values",
    "num_classes",
    "inner_optimizer",
    "filepath",
    "filename",
    "backup_dir",
    "specificity",
    "sensitivity",
    "recall",
    "precision",
};

/* Keys every layer has; said once instead of in each description. */
static bool is_base_key(const char *key)
{
    return strcmp(key, "name") == 0 || strcmp(key, "trainable") == 0 || strcmp(key, "dtype") == 0;
}

static bool is_missing(const krt_field *f, const void *member)
{
    switch (f->kind) {
    case KRT_FIELD_INT:
    case KRT_FIELD_INT1:
    case KRT_FIELD_INT2:
    case KRT_FIELD_INT3:
        return *(const int64_t *)member == KRT_NONE || *(const int64_t *)member == 0;
    case KRT_FIELD_FLOAT:
        return isnan(*(const double *)member) || *(const double *)member == 0;
    case KRT_FIELD_STRING:
    case KRT_FIELD_OBJECT:
    case KRT_FIELD_LAYER:
        return *(const void *const *)member == NULL;
    case KRT_FIELD_SHAPE:
        return ((const krt_shape *)member)->rank <= 0;
    case KRT_FIELD_AXES:
        return ((const krt_axes *)member)->n == 0;
    case KRT_FIELD_NUMBERS:
        return ((const krt_numbers *)member)->n == 0;
    case KRT_FIELD_LAYERS:
        return ((const krt_specs *)member)->n == 0;
    default:
        return false;
    }
}

static bool is_required(const krt_layer_class *cls, const krt_field *f, const void *member)
{
    if (f->kind == KRT_FIELD_ACTIVATION)
        return strcmp(cls->name, "Activation") == 0;
    for (size_t i = 0; i < KRTI_COUNT(required_keys); i++)
        if (strcmp(f->key, required_keys[i]) == 0)
            return is_missing(f, member);
    return false;
}

/* ------------------------------------------------------------------------------- one class */

static krt_status add_argument(krti_arena *a, krti_conf *list, const krt_layer_class *cls,
                               const krt_field *f, const char *args)
{
    krti_conf *argument = krti_conf_dict(a);
    const void *member = args + f->offset;
    const bool required = is_required(cls, f, member);
    krti_conf *value = NULL;
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, argument, "name", krti_conf_string(a, f->key)));
    TRY(krti_conf_set(a, argument, "type", krti_conf_string(a, type_names[f->kind])));
    TRY(krti_conf_set(a, argument, "required", krti_conf_bool(a, required)));
    value = required || f->kind == KRT_FIELD_LAYER || f->kind == KRT_FIELD_LAYERS
                ? krti_conf_null(a)
                : krti_field_write(a, NULL, f, member);
    if (krti_conf_is_null(value) && krti_ends_with(f->key, "_freq"))
        value = krti_conf_string(a, "epoch"); /* Keras's word for what is no number */
    TRY(krti_conf_set(a, argument, "default", value));
    TRY(krti_conf_add(a, list, argument));

done:
    return st;
}

static krt_status add_arguments(krti_arena *a, krti_conf *list, const krt_layer_class *cls)
{
    void *args = NULL;
    krt_status st = KRT_OK;

    if (cls->defaults == NULL)
        return KRT_OK;
    if (cls->call != NULL)
        TRY(krti_args_copy(a->k, a, cls, NULL, &args));
    else /* no layer: its objects have no defaults to be filled in */
        args = (void *)(uintptr_t)cls->defaults;
    for (size_t i = 0; i < cls->num_fields; i++)
        if (cls->fields[i].kind != KRT_FIELD_IGNORED && !is_base_key(cls->fields[i].key) &&
            (i == 0 || strcmp(cls->fields[i].key, cls->fields[i - 1].key) != 0))
            TRY(add_argument(a, list, cls, &cls->fields[i], args));

done:
    return st;
}

/* Spellings that only files of older Keras need. */
static bool is_internal(const char *activation)
{
    return krti_ends_with(activation, "_v2");
}

/* Operations inside Functional models have classes of their own, "keras.ops>Add". The classes of
 * no package stand for an operation of tf.keras, "Operation" for an unknown one. */
static bool is_operation(const krt_layer_class *cls)
{
    return cls->package != NULL && strcmp(cls->name, "Operation") != 0;
}

static const krt_layer_class *find_operation(const char *name)
{
    for (const krt_layer_class *const *c = krti_classes_operations; *c != NULL; c++)
        if (is_operation(*c) && strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static krt_status describe(krti_arena *a, const char *name, const krt_layer_class *cls,
                           const char *kind, krti_conf **out)
{
    krti_conf *dict = krti_conf_dict(a), *arguments = krti_conf_list(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, dict, "name", krti_conf_string(a, name)));
    TRY(krti_conf_set(a, dict, "kind", krti_conf_string(a, kind)));
    if (cls != NULL && strcmp(kind, "operation") != 0)
        TRY(add_arguments(a, arguments, cls));
    TRY(krti_conf_set(a, dict, "arguments", arguments));
    *out = dict;

done:
    return st;
}

krt_status krti_describe_known(krti_arena *a, const krt_layer_class *cls, const char *kind,
                               krti_conf **out)
{
    return describe(a, cls->name, cls, kind, out);
}

krt_status krti_describe_class(krti_arena *a, const char *name, krti_conf **out)
{
    const krt_layer_class *cls = krti_class_find(a->k, name);

    if (cls != NULL)
        return krti_describe_known(a, cls, "layer", out);
    if ((cls = krti_initializer_find(name)) != NULL)
        return krti_describe_known(a, cls, "initializer", out);
    if ((cls = krti_weight_rule_find(name)) != NULL)
        return krti_describe_known(a, cls, "regularizer or constraint", out);
    if (krti_activation_known(name) && !is_internal(name))
        return describe(a, name, NULL, "activation", out);
    if ((cls = find_operation(name)) != NULL)
        return krti_describe_known(a, cls, "operation", out);
    return krti_fail(a->k, KRT_E_UNKNOWN_CLASS, NULL,
                     "class \"%s\" is neither built in nor registered", name);
}

/* ------------------------------------------------------------------------------- as text */

/* An object's class name says enough; 1-element lists are Keras's plain numbers. */
static void add_default(krti_str *s, const krti_conf *value)
{
    const char *class_name = krti_conf_get_text(value, "class_name");

    if (class_name != NULL)
        krti_str_add(s, class_name);
    else if (krti_conf_is(value, KRTI_CONF_LIST) && krti_conf_num(value) == 1)
        krti_conf_repr(s, krti_conf_at(value, 0));
    else
        krti_conf_repr(s, value);
}

krt_status krti_describe_text(krti_str *s, const krti_conf *dict)
{
    krti_str value = KRTI_STR_INIT(s->k);
    const krti_conf *const arguments = krti_conf_get(dict, "arguments");
    krti_str_addf(s, "%s (%s)\n", krti_conf_get_text(dict, "name"),
                  krti_conf_get_text(dict, "kind"));
    for (size_t i = 0; i < krti_conf_num(arguments); i++) {
        const krti_conf *const argument = krti_conf_at(arguments, i);

        krti_str_clear(&value);
        if (krti_conf_get_bool(argument, "required", false))
            krti_str_add(&value, "required");
        else
            add_default(&value, krti_conf_get(argument, "default"));
        krti_str_addf(s, "  %-26s %-23s %s\n", krti_conf_get_text(argument, "name"),
                      krti_conf_get_text(argument, "type"), krti_str_text(&value));
    }
    if (strcmp(krti_conf_get_text(dict, "kind"), "layer") == 0)
        krti_str_addf(s, "  %-26s %-23s %s\n  %-26s %-23s %s\n", "name", "str", "None", "trainable",
                      "bool", "True");
    const krt_status st = value.status != KRT_OK ? value.status : s->status;
    krti_str_free(&value);
    return st;
}

/* ------------------------------------------------------------------------------- everything */

/* Lambda is opened and never run, so it is not listed. */
static krt_status add_layers(krti_arena *a, krti_conf *list)
{
    const krt_layer_class *cls;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && (cls = krti_class_at(i)) != NULL; i++)
        if (cls->package == NULL && strcmp(cls->name, "Lambda") != 0)
            st = krti_conf_add(a, list, krti_conf_string(a, cls->name));
    return st;
}

static krt_status add_operations(krti_arena *a, krti_conf *list)
{
    krt_status st = KRT_OK;

    for (const krt_layer_class *const *c = krti_classes_operations; *c != NULL; c++)
        if (st == KRT_OK && is_operation(*c))
            st = krti_conf_add(a, list, krti_conf_string(a, (*c)->name));
    return st;
}

static krt_status add_activations(krti_arena *a, krti_conf *list)
{
    const char *name;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && (name = krti_activation_at(i)) != NULL; i++)
        if (!is_internal(name))
            st = krti_conf_add(a, list, krti_conf_string(a, name));
    return st;
}

static krt_status add_objects(krti_arena *a, krti_conf *list,
                              const krt_layer_class *(*at)(size_t i))
{
    const krt_layer_class *cls;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && (cls = at(i)) != NULL; i++)
        st = krti_conf_add(a, list, krti_conf_string(a, cls->name));
    return st;
}

krt_status krti_describe_all(krti_arena *a, krti_conf **out)
{
    krti_conf *dict = krti_conf_dict(a);
    krti_conf *layers = krti_conf_list(a), *operations = krti_conf_list(a);
    krti_conf *activations = krti_conf_list(a), *initializers = krti_conf_list(a);
    krti_conf *rules = krti_conf_list(a);
    krt_status st = KRT_OK;

    TRY(add_layers(a, layers));
    TRY(add_operations(a, operations));
    TRY(add_activations(a, activations));
    TRY(add_objects(a, initializers, krti_initializer_at));
    TRY(add_objects(a, rules, krti_weight_rule_at));
    TRY(krti_conf_set(a, dict, "layers", layers));
    TRY(krti_conf_set(a, dict, "activations", activations));
    TRY(krti_conf_set(a, dict, "initializers", initializers));
    TRY(krti_conf_set(a, dict, "regularizers and constraints", rules));
    TRY(krti_conf_set(a, dict, "operations", operations));
    *out = dict;

done:
    return st;
}
