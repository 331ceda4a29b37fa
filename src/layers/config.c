/* Arguments of layers: from C's structs and from Keras's configs into one and the same place.
 *
 * The class's field table is the only description of its arguments; this file walks it. What both
 * roads share: strings and lists are copied into the layer's arena, initializers that were left
 * out become Keras's default for their key, activations are checked by name. Reading one value is
 * config_read.c, writing is config_write.c. Keras: layers/layer.py __init__ and from_config(). */
#include "layers/config.h"

/* ------------------------------------------------------------------------------- defaults */

/* Keras's constructors name their defaults by key; None is kept as None. */
static const struct {
    const char *key, *class_name;
} default_initializers[] = {
    {"kernel_initializer", "GlorotUniform"},
    {"depthwise_initializer", "GlorotUniform"},
    {"pointwise_initializer", "GlorotUniform"},
    {"recurrent_initializer", "Orthogonal"},
    {"embeddings_initializer", "RandomUniform"},
    {"bias_initializer", "Zeros"},
    {"beta_initializer", "Zeros"},
    {"moving_mean_initializer", "Zeros"},
    {"alpha_initializer", "Zeros"},
    {"gamma_initializer", "Ones"},
    {"moving_variance_initializer", "Ones"},
};

static const krt_spec *default_initializer(const char *key)
{
    for (size_t i = 0; i < KRTI_COUNT(default_initializers); i++)
        if (strcmp(key, default_initializers[i].key) == 0)
            return krti_initializer_find(default_initializers[i].class_name)->defaults;
    return NULL;
}

/* A fresh args struct: the class's defaults, initializers filled in. */
static void *default_args(krti_arena *a, const krt_layer_class *cls)
{
    char *args = krti_arena_alloc(a, cls->defaults->struct_size);

    if (args == NULL)
        return NULL;
    memcpy(args, cls->defaults, cls->defaults->struct_size);
    ((krt_spec *)(void *)args)->class_name = cls->name; /* classes may share defaults */
    for (size_t i = 0; i < cls->num_fields; i++) {
        const krt_spec **member = (const krt_spec **)(void *)(args + cls->fields[i].offset);

        if (cls->fields[i].kind == KRT_FIELD_OBJECT && *member == NULL)
            *member = default_initializer(cls->fields[i].key);
    }
    return args;
}

/* ------------------------------------------------------------------------------- from C */

static krt_status copy_spec(krt_ctx *k, krti_arena *a, const krt_field *f, const krt_spec **spec)
{
    const krt_layer_class *cls = NULL;
    void *copy = NULL;
    krt_status st = KRT_OK;

    if ((*spec)->struct_size == KRTI_CONF_SPEC) /* lives with the file's config */
        return KRT_OK;
    cls = f->kind == KRT_FIELD_OBJECT ? krti_object_class_find((*spec)->class_name)
                                      : krti_class_find(k, (*spec)->class_name);
    if (cls != NULL && cls->defaults != NULL) {
        st = krti_args_copy(k, a, cls, *spec, &copy);
        *spec = copy;
        return st;
    }
    if ((*spec)->struct_size > sizeof(krt_spec))
        return krti_fail(k, KRT_E_UNKNOWN_CLASS, NULL,
                         "%s is \"%s\", a class that is neither built in nor registered", f->key,
                         (*spec)->class_name);
    krt_spec *bare = krti_arena_alloc(a, sizeof *bare);
    if (bare == NULL)
        return KRT_E_NOMEM;
    bare->struct_size = sizeof *bare;
    bare->class_name = krti_arena_strdup(a, (*spec)->class_name);
    *spec = bare;
    return bare->class_name != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status copy_text(krti_arena *a, const char **text)
{
    if (*text == NULL)
        return KRT_OK;
    *text = krti_arena_strdup(a, *text);
    return *text != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status copy_numbers(krti_arena *a, krt_numbers *numbers)
{
    double *items = NULL;

    if (numbers->n == 0)
        return KRT_OK;
    items = krti_arena_array(a, numbers->n, sizeof *items);
    if (items == NULL)
        return KRT_E_NOMEM;
    memcpy(items, numbers->items, numbers->n * sizeof *items);
    numbers->items = items;
    return KRT_OK;
}

static krt_status copy_ints(krti_arena *a, krt_ints *ints)
{
    int64_t *items = krti_arena_array(a, ints->n + 1, sizeof *items);

    if (items == NULL)
        return KRT_E_NOMEM;
    if (ints->n > 0)
        memcpy(items, ints->items, ints->n * sizeof *items);
    ints->items = items;
    return KRT_OK;
}

static krt_status copy_names(krti_arena *a, krt_names *names)
{
    const char **items = krti_arena_array(a, names->n + 1, sizeof *items);

    if (items == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < names->n; i++) {
        items[i] = krti_arena_strdup(a, names->items[i]);
        if (items[i] == NULL)
            return KRT_E_NOMEM;
    }
    names->items = items;
    return KRT_OK;
}

static krt_status copy_specs(krt_ctx *k, krti_arena *a, const krt_field *f, krt_specs *specs)
{
    const krt_spec **items = krti_arena_array(a, specs->n + 1, sizeof *items);
    krt_status st = items != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < specs->n; i++) {
        items[i] = specs->items[i];
        st = items[i] != NULL ? copy_spec(k, a, f, &items[i]) : KRT_OK;
    }
    specs->items = items;
    return st;
}

/* {3} reads as {3, 3}: what a C initializer leaves out is 0, which no size, stride or rate is. */
static void spread(const krt_field *f, int64_t *values)
{
    const int n = (int)(f->kind - KRT_FIELD_INT1) + 1;

    if (strcmp(f->key, "output_padding") == 0)
        return;
    for (int i = 1; i < n; i++)
        if (values[i] == 0)
            values[i] = values[0];
}

/* Takes over one member that was copied bit by bit from the caller's struct. */
static krt_status take_member(krt_ctx *k, krti_arena *a, const krt_field *f, void *member)
{
    const char *const *text = member;
    const krt_spec **spec = member;

    switch (f->kind) {
    case KRT_FIELD_ACTIVATION:
        if (*text != NULL && !krti_activation_known(*text))
            return krti_fail(k, KRT_E_UNKNOWN_CLASS, NULL, "unknown activation \"%s\"", *text);
        return copy_text(a, member);
    case KRT_FIELD_STRING:
        return copy_text(a, member);
    case KRT_FIELD_INT1:
    case KRT_FIELD_INT2:
    case KRT_FIELD_INT3:
        spread(f, member);
        return KRT_OK;
    case KRT_FIELD_NUMBERS:
        return copy_numbers(a, member);
    case KRT_FIELD_NAMES:
        return copy_names(a, member);
    case KRT_FIELD_INTS:
        return copy_ints(a, member);
    case KRT_FIELD_OBJECT:
    case KRT_FIELD_LAYER:
        return *spec == NULL ? KRT_OK : copy_spec(k, a, f, spec);
    case KRT_FIELD_LAYERS:
        return copy_specs(k, a, f, member);
    default:
        return KRT_OK;
    }
}

krt_status krti_args_copy(krt_ctx *k, krti_arena *a, const krt_layer_class *cls,
                          const krt_spec *spec, void **out)
{
    char *args = krti_arena_alloc(a, cls->defaults->struct_size);
    krt_status st = KRT_OK;

    *out = args;
    if (args == NULL)
        return KRT_E_NOMEM;
    TRY(krti_args_import(k, args, cls->defaults, cls->defaults->struct_size, spec));
    ((krt_spec *)(void *)args)->struct_size = cls->defaults->struct_size;
    ((krt_spec *)(void *)args)->class_name = cls->name;
    for (size_t i = 0; i < cls->num_fields; i++) {
        const krt_field *f = &cls->fields[i];
        const krt_spec **member = (const krt_spec **)(void *)(args + f->offset);

        if (f->kind == KRT_FIELD_OBJECT && *member == NULL)
            *member = default_initializer(f->key);
        TRY(take_member(k, a, f, member));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- from a config */

const krti_conf *krti_spec_conf(const krt_spec *spec)
{
    return spec->struct_size == KRTI_CONF_SPEC ? ((const krti_conf_spec *)(const void *)spec)->conf
                                               : NULL;
}

/* What every layer's config may hold beside its own keys, in some generation of Keras: the base
 * layer's arguments, input shapes given to a first layer, and marks of quantization and LoRA. */
static const char *const base_keys[] = {
    "name",
    "trainable",
    "dtype",
    "dtype_policy",
    "activity_regularizer",
    "autocast",
    "dynamic",
    "input_shape",
    "input_dim",
    "input_length",
    "input_dtype",
    "batch_shape",
    "batch_size",
    "batch_input_shape",
    "build_config",
    "shared_object_id",
    "lora_rank",
    "lora_alpha",
    "quantization_config",
    "gptq_unpacked_column_size",
};

static const krt_field *find_field(const krt_layer_class *cls, const char *key)
{
    for (size_t i = 0; i < cls->num_fields; i++)
        if (strcmp(cls->fields[i].key, key) == 0)
            return &cls->fields[i];
    return NULL;
}

static krt_status refuse_unknown(const krti_field_reader *r, krti_arena *a, const krti_conf *config)
{
    krti_conf *unknown = krti_conf_dict(a);
    krti_str text = KRTI_STR_INIT(r->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_conf_num(config); i++) {
        const char *key = krti_conf_key_at(config, i);

        if (find_field(r->layer->cls, key) == NULL &&
            !krti_is_one_of(key, base_keys, KRTI_COUNT(base_keys)))
            TRY(krti_conf_set(a, unknown, key, krti_conf_copy(a, krti_conf_at(config, i))));
    }
    if (krti_conf_num(unknown) == 0)
        goto done;
    krti_conf_repr(&text, unknown);
    st = krti_layer_fail(r->layer, KRT_E_INVALID, "Unrecognized keyword arguments passed to %s: %s",
                         r->class_name, krti_str_text(&text));

done:
    krti_str_free(&text);
    return st;
}

static krt_status read_fields(const krti_field_reader *r, const krt_layer_class *cls,
                              const krti_conf *config, char *args)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < cls->num_fields; i++) {
        const krt_field *f = &cls->fields[i];
        const krti_conf *value = krti_conf_get(config, f->key);

        if (value != NULL)
            st = krti_field_read(r, f, value, args + f->offset);
    }
    return st;
}

krt_status krti_args_from_conf(krt_layer *l, const krti_conf *config)
{
    const krti_field_reader r = {l->owned.k, &l->arena, l, l->class_name};
    krti_arena scratch = KRTI_ARENA_INIT(r.k);
    krt_status st = KRT_OK;

    l->args = default_args(&l->arena, l->cls);
    if (l->args == NULL)
        return KRT_E_NOMEM;
    TRY(refuse_unknown(&r, &scratch, config));
    TRY(read_fields(&r, l->cls, config, l->args));

done:
    krti_arena_free(&scratch);
    return st;
}

krt_status krti_object_args(krt_layer *owner, const krt_layer_class *cls, const krt_spec *spec,
                            void **out)
{
    const krti_field_reader r = {owner->owned.k, &owner->arena, owner, cls->name};

    if (spec->struct_size != KRTI_CONF_SPEC)
        return krti_args_copy(r.k, r.arena, cls, spec, out);
    *out = default_args(r.arena, cls);
    if (*out == NULL)
        return KRT_E_NOMEM;
    return read_fields(&r, cls, krti_conf_get(krti_spec_conf(spec), "config"), *out);
}

krt_status krti_layer_unsupported(krt_layer *l, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    if (l->unsupported != NULL)
        return KRT_OK;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    l->unsupported = krti_arena_strdup(&l->arena, text);
    return l->unsupported != NULL ? KRT_OK : KRT_E_NOMEM;
}
