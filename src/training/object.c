/* Descriptions of optimizers, schedules, losses and metrics, to configs and back. See object.h. */
#include "training/object.h"

#include "layers/config.h"

/* ------------------------------------------------------------------------------- from C */

/* A schedule may stand where a number does: two members under one key, of which one is used. */
static bool is_hidden(const krt_layer_class *cls, const krt_field *f, const char *args)
{
    for (size_t i = 0; i < cls->num_fields; i++) {
        const krt_field *other = &cls->fields[i];
        const bool is_object = other->kind == KRT_FIELD_OBJECT;

        if (other == f || strcmp(other->key, f->key) != 0)
            continue;
        const krt_field *const object = is_object ? other : f;
        const bool is_given =
            *(const krt_spec *const *)(const void *)(args + object->offset) != NULL;
        return is_object == is_given;
    }
    return false;
}

static krt_status add_field(krt_ctx *k, krti_arena *a, const krt_field *f, const char *args,
                            krti_conf *config)
{
    const krt_spec *spec = NULL;
    krti_conf *value = NULL;
    krt_status st = KRT_OK;

    if (f->kind != KRT_FIELD_OBJECT) {
        value = krti_field_write(a, NULL, f, args + f->offset);
    } else {
        const krti_family *const family =
            strcmp(f->key, "learning_rate") == 0 ? &krti_schedules : &krti_optimizers;

        spec = *(const krt_spec *const *)(const void *)(args + f->offset);
        st = krti_spec_to_conf(k, a, family, spec, &value);
    }
    if (st == KRT_OK)
        st = krti_conf_set(a, config, f->key, value);
    return st;
}

static const krt_layer_class *find_class(krt_ctx *k, const krti_family *family, const char *name)
{
    const krt_layer_class *const own = family->own != NULL ? family->own(k, name) : NULL;

    return own != NULL ? own : family->find(name);
}

krt_status krti_object_to_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                               const krt_layer_class *cls, const void *args, const char *name,
                               krti_conf **out)
{
    krti_conf *config = krti_conf_dict(a);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < cls->num_fields; i++)
        if (cls->fields[i].kind != KRT_FIELD_IGNORED && !is_hidden(cls, &cls->fields[i], args))
            TRY(add_field(k, a, &cls->fields[i], args, config));
    if (name != NULL && krti_conf_is_null(krti_conf_get(config, "name")))
        TRY(krti_conf_set(a, config, "name", krti_conf_string(a, name)));
    if (krti_conf_is_null(krti_conf_get(config, "name")))
        krti_conf_remove(config, "name"); /* the reader finds Keras's default */
    *out = krti_object_conf(a, family->module, cls->package, cls->name, config);
    st = *out != NULL ? KRT_OK : KRT_E_NOMEM;

done:
    return st;
}

krt_status krti_spec_to_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                             const krt_spec *spec, krti_conf **out)
{
    const krt_layer_class *cls = NULL;
    void *args = NULL;
    krt_status st = KRT_OK;

    *out = krti_conf_null(a);
    if (spec == NULL)
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    if (krti_spec_conf(spec) != NULL) {
        *out = krti_conf_copy(a, krti_spec_conf(spec));
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    if (spec->class_name == NULL)
        return krti_fail(k, KRT_E_INVALID, NULL, "the %s has no class name", family->what);
    if (spec->struct_size <= sizeof *spec ||
        spec->struct_size == KRTI_CONF_SPEC) { /* a name alone */
        *out = krti_conf_string(a, spec->class_name);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    cls = find_class(k, family, spec->class_name);
    if (cls == NULL)
        return krti_fail(k, KRT_E_UNKNOWN_CLASS, NULL, "%s is no %s of Keras's", spec->class_name,
                         family->what);
    const size_t size = cls->defaults->struct_size;
    args = krti_alloc(k, size);
    if (args == NULL)
        return KRT_E_NOMEM;
    st = krti_args_import(k, args, cls->defaults, size, spec);
    if (st == KRT_OK)
        st = krti_object_to_conf(k, a, family, cls, args, NULL, out);
    krti_free(k, args);
    return st;
}

/* ------------------------------------------------------------------------------- from configs */

krt_status krti_object_find(krt_ctx *k, const krti_family *family, const krti_conf *object,
                            const krt_layer_class **cls, const krti_conf **config)
{
    const char *const registered = krti_conf_get_text(object, "registered_name");
    const char *name = krti_conf_text(object);
    krti_str found = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    *config = krti_conf_get(object, "config");
    *cls = registered != NULL && family->own != NULL ? family->own(k, registered) : NULL;
    if (*cls != NULL)
        return KRT_OK;
    if (name == NULL)
        name = krti_conf_get_text(object, "class_name");
    if (name != NULL && krti_is_keras_module(krti_conf_get(object, "module")))
        *cls = find_class(k, family, name);
    else if (name != NULL && family->own != NULL)
        *cls = family->own(k, name);
    if (*cls != NULL)
        return KRT_OK;
    krti_conf_repr(&found, object);
    st = krti_fail(k, name != NULL ? KRT_E_UNKNOWN_CLASS : KRT_E_INVALID, NULL,
                   "Could not interpret %s identifier: %s; compile the model with one that is "
                   "known here%s%s%s",
                   family->what,
                   registered != NULL ? registered
                   : name != NULL     ? name
                                      : krti_str_text(&found),
                   family->own != NULL ? ", or add it with krt_register_" : "",
                   family->own != NULL ? family->what : "", family->own != NULL ? "()" : "");
    krti_str_free(&found);
    return st;
}

static bool is_known(const krt_layer_class *cls, const char *key)
{
    for (size_t i = 0; i < cls->num_fields; i++)
        if (strcmp(cls->fields[i].key, key) == 0)
            return true;
    return false;
}

static krt_status refuse_unknown(krt_ctx *k, const krt_layer_class *cls, const krti_conf *config)
{
    krti_arena scratch = KRTI_ARENA_INIT(k);
    krti_conf *unknown = krti_conf_dict(&scratch);
    krti_str text = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_conf_num(config); i++)
        if (!is_known(cls, krti_conf_key_at(config, i)))
            TRY(krti_conf_set(&scratch, unknown, krti_conf_key_at(config, i),
                              krti_conf_copy(&scratch, krti_conf_at(config, i))));
    if (krti_conf_num(unknown) > 0) {
        krti_conf_repr(&text, unknown);
        st = krti_fail(k, KRT_E_INVALID, cls->name, "Argument(s) not recognized: %s",
                       krti_str_text(&text));
    }

done:
    krti_str_free(&text);
    krti_arena_free(&scratch);
    return st;
}

/* Of two members under one key the object's takes dicts and the other everything else. */
static bool takes(const krt_layer_class *cls, const krt_field *f, const krti_conf *value)
{
    for (size_t i = 0; i < cls->num_fields; i++)
        if (&cls->fields[i] != f && strcmp(cls->fields[i].key, f->key) == 0)
            return krti_conf_is(value, KRTI_CONF_DICT) == (f->kind == KRT_FIELD_OBJECT);
    return true;
}

krt_status krti_object_read(krt_layer *owner, krti_arena *a, const krt_layer_class *cls,
                            const krti_conf *config, void **args)
{
    const krti_field_reader r = {owner->owned.k, a, owner, cls->name};
    char *const p = krti_arena_alloc(a, cls->defaults->struct_size);
    krt_status st = KRT_OK;

    *args = p;
    if (p == NULL)
        return KRT_E_NOMEM;
    memcpy(p, cls->defaults, cls->defaults->struct_size);
    if (config == NULL)
        return KRT_OK;
    if (!krti_conf_is(config, KRTI_CONF_DICT))
        return krti_fail(r.k, KRT_E_FORMAT, cls->name, "the config of %s is not a dict", cls->name);
    TRY(refuse_unknown(r.k, cls, config));
    for (size_t i = 0; i < cls->num_fields; i++) {
        const krt_field *f = &cls->fields[i];
        const krti_conf *value = krti_conf_get(config, f->key);

        if (value != NULL && takes(cls, f, value))
            TRY(krti_field_read(&r, f, value, p + f->offset));
    }

done:
    return st;
}
