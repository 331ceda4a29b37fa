/* Comparing two files, of any two formats: the architecture, then every array. See
 * <keratin/inspect.h>.
 *
 * Arrays go by their paths where both files are of one family; else by the variables they fill in
 * the model that one of the files describes; else, when neither has an architecture, by order. */
#include "saving/compare.h"
#include "saving/file_order.h"
#include "saving/findings.h"
#include "saving/serialization.h"

typedef struct side {
    krti_source *f;
    krt_model *m; /* its architecture, NULL: none, or it cannot be built */
    krti_labels names;
    krti_map *by_name; /* -> array + 1 */
} side;

typedef struct diffing {
    krt_ctx *k;
    krt_findings *out;
    side a, b;
    double atol, rtol;
    size_t num_equal, num_arrays;
} diffing;

/* ------------------------------------------------------------------------------- architecture */

/* Keys that name the occasion and not the model. */
static bool is_noise(const char *key)
{
    static const char *const keys[] = {"shared_object_id", "keras_version", "backend",
                                       "build_config"};

    return krti_is_one_of(key, keys, KRTI_COUNT(keys));
}

static const char *print_value(const krti_conf *c, char buffer[80])
{
    static const char *const kinds[] = {
        [KRTI_CONF_NULL] = "null", [KRTI_CONF_LIST] = "a list", [KRTI_CONF_DICT] = "an object"};

    if (c == NULL)
        return "nothing";
    switch (c->kind) {
    case KRTI_CONF_BOOL:
        return c->as.boolean ? "true" : "false";
    case KRTI_CONF_INT:
        snprintf(buffer, 80, "%lld", (long long)c->as.integer);
        return buffer;
    case KRTI_CONF_FLOAT:
        snprintf(buffer, 80, "%.17g", c->as.real);
        return buffer;
    case KRTI_CONF_STRING:
        snprintf(buffer, 80, "\"%.60s\"", c->as.string.text);
        return buffer;
    default:
        return kinds[c->kind];
    }
}

/* The first place where two trees differ: its path in `path`, "config.layers[2].config.units", and
 * the two values. */
typedef struct place {
    krti_str path;
    const krti_conf *a, *b;
} place;

static bool differs(place *p, const krti_conf *a, const krti_conf *b, int depth);

static bool differs_at(place *p, const krti_conf *a, const krti_conf *b, const char *key, size_t i,
                       int depth)
{
    const size_t length = p->path.length;

    if (key != NULL)
        krti_str_addf(&p->path, "%s%s", length > 0 ? "." : "", key);
    else
        krti_str_addf(&p->path, "[%zu]", i);
    if (differs(p, a, b, depth + 1))
        return true;
    if (p->path.status == KRT_OK) {
        p->path.length = length;
        p->path.ptr[length] = '\0';
    }
    return false;
}

static bool keys_differ(place *p, const krti_conf *a, const krti_conf *b, bool turned, int depth)
{
    for (size_t i = 0; i < krti_conf_num(a); i++) {
        const char *key = krti_conf_key_at(a, i);
        const krti_conf *x = krti_conf_at(a, i), *y = krti_conf_get(b, key);

        if (is_noise(key) || (turned && y != NULL) ||
            (krti_conf_is_null(x) && krti_conf_is_null(y)))
            continue;
        if (turned ? differs_at(p, y, x, key, 0, depth) : differs_at(p, x, y, key, 0, depth))
            return true;
    }
    return false;
}

/* A policy by its name alone, as it was written before Keras 3.2, is the policy object. */
static const krti_conf *policy_name(const krti_conf *c)
{
    const char *cls = krti_conf_get_text(c, "class_name");

    if (cls == NULL || strcmp(cls, "DTypePolicy") != 0)
        return c;
    return krti_conf_get(krti_conf_get(c, "config"), "name");
}

/* A model's only input or output may stand in a list of its own: [["x", 0, 0]] is ["x", 0, 0]. */
static const krti_conf *only_node(const krti_conf *c)
{
    const krti_conf *inner = krti_conf_at(c, 0);

    return krti_conf_is(c, KRTI_CONF_LIST) && krti_conf_num(c) == 1 &&
                   krti_conf_is(inner, KRTI_CONF_LIST) && krti_conf_num(inner) == 3 &&
                   krti_conf_text(krti_conf_at(inner, 0)) != NULL
               ? inner
               : c;
}

static bool differs(place *p, const krti_conf *a, const krti_conf *b, int depth)
{
    enum { MAX_DEPTH = 600 };
    double x, y;

    a = only_node(policy_name(a));
    b = only_node(policy_name(b));
    p->a = a;
    p->b = b;
    if (a == NULL || b == NULL || depth > MAX_DEPTH)
        return a != b;
    if (krti_conf_as_float(a, &x) && krti_conf_as_float(b, &y))
        return x != y;
    if (a->kind != b->kind)
        return true;
    if (krti_conf_is(a, KRTI_CONF_DICT))
        return keys_differ(p, a, b, false, depth) || keys_differ(p, b, a, true, depth);
    if (!krti_conf_is(a, KRTI_CONF_LIST))
        return !krti_conf_equal(a, b);
    for (size_t i = 0; i < krti_conf_num(a) || i < krti_conf_num(b); i++)
        if (differs_at(p, krti_conf_at(a, i), krti_conf_at(b, i), NULL, i, depth))
            return true;
    return false;
}

/* Both architectures as Keras 3 writes them, whatever wrote them, without what says nothing; NULL
 * where one cannot be built. */
static krt_status canonical(const side *s, krti_arena *arena, krti_conf **out)
{
    krt_status st = KRT_OK;

    *out = NULL;
    if (s->m == NULL || s->m->cannot_run != NULL)
        return KRT_OK;
    st = krti_model_to_conf(arena, s->m, out);
    return st == KRT_OK ? krti_spell_portably(arena, out) : st;
}

static krt_status compare_configs(diffing *d)
{
    krti_arena arena = KRTI_ARENA_INIT(d->k);
    place p = {.path = KRTI_STR_INIT(d->k)};
    char a[80], b[80];
    krti_conf *as_3a = NULL, *as_3b = NULL;
    bool differ = differs(&p, d->a.f->config, d->b.f->config, 0);
    krt_status st = KRT_OK;

    if (differ)
        TRY(canonical(&d->a, &arena, &as_3a));
    if (as_3a != NULL)
        TRY(canonical(&d->b, &arena, &as_3b));
    if (as_3b != NULL) {
        krti_conf_remove(as_3a, "compile_config");
        krti_conf_remove(as_3b, "compile_config");
        krti_str_clear(&p.path);
        differ = differs(&p, as_3a, as_3b, 0);
    }
    TRY(p.path.status);
    if (differ)
        TRY(krti_findings_add(d->out, "config", NULL, p.path.length > 0 ? p.path.ptr : "config",
                              "%s in %s, %s in %s", print_value(p.a, a), d->a.f->name,
                              print_value(p.b, b), d->b.f->name));

done:
    krti_str_free(&p.path);
    krti_arena_free(&arena);
    return st;
}

static krt_status compare_architectures(diffing *d)
{
    const bool has_a = d->a.f->config != NULL, has_b = d->b.f->config != NULL;

    if (has_a && has_b)
        return compare_configs(d);
    if (has_a == has_b)
        return KRT_OK;
    return krti_findings_remark(d->out, "config", NULL, NULL, "only %s has an architecture",
                                has_a ? d->a.f->name : d->b.f->name);
}

/* ------------------------------------------------------------------------------- values */

typedef struct difference {
    size_t n; /* elements that differ */
    double max_abs, max_rel;
    bool is_beyond; /* some differ by more than was allowed */
} difference;

static void compare_block(const diffing *d, const double *x, const double *y, size_t n,
                          difference *out)
{
    for (size_t i = 0; i < n; i++) {
        const double gap = fabs(x[i] - y[i]);

        if (x[i] == y[i] || (isnan(x[i]) && isnan(y[i])))
            continue;
        out->n++;
        out->is_beyond |= !(gap <= d->atol + d->rtol * fabs(y[i]));
        if (!(gap <= out->max_abs))
            out->max_abs = gap;
        if (x[i] != 0 && !(gap / fabs(x[i]) <= out->max_rel))
            out->max_rel = gap / fabs(x[i]);
    }
}

static void compare_values(const diffing *d, const krt_tensor *a, const krt_tensor *b,
                           difference *out)
{
    enum { BLOCK = 512 };
    const size_t n = (size_t)krt_shape_size(a->shape);
    const size_t size_a = krt_dtype_size(a->dtype), size_b = krt_dtype_size(b->dtype);
    const char *from_a = a->data, *from_b = b->data;
    double x[BLOCK], y[BLOCK];
    uint64_t raw[BLOCK];

    *out = (difference){0};
    if (a->dtype == b->dtype && memcmp(from_a, from_b, n * size_a) == 0)
        return;
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t num = n - i < BLOCK ? n - i : BLOCK;

        memcpy(raw, from_a + i * size_a, num * size_a); /* either may lie at an odd address */
        krti_convert(x, KRT_FLOAT64, raw, a->dtype, num);
        memcpy(raw, from_b + i * size_b, num * size_b);
        krti_convert(y, KRT_FLOAT64, raw, b->dtype, num);
        compare_block(d, x, y, num, out);
    }
}

static krt_status tell_values(diffing *d, const char *name, const krt_tensor *a,
                              const krt_tensor *b)
{
    difference diff;
    krt_status st = KRT_OK;

    compare_values(d, a, b, &diff);
    if (a->dtype != b->dtype)
        TRY(krti_findings_add(d->out, "dtype", NULL, name, "%s in %s, %s in %s",
                              krt_dtype_name(a->dtype), d->a.f->name, krt_dtype_name(b->dtype),
                              d->b.f->name));
    if (!diff.is_beyond) {
        d->num_equal += a->dtype == b->dtype;
        return KRT_OK;
    }
    TRY(krti_findings_add(d->out, "values", NULL, name,
                          "%zu of %lld values differ, by %.6g at most (relative %.6g)", diff.n,
                          (long long)krt_shape_size(a->shape), diff.max_abs, diff.max_rel));
    d->out->items[d->out->n - 1].max_abs = diff.max_abs;
    d->out->items[d->out->n - 1].max_rel = diff.max_rel;

done:
    return st;
}

static krt_status compare_arrays(diffing *d, size_t i, size_t j)
{
    const krti_store_array *a = &d->a.f->store->arrays[i], *b = &d->b.f->store->arrays[j];
    const char *name = d->a.names.of[i];
    krt_tensor *x = NULL, *y = NULL;
    char shape_a[160], shape_b[160];
    krt_status st = KRT_OK;

    if (!krt_shape_equal(a->shape, b->shape))
        return krti_findings_add(d->out, "shape", NULL, name, "%s in %s, %s in %s",
                                 krt_shape_print(a->shape, shape_a, sizeof shape_a), d->a.f->name,
                                 krt_shape_print(b->shape, shape_b, sizeof shape_b), d->b.f->name);
    if (a->dtype == KRT_DTYPE_NONE || b->dtype == KRT_DTYPE_NONE)
        return krti_findings_add(d->out, "unreadable", NULL, name,
                                 "elements of this type cannot be read, nor compared");
    TRY(krti_store_tensor(d->a.f->store, i, KRT_DTYPE_NONE, &x));
    TRY(krti_store_tensor(d->b.f->store, j, KRT_DTYPE_NONE, &y));
    TRY(tell_values(d, name, x, y));

done:
    krti_tensor_let_go(x);
    krti_tensor_let_go(y);
    return st;
}

/* ------------------------------------------------------------------------------- pairing */

static krt_status index_names(krt_ctx *k, side *s)
{
    krt_status st = KRT_OK;

    s->by_name = krti_map_new(k);
    if (s->by_name == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; st == KRT_OK && i < s->names.n; i++)
        if (!krti_map_has(s->by_name, s->names.of[i]))
            st = krti_map_set(s->by_name, s->names.of[i], (void *)(uintptr_t)(i + 1));
    return st;
}

/* The family decides what a name means: paths of Keras 3, names of layers in legacy files, keys of
 * TensorFlow. */
static bool is_one_family(const diffing *d)
{
    const krti_store *a = d->a.f->store, *b = d->b.f->store;

    return a->is_legacy == b->is_legacy && a->has_paths == b->has_paths &&
           (a->checkpoint != NULL) == (b->checkpoint != NULL);
}

static void forget_names(diffing *d)
{
    krti_labels_free(&d->a.names);
    krti_labels_free(&d->b.names);
}

static krt_status name_by_entry(diffing *d)
{
    krt_status st = krti_labels_by_entry(d->k, &d->a.names, d->a.f->store);

    return st == KRT_OK ? krti_labels_by_entry(d->k, &d->b.names, d->b.f->store) : st;
}

static krt_status name_by_model(diffing *d, krt_model *m, bool *both_fit)
{
    bool fits = false;
    krt_status st = krti_labels_by_model(d->k, &d->a.names, m, d->a.f, both_fit);

    if (st == KRT_OK)
        st = krti_labels_by_model(d->k, &d->b.names, m, d->b.f, &fits);
    *both_fit = *both_fit && fits;
    return st;
}

/* In a legacy file a weight's name is what its backend made of the names around it: where both files fill
 * one model, its variables say which is which. */
static krt_status name_legacy(diffing *d, krt_model *m)
{
    bool both_fit = false;
    krt_status st = name_by_model(d, m, &both_fit);

    if (st != KRT_OK || both_fit)
        return st;
    forget_names(d);
    return name_by_entry(d);
}

static krt_status name_arrays(diffing *d)
{
    const bool is_same = is_one_family(d);
    krt_model *m = d->a.m != NULL ? d->a.m : d->b.m;
    bool both_fit = false;
    krt_status st = KRT_OK;

    if (!is_same && m == NULL) {
        TRY(krti_labels_by_name(d->k, &d->a.names, d->a.f->store));
        TRY(krti_labels_by_name(d->k, &d->b.names, d->b.f->store));
    } else if (is_same) {
        TRY(m != NULL && d->a.f->store->is_legacy ? name_legacy(d, m) : name_by_entry(d));
    } else {
        TRY(name_by_model(d, m, &both_fit));
    }
    TRY(index_names(d->k, &d->a));
    TRY(index_names(d->k, &d->b));

done:
    return st;
}

/* Optimizer state has other names in every family; across two of them it is not compared. */
static bool is_left_out(const side *s, size_t i, bool is_same)
{
    const krti_role role = s->f->store->objects[s->f->store->arrays[i].object].role;

    return role == KRTI_ROLE_OTHER || (role == KRTI_ROLE_OPTIMIZER && !is_same);
}

/* Whether the files happen to call their weights the same, as .safetensors made from others do. */
static bool share_names(const diffing *d)
{
    for (size_t i = 0; i < d->a.names.n; i++)
        if (krti_map_has(d->b.by_name, d->a.names.of[i]))
            return true;
    return false;
}

static krt_status compare_by_name(diffing *d, bool is_same)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < d->a.names.n; i++) {
        const char *name = d->a.names.of[i];
        const size_t j = (size_t)(uintptr_t)krti_map_get(d->b.by_name, name);

        if (is_left_out(&d->a, i, is_same))
            continue;
        d->num_arrays++;
        if (j > 0)
            st = compare_arrays(d, i, j - 1);
        else
            st = krti_findings_add(d->out, "missing", NULL, name, "only %s has this array",
                                   d->a.f->name);
    }
    for (size_t j = 0; st == KRT_OK && j < d->b.names.n; j++)
        if (!is_left_out(&d->b, j, is_same) && !krti_map_has(d->a.by_name, d->b.names.of[j]))
            st = krti_findings_add(d->out, "added", NULL, d->b.names.of[j],
                                   "only %s has this array", d->b.f->name);
    return st;
}

/* The weights alone, which stand first, in the order in which they are shown. */
static krt_status order_weights(krt_ctx *k, const krti_store *s, size_t **order, size_t *n)
{
    krt_status st = KRT_OK;

    *n = 0;
    *order = krti_array(k, s->num_arrays, sizeof **order);
    if (*order == NULL)
        return KRT_E_NOMEM;
    st = krti_file_order(s, NULL, *order);
    while (st == KRT_OK && *n < s->num_arrays &&
           s->objects[s->arrays[(*order)[*n]].object].role == KRTI_ROLE_WEIGHT)
        ++*n;
    return st;
}

static krt_status compare_by_order(diffing *d)
{
    const krti_store *a = d->a.f->store, *b = d->b.f->store;
    size_t *as = NULL, *bs = NULL, n = 0, m = 0;
    krt_status st = krti_findings_remark(
        d->out, "order", NULL, NULL,
        "the files name weights in different ways and have no architecture (--config): arrays are "
        "compared in order");

    TRY(st);
    TRY(order_weights(d->k, a, &as, &n));
    TRY(order_weights(d->k, b, &bs, &m));
    d->num_arrays = n < m ? n : m;
    for (size_t i = 0; i < n || i < m; i++) {
        if (i < n && i < m)
            TRY(compare_arrays(d, as[i], bs[i]));
        else if (i < n)
            TRY(krti_findings_add(d->out, "missing", NULL, a->arrays[as[i]].entry,
                                  "only %s has this array", d->a.f->name));
        else
            TRY(krti_findings_add(d->out, "added", NULL, b->arrays[bs[i]].entry,
                                  "only %s has this array", d->b.f->name));
    }

done:
    krti_free(d->k, as);
    krti_free(d->k, bs);
    return st;
}

static krt_status compare_weights(diffing *d)
{
    const bool has_a = d->a.f->has_weights, has_b = d->b.f->has_weights;
    krt_status st = KRT_OK;

    if (has_a != has_b)
        return krti_findings_remark(d->out, "weights", NULL, NULL, "only %s has weights",
                                    has_a ? d->a.f->name : d->b.f->name);
    if (!has_a)
        return KRT_OK;
    TRY(krti_source_list(d->a.f, true));
    TRY(krti_source_list(d->b.f, true));
    TRY(name_arrays(d));
    const bool is_same = is_one_family(d);
    if (is_same || d->a.m != NULL || d->b.m != NULL || share_names(d))
        TRY(compare_by_name(d, is_same));
    else
        TRY(compare_by_order(d));

done:
    return st;
}

/* ------------------------------------------------------------------------------- all */

/* The model of its architecture, or of the one given for both. */
static krt_status open_side(krt_ctx *k, side *s, const char *filepath, const char *config)
{
    krti_source *other = NULL;
    krt_status st = krti_source_open(k, &s->f, filepath);

    if (st == KRT_OK && s->f->config == NULL && config != NULL)
        st = krti_source_open(k, &other, config);
    const krti_source *from = other != NULL ? other : s->f;
    if (st == KRT_OK && from->config != NULL) {
        st = krti_load_build(k, &s->m, from);
        if (st != KRT_OK && st != KRT_E_NOMEM)
            st = KRT_OK; /* a config that cannot be built can still be compared as text */
    }
    krti_source_close(other);
    return st;
}

static void close_side(side *s)
{
    krt_model_free(s->m);
    krti_source_close(s->f);
    krti_map_free(s->by_name);
    if (s->names.of != NULL)
        krti_labels_free(&s->names);
}

krt_status krt_diff(krt_ctx *k, krt_findings **out, const char *a_filepath, const char *b_filepath,
                    const krt_diff_args *args)
{
    diffing d = {.k = k};
    krt_diff_args a;
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(krti_args_import(k, &a, KRT_DIFF(), sizeof a, args));
    d.atol = a.atol;
    d.rtol = a.rtol;
    TRY(krti_findings_new(k, &d.out));
    TRY(open_side(k, &d.a, a_filepath, a.config));
    TRY(open_side(k, &d.b, b_filepath, a.config));
    TRY(compare_architectures(&d));
    TRY(compare_weights(&d));
    TRY(krti_str_addf(&d.out->summary, "%zu of %zu arrays are equal", d.num_equal, d.num_arrays));
    *out = d.out;
    d.out = NULL;

done:
    close_side(&d.a);
    close_side(&d.b);
    krt_findings_free(d.out);
    return st;
}
