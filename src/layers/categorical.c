/* CategoryEncoding and Discretization: numbers of classes, and numbers into classes. Keras:
 * layers/preprocessing/category_encoding.py, discretization.py, utils/numerical_utils.py. */
#include "layers/describe.h"
#include "layers/lookup.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------- encoding */

static krt_status check_mode(const krt_layer *l, const char *mode, bool may_be_int)
{
    static const char *const modes[] = {"one_hot", "multi_hot", "count"};

    if (krti_is_one_of(mode, modes, KRTI_COUNT(modes)))
        return KRT_OK;
    if (may_be_int && mode != NULL && strcmp(mode, "int") == 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID, "Unknown arg for output_mode: %s",
                           mode != NULL ? mode : "None");
}

static krt_status check_sparse(krt_layer *l, bool is_sparse)
{
    if (!is_sparse)
        return KRT_OK;
    return krti_layer_unsupported(
        l, "layer \"%s\" gives a sparse tensor, which this build cannot run", l->name);
}

/* encode_categorical_inputs(): a row of `depth` for each class, joined over the first axis of a sample
 * unless each class keeps its own. `weights` may be NULL. */
krt_value *krti_encode(krti_graph *g, krt_value *x, const char *mode, int64_t depth,
                       krt_value *weights, krt_dtype dtype)
{
    if (x == NULL)
        return NULL;
    const int over = x->shape.rank > 1 ? 1 : 0, last = x->shape.rank - 1;

    if (x->dtype != KRT_INT64)
        x = krti_cast(g, x, KRT_INT32);
    if (strcmp(mode, "one_hot") == 0) {
        if (last > 0 && x->shape.dim[last] == 1)
            x = krti_squeeze(g, x, &last, 1);
        return krti_one_hot(g, x, depth, x != NULL ? x->shape.rank : 0, dtype);
    }
    krt_value *hot = krti_one_hot(g, x, depth, last + 1, dtype);
    if (strcmp(mode, "multi_hot") == 0)
        return krti_reduce_max(g, hot, &over, 1, false);
    if (weights != NULL)
        hot = krti_multiply(g, hot, krti_expand_dims(g, weights, last + 1));
    return krti_reduce_sum(g, hot, &over, 1, false);
}

/* ------------------------------------------------------------------------------- CategoryEncoding */

static krt_status category_init(krt_layer *l, void *args)
{
    krt_category_encoding_args *const a = args;
    krt_status st = KRT_OK;

    if (a->output_mode != NULL && strcmp(a->output_mode, "binary") == 0)
        a->output_mode = "multi_hot"; /* as it was called */
    TRY(check_mode(l, a->output_mode, false));
    if (a->num_tokens < 1)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`num_tokens` must be >= 1. Received: num_tokens=%lld",
                            (long long)(a->num_tokens == KRT_NONE ? 0 : a->num_tokens)));
    TRY(check_sparse(l, a->sparse));

done:
    return st;
}

static krt_status category_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_category_encoding_args *a = args;
    bool given = false;
    krt_value *const weights = krti_call_argument(c, "count_weights", 1, &given);

    if (given && strcmp(a->output_mode, "count") != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`count_weights` is not used when `output_mode` is not `'count'`");
    return krt_call_output(c, 0,
                           krti_encode(c->g, krt_call_input(c, 0), a->output_mode, a->num_tokens,
                                       krti_as_float32(c->g, weights), KRT_FLOAT32));
}

/* ------------------------------------------------------------------------------- Discretization */

/* An empty list of boundaries is one: everything is in bin 0. */
static bool has_boundaries(const krt_discretization_args *a)
{
    return a->bin_boundaries.n > 0 || a->bin_boundaries.shape.rank == 1;
}

static krt_status discretization_init(krt_layer *l, void *args)
{
    const krt_discretization_args *a = args;
    krt_status st = KRT_OK;

    TRY(check_mode(l, a->output_mode, true));
    if (!has_boundaries(a) && a->num_bins == KRT_NONE)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "You need to set either `num_bins` or `bin_boundaries`"));
    if (a->num_bins != KRT_NONE && a->num_bins < 0)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`num_bins` must be greater than or equal to 0. Received: "
                            "`num_bins=%lld`",
                            (long long)a->num_bins));
    if (has_boundaries(a) && a->num_bins != KRT_NONE &&
        l->config == NULL) /* a file's may be both */
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "Both `num_bins` and `bin_boundaries` should not be set"));
    TRY(check_sparse(l, a->sparse));

done:
    return st;
}

/* How many boundaries are not above the number. */
static krt_value *bin_of(krti_graph *g, krt_value *x, const krt_numbers *boundaries)
{
    float *data = krti_arena_array(&g->arena, boundaries->n + 1, sizeof *data);

    if (data == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    if (x == NULL)
        return NULL;
    if (boundaries->n == 0)
        return krti_cast(g, krti_greater(g, x, x), KRT_INT32);
    for (size_t i = 0; i < boundaries->n; i++)
        data[i] = (float)boundaries->items[i];
    const int last = x->shape.rank;
    krt_value *const all = krti_constant(g, KRT_FLOAT32, KRT_SHAPE((int64_t)boundaries->n), data);
    krt_value *const passed = krti_greater_equal(g, krti_expand_dims(g, x, last), all);
    return krti_reduce_sum(g, krti_cast(g, passed, KRT_INT32), &last, 1, false);
}

static krt_status discretization_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_discretization_args *a = args;
    krt_numbers boundaries = a->bin_boundaries;

    if (!has_boundaries(a) && c->is_symbolic) /* as many as adapt() will find in enough data */
        boundaries = (krt_numbers){.n = 0, .shape = {.rank = 1}};
    else if (!has_boundaries(a))
        return krti_layer_fail(l, KRT_E_STATE,
                               "You need to either pass the `bin_boundaries` argument at "
                               "construction time or call `adapt(dataset)` before you can start "
                               "using the `Discretization` layer");
    const int64_t depth = has_boundaries(a) ? (int64_t)boundaries.n + 1 : a->num_bins;
    krt_value *y = bin_of(c->g, krti_float_input(c, 0), &boundaries);
    if (strcmp(a->output_mode, "int") != 0)
        y = krti_encode(c->g, y, a->output_mode, depth, NULL, KRT_FLOAT32);
    return krt_call_output(c, 0, y);
}

/* ------------------------------------------------------------------------------- quantiles */

/* Keras's sketch: values in ascending order, each standing for as many as its weight. */
typedef struct sketch {
    size_t n;
    float *values, *weights; /* one allocation, `values` */
} sketch;

static krt_status sketch_new(krt_ctx *k, sketch *s, size_t n)
{
    s->n = n;
    s->values = krti_array(k, 2 * n + 1, sizeof *s->values);
    s->weights = s->values + n;
    return s->values != NULL ? KRT_OK : KRT_E_NOMEM;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Every so manieth of the sorted values, 1 / epsilon of them. Sorts the values. */
static krt_status summarize(krt_ctx *k, sketch *out, float *values, size_t n, double epsilon)
{
    const double share = (double)n / (1.0 / epsilon), step = share > 1 ? share : 1;
    const size_t first = (size_t)(step - 1), every = (size_t)step;
    const krt_status st = sketch_new(k, out, first < n ? (n - first - 1) / every + 1 : 0);

    if (st != KRT_OK)
        return st;
    qsort(values, n, sizeof *values, by_value);
    for (size_t i = 0; i < out->n; i++) {
        out->values[i] = values[first + i * every];
        out->weights[i] = (float)step;
    }
    return KRT_OK;
}

static krt_status merge(krt_ctx *k, sketch *out, const sketch *a, const sketch *b)
{
    const krt_status st = sketch_new(k, out, a->n + b->n);

    for (size_t i = 0, at = 0; st == KRT_OK && at < out->n; at++) {
        const size_t j = at - i;
        const bool is_a = i < a->n && (j == b->n || a->values[i] <= b->values[j]);

        out->values[at] = is_a ? a->values[i] : b->values[j];
        out->weights[at] = is_a ? a->weights[i] : b->weights[j];
        i += is_a;
    }
    return st;
}

/* NumPy's interp(): y at x on the lines between (xs[i], ys[i]). *at is where the last one was found. */
static double interpolate(double x, const float *xs, const float *ys, size_t n, size_t *at)
{
    if (x < (double)xs[0])
        return (double)ys[0];
    while (*at + 1 < n && (double)xs[*at + 1] <= x)
        ++*at;
    const double x0 = (double)xs[*at], y0 = (double)ys[*at];
    if (*at + 1 == n || x0 == x)
        return y0;
    const double slope = ((double)ys[*at + 1] - y0) / ((double)xs[*at + 1] - x0);
    return slope * (x - x0) + y0;
}

/* To 1 / epsilon values, between those that are there. */
static krt_status compress(krt_ctx *k, sketch *s, double epsilon)
{
    const size_t n = (size_t)ceil(1.0 / epsilon);
    sketch to = {.n = 0}, sums = {.n = 0};
    float total = 0;
    double before = 0;
    size_t at_value = 0, at_sum = 0;
    krt_status st = KRT_OK;

    if ((double)s->n * epsilon < 1)
        return KRT_OK;
    TRY(sketch_new(k, &to, n));
    TRY(sketch_new(k, &sums, s->n)); /* the weights so far, and their share of all */
    for (size_t i = 0; i < s->n; i++)
        sums.values[i] = total += s->weights[i];
    for (size_t i = 0; i < s->n; i++)
        sums.weights[i] = sums.values[i] / total;
    for (size_t i = 0; i < n; i++) {
        const double share = epsilon + (double)i * epsilon;
        const double sum = interpolate(share, sums.weights, sums.values, s->n, &at_sum);

        to.values[i] = (float)interpolate(share, sums.weights, s->values, s->n, &at_value);
        to.weights[i] = (float)(sum - before);
        before = sum;
    }
    krti_free(k, s->values);
    *s = to;
    to.values = NULL;

done:
    krti_free(k, to.values);
    krti_free(k, sums.values);
    return st;
}

static krt_status take_values(krt_layer *l, sketch *s, const krt_tensor *x, double epsilon)
{
    krt_ctx *k = l->owned.k;
    krt_tensor *values = NULL;
    sketch own = {.n = 0}, merged = {.n = 0};
    krt_status st = KRT_OK;

    TRY(krt_tensor_cast(x, &values, KRT_FLOAT32));
    float *const data = values->data;
    const size_t n = values->size_bytes / sizeof *data;
    for (size_t i = 0; i < n; i++)
        if (isnan(data[i]))
            TRY(krti_layer_fail(l, KRT_E_INVALID,
                                "adapt() was given NaN or infinite numbers; clean the data first"));
    TRY(summarize(k, &own, data, n, epsilon));
    TRY(merge(k, &merged, &own, s));
    krti_free(k, s->values);
    *s = merged;
    merged.values = NULL;
    TRY(compress(k, s, epsilon));

done:
    krt_tensor_free(values);
    krti_free(k, own.values);
    krti_free(k, merged.values);
    return st;
}

/* Equal weight lies between the boundaries, so the last value is none. */
static krt_status keep_boundaries(krt_layer *l, const sketch *s)
{
    krt_discretization_args *const a = l->args;
    const size_t n = s->n > 0 ? s->n - 1 : 0;
    double *const items = krti_arena_array(&l->arena, n + 1, sizeof *items);

    if (items == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        items[i] = (double)s->values[i];
    a->bin_boundaries = (krt_numbers){n, items, {1, {(int64_t)n}}};
    l->is_adapted = true;
    return KRT_OK;
}

static krt_status discretization_adapt(krt_layer *l, krti_adapt_data *data)
{
    const krt_discretization_args *a = l->args;
    const double epsilon = a->epsilon;
    const krt_tensor *x = NULL;
    sketch s = {.n = 0};
    krt_status st = KRT_OK;

    if (a->num_bins == KRT_NONE)
        return krti_layer_fail(l, KRT_E_STATE,
                               "Cannot adapt a Discretization layer that has been initialized with "
                               "`bin_boundaries`, use `num_bins` instead");
    if (a->num_bins == 0 || !(epsilon >= 1e-6) || epsilon > 1)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "adapt() needs num_bins of 1 or more and epsilon between 1e-6 and "
                               "1; they are %lld and %g",
                               (long long)a->num_bins, epsilon);
    for (st = data->next(data, &x); st == KRT_OK && x != NULL; st = data->next(data, &x))
        TRY(take_values(l, &s, x, epsilon));
    TRY(st);
    if (s.n == 0)
        TRY(krti_layer_fail(l, KRT_E_INVALID, "adapt() was given no numbers"));
    TRY(compress(l->owned.k, &s, 1.0 / (double)a->num_bins));
    TRY(keep_boundaries(l, &s));

done:
    krti_free(l->owned.k, s.values);
    return st;
}

/* ------------------------------------------------------------------------------- classes */

#define T krt_category_encoding_args
static const krt_field category_fields[] = {KRT_FIELD(T, INT, num_tokens),
                                            KRT_FIELD(T, STRING, output_mode),
                                            KRT_FIELD(T, BOOL, sparse), KRT_BASE_FIELDS(T)};
#undef T
#define T krt_discretization_args
static const krt_field discretization_fields[] = {KRT_FIELD(T, NUMBERS, bin_boundaries),
                                                  KRT_FIELD(T, INT, num_bins),
                                                  KRT_FIELD(T, FLOAT, epsilon),
                                                  KRT_FIELD(T, STRING, output_mode),
                                                  KRT_FIELD(T, BOOL, sparse),
                                                  KRT_BASE_FIELDS(T)};
#undef T

/* Keras's __init__ keeps `sparse`, its get_config() does not. */
static krt_status category_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)a;
    (void)l;
    krti_conf_remove(dict, "sparse");
    return KRT_OK;
}

static const krti_class category_encoding = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "CategoryEncoding",
             .defaults = KRT_CATEGORY_ENCODING(KRT_NONE),
             .fields = category_fields,
             .num_fields = KRTI_COUNT(category_fields),
             .call = category_call,
             .init = category_init,
             .flags = KRTI_LAYER_HOOKS},
    .config = category_config,
};

static const krti_class discretization = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "Discretization",
             .defaults = KRT_DISCRETIZATION(.trainable = true),
             .fields = discretization_fields,
             .num_fields = KRTI_COUNT(discretization_fields),
             .call = discretization_call,
             .init = discretization_init,
             .flags = KRTI_LAYER_BARE_CONFIG | KRTI_LAYER_HOOKS},
    .adapt = discretization_adapt,
};

const krt_layer_class *const krti_classes_categorical[] = {&category_encoding.base,
                                                           &discretization.base, NULL};
