/* Reading the arguments of an operation node. See operations_args.h. */
#include "layers/operations_args.h"

#include "layers/operations.h"
#include "tensor/tensor.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------- parameters */

/* One entry of a parameter list; the texts are not terminated. */
typedef struct param {
    const char *names, *keras, *fallback;
    size_t names_length, keras_length, fallback_length;
    size_t position;
    bool star;
    int after_star; /* the place of a starred parameter before it; -1: none */
} param;

static void split_param(const char *text, size_t length, param *p)
{
    const char *end = text + length, *mark = memchr(text, '?', length);

    p->fallback = mark != NULL ? mark + 1 : NULL;
    p->fallback_length = mark != NULL ? (size_t)(end - mark - 1) : 0;
    end = mark != NULL ? mark : end;
    p->star = *text == '*';
    text += p->star;
    mark = memchr(text, '=', (size_t)(end - text));
    p->names = text;
    p->names_length = (size_t)((mark != NULL ? mark : end) - text);
    p->keras = mark != NULL ? mark + 1 : text;
    p->keras_length = (size_t)(end - p->keras);
}

static bool find_param(const char *params, const char *name, param *p)
{
    const size_t length = strlen(name);
    size_t position = 0;
    int star = -1;

    for (const char *at = params; *at != '\0'; position++) {
        const size_t n = strcspn(at, " ");

        split_param(at, n, p);
        p->position = position;
        p->after_star = star;
        if (p->star)
            star = (int)position;
        if (p->keras_length == length && memcmp(p->keras, name, length) == 0)
            return true;
        at += n + strspn(at + n, " ");
    }
    return false;
}

/* By the first of the parameter's names that the call used. */
static const krti_conf *find_keyword(const krti_conf *kwargs, const param *p)
{
    const char *at = p->names, *const end = p->names + p->names_length;
    char name[64];

    while (at < end) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        const size_t n = (size_t)((bar != NULL ? bar : end) - at);

        snprintf(name, sizeof name, "%.*s", (int)n, at);
        if (krti_conf_get(kwargs, name) != NULL)
            return krti_conf_get(kwargs, name);
        at += n + 1;
    }
    return NULL;
}

/* A parameter's default: a number, true, false, or a word. */
static const krti_conf *read_fallback(const krti_opcall *o, const param *p)
{
    char text[64], *end;

    if (p->fallback == NULL)
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)p->fallback_length, p->fallback);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return krti_conf_bool(&o->g->arena, text[0] == 't');
    const long long integer = strtoll(text, &end, 10);
    if (*end == '\0')
        return krti_conf_int(&o->g->arena, integer);
    if (strcmp(text, "1e-12") == 0)
        return krti_conf_float(&o->g->arena, 1e-12);
    return krti_conf_string(&o->g->arena, text);
}

/* What a call gave by place. Behind a star there is nothing, unless one list stood for it. */
static const krti_conf *find_place(const krti_opcall *o, const param *p)
{
    if (p->after_star >= 0 &&
        !krti_conf_is(krti_conf_at(o->args, (size_t)p->after_star), KRTI_CONF_LIST))
        return NULL;
    return krti_conf_at(o->args, p->position);
}

const krti_conf *krti_opcall_find(const krti_opcall *o, const char *name)
{
    const krti_conf *found = NULL;
    param p;

    if (find_param(o->params, name, &p)) {
        found = find_keyword(o->kwargs, &p);
        if (found == NULL)
            found = find_place(o, &p);
        if (krti_conf_is_null(found))
            found = read_fallback(o, &p);
    }
    if (krti_conf_is_null(found))
        found = krti_conf_get(o->config, name);
    return krti_conf_is_null(found) ? NULL : found;
}

/* Where a starred parameter's items lie: *list, from *first on. */
static size_t find_items(const krti_opcall *o, const char *name, const krti_conf **list,
                         size_t *first)
{
    param p;

    *first = 0;
    *list = NULL;
    if (!find_param(o->params, name, &p))
        return 0;
    *list = find_keyword(o->kwargs, &p);
    if (*list == NULL) {
        *list = krti_conf_at(o->args, p.position);
        if (!krti_conf_is(*list, KRTI_CONF_LIST)) {
            *list = o->args;
            *first = p.position;
        }
    }
    const size_t n = krti_conf_num(*list);
    return n > *first ? n - *first : 0;
}

size_t krti_opcall_num(const krti_opcall *o, const char *name)
{
    const krti_conf *list;
    size_t first;

    return find_items(o, name, &list, &first);
}

const krti_conf *krti_opcall_at(const krti_opcall *o, const char *name, size_t i)
{
    const krti_conf *list;
    size_t first;

    find_items(o, name, &list, &first);
    return krti_conf_at(list, first + i);
}

krt_value *krti_opcall_fail(const krti_opcall *o, krt_status status, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return krti_graph_fail(o->g, status, "%s: %s",
                           o->operation != NULL ? o->operation->base.name : o->c->layer->class_name,
                           text);
}

/* ------------------------------------------------------------------------------- constants */

static bool is_number(const krti_conf *c)
{
    return krti_conf_is(c, KRTI_CONF_INT) || krti_conf_is(c, KRTI_CONF_FLOAT) ||
           krti_conf_is(c, KRTI_CONF_BOOL);
}

static double number_of(const krti_conf *c)
{
    double value = 0;

    if (krti_conf_is(c, KRTI_CONF_BOOL))
        return c->as.boolean ? 1 : 0;
    krti_conf_as_float(c, &value);
    return value;
}

/* Python's numbers are weakly typed: they follow the array beside them where they can. */
static krt_dtype number_dtype(krti_conf_kind kind, const krt_value *like)
{
    const krt_dtype beside = like != NULL ? like->dtype : KRT_BOOL;

    if (kind == KRTI_CONF_BOOL)
        return KRT_BOOL;
    if (kind == KRTI_CONF_FLOAT)
        return krti_dtype_is_float(beside) ? beside : KRT_FLOAT32;
    return beside == KRT_BOOL ? KRT_INT32 : beside;
}

/* The shape of nested lists, which must be regular, and the widest kind of number inside: bool,
 * int, float. */
static bool measure(const krti_conf *c, int depth, krt_shape *shape, krti_conf_kind *kind)
{
    if (is_number(c)) {
        if (c->kind > *kind)
            *kind = c->kind;
        if (shape->rank < 0)
            shape->rank = depth;
        return shape->rank == depth;
    }
    if (!krti_conf_is(c, KRTI_CONF_LIST) || depth >= KRT_MAX_RANK ||
        (shape->rank >= 0 && depth >= shape->rank))
        return false;
    const size_t n = krti_conf_num(c);
    if (shape->dim[depth] == -1)
        shape->dim[depth] = (int64_t)n;
    if (shape->dim[depth] != (int64_t)n)
        return false;
    if (n == 0 && shape->rank < 0)
        shape->rank = depth + 1;
    for (size_t i = 0; i < n; i++)
        if (!measure(krti_conf_at(c, i), depth + 1, shape, kind))
            return false;
    return true;
}

/* Writes the numbers in order; integers stay exact. */
static void flatten(const krti_conf *c, bool integral, void **at)
{
    if (krti_conf_is(c, KRTI_CONF_LIST)) {
        for (size_t i = 0; i < krti_conf_num(c); i++)
            flatten(krti_conf_at(c, i), integral, at);
        return;
    }
    if (integral) {
        int64_t *out = *at;
        *out = krti_conf_is(c, KRTI_CONF_INT) ? c->as.integer : (int64_t)number_of(c);
        *at = out + 1;
    } else {
        double *out = *at;
        *out = number_of(c);
        *at = out + 1;
    }
}

/* Numbers in lists as a constant of this dtype; KRT_DTYPE_NONE: what Keras makes of such a list. */
static krt_value *list_constant(const krti_opcall *o, const krti_conf *list, krt_dtype dtype)
{
    krti_conf_kind kind = KRTI_CONF_BOOL;
    krt_shape shape = {.rank = -1, .dim = {-1, -1, -1, -1, -1, -1, -1, -1}};

    if (!measure(list, 0, &shape, &kind))
        return krti_opcall_fail(o, KRT_E_FORMAT,
                                "an array must be numbers in regular lists of at most %d levels",
                                KRT_MAX_RANK);
    const int64_t n = krt_shape_size(shape);
    if (n == KRT_NONE)
        return krti_opcall_fail(o, KRT_E_FORMAT, "an array is too large");
    const bool integral = kind != KRTI_CONF_FLOAT;
    if (dtype == KRT_DTYPE_NONE)
        dtype = number_dtype(kind, NULL);
    void *const wide = krti_arena_array(&o->g->arena, (size_t)n + 1, sizeof(int64_t));
    void *const data = krti_arena_array(&o->g->arena, (size_t)n + 1, sizeof(int64_t));
    if (wide == NULL || data == NULL) {
        o->g->status = KRT_E_NOMEM;
        return NULL;
    }
    void *at = wide;
    flatten(list, integral, &at);
    krti_convert(data, dtype, wide, integral ? KRT_INT64 : KRT_FLOAT64, (size_t)n);
    return krti_constant(o->g, dtype, shape, data);
}

/* {"class_name": "__numpy__" or "__tensor__", "config": {"value", "dtype"}} */
static krt_value *array_constant(const krti_opcall *o, const krti_conf *object)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    const krti_conf *config = krti_conf_get(object, "config");
    const krt_dtype dtype = krt_dtype_from_name(krti_conf_get_text(config, "dtype"));

    if (class_name == NULL ||
        (strcmp(class_name, "__numpy__") != 0 && strcmp(class_name, "__tensor__") != 0))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "an argument of the class %s",
                                class_name != NULL ? class_name : "dict");
    if (dtype == KRT_DTYPE_NONE || dtype == KRT_STRING)
        return krti_opcall_fail(o, KRT_E_FORMAT, "an array without a known dtype");
    return list_constant(o, krti_conf_get(config, "value"), dtype);
}

/* The input a reference stands for, NULL when it is none. */
static krt_value *referenced(const krt_call *c, const krti_conf *arg)
{
    const krti_conf *index = krti_conf_get(arg, "__value__");
    const size_t n = c->num_values > c->num_in ? c->num_values : c->num_in;
    int64_t i;

    if (index == NULL || !krti_conf_as_int(index, &i) || i < 0 || (size_t)i >= n)
        return NULL;
    return c->in[i];
}

krt_value *krti_opcall_value(const krti_opcall *o, const krti_conf *arg, const krt_value *like)
{
    if (krti_conf_is_null(arg))
        return NULL;
    if (krti_conf_get(arg, "__value__") != NULL) {
        krt_value *const v = referenced(o->c, arg);

        return v != NULL ? v : krti_opcall_fail(o, KRT_E_FORMAT, "a tensor that is not there");
    }
    if (is_number(arg))
        return krti_scalar_of(o->g, number_dtype(arg->kind, like), number_of(arg));
    if (krti_conf_is(arg, KRTI_CONF_LIST))
        return list_constant(o, arg, KRT_DTYPE_NONE);
    if (krti_conf_is(arg, KRTI_CONF_DICT))
        return array_constant(o, arg);
    return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the text \"%s\" where a tensor is wanted",
                            krti_conf_text(arg));
}

krt_value *krti_call_arg(krt_call *c, const krti_conf *arg)
{
    const krti_opcall o = {.c = c, .g = c->g, .params = ""};

    return krti_opcall_value(&o, arg, c->num_in > 0 ? c->in[0] : NULL);
}

/* ------------------------------------------------------------------------------- tensors */

krt_value *krti_opcall_optional(const krti_opcall *o, const char *name)
{
    return krti_opcall_value(o, krti_opcall_find(o, name), o->c->num_in > 0 ? o->c->in[0] : NULL);
}

krt_value *krti_opcall_tensor(const krti_opcall *o, const char *name)
{
    const krti_conf *const arg = krti_opcall_find(o, name);

    if (arg == NULL)
        return krti_opcall_fail(o, KRT_E_FORMAT, "the argument `%s` is missing", name);
    return krti_opcall_value(o, arg, o->c->num_in > 0 ? o->c->in[0] : NULL);
}

void krti_opcall_pair(const krti_opcall *o, const char *a_name, const char *b_name, krt_value **a,
                      krt_value **b)
{
    const krti_conf *const first = krti_opcall_find(o, a_name);
    const krti_conf *const second = krti_opcall_find(o, b_name);

    *a = *b = NULL;
    if (first == NULL || second == NULL) {
        krti_opcall_fail(o, KRT_E_FORMAT, "the argument `%s` is missing",
                         first == NULL ? a_name : b_name);
        return;
    }
    if (!is_number(first))
        *a = krti_opcall_value(o, first, NULL);
    if (!is_number(second))
        *b = krti_opcall_value(o, second, *a);
    if (is_number(first))
        *a = krti_opcall_value(o, first, *b);
    if (is_number(second))
        *b = krti_opcall_value(o, second, *a);
}

/* ------------------------------------------------------------------------------- attributes */

bool krti_opcall_bool(const krti_opcall *o, const char *name, bool fallback)
{
    const krti_conf *const arg = krti_opcall_find(o, name);

    return is_number(arg) ? number_of(arg) != 0 : fallback;
}

int64_t krti_opcall_int(const krti_opcall *o, const char *name, int64_t fallback)
{
    int64_t value = fallback;
    const int n = krti_opcall_ints(o, name, &value, 1);

    return n == 1 ? value : fallback;
}

double krti_opcall_float(const krti_opcall *o, const char *name, double fallback)
{
    const krti_conf *arg = krti_opcall_find(o, name);

    if (arg == NULL)
        return fallback;
    if (krti_conf_is(arg, KRTI_CONF_DICT)) /* a NumPy scalar */
        arg = krti_conf_get(krti_conf_get(arg, "config"), "value");
    if (is_number(arg))
        return number_of(arg);
    krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the argument `%s` must be a number", name);
    return fallback;
}

const char *krti_opcall_text(const krti_opcall *o, const char *name, const char *fallback)
{
    const char *const text = krti_conf_text(krti_opcall_find(o, name));

    return text != NULL ? text : fallback;
}

/* "float32", "<dtype: 'float32'>", or NumPy's "<class 'numpy.float32'>". */
krt_dtype krti_opcall_dtype(const krti_opcall *o, const char *name, krt_dtype fallback)
{
    const char *const text = krti_opcall_text(o, name, NULL);
    char word[32] = "";

    if (text == NULL)
        return fallback;
    const char *quote = strchr(text, '\'');
    const char *from = quote != NULL ? quote + 1 : text;
    const char *const dot = strrchr(from, '.');
    from = dot != NULL ? dot + 1 : from;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(from, "'"), from);
    const krt_dtype dtype = krt_dtype_from_name(word);
    if (dtype != KRT_DTYPE_NONE && dtype != KRT_STRING)
        return dtype;
    krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the dtype \"%s\"", text);
    return fallback;
}

static int too_many(const krti_opcall *o, const char *name, int max)
{
    krti_opcall_fail(o, KRT_E_FORMAT, "the argument `%s` has more than %d numbers", name, max);
    return -1;
}

static int read_ints(const krti_opcall *o, const char *name, const krti_conf *arg, int64_t *out,
                     int max);

static int read_int_list(const krti_opcall *o, const char *name, const krti_conf *list,
                         int64_t *out, int max)
{
    const size_t n = krti_conf_num(list);

    if (n > (size_t)max)
        return too_many(o, name, max);
    for (size_t i = 0; i < n; i++) {
        const krti_conf *const item = krti_conf_at(list, i);

        if (krti_conf_is_null(item))
            out[i] = KRT_NONE;
        else if (krti_conf_is(item, KRTI_CONF_LIST) || read_ints(o, name, item, &out[i], 1) != 1)
            return -1;
    }
    return (int)n;
}

static int read_ints(const krti_opcall *o, const char *name, const krti_conf *arg, int64_t *out,
                     int max)
{
    const krti_conf *const array = krti_conf_get(krti_conf_get(arg, "config"), "value");
    int n = -1;

    if (krti_conf_is(arg, KRTI_CONF_LIST))
        return read_int_list(o, name, arg, out, max);
    if (krti_conf_is(array, KRTI_CONF_LIST))
        return read_int_list(o, name, array, out, max);
    if (krti_conf_is(array != NULL ? array : arg, KRTI_CONF_BOOL)) {
        *out = (array != NULL ? array : arg)->as.boolean ? 1 : 0;
        return 1;
    }
    if (krti_conf_as_int(array != NULL ? array : arg, out))
        return 1;
    if (krti_conf_get(arg, "__value__") != NULL) {
        const krt_value *const v = referenced(o->c, arg);

        n = v != NULL ? krti_known_ints(v, out, max) : -1;
    }
    if (n < 0)
        krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                         "the argument `%s` must be integers that are known before the run", name);
    return n;
}

/* What a starred parameter takes, one after another: [tf.shape(x)[0], 2]. */
static int read_items(const krti_opcall *o, const char *name, int64_t *out, int max)
{
    const size_t num = krti_opcall_num(o, name);
    int n = 0;

    for (size_t i = 0; i < num; i++) {
        const int more = read_ints(o, name, krti_opcall_at(o, name, i), out + n, max - n);

        if (more < 0)
            return -1;
        n += more;
    }
    return n;
}

int krti_opcall_ints(const krti_opcall *o, const char *name, int64_t *out, int max)
{
    const krti_conf *const arg = krti_opcall_find(o, name);
    param p;

    if (find_param(o->params, name, &p) && p.star)
        return read_items(o, name, out, max);
    return arg != NULL ? read_ints(o, name, arg, out, max) : 0;
}

int krti_opcall_axes(const krti_opcall *o, const char *name, int *out)
{
    int64_t wide[KRT_MAX_RANK];
    const int n = krti_opcall_ints(o, name, wide, KRT_MAX_RANK);

    for (int i = 0; i < n; i++) {
        if (wide[i] < -KRT_MAX_RANK || wide[i] > KRT_MAX_RANK) {
            krti_opcall_fail(o, KRT_E_INVALID, "axis %lld is out of bounds", (long long)wide[i]);
            return -1;
        }
        out[i] = (int)wide[i];
    }
    return n;
}

int krti_opcall_axis(const krti_opcall *o, const char *name, int64_t fallback, int rank)
{
    return krti_axis(o->g, krti_opcall_int(o, name, fallback), rank);
}
