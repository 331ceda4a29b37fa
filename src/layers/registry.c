/* From a name to a class, and from a class to a layer. Keras: saving/object_registration.py and
 * saving/serialization_lib.py.
 *
 * A file may name anything. What is not known becomes a layer without a class, so that the rest of the
 * model still opens; what is known but cannot run here carries the reason. Built-in classes are constant
 * tables; what a host registers lives in the context and comes first, as Keras's custom objects do. */
#include "base/map.h"
#include "layers/config.h"

static const krt_layer_class *const *const tables[] = {
    krti_classes_core,      krti_classes_activation,     krti_classes_convolutional,
    krti_classes_pooling,   krti_classes_normalization,  krti_classes_merging,
    krti_classes_reshaping, krti_classes_regularization, krti_classes_preprocessing,
    krti_classes_wrappers,  krti_classes_applications,   krti_classes_augmentation,
    krti_classes_attention, krti_classes_categorical,    krti_classes_rnn,
    krti_classes_text,
};

/* ------------------------------------------------------------------------------- classes */

const krt_layer_class *krti_class_at(size_t i)
{
    for (size_t t = 0; t < KRTI_COUNT(tables); t++)
        for (const krt_layer_class *const *c = tables[t]; *c != NULL; c++)
            if (i-- == 0)
                return *c;
    return NULL;
}

/* "package>Name"; Keras's own classes have no package. */
static bool has_name(const krt_layer_class *c, const char *name)
{
    const size_t n = c->package != NULL ? strlen(c->package) : 0;

    if (c->package == NULL)
        return strcmp(c->name, name) == 0;
    return strncmp(name, c->package, n) == 0 && name[n] == '>' &&
           strcmp(name + n + 1, c->name) == 0;
}

const krt_layer_class *krti_class_find(krt_ctx *k, const char *name)
{
    const krt_layer_class *const registered = krti_map_get(k->classes, name);

    if (registered != NULL)
        return registered;
    for (size_t t = 0; t < KRTI_COUNT(tables); t++)
        for (const krt_layer_class *const *c = tables[t]; *c != NULL; c++)
            if (has_name(*c, name))
                return *c;
    return NULL;
}

const krti_class *krti_class_hooks(const krt_layer_class *cls)
{
    static const krti_class none = {.module = NULL};

    return cls != NULL && (cls->flags & KRTI_LAYER_HOOKS) != 0
               ? (const krti_class *)(const void *)cls
               : &none;
}

static krt_status check_fields(krt_ctx *k, const krt_layer_class *cls)
{
    for (size_t i = 0; i < cls->num_fields; i++) {
        const krt_field *f = &cls->fields[i];

        if (f->key == NULL || f->kind < KRT_FIELD_BOOL || f->kind > KRT_FIELD_INTS)
            return krti_fail(k, KRT_E_INVALID, cls->name,
                             "field %zu of the class has no key or kind", i);
        if (f->offset > cls->defaults->struct_size ||
            krti_field_size(f->kind) > cls->defaults->struct_size - f->offset)
            return krti_fail(k, KRT_E_INVALID, cls->name,
                             "field \"%s\" lies outside the arguments of %zu bytes", f->key,
                             cls->defaults->struct_size);
    }
    return KRT_OK;
}

krt_status krti_class_add(krt_ctx *k, krti_map **classes, const krt_layer_class *cls)
{
    krti_str key = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    if (*classes == NULL && (*classes = krti_map_new(k)) == NULL)
        return KRT_E_NOMEM;
    if (cls->package != NULL)
        krti_str_addf(&key, "%s>", cls->package);
    TRY(krti_str_add(&key, cls->name));
    if (krti_map_has(*classes, key.ptr))
        st = krti_fail(k, KRT_E_EXISTS, NULL, "class %s is already registered", key.ptr);
    else
        st = krti_map_set(*classes, key.ptr, (void *)(uintptr_t)cls);

done:
    krti_str_free(&key);
    return st;
}

bool krti_class_is_registered(krt_ctx *k, const krt_layer_class *cls)
{
    return krti_map_get(k->classes, cls->name) == cls;
}

krt_status krti_class_check(krt_ctx *k, const krt_layer_class *cls, size_t size, const char *what)
{
    if (cls == NULL || cls->struct_size < size)
        return krti_fail(k, KRT_E_INVALID, NULL, "a %s class must begin with its struct_size",
                         what);
    if (cls->struct_size > size)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, "a %s class of %zu bytes, at most %zu known",
                         what, cls->struct_size, size);
    if (cls->name == NULL || cls->name[0] == '\0')
        return krti_fail(k, KRT_E_INVALID, NULL, "a %s class needs a name", what);
    if (cls->defaults == NULL || cls->defaults->struct_size < sizeof(krt_spec))
        return krti_fail(k, KRT_E_INVALID, cls->name,
                         "a %s class needs defaults, a struct that begins with a krt_spec", what);
    return check_fields(k, cls);
}

krt_status krt_register(krt_ctx *k, const krt_layer_class *cls)
{
    const krt_status st = krti_class_check(k, cls, sizeof *cls, "layer");

    if (st != KRT_OK)
        return st;
    if (cls->call == NULL)
        return krti_fail(k, KRT_E_INVALID, cls->name, "a layer class needs a call");
    if (cls->flags >= (unsigned)KRTI_LAYER_HOOKS)
        return krti_fail(k, KRT_E_INVALID, cls->name, "flags %#x are not known", cls->flags);
    return krti_class_add(k, &k->classes, cls);
}

/* ------------------------------------------------------------------------------- from C */

const void *krti_layer_arg(const krt_layer *l, const char *key, krt_field_kind kind)
{
    for (size_t i = 0; l->cls != NULL && l->args != NULL && i < l->cls->num_fields; i++) {
        const krt_field *f = &l->cls->fields[i];

        if (f->kind == kind && strcmp(f->key, key) == 0)
            return (const char *)l->args + f->offset;
    }
    return NULL;
}

/* The members every layer has, from its args. */
static krt_status take_base_members(krt_layer *l)
{
    const char *const *const name = krti_layer_arg(l, "name", KRT_FIELD_STRING);
    const bool *const trainable = krti_layer_arg(l, "trainable", KRT_FIELD_BOOL);
    const char *const *const dtype = krti_layer_arg(l, "dtype", KRT_FIELD_STRING);

    if (trainable != NULL)
        l->trainable = *trainable;
    if (dtype != NULL && *dtype != NULL)
        l->dtype_policy = *dtype;
    return krti_layer_set_name(l, name != NULL ? *name : NULL);
}

krt_status krti_layer_from_spec(krt_ctx *k, krt_layer **out, const krt_spec *spec)
{
    krt_layer *l = NULL;
    const char *class_name = spec != NULL ? spec->class_name : NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (class_name == NULL)
        return krti_fail(k, KRT_E_INVALID, NULL, "a layer is wanted, NULL was given");
    const krt_layer_class *const cls = krti_class_find(k, class_name);
    if (cls == NULL && krti_initializer_find(class_name) != NULL)
        return krti_fail(k, KRT_E_INVALID, NULL, "%s is an initializer, not a layer", class_name);
    if (cls == NULL)
        return krti_fail(k, KRT_E_UNKNOWN_CLASS, NULL,
                         "class %s is neither built in nor registered", class_name);
    if (cls->defaults == NULL)
        return krti_fail(k, KRT_E_INVALID, NULL, "%s is not made from arguments", class_name);
    TRY(krti_layer_alloc(k, &l, sizeof *l, class_name));
    l->cls = cls;
    l->generation = 3;
    TRY(krti_args_copy(k, &l->arena, cls, spec, &l->args));
    TRY(take_base_members(l));
    if (cls->init != NULL)
        TRY(cls->init(l, l->args));
    *out = l;

done:
    if (l != NULL && l->name != NULL)
        krti_fail_in_object(k, st, l->name);
    return st;
}

/* ------------------------------------------------------------------------------- from a file */

bool krti_is_keras_module(const krti_conf *module)
{
    static const char *const roots[] = {"keras",           "tf_keras",   "tensorflow",
                                        "tensorflow_core", "keras_core", "builtins"};
    const char *text = krti_conf_text(module);

    if (module == NULL)
        return true;
    for (size_t i = 0; text != NULL && i < KRTI_COUNT(roots); i++) {
        const size_t n = strlen(roots[i]);

        if (strncmp(text, roots[i], n) == 0 && (text[n] == '\0' || text[n] == '.'))
            return true;
    }
    return false;
}

/* keras.src.ops.numpy and keras.ops: the operation Add, not the layer. Operations are read by
 * operations.c; one that ends up here is in a place where Keras has none. */
static bool is_operations_module(const char *module)
{
    return module != NULL &&
           (krti_starts_with(module, "keras.src.ops.") || krti_starts_with(module, "keras.ops") ||
            krti_starts_with(module, "keras.src.operations."));
}

/* The class an object of a file means, and the name it goes by. The registered name comes first;
 * a class of the same name from somebody else's module is not Keras's. */
static krt_status resolve(krt_ctx *k, const krti_conf *object, const krt_layer_class **cls,
                          krti_str *name)
{
    const krti_conf *const module = krti_conf_get(object, "module");
    const char *const registered = krti_conf_get_text(object, "registered_name");
    const char *const class_name = krti_conf_get_text(object, "class_name");

    *cls = registered != NULL ? krti_map_get(k->classes, registered) : NULL;
    if (*cls != NULL)
        return krti_str_add(name, registered);
    *cls = krti_map_get(k->classes, class_name);
    if (*cls != NULL)
        return krti_str_add(name, class_name);
    if (!krti_is_keras_module(module)) {
        const bool packaged = registered != NULL && strchr(registered, '>') != NULL;

        return krti_str_add(name, packaged ? registered : class_name);
    }
    if (is_operations_module(krti_conf_text(module)))
        krti_str_add(name, "keras.ops>");
    krti_str_add(name, krti_legacy_class(object));
    *cls = krti_class_find(k, krti_str_text(name));
    return name->status;
}

const char *krti_policy_name(const krti_conf *dtype)
{
    const krti_conf *const config = krti_conf_get(dtype, "config");
    const char *name = krti_conf_text(dtype);

    if (name == NULL)
        name = krti_conf_get_text(config, "name");
    return name != NULL ? name : krti_conf_get_text(config, "source_name");
}

/* A quantized layer has other weights than its class: to this build it is of none. */
static krt_status read_policy(krt_layer *l, const krti_conf *dtype)
{
    const char *const name = krti_policy_name(dtype);
    const char *mode = krti_conf_get_text(krti_conf_get(dtype, "config"), "mode");

    if (name != NULL && mode == NULL && strstr(name, "_from_") != NULL)
        mode = name;
    if (mode != NULL) {
        const krt_status st = krti_layer_unsupported(
            l, "%s \"%s\" is quantized (%.*s), which this build does not run", l->class_name,
            l->name, (int)strcspn(mode, "_"), mode);

        if (st != KRT_OK)
            return st;
        l->cls = NULL;
    }
    if (name != NULL) {
        l->dtype_policy = krti_arena_strdup(&l->arena, name);
        return l->dtype_policy != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    return KRT_OK;
}

static krt_status read_base(krt_layer *l, const krti_conf *object, const krti_conf *config)
{
    const krti_conf *name = krti_conf_get(config, "name");
    krt_status st = KRT_OK;

    if (krti_conf_is_null(name))
        name = krti_conf_get(object, "name");
    if (!krti_conf_is_null(name) && krti_conf_text(name) == NULL)
        return krti_fail(l->owned.k, KRT_E_FORMAT, l->class_name,
                         "the name of a layer must be a string");
    TRY(krti_layer_set_name(l, krti_conf_text(name)));
    l->trainable = krti_conf_get_bool(config, "trainable", true);
    TRY(read_policy(l, krti_conf_get(config, "dtype")));

done:
    return st;
}

static krt_status check_object(krt_ctx *k, const krti_conf *object, int depth)
{
    krti_str found = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    if (depth > KRTI_LAYER_MAX_DEPTH)
        return krti_fail(k, KRT_E_FORMAT, NULL, "layers are nested more than %d deep",
                         KRTI_LAYER_MAX_DEPTH);
    if (krti_conf_get_text(object, "class_name") != NULL && krti_conf_get(object, "config") != NULL)
        return KRT_OK;
    krti_conf_repr(&found, object);
    st = krti_fail(k, KRT_E_FORMAT, NULL,
                   "Improper config format for %s. Expecting python dict contains `class_name` and "
                   "`config` as keys",
                   krti_str_text(&found));
    krti_str_free(&found);
    return st;
}

/* The layer itself, of a class that is made here or of none. */
static krt_status make(krt_ctx *k, krt_layer **out, const krti_conf *object,
                       const krt_layer_class *cls, const char *name, int depth)
{
    krt_layer *l = NULL;
    krti_arena scratch = KRTI_ARENA_INIT(k);
    const krti_conf *respelled = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_alloc(k, &l, sizeof *l, name));
    l->cls = cls;
    l->depth = depth;
    l->generation = k->file_generation != 0 ? k->file_generation : 3;
    l->trains_as = k->file_trains_as != 0 ? k->file_trains_as : l->generation;
    l->object = object;
    l->config = krti_conf_get(object, "config");
    TRY(read_base(l, object, l->config));
    cls = l->cls;
    if (cls != NULL && krti_conf_num(l->config) > KRTI_LAYER_MAX_KEYS)
        TRY(krti_layer_fail(l, KRT_E_FORMAT, "the config has %zu keys, at most %d are read",
                            krti_conf_num(l->config), KRTI_LAYER_MAX_KEYS));
    if (cls != NULL && cls->defaults != NULL) {
        TRY(krti_legacy_config(&l->arena, &scratch, l->generation, l->class_name, l->config,
                               &respelled));
        TRY(krti_args_from_conf(l, respelled));
    }
    if (cls != NULL && cls->init != NULL)
        TRY(cls->init(l, l->args));
    *out = l;

done:
    krti_arena_free(&scratch);
    if (l != NULL && l->name != NULL)
        krti_fail_in_object(k, st, l->name);
    return st;
}

krt_status krti_layer_from_conf(krt_ctx *k, krt_layer **out, const krti_conf *object, int depth)
{
    const krt_layer_class *cls = NULL;
    krti_str name = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(check_object(k, object, depth));
    TRY(resolve(k, object, &cls, &name));
    if (krti_class_hooks(cls)->from_object != NULL)
        st = krti_class_hooks(cls)->from_object(k, out, object, depth);
    else
        st = make(k, out, object, cls, name.ptr, depth);

done:
    krti_str_free(&name);
    return st;
}

krt_status krti_layer_from_arg(krt_layer *owner, krt_layer **out, const krt_spec *arg)
{
    krt_ctx *k = owner->owned.k;

    *out = NULL;
    if (arg == NULL)
        return krti_layer_fail(owner, KRT_E_INVALID, "%s needs a layer to wrap", owner->class_name);
    if (krti_spec_conf(arg) != NULL)
        return krti_layer_from_conf(k, out, krti_spec_conf(arg), owner->depth + 1);
    return krti_layer_from_spec(k, out, arg);
}
