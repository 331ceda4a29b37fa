/* CategoryEncoding and Discretization: numbers of classes, and numbers into classes. Keras:
 * layers/preprocessing/category_encoding.py, discretization.py, utils/numerical_utils.py.
 *
 * Lookups of texts are not here: arrays hold numbers only. */
#include "layers/describe.h"

/* ------------------------------------------------------------------------------- encoding */

static krt_status check_mode(const krt_layer *l, const char *mode, bool may_be_int)
{
    static const char *const modes[] = {"one_hot", "multi_hot", "count"};

    for (size_t i = 0; mode != NULL && i < KRTI_COUNT(modes); i++)
        if (strcmp(mode, modes[i]) == 0)
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
static krt_value *encode(krti_graph *g, krt_value *x, const char *mode, int64_t depth,
                         krt_value *weights)
{
    if (x == NULL)
        return NULL;
    const int over = x->shape.rank > 1 ? 1 : 0, last = x->shape.rank - 1;

    x = krti_cast(g, x, KRT_INT32);
    if (strcmp(mode, "one_hot") == 0) {
        if (last > 0 && x->shape.dim[last] == 1)
            x = krti_squeeze(g, x, &last, 1);
        return krti_one_hot(g, x, depth, x != NULL ? x->shape.rank : 0, KRT_FLOAT32);
    }
    krt_value *hot = krti_one_hot(g, x, depth, last + 1, KRT_FLOAT32);
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
                           encode(c->g, krt_call_input(c, 0), a->output_mode, a->num_tokens,
                                  krti_as_float32(c->g, weights)));
}

/* ------------------------------------------------------------------------------- Discretization */

static krt_status discretization_init(krt_layer *l, void *args)
{
    const krt_discretization_args *a = args;
    krt_status st = KRT_OK;

    TRY(check_mode(l, a->output_mode, true));
    if (a->bin_boundaries.n == 0 && a->num_bins == KRT_NONE)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "You need to set either `num_bins` or `bin_boundaries`"));
    TRY(check_sparse(l, a->sparse));

done:
    return st;
}

/* How many boundaries are not above the number. */
static krt_value *bin_of(krti_graph *g, krt_value *x, const krt_numbers *boundaries)
{
    float *data = krti_arena_array(&g->arena, boundaries->n, sizeof *data);

    if (data == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    if (x == NULL)
        return NULL;
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

    if (a->bin_boundaries.n == 0)
        return krti_layer_fail(l, KRT_E_STATE,
                               "You need to either pass the `bin_boundaries` argument at "
                               "construction time or call `adapt(dataset)` before you can start "
                               "using the `Discretization` layer");
    krt_value *y = bin_of(c->g, krti_float_input(c, 0), &a->bin_boundaries);
    if (strcmp(a->output_mode, "int") != 0)
        y = encode(c->g, y, a->output_mode, (int64_t)a->bin_boundaries.n + 1, NULL);
    return krt_call_output(c, 0, y);
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

static const krt_layer_class discretization = {
    .struct_size = sizeof discretization,
    .name = "Discretization",
    .defaults = KRT_DISCRETIZATION(.trainable = true),
    .fields = discretization_fields,
    .num_fields = KRTI_COUNT(discretization_fields),
    .call = discretization_call,
    .init = discretization_init,
    .flags = KRTI_LAYER_BARE_CONFIG,
};

const krt_layer_class *const krti_classes_categorical[] = {&category_encoding.base, &discretization,
                                                           NULL};
