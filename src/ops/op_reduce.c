/* Reductions, scans and sorting: shapes, dtypes and table entries. Kernels: reference/reduce.c.
 *
 * Mirrors keras/src/ops/numpy.py. As there, sums and products of narrow integers and of bools are
 * taken in 32 bits, and means in floats. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- over axes */

static krt_status infer_reduce(krti_graph *g, krti_node *n)
{
    const krt_shape in = n->in[0]->shape;
    const krt_dtype dtype = n->in[0]->dtype;
    const bool logical = n->op == &krti_op_reduce_any || n->op == &krti_op_reduce_all;
    bool gone[KRT_MAX_RANK] = {false};
    krt_shape out = {.rank = 0};
    const krt_status st =
        n->op == &krti_op_reduce_mean ? krti_infer_floats(g, n) : krti_infer_one_dtype(g, n);

    if (st != KRT_OK)
        return st;
    if (logical != (dtype == KRT_BOOL) && n->op != &krti_op_reduce_max &&
        n->op != &krti_op_reduce_min)
        return INFER_FAIL(g, "%s is not computed in %s", n->op->name, krt_dtype_name(dtype));
    for (int i = 0; i < n->attrs.reduce.n; i++) {
        const int axis = n->attrs.reduce.axis[i];

        if (axis < 0 || axis >= in.rank || (i > 0 && axis <= n->attrs.reduce.axis[i - 1]))
            return INFER_FAIL(g, "%s over the axes of %s: axis %d is out of order", n->op->name,
                              krti_shape_text(in).s, axis);
        gone[axis] = true;
    }
    for (int i = 0; i < in.rank; i++)
        if (!gone[i] || n->attrs.reduce.keepdims)
            out.dim[out.rank++] = gone[i] ? 1 : in.dim[i];
    return krti_infer_set(n, dtype, out);
}

static double flops_reduce(const krti_node *n)
{
    const int64_t size = krt_shape_size(n->in[0]->shape);

    return size == KRT_NONE ? 0 : (double)size;
}

/* Any signs, any order, each once; none stands for all. */
static bool reduce_axes(krti_graph *g, const krt_value *x, const int *axes, int n,
                        krti_attrs *attrs)
{
    bool chosen[KRT_MAX_RANK] = {false};

    for (int i = 0; i < n; i++) {
        const int axis = krti_axis(g, axes[i], x->shape.rank);

        if (axis < 0)
            return false;
        chosen[axis] = true;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (n == 0 || chosen[i])
            attrs->reduce.axis[attrs->reduce.n++] = i;
    return true;
}

/* The dtype Keras reduces in. */
static krt_dtype reduce_dtype(const krti_op *op, krt_dtype dtype)
{
    if (op == &krti_op_reduce_any || op == &krti_op_reduce_all)
        return KRT_BOOL;
    if (op == &krti_op_reduce_max || op == &krti_op_reduce_min || krti_dtype_is_float(dtype))
        return dtype;
    if (op == &krti_op_reduce_mean)
        return KRT_FLOAT32;
    if (dtype == KRT_UINT8 || dtype == KRT_UINT16)
        return KRT_UINT32;
    return krt_dtype_size(dtype) < 4 ? KRT_INT32 : dtype;
}

static krt_value *reduce(krti_graph *g, const krti_op *op, krt_value *x, const int *axes, int n,
                         bool keepdims)
{
    krti_attrs attrs = {.reduce = {.keepdims = keepdims}};

    if (x == NULL || !reduce_axes(g, x, axes, n, &attrs))
        return NULL;
    x = krti_cast(g, x, reduce_dtype(op, x->dtype));
    return krti_graph_add1(g, op, &x, 1, &attrs);
}

#define krti_vjp_reduce_any NULL
#define krti_vjp_reduce_all NULL

#define X(NAME)                                                                        \
    const krti_op krti_op_reduce_##NAME = {.name = "reduce_" #NAME,                    \
                                           .min_in = 1,                                \
                                           .max_in = 1,                                \
                                           .infer = infer_reduce,                      \
                                           .reference = krti_ref_reduce_##NAME,        \
                                           .flops = flops_reduce,                      \
                                           .vjp = krti_vjp_reduce_##NAME};             \
    krt_value *krti_reduce_##NAME(krti_graph *g, krt_value *x, const int *axes, int n, \
                                  bool keepdims)                                       \
    {                                                                                  \
        return reduce(g, &krti_op_reduce_##NAME, x, axes, n, keepdims);                \
    }
KRTI_REDUCE(X)
#undef X

krt_status krti_moments(krti_graph *g, krt_value *x, const int *axes, int n, krt_value **mean,
                        krt_value **variance)
{
    *mean = *variance = NULL;
    x = krti_to_float(g, x);
    *mean = krti_reduce_mean(g, x, axes, n, true);
    *variance = krti_reduce_mean(g, krti_squared_difference(g, x, *mean), axes, n, true);
    return g->status;
}

/* ------------------------------------------------------------------------------- along one axis */

static krt_status axis_check(krti_graph *g, krti_node *n, int *axis)
{
    const krt_status st = krti_infer_one_dtype(g, n);

    if (st != KRT_OK)
        return st;
    *axis = krti_axis(g, *axis, n->in[0]->shape.rank);
    return *axis < 0 ? g->status : KRT_OK;
}

/* reduce.axis[0] is the axis. */
static krt_status infer_argmax(krti_graph *g, krti_node *n)
{
    const krt_status st = axis_check(g, n, &n->attrs.reduce.axis[0]);
    const krt_shape in = n->in[0]->shape;
    krt_shape out = {.rank = 0};

    if (st != KRT_OK)
        return st;
    if (in.dim[n->attrs.reduce.axis[0]] == 0)
        return INFER_FAIL(g, "%s along an empty axis of %s", n->op->name, krti_shape_text(in).s);
    for (int i = 0; i < in.rank; i++)
        if (i != n->attrs.reduce.axis[0] || n->attrs.reduce.keepdims)
            out.dim[out.rank++] = i == n->attrs.reduce.axis[0] ? 1 : in.dim[i];
    return krti_infer_set(n, KRT_INT32, out);
}

#define ENTRY(NAME, INFER, VJP)                                   \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 1,                  \
                                    .max_in = 1,                  \
                                    .infer = INFER,               \
                                    .reference = krti_ref_##NAME, \
                                    .flops = flops_reduce,        \
                                    .vjp = VJP}
ENTRY(argmax, infer_argmax, NULL);
ENTRY(argmin, infer_argmax, NULL);

krt_value *krti_argmax(krti_graph *g, krt_value *x, int axis, bool keepdims)
{
    const krti_attrs attrs = {.reduce = {.n = 1, .axis = {axis}, .keepdims = keepdims}};

    return krti_graph_add1(g, &krti_op_argmax, &x, 1, &attrs);
}

krt_value *krti_argmin(krti_graph *g, krt_value *x, int axis, bool keepdims)
{
    const krti_attrs attrs = {.reduce = {.n = 1, .axis = {axis}, .keepdims = keepdims}};

    return krti_graph_add1(g, &krti_op_argmin, &x, 1, &attrs);
}

static krt_status infer_cumsum(krti_graph *g, krti_node *n)
{
    const krt_status st = axis_check(g, n, &n->attrs.scan.axis);

    if (st == KRT_OK && n->in[0]->dtype == KRT_BOOL)
        return INFER_FAIL(g, "cumsum is not computed in bool");
    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, n->in[0]->shape) : st;
}

ENTRY(cumsum, infer_cumsum, krti_vjp_cumsum);

krt_value *krti_cumsum(krti_graph *g, krt_value *x, int axis, bool exclusive, bool reverse)
{
    const krti_attrs attrs = {.scan = {.exclusive = exclusive, .reverse = reverse, .axis = axis}};

    if (x != NULL && x->dtype == KRT_BOOL)
        x = krti_cast(g, x, KRT_INT32);
    return krti_graph_add1(g, &krti_op_cumsum, &x, 1, &attrs);
}

static krt_status infer_sort(krti_graph *g, krti_node *n)
{
    const krt_status st = axis_check(g, n, &n->attrs.axis.axis);

    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, n->in[0]->shape) : st;
}

ENTRY(sort, infer_sort, krti_vjp_sort);

krt_value *krti_sort(krti_graph *g, krt_value *x, int axis)
{
    const krti_attrs attrs = {.axis = {.axis = axis}};

    return krti_graph_add1(g, &krti_op_sort, &x, 1, &attrs);
}
