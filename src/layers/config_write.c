/* Args structs as Keras's get_config() would give them, and config values as Python prints them.
 *
 * A layer made in C gets the same dict its Python twin would have, key for key in the order of the
 * class's field table, which keeps Keras's. Keras: layers/layer.py get_config(),
 * saving/serialization_lib.py serialize_keras_object(). */
#include "base/number.h"
#include "layers/config.h"

/* ------------------------------------------------------------------------------- objects */

/* {"module", "class_name", "config", "registered_name"}, `config` already made. */
krti_conf *krti_object_conf(krti_arena *a, const char *module, const char *package,
                            const char *class_name, krti_conf *config)
{
    krti_conf *o = krti_conf_dict(a);
    krti_str registered = KRTI_STR_INIT(a->k);
    krti_conf *name = krti_conf_null(a);
    krt_status st = KRT_OK;

    if (package != NULL) {
        TRY(krti_str_addf(&registered, "%s>%s", package, class_name));
        name = krti_conf_string(a, registered.ptr);
    }
    TRY(krti_conf_set(a, o, "module",
                      package != NULL ? krti_conf_null(a) : krti_conf_string(a, module)));
    TRY(krti_conf_set(a, o, "class_name", krti_conf_string(a, class_name)));
    TRY(krti_conf_set(a, o, "config", config));
    TRY(krti_conf_set(a, o, "registered_name", name));

done:
    krti_str_free(&registered);
    return st == KRT_OK ? o : NULL;
}

krt_status krti_fields_to_conf(krti_arena *a, krti_conf *dict, const krt_layer *l,
                               const krt_layer_class *cls, const void *args)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < cls->num_fields; i++) {
        const krt_field *f = &cls->fields[i];

        if (f->kind != KRT_FIELD_IGNORED && krti_conf_get(dict, f->key) == NULL)
            st = krti_conf_set(a, dict, f->key,
                               krti_field_write(a, l, f, (const char *)args + f->offset));
    }
    return st;
}

/* An inner layer, as an activation or a wrapped layer. */
static krti_conf *inner_conf(krti_arena *a, const krt_layer *inner)
{
    return inner != NULL ? krti_layer_to_object(a, inner) : krti_conf_null(a);
}

/* Under another attribute than its key, where Keras has it so: a Bidirectional's layer. */
static const krt_layer *inner_of_key(const krt_layer *l, const char *key)
{
    const krt_layer *inner = krti_layer_inner(l, key);

    return inner == NULL && strcmp(key, "layer") == 0 ? krti_layer_inner(l, "forward_layer")
                                                      : inner;
}

static krti_conf *inners_conf(krti_arena *a, const krt_layer *l, const char *key)
{
    krti_conf *list = krti_conf_list(a);

    for (size_t i = 0; i < l->num_inner; i++)
        if (l->inner[i].in_list && strcmp(l->inner[i].attribute, key) == 0 &&
            krti_conf_add(a, list, inner_conf(a, l->inner[i].layer)) != KRT_OK)
            return NULL;
    return list;
}

/* ------------------------------------------------------------------------------- values */

static krti_conf *int_conf(krti_arena *a, int64_t value)
{
    return value == KRT_NONE ? krti_conf_null(a) : krti_conf_int(a, value);
}

static krti_conf *float_conf(krti_arena *a, double value)
{
    return isnan(value) ? krti_conf_null(a) : krti_conf_float(a, value);
}

static krti_conf *ints_conf(krti_arena *a, const int64_t *values, size_t n)
{
    krti_conf *list = krti_conf_list(a);

    for (size_t i = 0; i < n; i++)
        if (krti_conf_add(a, list, int_conf(a, values[i])) != KRT_OK)
            return NULL;
    return list;
}

static krti_conf *names_conf(krti_arena *a, const krt_names *names)
{
    krti_conf *list = krti_conf_list(a);

    for (size_t i = 0; i < names->n; i++)
        if (krti_conf_add(a, list, krti_conf_string(a, names->items[i])) != KRT_OK)
            return NULL;
    return list;
}

static krti_conf *tuple_conf(krti_arena *a, const int64_t *values, size_t n)
{
    return n > 0 && values[0] == KRT_NONE ? krti_conf_null(a) : ints_conf(a, values, n);
}

static krti_conf *pairs_conf(krti_arena *a, const int64_t *pairs, size_t n)
{
    krti_conf *list = krti_conf_list(a);

    if (n == 1)
        return ints_conf(a, pairs, 2);
    for (size_t i = 0; i < n; i++)
        if (krti_conf_add(a, list, ints_conf(a, pairs + 2 * i, 2)) != KRT_OK)
            return NULL;
    return list;
}

static krti_conf *axes_conf(krti_arena *a, const krt_axes *axes)
{
    if (axes->n == 0)
        return krti_conf_null(a);
    if (axes->n == 1)
        return krti_conf_int(a, axes->axis[0]);
    return ints_conf(a, axes->axis, (size_t)axes->n);
}

static krti_conf *numbers_conf(krti_arena *a, krt_shape shape, int axis, const double **next)
{
    krti_conf *list = NULL;

    if (axis == shape.rank)
        return krti_conf_float(a, *(*next)++);
    list = krti_conf_list(a);
    for (int64_t i = 0; i < shape.dim[axis]; i++)
        if (krti_conf_add(a, list, numbers_conf(a, shape, axis + 1, next)) != KRT_OK)
            return NULL;
    return list;
}

static krti_conf *text_conf(krti_arena *a, const char *text)
{
    return text == NULL ? krti_conf_null(a) : krti_conf_string(a, text);
}

static krti_conf *activation_conf(krti_arena *a, const krt_layer *l, const char *name)
{
    if (name == NULL)
        return krti_conf_string(a, "linear");
    return name[0] == '@' ? inner_conf(a, krti_layer_inner(l, name + 1))
                          : krti_conf_string(a, name);
}

krti_conf *krti_field_write(krti_arena *a, const krt_layer *l, const krt_field *f,
                            const void *member)
{
    const krt_numbers *numbers = member;

    switch (f->kind) {
    case KRT_FIELD_BOOL:
        return krti_conf_bool(a, *(const bool *)member);
    case KRT_FIELD_INT:
        return int_conf(a, *(const int64_t *)member);
    case KRT_FIELD_FLOAT:
        return float_conf(a, *(const double *)member);
    case KRT_FIELD_STRING:
        return text_conf(a, *(const char *const *)member);
    case KRT_FIELD_INT1:
    case KRT_FIELD_INT2:
    case KRT_FIELD_INT3:
        return tuple_conf(a, member, (size_t)(f->kind - KRT_FIELD_INT1) + 1);
    case KRT_FIELD_PAIR1:
    case KRT_FIELD_PAIR2:
    case KRT_FIELD_PAIR3:
        return pairs_conf(a, member, (size_t)(f->kind - KRT_FIELD_PAIR1) + 1);
    case KRT_FIELD_SHAPE:
        return ((const krt_shape *)member)->rank < 0
                   ? krti_conf_null(a)
                   : ints_conf(a, ((const krt_shape *)member)->dim,
                               (size_t)((const krt_shape *)member)->rank);
    case KRT_FIELD_AXES:
        return axes_conf(a, member);
    case KRT_FIELD_ACTIVATION:
        return activation_conf(a, l, *(const char *const *)member);
    case KRT_FIELD_OBJECT:
        return krti_given_to_conf(a, l, f->key, *(const krt_spec *const *)member);
    case KRT_FIELD_LAYER:
        return inner_conf(a, inner_of_key(l, f->key));
    case KRT_FIELD_NUMBERS:
        return numbers->n == 0 && numbers->shape.rank == 0 /* an empty list is one, too */
                   ? krti_conf_null(a)
                   : numbers_conf(a, numbers->shape, 0, &(const double *){numbers->items});
    case KRT_FIELD_NAMES:
        return names_conf(a, member);
    case KRT_FIELD_LAYERS:
        return inners_conf(a, l, f->key);
    case KRT_FIELD_INTS:
        return ((const krt_ints *)member)->n == 0
                   ? krti_conf_null(a)
                   : ints_conf(a, ((const krt_ints *)member)->items, ((const krt_ints *)member)->n);
    case KRT_FIELD_IGNORED:
        break;
    }
    return krti_conf_null(a);
}

krt_status krti_conf_enlist(krti_arena *a, krti_conf *dict, const char *key)
{
    const krti_conf *value = krti_conf_get(dict, key);
    krti_conf *list = NULL;

    if (!krti_conf_is(value, KRTI_CONF_INT))
        return KRT_OK;
    list = krti_conf_list(a);
    const krt_status st = krti_conf_add(a, list, krti_conf_copy(a, value));
    return st == KRT_OK ? krti_conf_set(a, dict, key, list) : st;
}

krt_status krti_config_quantizes(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_set(a, dict, "quantization_config", krti_conf_null(a));
}

/* ------------------------------------------------------------------------------- Python's repr */

enum { REPR_MAX = 400, REPR_DEPTH = 8 };

static void add_repr(krti_str *s, const krti_conf *c, int depth);

static void add_string(krti_str *s, const krti_conf *c)
{
    const char quote =
        strchr(c->as.string.text, '\'') != NULL && strchr(c->as.string.text, '"') == NULL ? '"'
                                                                                          : '\'';

    krti_str_fill(s, quote, 1);
    for (const char *p = c->as.string.text; *p != '\0' && s->length < REPR_MAX; p++) {
        if (*p == '\n')
            krti_str_add(s, "\\n");
        else if (*p == quote || *p == '\\')
            krti_str_addf(s, "\\%c", *p);
        else
            krti_str_fill(s, *p, 1);
    }
    krti_str_fill(s, quote, 1);
}

static void add_list(krti_str *s, const krti_conf *c, int depth)
{
    const bool is_dict = c->kind == KRTI_CONF_DICT;

    krti_str_add(s, is_dict ? "{" : "[");
    for (size_t i = 0; i < c->as.list.n && s->length < REPR_MAX && depth < REPR_DEPTH; i++) {
        if (i > 0)
            krti_str_add(s, ", ");
        if (is_dict)
            krti_str_addf(s, "'%s': ", c->as.list.keys[i]);
        add_repr(s, c->as.list.items[i], depth + 1);
    }
    if (s->length >= REPR_MAX || depth >= REPR_DEPTH)
        krti_str_add(s, "...");
    krti_str_add(s, is_dict ? "}" : "]");
}

static void add_repr(krti_str *s, const krti_conf *c, int depth)
{
    char number[KRTI_NUMBER_TEXT];

    switch (c != NULL ? c->kind : KRTI_CONF_NULL) {
    case KRTI_CONF_NULL:
        krti_str_add(s, "None");
        break;
    case KRTI_CONF_BOOL:
        krti_str_add(s, c->as.boolean ? "True" : "False");
        break;
    case KRTI_CONF_INT:
        krti_str_addf(s, "%lld", (long long)c->as.integer);
        break;
    case KRTI_CONF_FLOAT:
        krti_str_add(s, krti_number_repr(number, sizeof number, c->as.real));
        break;
    case KRTI_CONF_STRING:
        add_string(s, c);
        break;
    case KRTI_CONF_LIST:
    case KRTI_CONF_DICT:
        add_list(s, c, depth);
        break;
    }
}

void krti_conf_repr(krti_str *s, const krti_conf *c)
{
    add_repr(s, c, 0);
}
