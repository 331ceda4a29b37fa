/**
 * @file op.h
 * Operations for layers of your own, called inside a layer class's `call`. Keras: keras.ops.
 * Promised within a minor version.
 *
 * Values are symbolic: a function here adds to the description of the layer and computes nothing.
 * Shape and dtype of the result are known at once (krt_value_shape()), unknown dimensions being
 * KRT_NONE. A function that fails, or is given NULL, answers NULL; the call reports the first
 * failure, so that a layer need not look at each result.
 *
 *     static krt_status call(const krt_layer *l, const void *args, krt_call *c)
 *     {
 *         krt_value *x = krt_call_input(c, 0);
 *
 *         return krt_call_output(c, 0, krt_op_multiply(c, x, krt_op_sigmoid(c, x)));
 *     }
 *
 * Images and sequences are channels last, (batch, spatial..., channels). Negative axes count from
 * the end. Binary operations broadcast as NumPy's, and integers become float32 where the result
 * is no integer.
 */
#ifndef KERATIN_SYS_OP_H
#define KERATIN_SYS_OP_H

#include "layer_class.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- constants ------------------------------------------------------------------------------- */

/** A float32 number. */
KRT_API krt_value *krt_op_scalar(krt_call *c, double value);
/** A tensor; `data` is row major and copied. */
KRT_API krt_value *krt_op_constant(krt_call *c, krt_dtype dtype, krt_shape shape, const void *data);
KRT_API krt_value *krt_op_cast(krt_call *c, krt_value *x, krt_dtype dtype);

/* --- element by element ---------------------------------------------------------------------- */

/** Each is keras.ops's function of the same name; those that answer yes or no give KRT_BOOL. */
KRT_API krt_value *krt_op_negative(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_absolute(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_sign(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_square(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_exp(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_expm1(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_log(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_log1p(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_log2(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_log10(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_sqrt(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_rsqrt(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_reciprocal(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_sin(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_cos(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_tan(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_asin(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_acos(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_atan(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_sinh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_cosh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_asinh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_acosh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_atanh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_floor(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_ceil(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_round(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_trunc(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_erf(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_sigmoid(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_tanh(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_isnan(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_isinf(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_isfinite(krt_call *c, krt_value *x);
KRT_API krt_value *krt_op_logical_not(krt_call *c, krt_value *x);
/** "relu", "gelu", ..., any activation of Keras by name; NULL is linear. */
KRT_API krt_value *krt_op_activation(krt_call *c, krt_value *x, const char *activation);
/** max(x, 0) with Keras's options: `slope` below `threshold`, `max_value` INFINITY for none. */
KRT_API krt_value *krt_op_relu(krt_call *c, krt_value *x, double slope, double threshold,
                               double max_value);
/** min(max(x, low), high) */
KRT_API krt_value *krt_op_clip(krt_call *c, krt_value *x, double low, double high);
/** scale * x + offset */
KRT_API krt_value *krt_op_affine(krt_call *c, krt_value *x, double scale, double offset);

/** Of two values, which broadcast. */
KRT_API krt_value *krt_op_add(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_subtract(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_multiply(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_divide(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_maximum(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_minimum(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_power(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_mod(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_floor_divide(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_atan2(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_equal(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_not_equal(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_greater(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_greater_equal(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_less(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_less_equal(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_logical_and(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_logical_or(krt_call *c, krt_value *a, krt_value *b);
KRT_API krt_value *krt_op_logical_xor(krt_call *c, krt_value *a, krt_value *b);
/** a where the condition is true, b elsewhere; the three broadcast. */
KRT_API krt_value *krt_op_where(krt_call *c, krt_value *condition, krt_value *a, krt_value *b);

/* --- over axes ------------------------------------------------------------------------------- */

/** No axes: over all of them. argmax and argmin give int32. */
KRT_API krt_value *krt_op_sum(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_mean(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_prod(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_max(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_min(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_any(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_all(krt_call *c, krt_value *x, krt_axes axes, bool keepdims);
KRT_API krt_value *krt_op_argmax(krt_call *c, krt_value *x, int axis, bool keepdims);
KRT_API krt_value *krt_op_argmin(krt_call *c, krt_value *x, int axis, bool keepdims);
KRT_API krt_value *krt_op_cumsum(krt_call *c, krt_value *x, int axis);
/** Ascending. */
KRT_API krt_value *krt_op_sort(krt_call *c, krt_value *x, int axis);
KRT_API krt_value *krt_op_softmax(krt_call *c, krt_value *x, int axis);
KRT_API krt_value *krt_op_log_softmax(krt_call *c, krt_value *x, int axis);

/* --- shapes ---------------------------------------------------------------------------------- */

/** One dimension may be -1. */
KRT_API krt_value *krt_op_reshape(krt_call *c, krt_value *x, krt_shape shape);
/** As many entries in `perm` as x has axes, each axis once. */
KRT_API krt_value *krt_op_transpose(krt_call *c, krt_value *x, const int *perm);
KRT_API krt_value *krt_op_expand_dims(krt_call *c, krt_value *x, int axis);
/** No axes: every axis of size 1. */
KRT_API krt_value *krt_op_squeeze(krt_call *c, krt_value *x, krt_axes axes);
KRT_API krt_value *krt_op_concatenate(krt_call *c, krt_value *const *x, size_t n, int axis);
KRT_API krt_value *krt_op_stack(krt_call *c, krt_value *const *x, size_t n, int axis);
/** x[start:stop:step] along one axis, as Python's; KRT_NONE for what is left out. */
KRT_API krt_value *krt_op_slice(krt_call *c, krt_value *x, int axis, int64_t start, int64_t stop,
                                int64_t step);
/** Zeros before and after: as many entries as x has axes. */
KRT_API krt_value *krt_op_pad(krt_call *c, krt_value *x, const int64_t *before,
                              const int64_t *after);
/** As many entries in `times` as x has axes. */
KRT_API krt_value *krt_op_tile(krt_call *c, krt_value *x, const int64_t *times);
/** Each element `times` times along the axis. */
KRT_API krt_value *krt_op_repeat(krt_call *c, krt_value *x, int64_t times, int axis);
KRT_API krt_value *krt_op_broadcast_to(krt_call *c, krt_value *x, krt_shape shape);
/** Keras: keras.ops.take. */
KRT_API krt_value *krt_op_take(krt_call *c, krt_value *x, krt_value *indices, int axis);
KRT_API krt_value *krt_op_one_hot(krt_call *c, krt_value *indices, int64_t num_classes, int axis);

/* --- products and windows -------------------------------------------------------------------- */

/** On the last two axes, the others broadcast. */
KRT_API krt_value *krt_op_matmul(krt_call *c, krt_value *a, krt_value *b);
/** x (..., in) times kernel (in, out), plus bias (out), which may be NULL. */
KRT_API krt_value *krt_op_dense(krt_call *c, krt_value *x, krt_value *kernel, krt_value *bias);
/** One or two inputs: "abc,cd->abd", with "..." where axes are not named. */
KRT_API krt_value *krt_op_einsum(krt_call *c, const char *equation, krt_value *const *x, size_t n);

/** How a window moves over one to three spatial axes; zeros read as 1. */
typedef struct krt_op_window_args {
    size_t      struct_size;
    int64_t     strides[3];       /**< {1, 1, 1} */
    int64_t     dilation_rate[3]; /**< {1, 1, 1} */
    const char *padding;          /**< "valid", "same" or, for one axis, "causal" */
    int64_t     groups;           /**< 1; of a convolution */
} krt_op_window_args;
#define KRT_OP_WINDOW(...) \
    KRT_ARGS(krt_op_window_args, .padding = "valid", .groups = 1, __VA_ARGS__)

/** Keras: keras.ops.conv. kernel (size..., in / groups, out); bias (out) or NULL.
 *  NULL: `args` may be NULL, which is KRT_OP_WINDOW(). */
KRT_API krt_value *krt_op_conv(krt_call *c, krt_value *x, krt_value *kernel, krt_value *bias,
                               const krt_op_window_args *args);
/** Keras: keras.ops.max_pool. `size` has one entry a spatial axis. */
KRT_API krt_value *krt_op_max_pool(krt_call *c, krt_value *x, const int64_t *size,
                                   const krt_op_window_args *args);
/** Keras: keras.ops.average_pool: padding does not count. */
KRT_API krt_value *krt_op_average_pool(krt_call *c, krt_value *x, const int64_t *size,
                                       const krt_op_window_args *args);
/** Over the last axis; gamma and beta (its size) may be NULL. */
KRT_API krt_value *krt_op_layer_norm(krt_call *c, krt_value *x, krt_value *gamma, krt_value *beta,
                                     double epsilon);

#ifdef __cplusplus
}
#endif

#endif
