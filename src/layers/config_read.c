/* One config value into one member of an args struct, by the kind in the class's field table.
 *
 * Keras's constructors take several forms for most arguments (3, (3, 3), [3, 3]); they all land in
 * one C form here, so that a layer never sees a config. Values that older serializers wrapped
 * ("__tuple__", ListWrapper, TensorShape, ndarray) are unwrapped first. Keras:
 * utils/argument_validation.py, saving/serialization_lib.py. */
#include "layers/config.h"

enum { MAX_NUMBERS = 1 << 24 };

/* A form that does not fit: no status of ours; the caller knows the key and makes the sentence. */
#define WRONG_FORM ((krt_status)1)

typedef krt_status (*read_fn)(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                              void *member);

static const krti_conf *unwrap(const krti_conf *c)
{
    const char *name = krti_conf_get_text(c, "class_name");
    const char *type = krti_conf_get_text(c, "type");

    if (name != NULL &&
        (strcmp(name, "__tuple__") == 0 || strcmp(name, "ListWrapper") == 0 ||
         strcmp(name, "TensorShape") == 0) &&
        krti_conf_is(krti_conf_get(c, "items"), KRTI_CONF_LIST))
        return krti_conf_get(c, "items");
    if (name != NULL && (strcmp(name, "__numpy__") == 0 || strcmp(name, "__tensor__") == 0))
        return krti_conf_get(krti_conf_get(c, "config"), "value");
    if (type != NULL && strcmp(type, "ndarray") == 0)
        return krti_conf_get(c, "value");
    return c;
}

/* ------------------------------------------------------------------------------- plain values */

static krt_status read_bool(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                            void *member)
{
    int64_t number = 0;

    (void)r;
    (void)f;
    if (krti_conf_is(c, KRTI_CONF_BOOL))
        *(bool *)member = c->as.boolean;
    else if (krti_conf_is_null(c))
        *(bool *)member = false;
    else if (krti_conf_as_int(c, &number) && (number == 0 || number == 1))
        *(bool *)member = number == 1;
    else
        return WRONG_FORM;
    return KRT_OK;
}

static bool integer_or_none(const krti_conf *c, int64_t *out)
{
    if (krti_conf_is_null(c)) {
        *out = KRT_NONE;
        return true;
    }
    if (krti_conf_is(c, KRTI_CONF_BOOL)) {
        *out = c->as.boolean;
        return true;
    }
    return krti_conf_as_int(c, out);
}

static krt_status read_int(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                           void *member)
{
    (void)r;
    (void)f;
    return integer_or_none(c, member) ? KRT_OK : WRONG_FORM;
}

static krt_status read_float(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                             void *member)
{
    double *out = member;

    (void)r;
    (void)f;
    if (krti_conf_is_null(c))
        *out = KRT_NONE_F;
    else if (krti_conf_is(c, KRTI_CONF_BOOL))
        *out = c->as.boolean ? 1 : 0;
    else if (!krti_conf_as_float(c, out))
        return WRONG_FORM;
    return KRT_OK;
}

static krt_status copy_text(const krti_field_reader *r, const char *text, const char **out)
{
    *out = krti_arena_strdup(r->arena, text);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

/* Python code where Keras takes a name or a function. */
static krt_status refuse_function(const krti_field_reader *r, const krt_field *f,
                                  const krti_conf *c)
{
    const char *name = krti_conf_get_text(c, "config");

    if (name == NULL)
        name = krti_conf_get_text(c, "registered_name");
    if (name == NULL)
        name = krti_conf_get_text(c, "class_name");
    return krti_layer_unsupported(
        r->layer, "%s \"%s\" uses the function \"%s\" as %s: Python is never executed here",
        r->class_name, r->layer->name, name != NULL ? name : "?", f->key);
}

static krt_status read_string(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                              void *member)
{
    *(const char **)member = NULL;
    if (krti_conf_is_null(c))
        return KRT_OK;
    if (krti_conf_is(c, KRTI_CONF_DICT) &&
        (strcmp(f->key, "standardize") == 0 || strcmp(f->key, "split") == 0))
        return refuse_function(r, f, c);
    if (krti_conf_is(c, KRTI_CONF_INT) && strcmp(f->key, "mask_value") == 0)
        return KRT_OK; /* Hashing takes it from the config */
    return krti_conf_is(c, KRTI_CONF_STRING) ? copy_text(r, c->as.string.text, member) : WRONG_FORM;
}

static krt_status read_int_list(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                                void *member)
{
    const size_t n = krti_conf_is_null(c) ? 0 : krti_conf_num(c);
    int64_t *items = krti_arena_array(r->arena, n + 1, sizeof *items);

    if (items != NULL && strcmp(f->key, "ngrams") == 0 && krti_conf_as_int(c, &items[0])) {
        *(krt_ints *)member = (krt_ints){1, items}; /* a range, which TextVectorization knows */
        return KRT_OK;
    }
    if (!krti_conf_is_null(c) && !krti_conf_is(c, KRTI_CONF_LIST))
        return WRONG_FORM;
    for (size_t i = 0; items != NULL && i < n; i++)
        if (!krti_conf_as_int(krti_conf_at(c, i), &items[i]))
            return WRONG_FORM;
    *(krt_ints *)member = (krt_ints){n, items};
    return items != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status read_names(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                             void *member)
{
    krt_names *const out = member;
    const size_t n = krti_conf_is_null(c) ? 0 : krti_conf_num(c);
    const char **items = krti_arena_array(r->arena, n + 1, sizeof *items);
    krt_status st = items != NULL ? KRT_OK : KRT_E_NOMEM;

    if (strcmp(f->key, "vocabulary") == 0 && krti_conf_is(c, KRTI_CONF_STRING))
        return krti_layer_unsupported(
            r->layer,
            "%s \"%s\" would read its vocabulary from the file \"%s\", outside the model, which is "
            "never done; give the tokens themselves",
            r->class_name, r->layer->name, c->as.string.text);
    if (!krti_conf_is_null(c) && !krti_conf_is(c, KRTI_CONF_LIST))
        return WRONG_FORM;
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = krti_conf_text(krti_conf_at(c, i)) != NULL
                 ? copy_text(r, krti_conf_text(krti_conf_at(c, i)), &items[i])
                 : WRONG_FORM;
    *out = (krt_names){n, items};
    return st;
}

/* ------------------------------------------------------------------------------- tuples */

static krt_status read_tuple(const krti_conf *c, int64_t *out, size_t n)
{
    if (!krti_conf_is(c, KRTI_CONF_LIST)) {
        int64_t value = 0;

        if (!integer_or_none(c, &value))
            return WRONG_FORM;
        for (size_t i = 0; i < n; i++)
            out[i] = value;
        return KRT_OK;
    }
    if (krti_conf_num(c) != n)
        return WRONG_FORM;
    for (size_t i = 0; i < n; i++)
        if (!integer_or_none(krti_conf_at(c, i), &out[i]))
            return WRONG_FORM;
    return KRT_OK;
}

static krt_status read_ints(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                            void *member)
{
    (void)r;
    return read_tuple(c, member, (size_t)(f->kind - KRT_FIELD_INT1) + 1);
}

/* 1; [1, 2], each for both sides; [[1, 2], [3, 4]]. One axis alone: [1, 2] is its two sides. */
static krt_status read_pairs(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                             void *member)
{
    const size_t n = (size_t)(f->kind - KRT_FIELD_PAIR1) + 1;
    int64_t(*out)[2] = member;
    krt_status st = KRT_OK;

    (void)r;
    if (!krti_conf_is(c, KRTI_CONF_LIST))
        return read_tuple(c, out[0], n * 2);
    if (n == 1 && krti_conf_num(c) == 2)
        return read_tuple(c, out[0], 2);
    if (krti_conf_num(c) != n)
        return WRONG_FORM;
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = read_tuple(unwrap(krti_conf_at(c, i)), out[i], 2);
    return st;
}

static krt_status read_shape(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                             void *member)
{
    krt_shape *out = member;
    const size_t n = krti_conf_is(c, KRTI_CONF_LIST) ? krti_conf_num(c) : 1;

    (void)r;
    (void)f;
    out->rank = -1;
    if (krti_conf_is_null(c))
        return KRT_OK;
    if (n > KRT_MAX_RANK)
        return WRONG_FORM;
    if (read_tuple(c, out->dim, n) != KRT_OK)
        return WRONG_FORM;
    out->rank = (int)n;
    return KRT_OK;
}

static krt_status read_axes(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                            void *member)
{
    krt_axes *out = member;
    const size_t n = krti_conf_is(c, KRTI_CONF_LIST) ? krti_conf_num(c) : 1;

    (void)r;
    (void)f;
    out->n = 0;
    if (krti_conf_is_null(c))
        return KRT_OK;
    if (n > KRT_MAX_RANK || read_tuple(c, out->axis, n) != KRT_OK)
        return WRONG_FORM;
    for (size_t i = 0; i < n; i++)
        if (out->axis[i] == KRT_NONE)
            return WRONG_FORM;
    out->n = (int)n;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- numbers */

/* The shape of nested lists, taken along their first elements. */
static krt_status numbers_shape(const krti_conf *c, krt_shape *shape, size_t *n)
{
    *n = 1;
    shape->rank = 0;
    for (; krti_conf_is(c, KRTI_CONF_LIST); c = krti_conf_at(c, 0)) {
        const size_t length = krti_conf_num(c);

        if (shape->rank == KRT_MAX_RANK || !krti_mul_size(*n, length, n) || *n > MAX_NUMBERS)
            return WRONG_FORM;
        shape->dim[shape->rank++] = (int64_t)length;
    }
    return KRT_OK;
}

/* Fills along the shape; lists of another length are ragged. At most KRT_MAX_RANK deep. */
static krt_status fill_numbers(const krti_conf *c, krt_shape shape, int axis, double **next)
{
    krt_status st = KRT_OK;

    if (axis == shape.rank)
        return krti_conf_as_float(c, (*next)++) ? KRT_OK : WRONG_FORM;
    if (!krti_conf_is(c, KRTI_CONF_LIST) || krti_conf_num(c) != (size_t)shape.dim[axis])
        return WRONG_FORM;
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = fill_numbers(krti_conf_at(c, i), shape, axis + 1, next);
    return st;
}

static krt_status read_numbers(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                               void *member)
{
    krt_numbers *out = member;
    size_t n = 0;
    double *items = NULL;

    (void)f;
    *out = (krt_numbers){.n = 0};
    if (krti_conf_is_null(c))
        return KRT_OK;
    const krt_status st = numbers_shape(c, &out->shape, &n);
    if (st != KRT_OK)
        return st;
    items = krti_arena_array(r->arena, n > 0 ? n : 1, sizeof *items);
    if (items == NULL)
        return KRT_E_NOMEM;
    out->items = items;
    out->n = n;
    return fill_numbers(c, out->shape, 0, &items);
}

/* ------------------------------------------------------------------------------- objects */

static krt_status read_object(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                              void *member)
{
    const krt_spec **out = member;
    const char *class_name = krti_conf_text(c);

    *out = NULL;
    if (krti_conf_is_null(c))
        return KRT_OK;
    if (krti_conf_is(c, KRTI_CONF_DICT))
        class_name = krti_conf_get_text(c, "class_name");
    if (class_name == NULL || (f->kind == KRT_FIELD_LAYER && krti_conf_text(c) != NULL))
        return WRONG_FORM;
    krti_conf_spec *spec = krti_arena_alloc(r->arena, sizeof *spec);
    if (spec == NULL)
        return KRT_E_NOMEM;
    spec->spec.struct_size = KRTI_CONF_SPEC;
    spec->conf = krti_conf_is(c, KRTI_CONF_DICT) ? c : NULL;
    *out = &spec->spec;
    return copy_text(r, class_name, &spec->spec.class_name);
}

static krt_status read_layers(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                              void *member)
{
    static const krt_field one = {"layer", KRT_FIELD_LAYER, 0};
    const size_t n = krti_conf_num(c);
    const krt_spec **items = krti_arena_array(r->arena, n + 1, sizeof *items);
    krt_status st = items != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)f;
    if (!krti_conf_is(c, KRTI_CONF_LIST))
        return WRONG_FORM;
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = read_object(r, &one, krti_conf_at(c, i), &items[i]);
    *(krt_specs *)member = (krt_specs){n, items};
    return st;
}

/* Keras 1 and 2's hard_sigmoid is clip(0.2 x + 0.5, 0, 1), Keras 3's is relu6(x + 3) / 6. */
static krt_status read_function(const krti_field_reader *r, const krt_field *f, const char *name,
                                const char **out)
{
    if (strcmp(name, "hard_sigmoid") == 0 && r->layer->generation < 3)
        name = "hard_sigmoid_v2";
    if (!krti_activation_known(name)) {
        const krt_status st = krti_layer_unsupported(
            r->layer, "%s \"%s\" uses the function \"%s\" as %s, which this build does not know",
            r->class_name, r->layer->name, name, f->key);

        if (st != KRT_OK)
            return st;
    }
    return copy_text(r, name, out);
}

/* A layer as activation is an inner layer under the key, as Keras tracks it: PReLU has weights. */
static krt_status read_activation_layer(const krti_field_reader *r, const krt_field *f,
                                        const krti_conf *c, const char **out)
{
    krt_layer *inner = NULL;
    krti_str s = KRTI_STR_INIT(r->k);
    krt_status st = KRT_OK;

    TRY(krti_layer_from_conf(r->k, &inner, c, r->layer->depth + 1));
    TRY(krti_layer_add_inner(r->layer, f->key, false, inner));
    TRY(krti_str_addf(&s, "@%s", f->key));
    TRY(copy_text(r, s.ptr, out));

done:
    krti_str_free(&s);
    return st;
}

static krt_status read_activation(const krti_field_reader *r, const krt_field *f,
                                  const krti_conf *c, void *member)
{
    const char *class_name = krti_conf_get_text(c, "class_name");
    const char *function = krti_conf_get_text(c, "config");

    *(const char **)member = NULL;
    if (krti_conf_is_null(c))
        return KRT_OK;
    if (krti_conf_is(c, KRTI_CONF_STRING))
        return read_function(r, f, c->as.string.text, member);
    if (!krti_conf_is(c, KRTI_CONF_DICT))
        return WRONG_FORM;
    if (class_name == NULL || strcmp(class_name, "__lambda__") == 0)
        return krti_layer_unsupported(
            r->layer, "%s \"%s\" holds Python bytecode as %s, which is never executed here",
            r->class_name, r->layer->name, f->key);
    if (function != NULL && strcmp(class_name, "function") == 0)
        return read_function(r, f, function, member);
    if (krti_activation_known(class_name))
        return read_function(r, f, class_name, member);
    return read_activation_layer(r, f, c, member);
}

static krt_status read_nothing(const krti_field_reader *r, const krt_field *f, const krti_conf *c,
                               void *member)
{
    (void)r;
    (void)f;
    (void)c;
    (void)member;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the table */

static const struct kind {
    size_t size;
    read_fn read;
    const char *expected;
} kinds[] = {
    [KRT_FIELD_BOOL] = {sizeof(bool), read_bool, "True or False"},
    [KRT_FIELD_INT] = {sizeof(int64_t), read_int, "an integer"},
    [KRT_FIELD_FLOAT] = {sizeof(double), read_float, "a number"},
    [KRT_FIELD_STRING] = {sizeof(char *), read_string, "a string"},
    [KRT_FIELD_INT1] = {sizeof(int64_t[1]), read_ints, "an integer or a list of 1 integer"},
    [KRT_FIELD_INT2] = {sizeof(int64_t[2]), read_ints, "an integer or a list of 2 integers"},
    [KRT_FIELD_INT3] = {sizeof(int64_t[3]), read_ints, "an integer or a list of 3 integers"},
    [KRT_FIELD_PAIR1] = {sizeof(int64_t[1][2]), read_pairs, "an integer or a list of 2 integers"},
    [KRT_FIELD_PAIR2] = {sizeof(int64_t[2][2]), read_pairs, "an integer or a list of 2"},
    [KRT_FIELD_PAIR3] = {sizeof(int64_t[3][2]), read_pairs, "an integer or a list of 3"},
    [KRT_FIELD_SHAPE] = {sizeof(krt_shape), read_shape, "a shape of at most 8 axes"},
    [KRT_FIELD_AXES] = {sizeof(krt_axes), read_axes, "an axis or a list of at most 8 axes"},
    [KRT_FIELD_ACTIVATION] = {sizeof(char *), read_activation, "a function's name or a layer"},
    [KRT_FIELD_OBJECT] = {sizeof(krt_spec *), read_object, "a name or an object"},
    [KRT_FIELD_LAYER] = {sizeof(krt_spec *), read_object, "a layer"},
    [KRT_FIELD_NUMBERS] = {sizeof(krt_numbers), read_numbers, "a number or a list of numbers"},
    [KRT_FIELD_IGNORED] = {0, read_nothing, ""},
    [KRT_FIELD_NAMES] = {sizeof(krt_names), read_names, "a list of strings"},
    [KRT_FIELD_LAYERS] = {sizeof(krt_specs), read_layers, "a list of layers"},
    [KRT_FIELD_INTS] = {sizeof(krt_ints), read_int_list, "a list of integers"},
};

size_t krti_field_size(krt_field_kind kind)
{
    return kinds[kind].size;
}

krt_status krti_field_read(const krti_field_reader *r, const krt_field *f, const krti_conf *value,
                           void *member)
{
    krti_str found = KRTI_STR_INIT(r->k);
    krt_status st = KRT_OK;

    KRTI_ASSERT(f->kind > 0 && (size_t)f->kind < KRTI_COUNT(kinds));
    st = kinds[f->kind].read(r, f, unwrap(value), member);
    if (st != WRONG_FORM)
        return st;
    krti_conf_repr(&found, value);
    st = krti_layer_fail(r->layer, KRT_E_INVALID, "argument %s of %s must be %s, found %s", f->key,
                         r->class_name, kinds[f->kind].expected, krti_str_text(&found));
    krti_str_free(&found);
    return st;
}
