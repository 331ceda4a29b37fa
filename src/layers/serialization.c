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
#include "layers/operations.h"
#include "layers/weight_rules.h"

/* A copy that says nothing about sharing: the identities are those of a process long gone. */
static krti_conf *copy_plain(krti_arena *a, const krti_conf *c)
{
    krti_conf *copy = krti_conf_copy(a, c);

    if (krti_conf_is(copy, KRTI_CONF_DICT))
        krti_conf_remove(copy, "shared_object_id");
    return copy;
}

/* ------------------------------------------------------------------------------- small objects */

/* What an older config may call an argument. */
static const krti_conf *given_value(const krti_conf *config, const char *key)
{
    const krti_conf *value = krti_conf_get(config, key);

    return value == NULL && strcmp(key, "max_value") == 0 ? krti_conf_get(config, "m") : value;
}

/* An object of an older file, or only named: its own values where it has them, else the defaults.
 * "normal" meant the truncated one, and Keras 3 respells it so. */
static krt_status add_given(krti_arena *a, krti_conf *dict, const krt_layer_class *cls,
                            const krti_conf *given)
{
    const char *distribution = krti_conf_get_text(given, "distribution");
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < cls->num_fields; i++) {
        const krti_conf *value = given_value(given, cls->fields[i].key);

        if (value != NULL)
            st = krti_conf_set(a, dict, cls->fields[i].key, krti_conf_copy(a, value));
    }
    if (st == KRT_OK && distribution != NULL && strcmp(distribution, "normal") == 0)
        st = krti_conf_set(a, dict, "distribution", krti_conf_string(a, "truncated_normal"));
    return st;
}

static const char *module_of(const char *key)
{
    return krti_ends_with(key, "initializer")  ? "keras.initializers"
           : krti_ends_with(key, "constraint") ? "keras.constraints"
                                               : "keras.regularizers";
}

krti_conf *krti_given_to_conf(krti_arena *a, const krt_layer *l, const char *key,
                              const krt_spec *spec)
{
    const krti_conf *whole = spec != NULL ? krti_spec_conf(spec) : NULL;
    krt_status st = KRT_OK;

    if (spec == NULL)
        return krti_conf_null(a);
    if (krti_conf_get_text(whole, "module") != NULL)
        return copy_plain(a, whole);
    const krt_layer_class *cls = krti_object_class_find(spec->class_name);
    if (cls == NULL) /* nobody's that we know: as it was given */
        return whole != NULL ? copy_plain(a, whole) : krti_conf_string(a, spec->class_name);
    const bool is_ours = spec->struct_size == cls->defaults->struct_size;
    krti_conf *config = krti_conf_dict(a);
    if (!is_ours)
        st = add_given(a, config, cls, krti_conf_get(whole, "config"));
    if (st != KRT_OK ||
        krti_fields_to_conf(a, config, l, cls, is_ours ? spec : cls->defaults) != KRT_OK)
        return NULL;
    return krti_object_conf(a, module_of(key), NULL, cls->name, config);
}

/* ------------------------------------------------------------------------------- config */

krti_conf *krti_policy_to_conf(krti_arena *a, const char *name)
{
    krti_conf *config = krti_conf_dict(a);

    if (krti_conf_set(a, config, "name", krti_conf_string(a, name)) != KRT_OK)
        return NULL;
    return krti_object_conf(a, "keras", NULL, "DTypePolicy", config);
}

static krti_conf *dtype_conf(krti_arena *a, const krt_layer *l, bool is_bare)
{
    return is_bare ? krti_conf_string(a, l->dtype_policy) : krti_policy_to_conf(a, l->dtype_policy);
}

/* From the arguments. */
static krti_conf *fresh_config(krti_arena *a, const krt_layer *l)
{
    const krti_class *hooks = krti_class_hooks(l->cls);
    const bool is_bare = (l->cls->flags & KRTI_LAYER_BARE_CONFIG) != 0;
    krti_conf *dict = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, dict, "name", krti_conf_string(a, l->name)));
    TRY(krti_conf_set(a, dict, "trainable", krti_conf_bool(a, l->trainable)));
    TRY(krti_conf_set(a, dict, "dtype", dtype_conf(a, l, is_bare)));
    TRY(krti_fields_to_conf(a, dict, l, l->cls, l->args));
    if (is_bare)
        krti_conf_remove(dict, "trainable");
    if (hooks->config != NULL)
        TRY(hooks->config(a, dict, l));
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
    for (size_t i = 0; st == KRT_OK && l->cls != NULL && i < l->cls->num_fields; i++) {
        const krt_field *f = &l->cls->fields[i];
        const bool is_layer = f->kind == KRT_FIELD_LAYER || f->kind == KRT_FIELD_LAYERS;

        if (is_layer && !krti_conf_is_null(krti_conf_get(dict, f->key)))
            st = krti_conf_set(a, dict, f->key,
                               krti_field_write(a, l, f, (const char *)l->args + f->offset));
    }
    return st;
}

static bool is_name_of(const krt_layer *l, const char *name)
{
    const char *const prefix = krti_class_hooks(l->cls)->name_prefix;
    const bool has_prefix = prefix != NULL && krti_starts_with(l->name, prefix);

    return strcmp(name, has_prefix ? l->name + strlen(prefix) : l->name) == 0;
}

/* As the file had it, with what may have changed. */
static krti_conf *renewed_config(krti_arena *a, const krt_layer *l)
{
    krti_conf *dict = krti_conf_copy(a, l->config);
    const char *name = krti_conf_get_text(dict, "name");
    krt_status st = KRT_OK;

    if (!krti_conf_is(dict, KRTI_CONF_DICT))
        return dict;
    if (name != NULL && !is_name_of(l, name))
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
    if (l->config != NULL && !l->is_adapted && (krti_layer_is_keras3(l) || !has_arguments(l)))
        return renewed_config(a, l);
    return has_arguments(l) ? fresh_config(a, l) : krti_conf_dict(a);
}

/* ------------------------------------------------------------------------------- build_config */

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

static krt_status add_build_config(krti_arena *a, krti_conf *object, const krt_layer *l)
{
    const krti_conf *given = krti_conf_get(l->object, "build_config");

    if (krti_layer_is_keras3(l))
        return given != NULL ? krti_conf_set(a, object, "build_config", krti_conf_copy(a, given))
                             : KRT_OK;
    if (!l->is_built || l->num_build_shapes == 0 || l->cls == NULL ||
        (l->cls->flags & KRTI_LAYER_BORN_BUILT) != 0)
        return KRT_OK;
    if (krti_class_hooks(l->cls)->build_config != NULL)
        return krti_conf_set(a, object, "build_config",
                             krti_class_hooks(l->cls)->build_config(a, l));
    return krti_conf_set(a, object, "build_config",
                         krti_build_conf(a, l->build_shapes, l->num_build_shapes,
                                         (l->cls->flags & KRT_LAYER_TAKES_LIST) != 0));
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

/* An operation of a file of Keras 3 that does not say where its class is. */
static krt_status add_operation_names(krti_arena *a, krti_conf *object, const krt_layer *l)
{
    char module[64];
    krt_status st = KRT_OK;

    if (l->cls->package == NULL || krti_conf_get(l->object, "module") != NULL)
        return KRT_OK;
    snprintf(module, sizeof module, "keras.src.ops.%s", krti_operation_module(l->class_name));
    TRY(krti_conf_set(a, object, "module", krti_conf_string(a, module)));
    TRY(krti_conf_set(a, object, "registered_name", krti_conf_string(a, l->class_name)));

done:
    return st;
}

/* What keras.layers calls a class, which has another name where it is written. */
static const char *exported_name(const krt_layer *l)
{
    const bool is_grouped =
        l->package == NULL && !is_custom(l) && strcmp(l->class_name, "GroupedQueryAttention") == 0;

    return is_grouped ? "GroupQueryAttention" : l->class_name;
}

static krti_conf *fresh_object(krti_arena *a, const krt_layer *l)
{
    krti_conf *object =
        krti_object_conf(a, "keras.layers", l->package, exported_name(l), krti_layer_to_conf(a, l));
    const char *module = l->package == NULL ? krti_class_hooks(l->cls)->module : NULL;

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

    if (krti_class_hooks(l->cls)->to_object != NULL)
        return krti_class_hooks(l->cls)->to_object(a, l);
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
