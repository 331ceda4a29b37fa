/* Regularizers and constraints, described with operations. See weight_rules.h. */
#include "layers/weight_rules.h"

#include "layers/config.h"
#include "layers/lora.h"

typedef krt_value *(*rule_fn)(krti_graph *g, const void *args, krt_value *x);

/* ------------------------------------------------------------------------------- regularizers */

static krt_value *sum_all(krti_graph *g, krt_value *x, double factor)
{
    return krti_affine(g, krti_reduce_sum(g, x, NULL, 0, false), factor, 0, 0);
}

static krt_value *l1(krti_graph *g, const void *args, krt_value *x)
{
    return sum_all(g, krti_absolute(g, x), ((const krt_l1_args *)args)->l1);
}

static krt_value *l2(krti_graph *g, const void *args, krt_value *x)
{
    return sum_all(g, krti_square(g, x), ((const krt_l2_args *)args)->l2);
}

static krt_value *l1l2(krti_graph *g, const void *args, krt_value *x)
{
    const krt_l1l2_args *a = args;

    return krti_add(g, sum_all(g, krti_absolute(g, x), a->l1),
                    sum_all(g, krti_square(g, x), a->l2));
}

/* factor * 0.5 * sum(|products off the diagonal|) / pairs, rows or columns made unit vectors. */
static krt_value *orthogonal(krti_graph *g, const void *args, krt_value *x)
{
    const krt_orthogonal_regularizer_args *a = args;
    const bool by_rows = a->mode != NULL && strcmp(a->mode, "rows") == 0;
    const int axis = by_rows ? 1 : 0;

    if (x == NULL || x->shape.rank != 2)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Inputs to OrthogonalRegularizer must have rank 2");
    if (!by_rows && (a->mode == NULL || strcmp(a->mode, "columns") != 0))
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Invalid value for argument `mode`. Expected one of {\"rows\", "
                               "\"columns\"}. Received: mode=%s",
                               a->mode != NULL ? a->mode : "None");
    const int64_t n = x->shape.dim[by_rows ? 0 : 1];
    krt_value *inverse = krti_rsqrt(g, krti_reduce_sum(g, krti_square(g, x), &axis, 1, true));
    krt_value *unit = krti_multiply(g, x, krti_minimum(g, inverse, krti_scalar(g, 1e7)));
    krt_value *product = krti_matmul(g, unit, unit, !by_rows, by_rows, NULL);
    krt_value *ones = krti_broadcast_to(g, krti_scalar_of(g, KRT_INT32, 1), (krt_shape){1, {n}});
    krt_value *eye = krti_one_hot(g, krti_cumsum(g, ones, 0, true, false), n, -1, KRT_FLOAT32);
    krt_value *off = krti_multiply(g, product, krti_affine(g, eye, -1, 1, 0));
    const double pairs = (double)n * (double)(n - 1) / 2;
    return sum_all(g, krti_absolute(g, off), a->factor * 0.5 / pairs);
}

/* ------------------------------------------------------------------------------- constraints */

static const double epsilon = 1e-7; /* keras.backend.epsilon() */

static krt_value *norms_of(krti_graph *g, krt_value *x, const krt_axes *axes)
{
    int axis[KRT_MAX_RANK];

    for (int i = 0; i < axes->n; i++)
        axis[i] = (int)axes->axis[i];
    return krti_sqrt(g, krti_reduce_sum(g, krti_square(g, x), axis, axes->n, true));
}

/* x * wanted / (epsilon + norms) */
static krt_value *with_norm(krti_graph *g, krt_value *x, krt_value *norms, krt_value *wanted)
{
    return krti_multiply(g, x, krti_divide(g, wanted, krti_affine(g, norms, 1, epsilon, 0)));
}

static krt_value *max_norm(krti_graph *g, const void *args, krt_value *x)
{
    const krt_max_norm_args *a = args;
    krt_value *norms = norms_of(g, x, &a->axis);

    return with_norm(g, x, norms, krti_clip(g, norms, 0, a->max_value, 0));
}

static krt_value *min_max_norm(krti_graph *g, const void *args, krt_value *x)
{
    const krt_min_max_norm_args *a = args;
    krt_value *norms = norms_of(g, x, &a->axis);
    krt_value *wanted = krti_add(
        g, krti_affine(g, krti_clip(g, norms, a->min_value, a->max_value, 0), a->rate, 0, 0),
        krti_affine(g, norms, 1 - a->rate, 0, 0));

    return with_norm(g, x, norms, wanted);
}

static krt_value *unit_norm(krti_graph *g, const void *args, krt_value *x)
{
    krt_value *norms = norms_of(g, x, &((const krt_unit_norm_args *)args)->axis);

    return krti_divide(g, x, krti_affine(g, norms, 1, epsilon, 0));
}

static krt_value *non_neg(krti_graph *g, const void *args, krt_value *x)
{
    (void)args;
    return krti_maximum(g, x, krti_scalar(g, 0));
}

/* ------------------------------------------------------------------------------- the table */

typedef struct rule {
    krt_layer_class cls;
    rule_fn apply;
    bool is_constraint;
    const char *names[4]; /* other identifiers, those of Keras 1 and 2 too */
} rule;

static const krt_field l1_fields[] = {KRT_FIELD(krt_l1_args, FLOAT, l1)};
static const krt_field l2_fields[] = {KRT_FIELD(krt_l2_args, FLOAT, l2)};
static const krt_field l1l2_fields[] = {KRT_FIELD(krt_l1l2_args, FLOAT, l1),
                                        KRT_FIELD(krt_l1l2_args, FLOAT, l2)};
static const krt_field orthogonal_fields[] = {
    KRT_FIELD(krt_orthogonal_regularizer_args, FLOAT, factor),
    KRT_FIELD(krt_orthogonal_regularizer_args, STRING, mode)};
static const krt_field max_norm_fields[] = {KRT_FIELD(krt_max_norm_args, FLOAT, max_value),
                                            KRT_FIELD(krt_max_norm_args, AXES, axis)};
static const krt_field min_max_norm_fields[] = {KRT_FIELD(krt_min_max_norm_args, FLOAT, min_value),
                                                KRT_FIELD(krt_min_max_norm_args, FLOAT, max_value),
                                                KRT_FIELD(krt_min_max_norm_args, FLOAT, rate),
                                                KRT_FIELD(krt_min_max_norm_args, AXES, axis)};
static const krt_field unit_norm_fields[] = {KRT_FIELD(krt_unit_norm_args, AXES, axis)};

static const krt_l1_args l1_defaults = {{sizeof l1_defaults, "L1"}, .l1 = 0.01};
static const krt_l2_args l2_defaults = {{sizeof l2_defaults, "L2"}, .l2 = 0.01};
static const krt_l1l2_args l1l2_defaults = {{sizeof l1l2_defaults, "L1L2"}, .l1 = 0};
static const krt_orthogonal_regularizer_args orthogonal_defaults = {
    {sizeof orthogonal_defaults, "OrthogonalRegularizer"}, .factor = 0.01, .mode = "rows"};
static const krt_max_norm_args max_norm_defaults = {
    {sizeof max_norm_defaults, "MaxNorm"}, .max_value = 2, .axis = {1, {0}}};
static const krt_min_max_norm_args min_max_norm_defaults = {
    {sizeof min_max_norm_defaults, "MinMaxNorm"}, .max_value = 1, .rate = 1, .axis = {1, {0}}};
static const krt_unit_norm_args unit_norm_defaults = {{sizeof unit_norm_defaults, "UnitNorm"},
                                                      .axis = {1, {0}}};
static const krt_spec non_neg_defaults = {sizeof non_neg_defaults, "NonNeg"};

#define CLASS(cls_name, id)                  \
    .cls = {.name = cls_name,                \
            .defaults = &id##_defaults.spec, \
            .fields = id##_fields,           \
            .num_fields = KRTI_COUNT(id##_fields)}

static const rule rules[] = {
    {CLASS("L1", l1), l1, .names = {"l1"}},
    {CLASS("L2", l2), l2, .names = {"l2"}},
    {CLASS("L1L2", l1l2), l1l2, .names = {"l1l2", "l1_l2", "L1L2Regularizer", "WeightRegularizer"}},
    {CLASS("OrthogonalRegularizer", orthogonal), orthogonal, .names = {"orthogonal_regularizer"}},
    {CLASS("MaxNorm", max_norm), max_norm, .is_constraint = true, .names = {"max_norm", "maxnorm"}},
    {CLASS("MinMaxNorm", min_max_norm), min_max_norm, .is_constraint = true,
     .names = {"min_max_norm"}},
    {CLASS("UnitNorm", unit_norm), unit_norm, .is_constraint = true,
     .names = {"unit_norm", "unitnorm", "UnitNormConstraint"}},
    {.cls = {.name = "NonNeg", .defaults = &non_neg_defaults},
     non_neg,
     .is_constraint = true,
     .names = {"non_neg", "nonneg"}},
};

static const rule *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < KRTI_COUNT(rules); i++) {
        if (strcmp(rules[i].cls.name, name) == 0)
            return &rules[i];
        for (size_t j = 0; j < KRTI_COUNT(rules[i].names) && rules[i].names[j] != NULL; j++)
            if (strcmp(rules[i].names[j], name) == 0)
                return &rules[i];
    }
    return NULL;
}

const krt_layer_class *krti_weight_rule_find(const char *name)
{
    const rule *r = find(name);

    return r != NULL ? &r->cls : NULL;
}

const krt_layer_class *krti_weight_rule_at(size_t i)
{
    return i < KRTI_COUNT(rules) ? &rules[i].cls : NULL;
}

const krt_layer_class *krti_object_class_find(const char *name)
{
    const krt_layer_class *initializer = krti_initializer_find(name);

    return initializer != NULL ? initializer : krti_weight_rule_find(name);
}

/* ------------------------------------------------------------------------------- applying */

/* From C the struct is at hand; a name alone means the defaults. */
static krt_status args_of(krti_graph *g, krt_layer *owner, const rule *r, const krt_spec *spec,
                          const void **out)
{
    const krti_field_reader reader = {owner->owned.k, &g->arena, owner, r->cls.name};
    const krti_conf *config = NULL;
    char *args = NULL;
    krt_status st = KRT_OK;

    *out = spec->struct_size == r->cls.defaults->struct_size ? (const void *)spec
                                                             : (const void *)r->cls.defaults;
    if (krti_spec_conf(spec) == NULL)
        return KRT_OK;
    args = krti_arena_alloc(&g->arena, r->cls.defaults->struct_size);
    if (args == NULL)
        return KRT_E_NOMEM;
    memcpy(args, r->cls.defaults, r->cls.defaults->struct_size);
    config = krti_conf_get(krti_spec_conf(spec), "config");
    for (size_t i = 0; st == KRT_OK && i < r->cls.num_fields; i++) {
        const krti_conf *value = krti_conf_get(config, r->cls.fields[i].key);

        if (value != NULL)
            st = krti_field_read(&reader, &r->cls.fields[i], value, args + r->cls.fields[i].offset);
    }
    *out = args;
    return st;
}

static krt_value *apply(krti_graph *g, krt_layer *owner, const krt_spec *spec, bool is_constraint,
                        krt_value *x)
{
    const rule *r = find(spec->class_name);
    const void *args = NULL;

    if (r == NULL || r->is_constraint != is_constraint)
        return krti_graph_fail(g, KRT_E_UNKNOWN_CLASS, "Could not interpret %s identifier: %s",
                               is_constraint ? "constraint" : "regularizer", spec->class_name);
    if (args_of(g, owner, r, spec, &args) != KRT_OK) {
        g->status = g->k->error.status;
        return NULL;
    }
    return r->apply(g, args, x);
}

krt_value *krti_regularize(krti_graph *g, krt_layer *owner, const krt_spec *regularizer,
                           krt_value *x)
{
    return apply(g, owner, regularizer, false, x);
}

krt_value *krti_constrain(krti_graph *g, krt_layer *owner, const krt_spec *constraint, krt_value *x)
{
    return apply(g, owner, constraint, true, x);
}

/* ------------------------------------------------------------------------------- finding */

static const krt_spec *argument(const krt_layer *l, const char *key)
{
    const krt_spec *const *const spec = krti_layer_arg(l, key, KRT_FIELD_OBJECT);

    return spec != NULL ? *spec : NULL;
}

/* "kernel_regularizer"; a depthwise convolution's kernel goes by "depthwise_regularizer", a separable
 * one's depthwise_kernel too. */
static const krt_spec *find_for(const krt_variable *v, const char *suffix)
{
    const char *const tail = strstr(v->name, "_kernel");
    const int length = tail != NULL ? (int)(tail - v->name) : 0;
    const krt_spec *spec = NULL;
    char key[96];

    if (krti_is_lora_factor(v)) /* what is said of the kernel holds for them */
        return find_for(krti_lora_kernel(v->layer), suffix);
    snprintf(key, sizeof key, "%.48s_%s", v->name, suffix);
    spec = argument(v->layer, key);
    if (spec == NULL && length > 0) {
        snprintf(key, sizeof key, "%.*s_%s", length < 48 ? length : 48, v->name, suffix);
        spec = argument(v->layer, key);
    }
    if (spec == NULL && strcmp(v->name, "kernel") == 0) {
        snprintf(key, sizeof key, "depthwise_%s", suffix);
        spec = argument(v->layer, key);
    }
    return spec;
}

const krt_spec *krti_variable_regularizer(const krt_variable *v)
{
    return find_for(v, "regularizer");
}

const krt_spec *krti_variable_constraint(const krt_variable *v)
{
    return find_for(v, "constraint");
}
