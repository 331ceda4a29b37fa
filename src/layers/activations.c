/* Keras's activation functions by name. Keras: activations/activations.py.
 *
 * Two tables. Functions that are one elementwise op go through krti_apply(), where the compiler
 * can fuse them behind a convolution or product; the rest are composed. "hard_sigmoid_v2" is the
 * hard_sigmoid of Keras 1 and 2, a name that config_read.c gives it. */
#include "layers/layer.h"
#include "ops/op.h"

#include <stdlib.h>

static const struct single {
    const char *name;
    krti_activation f;
} singles[] = {
    {"celu", {&krti_op_celu, 1, 0, 0}},
    {"elu", {&krti_op_elu, 1, 0, 0}},
    {"exponential", {&krti_op_exp, 0, 0, 0}},
    {"gelu", {&krti_op_gelu, 0, 0, 0}},
    {"hard_sigmoid", {&krti_op_hard_sigmoid, 0, 0, 0}},
    {"hard_silu", {&krti_op_hard_silu, 0, 0, 0}},
    {"hard_swish", {&krti_op_hard_silu, 0, 0, 0}},
    {"hard_tanh", {&krti_op_clip, -1, 1, 0}},
    {"leaky_relu", {&krti_op_relu, 0.2, 0, INFINITY}},
    {"log_sigmoid", {&krti_op_log_sigmoid, 0, 0, 0}},
    {"mish", {&krti_op_mish, 0, 0, 0}},
    {"relu", {&krti_op_relu, 0, 0, INFINITY}},
    {"relu6", {&krti_op_relu, 0, 0, 6}},
    {"selu", {&krti_op_selu, 0, 0, 0}},
    {"sigmoid", {&krti_op_sigmoid, 0, 0, 0}},
    {"silu", {&krti_op_silu, 0, 0, 0}},
    {"softplus", {&krti_op_softplus, 0, 0, 0}},
    {"softsign", {&krti_op_softsign, 0, 0, 0}},
    {"swish", {&krti_op_silu, 0, 0, 0}},
    {"tanh", {&krti_op_tanh, 0, 0, 0}},
};

/* ------------------------------------------------------------------------------- composed */

static krt_value *linear(krti_graph *g, krt_value *x)
{
    (void)g;
    return x;
}

static krt_value *hard_sigmoid_v2(krti_graph *g, krt_value *x)
{
    return krti_clip(g, krti_affine(g, x, 0.2, 0.5, 0), 0, 1, 0);
}

static krt_value *tanh_shrink(krti_graph *g, krt_value *x)
{
    return krti_subtract(g, x, krti_tanh(g, x));
}

/* Keras's default threshold of 0.5 is the only one a name can ask for. */
static krt_value *soft_shrink(krti_graph *g, krt_value *x)
{
    return krti_subtract(g, x, krti_clip(g, x, -0.5, 0.5, 0));
}

static krt_value *hard_shrink(krti_graph *g, krt_value *x)
{
    krt_value *large = krti_greater(g, krti_absolute(g, x), krti_scalar(g, 0.5));

    return krti_where(g, large, x, krti_scalar(g, 0));
}

static krt_value *softmax(krti_graph *g, krt_value *x)
{
    return krti_softmax(g, x, -1);
}

static krt_value *log_softmax(krti_graph *g, krt_value *x)
{
    return krti_log_softmax(g, x, -1);
}

static krt_value *glu(krti_graph *g, krt_value *x)
{
    if (x == NULL)
        return NULL;
    const int axis = x->shape.rank - 1;
    const int64_t n = axis >= 0 ? x->shape.dim[axis] : 0;

    if (n == KRT_NONE || n % 2 != 0 || axis < 0)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "the activation glu halves the last axis, which must be even");
    return krti_multiply(g, krti_slice_axis(g, x, axis, 0, n / 2, 1),
                         krti_sigmoid(g, krti_slice_axis(g, x, axis, n / 2, n, 1)));
}

/* 0 up to -1, x from 1 on, a parabola between. */
static krt_value *sparse_plus(krti_graph *g, krt_value *x)
{
    krt_value *middle = krti_affine(g, krti_square(g, krti_affine(g, x, 1, 1, 0)), 0.25, 0, 0);
    krt_value *below = krti_less_equal(g, x, krti_scalar(g, -1));
    krt_value *inside = krti_less(g, x, krti_scalar(g, 1));

    return krti_where(g, below, krti_scalar(g, 0), krti_where(g, inside, middle, x));
}

static krt_value *sparse_sigmoid(krti_graph *g, krt_value *x)
{
    return krti_clip(g, krti_affine(g, x, 0.5, 0.5, 0), 0, 1, 0);
}

static krt_value *squareplus(krti_graph *g, krt_value *x)
{
    krt_value *root = krti_sqrt(g, krti_affine(g, krti_square(g, x), 1, 4, 0));

    return krti_affine(g, krti_add(g, x, root), 0.5, 0, 0);
}

/* With z sorted downwards and s its cumulated sums, the support is where z_k > (s_k - 1) / k. The
 * projection onto the simplex would subtract (s_K - 1) / K for the largest such K; Keras adds up
 * s_1 to s_K there (backend/.../nn.py), and Keras's numbers are the ones wanted. */
static krt_value *sparsemax(krti_graph *g, krt_value *x)
{
    if (x == NULL)
        return NULL;
    const int axis = x->shape.rank - 1;
    const int64_t n = axis >= 0 ? x->shape.dim[axis] : KRT_NONE;

    if (n == KRT_NONE)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED,
                               "the activation sparsemax needs a known last axis");
    krt_value *z = krti_negative(g, krti_sort(g, krti_negative(g, x), axis));
    krt_value *ones = krti_broadcast_to(g, krti_scalar(g, 1), (krt_shape){1, {n}});
    krt_value *k = krti_cumsum(g, ones, 0, false, false);
    krt_value *s = krti_cumsum(g, z, axis, false, false);
    krt_value *zero = krti_scalar(g, 0);
    krt_value *bound = krti_divide(g, krti_affine(g, s, 1, -1, 0), k);
    krt_value *inside = krti_greater(g, krti_subtract(g, z, bound), zero);
    krt_value *size = krti_reduce_sum(g, krti_cast(g, inside, KRT_FLOAT32), &axis, 1, true);
    krt_value *total = krti_reduce_sum(g, krti_where(g, inside, s, zero), &axis, 1, true);
    krt_value *tau = krti_divide(g, krti_affine(g, total, 1, -1, 0), size);

    return krti_maximum(g, krti_subtract(g, x, tau), zero);
}

static const struct composed {
    const char *name;
    krt_value *(*make)(krti_graph *g, krt_value *x);
} composed[] = {
    {"glu", glu},
    {"hard_shrink", hard_shrink},
    {"hard_sigmoid_v2", hard_sigmoid_v2},
    {"linear", linear},
    {"log_softmax", log_softmax},
    {"soft_shrink", soft_shrink},
    {"softmax", softmax},
    {"softmax_v2", softmax}, /* tf.nn.softmax, as tf.keras wrote it */
    {"sparse_plus", sparse_plus},
    {"sparse_sigmoid", sparse_sigmoid},
    {"sparsemax", sparsemax},
    {"squareplus", squareplus},
    {"tanh_shrink", tanh_shrink},
};

/* ------------------------------------------------------------------------------- by name */

/* Both tables are sorted, and both kinds of entry begin with the name. */
static int compare(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static const struct single *find_single(const char *name)
{
    return bsearch(name, singles, KRTI_COUNT(singles), sizeof singles[0], compare);
}

static const struct composed *find_composed(const char *name)
{
    return bsearch(name, composed, KRTI_COUNT(composed), sizeof composed[0], compare);
}

bool krti_activation_known(const char *activation)
{
    return activation == NULL || find_single(activation) != NULL ||
           find_composed(activation) != NULL;
}

const char *krti_activation_at(size_t i)
{
    if (i < KRTI_COUNT(singles))
        return singles[i].name;
    i -= KRTI_COUNT(singles);
    return i < KRTI_COUNT(composed) ? composed[i].name : NULL;
}

krt_value *krti_activate(krt_call *c, krt_value *x, const char *activation)
{
    krt_layer *inner = NULL;

    if (activation == NULL || x == NULL)
        return x;
    if (activation[0] == '@' && c->layer != NULL)
        inner = krti_layer_inner(c->layer, activation + 1);
    if (inner != NULL)
        return krti_layer_apply(inner, c, x, NULL, NULL);
    if (find_single(activation) != NULL)
        return krti_apply(c->g, x, find_single(activation)->f);
    if (find_composed(activation) != NULL)
        return find_composed(activation)->make(c->g, x);
    return krti_graph_fail(c->g, KRT_E_UNKNOWN_CLASS, "unknown activation \"%s\"", activation);
}
