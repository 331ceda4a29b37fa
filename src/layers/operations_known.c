/* Integers that are known while a graph is being described: tf.shape(x)[0] and what is made of it.
 *
 * tf.keras records the arithmetic of shapes as operations, and hands the results to reshape, tile or
 * broadcast_to, which need numbers here. So it is done at once, walking back from the value asked for.
 * In a graph made for shapes only, the batch stays unknown and so does what it is multiplied with:
 * INT32_MIN inside an int32 value, KRT_NONE here. */
#include "layers/operations_args.h"
#include "ops/op.h"
#include "tensor/tensor.h"

enum { MAX_KNOWN = 64, MAX_DEPTH = 32 };

krt_value *krti_known_shape(krti_graph *g, const krt_value *x)
{
    int32_t dims[KRT_MAX_RANK] = {0};

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++) {
        const int64_t dim = x->shape.dim[i];

        if (dim != KRT_NONE && dim > INT32_MAX)
            return krti_graph_fail(g, KRT_E_UNSUPPORTED, "a dimension of %lld", (long long)dim);
        dims[i] = dim == KRT_NONE ? INT32_MIN : (int32_t)dim;
    }
    return krti_constant(g, KRT_INT32, (krt_shape){1, {x->shape.rank}}, dims);
}

static int known(const krt_value *v, int64_t *out, int depth);

static int known_constant(const krt_value *v, int64_t *out)
{
    const int64_t n = krt_shape_size(v->shape);

    if (krti_dtype_is_float(v->dtype))
        return -1;
    krti_convert(out, KRT_INT64, v->node->constant, v->dtype, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        if (v->dtype == KRT_INT32 && out[i] == INT32_MIN)
            out[i] = KRT_NONE;
    return (int)n;
}

/* One axis only: what is taken of a shape. */
static int known_slice(const krt_value *v, int64_t *out, int depth)
{
    int64_t all[MAX_KNOWN];
    const int64_t start = v->node->attrs.slice.start[0], step = v->node->attrs.slice.step[0];

    if (v->shape.rank != 1 || known(v->node->in[0], all, depth) < 0)
        return -1;
    for (int64_t i = 0; i < v->shape.dim[0]; i++)
        out[i] = all[start + i * step];
    return (int)v->shape.dim[0];
}

static int known_concat(const krt_value *v, int64_t *out, int depth)
{
    int n = 0;

    if (v->shape.rank != 1)
        return -1;
    for (int i = 0; i < v->node->num_in; i++) {
        const int more = known(v->node->in[i], out + n, depth);

        if (more < 0)
            return -1;
        n += more;
    }
    return n;
}

static int64_t combine(const krti_op *op, int64_t a, int64_t b)
{
    if (op == &krti_op_multiply)
        return krti_dim_mul(a, b);
    if (a == KRT_NONE || b == KRT_NONE)
        return KRT_NONE;
    if (op == &krti_op_add)
        return krti_dim_add(a, b);
    if (op == &krti_op_subtract)
        return krti_dim_add(a, -b);
    if (op == &krti_op_maximum)
        return a > b ? a : b;
    if (op == &krti_op_minimum)
        return a < b ? a : b;
    return b > 0 ? krti_dim_div(a, b) : KRT_NONE;
}

/* Of equal lengths, or one of them a single number. */
static int known_binary(const krt_value *v, int64_t *out, int depth)
{
    int64_t a[MAX_KNOWN], b[MAX_KNOWN];
    const int na = known(v->node->in[0], a, depth), nb = known(v->node->in[1], b, depth);
    const int n = na > nb ? na : nb;

    if (na < 0 || nb < 0 || (na != nb && na != 1 && nb != 1) || n != krt_shape_size(v->shape))
        return -1;
    for (int i = 0; i < n; i++)
        out[i] = combine(v->node->op, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i]);
    return n;
}

/* 0 or 1 for each; whether an unknown number is larger is unknown. */
static int known_comparison(const krt_value *v, int64_t *out, int depth)
{
    int64_t a[MAX_KNOWN], b[MAX_KNOWN];
    const krti_op *const op = v->node->op;
    const int na = known(v->node->in[0], a, depth), nb = known(v->node->in[1], b, depth);
    const int n = na > nb ? na : nb;

    if (na < 0 || nb < 0 || (na != nb && na != 1 && nb != 1) || n != krt_shape_size(v->shape))
        return -1;
    for (int i = 0; i < n; i++) {
        const int64_t x = a[na == 1 ? 0 : i], y = b[nb == 1 ? 0 : i];

        out[i] = op == &krti_op_greater ? x > y : op == &krti_op_less ? x < y : x == y;
        if (x == KRT_NONE || y == KRT_NONE)
            out[i] = KRT_NONE;
    }
    return n;
}

static int known_choice(const krt_value *v, int64_t *out, int depth)
{
    int64_t part[3][MAX_KNOWN];
    int n[3];

    for (int i = 0; i < 3; i++) {
        n[i] = known(v->node->in[i], part[i], depth);
        if (n[i] < 0 || (n[i] != 1 && n[i] != krt_shape_size(v->shape)))
            return -1;
    }
    for (int64_t i = 0; i < krt_shape_size(v->shape); i++) {
        const int64_t condition = part[0][n[0] == 1 ? 0 : i];
        const int which = condition == 0 ? 2 : 1;

        out[i] = condition == KRT_NONE ? KRT_NONE : part[which][n[which] == 1 ? 0 : i];
    }
    return (int)krt_shape_size(v->shape);
}

/* One number everywhere. */
static int known_fill(const krt_value *v, int64_t *out, int depth)
{
    const int64_t n = krt_shape_size(v->shape);
    int64_t all[MAX_KNOWN];

    if (known(v->node->in[0], all, depth) != 1)
        return -1;
    for (int64_t i = 0; i < n; i++)
        out[i] = all[0];
    return (int)n;
}

static int known_product(const krt_value *v, int64_t *out, int depth)
{
    int64_t all[MAX_KNOWN], product = 1;
    const int n = known(v->node->in[0], all, depth);

    if (n < 0 || krt_shape_size(v->shape) != 1)
        return -1;
    for (int i = 0; i < n; i++)
        product = krti_dim_mul(product, all[i]);
    out[0] = product;
    return 1;
}

/* Up to MAX_KNOWN integers into `out`. */
static int known(const krt_value *v, int64_t *out, int depth)
{
    static const krti_op *const binaries[] = {&krti_op_add,          &krti_op_subtract,
                                              &krti_op_multiply,     &krti_op_maximum,
                                              &krti_op_floor_divide, &krti_op_minimum};
    const int64_t size = krt_shape_size(v->shape);

    if (depth <= 0 || size == KRT_NONE || size > MAX_KNOWN)
        return -1;
    if (krti_is(v, &krti_op_constant))
        return known_constant(v, out);
    if (krti_is(v, &krti_op_reshape))
        return known(v->node->in[0], out, depth - 1);
    if (krti_is(v, &krti_op_cast))
        return krti_dtype_is_float(v->dtype) ? -1 : known(v->node->in[0], out, depth - 1);
    if (krti_is(v, &krti_op_slice))
        return known_slice(v, out, depth - 1);
    if (krti_is(v, &krti_op_concat))
        return known_concat(v, out, depth - 1);
    if (krti_is(v, &krti_op_reduce_prod))
        return known_product(v, out, depth - 1);
    if (krti_is(v, &krti_op_where))
        return known_choice(v, out, depth - 1);
    if (krti_is(v, &krti_op_broadcast_to))
        return known_fill(v, out, depth - 1);
    if (krti_is(v, &krti_op_greater) || krti_is(v, &krti_op_less) || krti_is(v, &krti_op_equal))
        return known_comparison(v, out, depth - 1);
    for (size_t i = 0; i < KRTI_COUNT(binaries); i++)
        if (krti_is(v, binaries[i]))
            return known_binary(v, out, depth - 1);
    return -1;
}

int krti_known_ints(const krt_value *v, int64_t *out, int max)
{
    int64_t all[MAX_KNOWN];
    const int n = known(v, all, MAX_DEPTH);

    if (n < 0 || n > max)
        return -1;
    memcpy(out, all, (size_t)n * sizeof *out);
    return n;
}
