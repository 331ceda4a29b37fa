/* The public face of the operations: include/keratin/sys/op.h. Each function is the internal
 * constructor of the same name on the graph behind the call. */
#include "layers/layer.h"

#include <keratin/sys/op.h>

/* clang-format off */
#define UNARY(X)                                                                                   \
    X(negative) X(absolute) X(sign) X(square) X(exp) X(expm1) X(log) X(log1p) X(log2) X(log10)     \
    X(sqrt) X(rsqrt) X(reciprocal) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh)    \
    X(asinh) X(acosh) X(atanh) X(floor) X(ceil) X(round) X(trunc) X(erf) X(sigmoid) X(tanh)        \
    X(isnan) X(isinf) X(isfinite) X(logical_not)
#define BINARY(X)                                                                                  \
    X(add) X(subtract) X(multiply) X(divide) X(maximum) X(minimum) X(power) X(mod)                 \
    X(floor_divide) X(atan2) X(equal) X(not_equal) X(greater) X(greater_equal) X(less)             \
    X(less_equal) X(logical_and) X(logical_or) X(logical_xor)
#define REDUCE(X) X(sum) X(mean) X(prod) X(max) X(min) X(any) X(all)

#define X(name)                                                                                    \
    krt_value *krt_op_##name(krt_call *c, krt_value *x)                                            \
    {                                                                                              \
        return krti_##name(c->g, x);                                                               \
    }
UNARY(X)
#undef X

#define X(name)                                                                                    \
    krt_value *krt_op_##name(krt_call *c, krt_value *a, krt_value *b)                              \
    {                                                                                              \
        return krti_##name(c->g, a, b);                                                            \
    }
BINARY(X)
#undef X
/* clang-format on */

/* Axes as the graph wants them; what does not fit an int is no axis of anything. */
static int narrow_axes(krt_axes axes, int out[KRT_MAX_RANK])
{
    const int n = axes.n < 0 ? 0 : axes.n > KRT_MAX_RANK ? KRT_MAX_RANK : axes.n;

    for (int i = 0; i < n; i++)
        out[i] = axes.axis[i] < -KRT_MAX_RANK || axes.axis[i] > KRT_MAX_RANK ? KRT_MAX_RANK
                                                                             : (int)axes.axis[i];
    return n;
}

/* clang-format off */
#define X(name)                                                                                    \
    krt_value *krt_op_##name(krt_call *c, krt_value *x, krt_axes axes, bool keepdims)              \
    {                                                                                              \
        int list[KRT_MAX_RANK];                                                                    \
        const int n = narrow_axes(axes, list);                                                     \
                                                                                                   \
        return krti_reduce_##name(c->g, x, list, n, keepdims);                                     \
    }
REDUCE(X)
#undef X
/* clang-format on */

/* ------------------------------------------------------------------------------- constants */

krt_value *krt_op_scalar(krt_call *c, double value)
{
    return krti_scalar(c->g, value);
}

krt_value *krt_op_constant(krt_call *c, krt_dtype dtype, krt_shape shape, const void *data)
{
    return krti_constant(c->g, dtype, shape, data);
}

krt_value *krt_op_cast(krt_call *c, krt_value *x, krt_dtype dtype)
{
    return krti_cast(c->g, x, dtype);
}

/* ------------------------------------------------------------------------------- elementwise */

krt_value *krt_op_activation(krt_call *c, krt_value *x, const char *activation)
{
    return krti_activate(c, x, activation);
}

krt_value *krt_op_relu(krt_call *c, krt_value *x, double slope, double threshold, double max_value)
{
    return krti_relu(c->g, x, slope, threshold, max_value);
}

krt_value *krt_op_clip(krt_call *c, krt_value *x, double low, double high)
{
    return krti_clip(c->g, x, low, high, 0);
}

krt_value *krt_op_affine(krt_call *c, krt_value *x, double scale, double offset)
{
    return krti_affine(c->g, x, scale, offset, 0);
}

krt_value *krt_op_where(krt_call *c, krt_value *condition, krt_value *a, krt_value *b)
{
    return krti_where(c->g, condition, a, b);
}

/* ------------------------------------------------------------------------------- over axes */

krt_value *krt_op_argmax(krt_call *c, krt_value *x, int axis, bool keepdims)
{
    return krti_argmax(c->g, x, axis, keepdims);
}

krt_value *krt_op_argmin(krt_call *c, krt_value *x, int axis, bool keepdims)
{
    return krti_argmin(c->g, x, axis, keepdims);
}

krt_value *krt_op_cumsum(krt_call *c, krt_value *x, int axis)
{
    return krti_cumsum(c->g, x, axis, false, false);
}

krt_value *krt_op_sort(krt_call *c, krt_value *x, int axis)
{
    return krti_sort(c->g, x, axis);
}

krt_value *krt_op_softmax(krt_call *c, krt_value *x, int axis)
{
    return krti_softmax(c->g, x, axis);
}

krt_value *krt_op_log_softmax(krt_call *c, krt_value *x, int axis)
{
    return krti_log_softmax(c->g, x, axis);
}

/* ------------------------------------------------------------------------------- shapes */

krt_value *krt_op_reshape(krt_call *c, krt_value *x, krt_shape shape)
{
    return krti_reshape(c->g, x, shape);
}

krt_value *krt_op_transpose(krt_call *c, krt_value *x, const int *perm)
{
    return krti_transpose(c->g, x, perm);
}

krt_value *krt_op_expand_dims(krt_call *c, krt_value *x, int axis)
{
    return krti_expand_dims(c->g, x, axis);
}

krt_value *krt_op_squeeze(krt_call *c, krt_value *x, krt_axes axes)
{
    int list[KRT_MAX_RANK];
    const int n = narrow_axes(axes, list);

    return krti_squeeze(c->g, x, list, n);
}

krt_value *krt_op_concatenate(krt_call *c, krt_value *const *x, size_t n, int axis)
{
    return krti_concat(c->g, x, n, axis);
}

krt_value *krt_op_stack(krt_call *c, krt_value *const *x, size_t n, int axis)
{
    return krti_stack(c->g, x, n, axis);
}

/* Python's rules: negative ends count from the back, and what lies outside is clipped. */
static int64_t clip_end(int64_t at, int64_t dim, int64_t step)
{
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;

    if (at < 0)
        at += dim;
    return at < low ? low : at > high ? high : at;
}

krt_value *krt_op_slice(krt_call *c, krt_value *x, int axis, int64_t start, int64_t stop,
                        int64_t step)
{
    if (x == NULL)
        return NULL;
    if (step == KRT_NONE)
        step = 1;
    const int at = krti_axis(c->g, axis, x->shape.rank);
    if (at < 0)
        return NULL;
    const int64_t dim = x->shape.dim[at];
    if (dim == KRT_NONE) {
        const bool from_back = (start != KRT_NONE && start < 0) || (stop != KRT_NONE && stop < 0);

        if (from_back) /* only the shape counts, and it is unknown either way */
            start = stop = KRT_NONE;
        return krti_slice_axis(c->g, x, at, start == KRT_NONE ? 0 : start, stop, step);
    }
    if (start == KRT_NONE)
        start = step > 0 ? 0 : dim - 1;
    start = clip_end(start, dim, step);
    if (stop != KRT_NONE) {
        stop = clip_end(stop, dim, step);
        stop = stop < 0 ? KRT_NONE : stop;
    }
    return krti_slice_axis(c->g, x, at, start, stop, step);
}

krt_value *krt_op_pad(krt_call *c, krt_value *x, const int64_t *before, const int64_t *after)
{
    return krti_pad(c->g, x, before, after, KRTI_PAD_CONSTANT, 0);
}

krt_value *krt_op_tile(krt_call *c, krt_value *x, const int64_t *times)
{
    return krti_tile(c->g, x, times);
}

krt_value *krt_op_repeat(krt_call *c, krt_value *x, int64_t times, int axis)
{
    return krti_repeat(c->g, x, times, axis);
}

krt_value *krt_op_broadcast_to(krt_call *c, krt_value *x, krt_shape shape)
{
    return krti_broadcast_to(c->g, x, shape);
}

krt_value *krt_op_take(krt_call *c, krt_value *x, krt_value *indices, int axis)
{
    return krti_gather(c->g, x, indices, axis);
}

krt_value *krt_op_one_hot(krt_call *c, krt_value *indices, int64_t num_classes, int axis)
{
    return krti_one_hot(c->g, indices, num_classes, axis, KRT_FLOAT32);
}

/* ------------------------------------------------------------------------------- products */

krt_value *krt_op_matmul(krt_call *c, krt_value *a, krt_value *b)
{
    return krti_matmul(c->g, a, b, false, false, NULL);
}

krt_value *krt_op_dense(krt_call *c, krt_value *x, krt_value *kernel, krt_value *bias)
{
    return krti_dense(c->g, x, kernel, bias);
}

krt_value *krt_op_einsum(krt_call *c, const char *equation, krt_value *const *x, size_t n)
{
    return krti_einsum(c->g, equation, x, n);
}

/* ------------------------------------------------------------------------------- windows */

/* The window of these arguments over x; false when it does not fit (the graph knows why). */
static bool make_window(krt_call *c, krti_window *w, const krt_value *x, const int64_t *size,
                        const krt_op_window_args *given)
{
    static const krt_op_window_args defaults = {
        .struct_size = sizeof defaults, .padding = "valid", .groups = 1};
    krt_op_window_args args;
    krt_status st = krti_args_import(c->g->k, &args, &defaults, sizeof args, given);

    if (st == KRT_OK && x->shape.rank < 3) {
        krti_graph_fail(c->g, KRT_E_INVALID,
                        "a window wants an input with spatial axes, found %d "
                        "axes in all",
                        x->shape.rank);
        return false;
    }
    for (int i = 0; i < 3; i++) {
        args.strides[i] = args.strides[i] == 0 ? 1 : args.strides[i];
        args.dilation_rate[i] = args.dilation_rate[i] == 0 ? 1 : args.dilation_rate[i];
    }
    if (st == KRT_OK)
        st = krti_window_make(c->g, w, x, x->shape.rank - 2, size, args.strides, args.dilation_rate,
                              args.padding);
    w->groups = args.groups;
    if (st != KRT_OK && c->g->status == KRT_OK)
        c->g->status = st;
    return st == KRT_OK;
}

krt_value *krt_op_conv(krt_call *c, krt_value *x, krt_value *kernel, krt_value *bias,
                       const krt_op_window_args *args)
{
    krti_window w = {0};

    if (x == NULL || kernel == NULL || !make_window(c, &w, x, kernel->shape.dim, args))
        return NULL;
    return krti_conv(c->g, x, kernel, bias, &w);
}

krt_value *krt_op_max_pool(krt_call *c, krt_value *x, const int64_t *size,
                           const krt_op_window_args *args)
{
    krti_window w = {0};

    return x != NULL && make_window(c, &w, x, size, args) ? krti_max_pool(c->g, x, &w) : NULL;
}

krt_value *krt_op_average_pool(krt_call *c, krt_value *x, const int64_t *size,
                               const krt_op_window_args *args)
{
    krti_window w = {0};

    return x != NULL && make_window(c, &w, x, size, args) ? krti_avg_pool(c->g, x, &w) : NULL;
}

krt_value *krt_op_layer_norm(krt_call *c, krt_value *x, krt_value *gamma, krt_value *beta,
                             double epsilon)
{
    return krti_layer_norm(c->g, x, gamma, beta, epsilon);
}
