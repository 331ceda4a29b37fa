/* Gradients of every operation, held against central differences in float64 on the reference
 * kernels, and against themselves in float32. The table of cases is checked against the op table:
 * an op that has a rule and no case fails, and so does one that has neither rule nor excuse. */
#include "ops/autodiff.h"
#include "ops_testing.h"

enum { MAX_INPUTS = 4, MAX_SIZE = 512 };

typedef struct gradient_case {
    const char *name;
    krt_value *(*build)(krti_graph *g, krt_value *const *x);
    double low, high; /* what the inputs are drawn from */
    int num;
    krt_shape shape[MAX_INPUTS];
} gradient_case;

/* ------------------------------------------------------------------------------- builders */

#define BUILD(NAME, EXPRESSION)                                        \
    static krt_value *build_##NAME(krti_graph *g, krt_value *const *x) \
    {                                                                  \
        return (EXPRESSION);                                           \
    }
#define X(NAME) BUILD(NAME, krti_##NAME(g, x[0]))
X(negative)
X(absolute)
X(square)
X(exp)
X(expm1)
X(log)
X(log1p)
X(log2)
X(log10)
X(sqrt)
X(rsqrt)
X(reciprocal)
X(sin)
X(cos)
X(tan)
X(asin)
X(acos)
X(atan)
X(sinh)
X(cosh)
X(asinh)
X(acosh)
X(atanh)
X(erf)
X(sigmoid)
X(tanh)
X(silu)
X(gelu)
X(gelu_tanh)
X(softplus)
X(softsign)
X(selu)
X(mish)
X(hard_sigmoid)
X(hard_silu)
X(log_sigmoid)
#undef X
#define X(NAME) BUILD(NAME, krti_##NAME(g, x[0], x[1]))
X(add)
X(subtract)
X(multiply)
X(divide)
X(maximum)
X(minimum)
X(power)
X(mod)
X(atan2)
X(squared_difference)
#undef X
#define X(NAME) BUILD(reduce_##NAME, krti_reduce_##NAME(g, x[0], (int[]){0, 2}, 2, false))
X(sum)
X(mean)
X(prod)
X(max)
X(min)
#undef X

BUILD(relu, krti_relu(g, x[0], 0, 0, INFINITY))
BUILD(relu6, krti_relu(g, x[0], 0, 0, 1.5))
BUILD(leaky_relu, krti_relu(g, x[0], 0.2, 0, INFINITY))
BUILD(full_relu, krti_relu(g, x[0], 0.2, 0.5, 1.5))
BUILD(threshold_relu, krti_relu(g, x[0], 0, 0.5, INFINITY))
BUILD(elu, krti_elu(g, x[0], 1.3, 0, 0))
BUILD(celu, krti_celu(g, x[0], 1.3, 0, 0))
BUILD(clip, krti_clip(g, x[0], -0.7, 0.9, 0))
BUILD(affine, krti_affine(g, x[0], 3, -2, 0))
BUILD(power_scalar, krti_power_scalar(g, x[0], 2.5, 0, 0))
BUILD(where, krti_where(g, krti_greater(g, x[0], x[1]), krti_square(g, x[0]), x[1]))
BUILD(cast, krti_cast(g, krti_square(g, krti_cast(g, x[0], KRT_FLOAT32)), x[0]->dtype))
BUILD(reduce_all_axes, krti_reduce_mean(g, x[0], NULL, 0, true))
BUILD(product_with_zeros,
      krti_reduce_prod(g, krti_multiply(g, x[0], floats(g, KRT_SHAPE(3), 0, 1, 1)), (int[]){0}, 1,
                       false))
BUILD(product_with_a_zero,
      krti_reduce_prod(g, krti_multiply(g, x[0], floats(g, KRT_SHAPE(2, 1), 0, 1)), (int[]){0}, 1,
                       true))
BUILD(cumsum, krti_cumsum(g, x[0], 1, true, false))
BUILD(cumsum_reverse, krti_cumsum(g, x[0], 0, false, true))
BUILD(sort, krti_sort(g, x[0], 1))
BUILD(reshape, krti_square(g, krti_reshape(g, x[0], KRT_SHAPE(4, 6))))
BUILD(transpose, krti_transpose(g, x[0], (int[]){2, 0, 1}))
BUILD(concat, krti_concat(g, (krt_value *[]){x[0], x[1], x[0]}, 3, 1))
BUILD(slice, krti_slice_axis(g, x[0], 1, 1, 3, 1))
BUILD(slice_by_steps,
      krti_slice(g, x[0], (int64_t[]){0, 3, 1}, (int64_t[]){2, KRT_NONE, 4}, (int64_t[]){1, -2, 2}))
BUILD(pad, krti_pad(g, x[0], (int64_t[]){0, 1, 2}, (int64_t[]){1, 0, 0}, KRTI_PAD_CONSTANT, 3))
BUILD(pad_reflect,
      krti_pad(g, x[0], (int64_t[]){0, 2, 1}, (int64_t[]){1, 1, 0}, KRTI_PAD_REFLECT, 0))
BUILD(pad_symmetric,
      krti_pad(g, x[0], (int64_t[]){0, 2, 3}, (int64_t[]){2, 1, 0}, KRTI_PAD_SYMMETRIC, 0))
BUILD(pad_edge, krti_pad(g, x[0], (int64_t[]){3, 2, 0}, (int64_t[]){1, 0, 4}, KRTI_PAD_EDGE, 0))
BUILD(tile, krti_tile(g, x[0], (int64_t[]){2, 1, 3}))
BUILD(repeat, krti_repeat(g, x[0], 3, 1))
BUILD(broadcast_to, krti_broadcast_to(g, x[0], KRT_SHAPE(2, 3, 4)))
BUILD(gather, krti_gather(g, x[0], ints(g, KRT_SHAPE(2, 2), 1, -1, 1, 0), 1))
BUILD(embedding, krti_gather(g, x[0], ints(g, KRT_SHAPE(4), 2, 2, 0, 2), 0))
BUILD(matmul, krti_matmul(g, x[0], x[1], false, false, x[2]))
BUILD(matmul_ta, krti_matmul(g, x[0], x[1], true, false, NULL))
BUILD(matmul_tb, krti_matmul(g, x[0], x[1], false, true, NULL))
BUILD(matmul_tab, krti_matmul(g, x[0], x[1], true, true, NULL))
BUILD(dense, krti_dense(g, x[0], x[1], x[2]))
BUILD(attention, krti_matmul(g, krti_softmax(g, krti_matmul(g, x[0], x[1], false, true, NULL), -1),
                             x[2], false, false, NULL))
BUILD(einsum, krti_einsum(g, "abc,cbd->abd", x, 2))

static krti_window window_of(krti_graph *g, const krt_value *x, int rank, int64_t size,
                             int64_t stride, int64_t dilation, const char *padding)
{
    const int64_t s[] = {size, size, size}, t[] = {stride, stride, stride},
                  d[] = {dilation, dilation, dilation};
    krti_window w;

    assert_int_equal(krti_window_make(g, &w, x, rank, s, t, d, padding), KRT_OK);
    return w;
}
#define WINDOW(...) (&(krti_window[1]){window_of(g, x[0], __VA_ARGS__)}[0])

static krt_value *grouped(krti_graph *g, krt_value *const *x, int64_t groups)
{
    krti_window w = window_of(g, x[0], 2, 2, 1, 2, "valid");

    w.groups = groups;
    return krti_conv(g, x[0], x[1], x[2], &w);
}

static krt_value *transposed(krti_graph *g, krt_value *const *x, int64_t size, int64_t stride,
                             const char *padding)
{
    (void)size;
    return krti_conv_transpose(g, x[0], x[1], x[2], x[0]->shape.rank - 2,
                               (int64_t[]){stride, stride, stride}, NULL, NULL, padding);
}

BUILD(conv, krti_conv(g, x[0], x[1], x[2], WINDOW(2, 3, 1, 1, "same")))
BUILD(conv_strided, krti_conv(g, x[0], x[1], x[2], WINDOW(2, 3, 2, 1, "same")))
BUILD(conv1d, krti_conv(g, x[0], x[1], x[2], WINDOW(1, 2, 1, 2, "causal")))
BUILD(conv3d, krti_conv(g, x[0], x[1], NULL, WINDOW(3, 2, 2, 1, "valid")))
BUILD(conv_grouped, grouped(g, x, 2))
BUILD(conv_depthwise, grouped(g, x, 4))
BUILD(conv_transpose, transposed(g, x, 3, 2, "same"))
BUILD(conv_transpose_valid, transposed(g, x, 2, 3, "valid"))
BUILD(conv_grad_input, krti_conv_grad_input(g, x[0], x[1], KRT_SHAPE(1, 5, 5, 2),
                                            &(krti_window){.rank = 2,
                                                           .size = {3, 3, 1},
                                                           .stride = {2, 2, 1},
                                                           .dilation = {1, 1, 1},
                                                           .before = {1, 1},
                                                           .after = {1, 1},
                                                           .groups = 1}))
BUILD(conv_grad_kernel, krti_conv_grad_kernel(g, x[0], x[1], KRT_SHAPE(3, 3, 2, 3),
                                              &(krti_window){.rank = 2,
                                                             .size = {3, 3, 1},
                                                             .stride = {2, 2, 1},
                                                             .dilation = {1, 1, 1},
                                                             .before = {1, 1},
                                                             .after = {1, 1},
                                                             .groups = 1}))
BUILD(max_pool, krti_max_pool(g, x[0], WINDOW(2, 3, 2, 1, "same")))
BUILD(avg_pool, krti_avg_pool(g, x[0], WINDOW(2, 3, 2, 1, "same")))
BUILD(avg_pool1d, krti_avg_pool(g, x[0], WINDOW(1, 2, 1, 2, "valid")))
BUILD(max_pool3d, krti_max_pool(g, x[0], WINDOW(3, 2, 1, 1, "valid")))
BUILD(adaptive_avg_pool, krti_adaptive_avg_pool(g, x[0], 2, (int64_t[]){2, 3}))
BUILD(adaptive_max_pool, krti_adaptive_max_pool(g, x[0], 2, (int64_t[]){2, 3}))
BUILD(batch_norm, krti_batch_norm(g, x[0], krti_affine(g, x[1], 0.5, 0, 0), krti_square(g, x[1]),
                                  x[2], x[3], -1, 1e-3))
BUILD(batch_norm_axis_1, krti_batch_norm(g, x[0], x[1], krti_square(g, x[2]), NULL, x[3], 1, 1e-3))
BUILD(layer_norm, krti_layer_norm(g, x[0], x[1], x[2], 1e-3))
BUILD(layer_norm_plain, krti_layer_norm(g, x[0], NULL, NULL, 1e-3))
BUILD(softmax, krti_softmax(g, x[0], -1))
BUILD(softmax_axis_0, krti_softmax(g, x[0], 0))
BUILD(log_softmax, krti_log_softmax(g, x[0], 1))
BUILD(resize_nearest, krti_resize_image(g, x[0], 5, 3, KRTI_NEAREST, false))
BUILD(resize, krti_resize_image(g, x[0], 5, 3, KRTI_BILINEAR, false))
BUILD(resize_smaller, krti_resize_image(g, x[0], 2, 7, KRTI_BICUBIC, true))
BUILD(softmax_crossentropy, krti_softmax_crossentropy(g, x[0], krti_softmax(g, x[1], -1)))
BUILD(sparse_softmax_crossentropy,
      krti_sparse_softmax_crossentropy(g, x[0], ints(g, KRT_SHAPE(2, 3), 1, 0, 3, 2, 2, 0)))
/* Both of what an LSTM leaves take part; x: inputs, kernel, then a bias or the first h, or h and c. */
static krt_value *rnn_of(krti_graph *g, krt_value *const *x, krti_rnn_kind kind, int bias, int h,
                         int c, krt_value *mask)
{
    krt_value *const in[KRTI_RNN_IN] = {[KRTI_RNN_X] = x[0],
                                        [KRTI_RNN_KERNEL] = x[1],
                                        [KRTI_RNN_BIAS] = bias > 0 ? x[bias] : NULL,
                                        [KRTI_RNN_H] = h > 0 ? x[h] : NULL,
                                        [KRTI_RNN_C] = c > 0 ? x[c] : NULL,
                                        [KRTI_RNN_MASK] = mask};
    krt_value *carry = NULL, *y = krti_rnn(g, in, kind, &carry);

    return carry != NULL ? krti_add(g, y, krti_square(g, carry)) : y;
}
#define RNN_KIND(...) ((krti_rnn_kind){__VA_ARGS__})
BUILD(rnn_simple,
      rnn_of(g, x, RNN_KIND(KRTI_RNN_SIMPLE, KRTI_RNN_TANH, KRTI_RNN_LINEAR), 0, 0, 0, NULL))
BUILD(rnn_simple_state, rnn_of(g, x, RNN_KIND(KRTI_RNN_SIMPLE, KRTI_RNN_LINEAR, KRTI_RNN_LINEAR), 0,
                               2, 0, bools(g, KRT_SHAPE(2, 3), 0, 1, 1, 1, 0, 1)))
BUILD(rnn_lstm,
      rnn_of(g, x, RNN_KIND(KRTI_RNN_LSTM, KRTI_RNN_TANH, KRTI_RNN_SIGMOID), 0, 0, 0, NULL))
BUILD(rnn_lstm_state, rnn_of(g, x, RNN_KIND(KRTI_RNN_LSTM, KRTI_RNN_RELU, KRTI_RNN_HARD_SIGMOID_V2),
                             0, 2, 3, bools(g, KRT_SHAPE(2, 3), 1, 0, 1, 0, 1, 1)))
BUILD(rnn_gru, rnn_of(g, x, RNN_KIND(KRTI_RNN_GRU, KRTI_RNN_TANH, KRTI_RNN_SIGMOID), 2, 0, 0, NULL))
BUILD(rnn_gru_state, rnn_of(g, x, RNN_KIND(KRTI_RNN_GRU, KRTI_RNN_TANH, KRTI_RNN_HARD_SIGMOID), 2,
                            3, 0, bools(g, KRT_SHAPE(2, 3), 1, 1, 0, 0, 1, 1)))
BUILD(rnn_gru_before,
      rnn_of(g, x, RNN_KIND(KRTI_RNN_GRU_BEFORE, KRTI_RNN_TANH, KRTI_RNN_SIGMOID), 0, 0, 0, NULL))
BUILD(rnn_gru_before_state,
      rnn_of(g, x, RNN_KIND(KRTI_RNN_GRU_BEFORE, KRTI_RNN_TANH, KRTI_RNN_SIGMOID), 0, 2, 0,
             bools(g, KRT_SHAPE(2, 3), 1, 1, 0, 0, 1, 1)))
BUILD(used_twice,
      krti_add(g, krti_multiply(g, x[0], x[1]), krti_divide(g, krti_sin(g, x[0]), x[1])))
BUILD(broadcast_middle, krti_multiply(g, x[0], krti_square(g, x[1])))

static krt_value *build_moments(krti_graph *g, krt_value *const *x)
{
    krt_value *mean, *variance;

    assert_int_equal(krti_moments(g, x[0], (int[]){1}, 1, &mean, &variance), KRT_OK);
    return krti_multiply(g, mean, variance);
}

static krt_value *build_batch_norm_train(krti_graph *g, krt_value *const *x)
{
    return krti_batch_norm_train(g, x[0], x[1], x[2], -1, 1e-3, NULL, NULL);
}

/* All three results take part. */
static krt_value *build_batch_norm_moments(krti_graph *g, krt_value *const *x)
{
    krt_value *mean, *variance;
    krt_value *y = krti_batch_norm_train(g, x[0], x[1], NULL, 1, 1e-3, &mean, &variance);

    return krti_add(g, krti_reduce_sum(g, krti_square(g, y), (int[]){0, 2}, 2, false),
                    krti_multiply(g, mean, variance));
}

/* ------------------------------------------------------------------------------- cases */

#define S(...)                                                                                    \
    {                                                                                             \
        .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = { __VA_ARGS__ } \
    }
#define CASE(NAME, LOW, HIGH, NUM, ...)      \
    {                                        \
#NAME, build_##NAME, LOW, HIGH, NUM, \
        {                                    \
            __VA_ARGS__                      \
        }                                    \
    }
#define UNARY(NAME, LOW, HIGH) CASE(NAME, LOW, HIGH, 1, S(2, 5))
#define PAIR(NAME, LOW, HIGH)  CASE(NAME, LOW, HIGH, 2, S(2, 3, 2), S(3, 1))

static const gradient_case cases[] = {
    UNARY(negative, -2, 2),
    UNARY(absolute, -2, 2),
    UNARY(square, -2, 2),
    UNARY(exp, -2, 2),
    UNARY(expm1, -2, 2),
    UNARY(log, 0.2, 3),
    UNARY(log1p, -0.7, 3),
    UNARY(log2, 0.2, 3),
    UNARY(log10, 0.2, 3),
    UNARY(sqrt, 0.2, 3),
    UNARY(rsqrt, 0.2, 3),
    UNARY(reciprocal, 0.3, 2),
    UNARY(sin, -3, 3),
    UNARY(cos, -3, 3),
    UNARY(tan, -1, 1),
    UNARY(asin, -0.9, 0.9),
    UNARY(acos, -0.9, 0.9),
    UNARY(atan, -3, 3),
    UNARY(sinh, -2, 2),
    UNARY(cosh, -2, 2),
    UNARY(asinh, -3, 3),
    UNARY(acosh, 1.2, 4),
    UNARY(atanh, -0.9, 0.9),
    UNARY(erf, -2, 2),
    UNARY(sigmoid, -4, 4),
    UNARY(tanh, -3, 3),
    UNARY(silu, -4, 4),
    UNARY(gelu, -3, 3),
    UNARY(gelu_tanh, -3, 3),
    UNARY(softplus, -4, 4),
    UNARY(softsign, -3, 3),
    UNARY(selu, -3, 3),
    UNARY(mish, -4, 4),
    UNARY(hard_sigmoid, -5, 5),
    UNARY(hard_silu, -5, 5),
    UNARY(log_sigmoid, -4, 4),
    UNARY(relu, -2, 2),
    UNARY(relu6, -2, 3),
    UNARY(leaky_relu, -2, 2),
    UNARY(full_relu, -2, 3),
    UNARY(threshold_relu, -2, 2),
    UNARY(elu, -3, 3),
    UNARY(celu, -3, 3),
    UNARY(clip, -2, 2),
    UNARY(affine, -2, 2),
    UNARY(power_scalar, 0.2, 2),
    PAIR(add, -2, 2),
    PAIR(subtract, -2, 2),
    PAIR(multiply, -2, 2),
    PAIR(divide, 0.4, 2),
    PAIR(maximum, -2, 2),
    PAIR(minimum, -2, 2),
    PAIR(power, 0.3, 2),
    PAIR(mod, 1.1, 1.9),
    PAIR(atan2, 0.3, 2),
    PAIR(squared_difference, -2, 2),
    PAIR(where, -2, 2),
    CASE(cast, -2, 2, 1, S(7)),
    CASE(reduce_sum, -2, 2, 1, S(2, 3, 4)),
    CASE(reduce_mean, -2, 2, 1, S(2, 3, 4)),
    CASE(reduce_prod, -2, 2, 1, S(2, 3, 4)),
    CASE(reduce_max, -2, 2, 1, S(2, 3, 4)),
    CASE(reduce_min, -2, 2, 1, S(2, 3, 4)),
    CASE(reduce_all_axes, -2, 2, 1, S(2, 3)),
    CASE(product_with_zeros, 0.5, 2, 1, S(2, 3)),
    CASE(product_with_a_zero, 0.5, 2, 1, S(2, 3)),
    CASE(cumsum, -2, 2, 1, S(2, 4, 2)),
    CASE(cumsum_reverse, -2, 2, 1, S(3, 2)),
    CASE(sort, -2, 2, 1, S(2, 6, 2)),
    CASE(moments, -2, 2, 1, S(2, 4)),
    CASE(reshape, -2, 2, 1, S(2, 3, 4)),
    CASE(transpose, -2, 2, 1, S(2, 3, 4)),
    CASE(concat, -2, 2, 2, S(2, 2), S(2, 3)),
    CASE(slice, -2, 2, 1, S(2, 4)),
    CASE(slice_by_steps, -2, 2, 1, S(2, 4, 5)),
    CASE(pad, -2, 2, 1, S(2, 2, 2)),
    CASE(pad_reflect, -2, 2, 1, S(2, 3, 2)),
    CASE(pad_symmetric, -2, 2, 1, S(2, 3, 3)),
    CASE(pad_edge, -2, 2, 1, S(2, 3, 2)),
    CASE(tile, -2, 2, 1, S(2, 2, 3)),
    CASE(repeat, -2, 2, 1, S(2, 2, 3)),
    CASE(broadcast_to, -2, 2, 1, S(3, 1)),
    CASE(gather, -2, 2, 1, S(2, 3, 2)),
    CASE(embedding, -2, 2, 1, S(4, 3)),
    CASE(matmul, -2, 2, 3, S(2, 3, 4), S(4, 5), S(5)),
    CASE(matmul_ta, -2, 2, 2, S(4, 3), S(4, 5)),
    CASE(matmul_tb, -2, 2, 2, S(2, 3, 4), S(1, 5, 4)),
    CASE(matmul_tab, -2, 2, 2, S(3, 4, 2), S(2, 1, 5, 4)),
    CASE(dense, -2, 2, 3, S(2, 2, 3), S(3, 4), S(4)),
    CASE(attention, -1, 1, 3, S(2, 3, 4), S(2, 5, 4), S(2, 5, 2)),
    CASE(einsum, -2, 2, 2, S(2, 3, 4), S(4, 3, 2)),
    CASE(conv, -1, 1, 3, S(2, 4, 5, 2), S(3, 3, 2, 3), S(3)),
    CASE(conv_strided, -1, 1, 3, S(1, 6, 5, 2), S(3, 3, 2, 3), S(3)),
    CASE(conv1d, -1, 1, 3, S(2, 6, 2), S(2, 2, 3), S(3)),
    CASE(conv3d, -1, 1, 2, S(1, 5, 4, 3, 2), S(2, 2, 2, 2, 2)),
    CASE(conv_grouped, -1, 1, 3, S(2, 4, 4, 4), S(2, 2, 2, 6), S(6)),
    CASE(conv_depthwise, -1, 1, 3, S(2, 4, 4, 4), S(2, 2, 1, 4), S(4)),
    CASE(conv_transpose, -1, 1, 3, S(2, 3, 4, 2), S(3, 3, 3, 2), S(3)),
    CASE(conv_transpose_valid, -1, 1, 3, S(2, 3, 2), S(2, 3, 2), S(3)),
    CASE(conv_grad_input, -1, 1, 2, S(1, 3, 3, 3), S(3, 3, 2, 3)),
    CASE(conv_grad_kernel, -1, 1, 2, S(1, 5, 5, 2), S(1, 3, 3, 3)),
    CASE(max_pool, -2, 2, 1, S(2, 5, 4, 3)),
    CASE(avg_pool, -2, 2, 1, S(2, 5, 4, 3)),
    CASE(avg_pool1d, -2, 2, 1, S(2, 6, 2)),
    CASE(max_pool3d, -2, 2, 1, S(1, 3, 3, 3, 2)),
    CASE(adaptive_avg_pool, -2, 2, 1, S(2, 5, 5, 2)),
    CASE(adaptive_max_pool, -2, 2, 1, S(2, 5, 5, 2)),
    CASE(batch_norm, 0.3, 2, 4, S(3, 2, 4), S(4), S(4), S(4)),
    CASE(batch_norm_axis_1, 0.3, 2, 4, S(3, 4, 2), S(4), S(4), S(4)),
    CASE(batch_norm_train, -2, 2, 3, S(3, 2, 4), S(4), S(4)),
    CASE(batch_norm_moments, -2, 2, 2, S(3, 4, 2), S(4)),
    CASE(layer_norm, -2, 2, 3, S(3, 2, 4), S(4), S(4)),
    CASE(layer_norm_plain, -2, 2, 1, S(3, 4)),
    CASE(softmax, -2, 2, 1, S(2, 4)),
    CASE(softmax_axis_0, -2, 2, 1, S(3, 4)),
    CASE(log_softmax, -2, 2, 1, S(2, 4, 2)),
    CASE(resize_nearest, -2, 2, 1, S(2, 3, 4, 2)),
    CASE(resize, -2, 2, 1, S(2, 3, 4, 2)),
    CASE(resize_smaller, -2, 2, 1, S(1, 5, 4, 2)),
    CASE(softmax_crossentropy, -2, 2, 2, S(3, 4), S(3, 4)),
    CASE(sparse_softmax_crossentropy, -2, 2, 1, S(2, 3, 4)),
    CASE(rnn_simple, -1, 1, 2, S(2, 3, 2), S(2, 2)),
    CASE(rnn_simple_state, -1, 1, 3, S(2, 3, 2), S(2, 2), S(2, 2)),
    CASE(rnn_lstm, -1, 1, 2, S(2, 3, 8), S(2, 8)),
    CASE(rnn_lstm_state, -1, 1, 4, S(2, 3, 8), S(2, 8), S(2, 2), S(2, 2)),
    CASE(rnn_gru, -1, 1, 3, S(2, 3, 6), S(2, 6), S(6)),
    CASE(rnn_gru_state, -1, 1, 4, S(2, 3, 6), S(2, 6), S(6), S(2, 2)),
    CASE(rnn_gru_before, -1, 1, 2, S(2, 3, 6), S(2, 6)),
    CASE(rnn_gru_before_state, -1, 1, 3, S(2, 3, 6), S(2, 6), S(2, 2)),
    CASE(used_twice, 0.5, 2, 2, S(2, 3), S(3)),
    CASE(broadcast_middle, -2, 2, 2, S(2, 3, 4), S(2, 1, 1)),
};

/* Ops without a rule: what answers in bool or integers, steps, leaves; what only the compiler makes;
 * gradients, which nobody differentiates again. */
static const char *const without[] = {"input",
                                      "variable",
                                      "constant",
                                      "sign",
                                      "floor",
                                      "ceil",
                                      "round",
                                      "trunc",
                                      "isnan",
                                      "isinf",
                                      "isfinite",
                                      "logical_not",
                                      "floor_divide",
                                      "equal",
                                      "not_equal",
                                      "greater",
                                      "greater_equal",
                                      "less",
                                      "less_equal",
                                      "logical_and",
                                      "logical_or",
                                      "logical_xor",
                                      "reduce_any",
                                      "reduce_all",
                                      "argmax",
                                      "argmin",
                                      "one_hot",
                                      "lookup",
                                      "vectorize",
                                      "hash",
                                      "cross",
                                      "stop_gradient",
                                      "random_uniform",
                                      "random_normal",
                                      "random_bernoulli",
                                      "copy",
                                      "assign",
                                      "batch_norm_grad",
                                      "layer_norm_grad",
                                      "softmax_grad",
                                      "relu_grad",
                                      "max_pool_grad",
                                      "avg_pool_grad",
                                      "adaptive_max_pool_grad",
                                      "adaptive_avg_pool_grad",
                                      "slice_grad",
                                      "pad_grad",
                                      "gather_grad",
                                      "sort_grad",
                                      "resize_grad",
                                      "rnn_grad",
                                      "scale_shift",
                                      "expand_depthwise",
                                      "fused",
                                      "moments",
                                      "norm_sums"};

/* ------------------------------------------------------------------------------- running */

static krt_value *random_value(krti_graph *g, krt_dtype dtype, krt_shape shape, double low,
                               double high, uint64_t *state)
{
    double numbers[MAX_SIZE];
    const size_t n = (size_t)krt_shape_size(shape);

    assert_true(n <= MAX_SIZE);
    for (size_t i = 0; i < n; i++)
        numbers[i] = low + (high - low) * random_number(state);
    return values_of(g, dtype, shape, n, numbers);
}

typedef struct differentiated {
    krti_graph *g;
    krt_value *x[MAX_INPUTS], *dx[MAX_INPUTS], *loss;
    void **data;
} differentiated;

/* The loss is the result times fixed random weights, so that every element counts. */
static differentiated differentiate(testing *t, const gradient_case *c, krt_dtype dtype, bool *seen)
{
    differentiated d = {.g = graph_new(t)};
    uint64_t state = 42, weights = 7;

    for (int i = 0; i < c->num; i++)
        d.x[i] = random_value(d.g, dtype, c->shape[i], c->low, c->high, &state);
    krt_value *y = c->build(d.g, d.x);
    if (y == NULL)
        fail_msg("%s: %s", c->name, krt_ctx_error(t->k)->message);
    for (size_t i = 0; seen != NULL && i < d.g->num_nodes; i++)
        for (int j = 0; krti_ops[j] != NULL; j++)
            seen[j] = seen[j] || d.g->nodes[i]->op == krti_ops[j];
    krt_value *w = random_value(d.g, dtype, y->shape, 0.5, 1.5, &weights);
    d.loss = krti_reduce_sum(d.g, krti_multiply(d.g, y, w), NULL, 0, false);
    if (krti_gradients(d.g, d.loss, d.x, (size_t)c->num, d.dx) != KRT_OK)
        fail_msg("%s: %s", c->name, krt_ctx_error(t->k)->message);
    d.data = krti_arena_array(&d.g->arena, d.g->num_nodes * KRTI_MAX_OUT, sizeof(void *));
    run_all(d.g, d.data, (int)d.g->num_nodes - 1);
    return d;
}

static const void *data_of(const differentiated *d, const krt_value *v)
{
    return d->data[v->node->id * KRTI_MAX_OUT + v->index];
}

static double loss_with(differentiated *d, double *element, double value)
{
    const double kept = *element;

    *element = value;
    run_all(d->g, d->data, d->loss->node->id);
    *element = kept;
    return element_at(data_of(d, d->loss), KRT_FLOAT64, 0);
}

static void check_case(testing *t, const gradient_case *c, bool *seen)
{
    differentiated d = differentiate(t, c, KRT_FLOAT64, seen);
    differentiated single = differentiate(t, c, KRT_FLOAT32, NULL);
    const bool rounds = strcmp(c->name, "cast") == 0; /* in float32 meanwhile */
    const double h = rounds ? 1e-3 : 1e-5, tolerance = rounds ? 1e-3 : 2e-8;

    for (int i = 0; i < c->num; i++) {
        double dx[MAX_SIZE];

        if (d.dx[i] == NULL)
            fail_msg("%s: no gradient for input %d", c->name, i);
        assert_true(krt_shape_equal(d.dx[i]->shape, c->shape[i]));
        for (int64_t j = 0; j < krt_shape_size(c->shape[i]); j++)
            dx[j] = element_at(data_of(&d, d.dx[i]), KRT_FLOAT64, (size_t)j);
        for (int64_t j = 0; j < krt_shape_size(c->shape[i]); j++) {
            double *element = (double *)d.x[i]->node->constant + j;
            const double x = *element;
            const double slope =
                (loss_with(&d, element, x + h) - loss_with(&d, element, x - h)) / (2 * h);
            const double rough = element_at(data_of(&single, single.dx[i]), KRT_FLOAT32, (size_t)j);

            if (!(fabs(slope - dx[j]) <= tolerance * (1 + fabs(slope))))
                fail_msg("%s: input %d, element %d at %.9g: the slope is %.12g, the gradient %.12g",
                         c->name, i, (int)j, x, slope, dx[j]);
            if (!(fabs(rough - dx[j]) <= 2e-5 * (1 + fabs(dx[j]))))
                fail_msg("%s: input %d, element %d: %.9g in float32, %.9g in float64", c->name, i,
                         (int)j, rough, dx[j]);
        }
    }
    krti_graph_free(d.g);
    krti_graph_free(single.g);
}

static bool is_without(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(without); i++)
        if (strcmp(without[i], name) == 0)
            return true;
    return false;
}

TEST(gradients_are_the_slopes_of_what_is_computed)
{
    bool seen[256] = {false};

    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        check_case(t, &cases[i], seen);
    for (int i = 0; krti_ops[i] != NULL; i++) {
        const krti_op *op = krti_ops[i];

        assert_true(i < 256);
        if ((op->vjp == NULL) != is_without(op->name))
            fail_msg("%s has %s gradient and is%s excused", op->name, op->vjp ? "a" : "no",
                     is_without(op->name) ? "" : " not");
        if (op->vjp != NULL && !seen[i])
            fail_msg("%s has a gradient that no case checks", op->name);
    }
}

TEST(what_does_not_depend_has_no_gradient)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2), 1, 2), *other = floats(g, KRT_SHAPE(2), 3, 4);
    krt_value *in[] = {x, other, NULL}, *dx[3];
    const size_t nodes = g->num_nodes;

    ASSERT_OK(
        krti_gradients(g, krti_reduce_sum(g, krti_stop_gradient(g, x), NULL, 0, false), in, 3, dx));
    assert_null(dx[0]);
    assert_null(dx[1]);
    assert_null(dx[2]);
    ASSERT_OK(krti_gradients(
        g, krti_multiply(g, krti_cast(g, krti_cast(g, x, KRT_INT32), KRT_FLOAT32), other), in, 3,
        dx));
    assert_null(dx[0]);
    EXPECT(dx[1], KRT_SHAPE(2), 1, 2);
    ASSERT_TRUE(g->num_nodes > nodes);
    krti_graph_free(g);
}

TEST(gradients_may_be_asked_for_anywhere)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2), 1, 2);
    krt_value *y = krti_square(g, x), *z = krti_multiply(g, y, x);
    krt_value *in[] = {x, y, z}, *d[3];

    ASSERT_OK(krti_gradients(g, z, in, 3, d));
    EXPECT(d[0], KRT_SHAPE(2), 3, 12);
    EXPECT(d[1], KRT_SHAPE(2), 1, 2);
    EXPECT(d[2], KRT_SHAPE(2), 1, 1);
    krti_graph_free(g);
}

TEST(ties_go_where_tensorflow_lets_them_go)
{
    krti_graph *g = graph_new(t);
    krt_value *a = floats(g, KRT_SHAPE(3), 1, 2, 2), *b = floats(g, KRT_SHAPE(3), 1, 2, 1);
    krt_value *in[] = {a, b}, *d[2];

    ASSERT_OK(krti_gradients(g, krti_maximum(g, a, b), in, 2, d));
    EXPECT(d[0], KRT_SHAPE(3), 1, 1, 1);
    EXPECT(d[1], KRT_SHAPE(3), 0, 0, 0);
    ASSERT_OK(krti_gradients(g, krti_reduce_max(g, a, NULL, 0, false), in, 2, d));
    EXPECT(d[0], KRT_SHAPE(3), 0, 0.5, 0.5);
    ASSERT_OK(krti_gradients(g, krti_relu(g, krti_subtract(g, a, b), 0, 0, INFINITY), in, 2, d));
    EXPECT(d[0], KRT_SHAPE(3), 0, 0, 1);
    krt_value *image = floats(g, KRT_SHAPE(1, 2, 2, 1), 1, 3, 3, 3);
    krti_window w = {
        .rank = 2, .size = {2, 2, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}, .groups = 1};
    ASSERT_OK(krti_gradients(g, krti_max_pool(g, image, &w), &image, 1, d));
    EXPECT(d[0], KRT_SHAPE(1, 2, 2, 1), 0, 1, 0, 0);
    krti_graph_free(g);
}

TEST(nothing_to_differentiate_is_no_failure)
{
    krti_graph *g = graph_new(t);
    krt_value *empty = values_of(g, KRT_FLOAT32, KRT_SHAPE(0, 3), 0, NULL);
    krt_value *w = floats(g, KRT_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
    krt_value *in[] = {empty, w}, *d[2];

    ASSERT_OK(krti_gradients(g, krti_matmul(g, empty, w, false, false, NULL), in, 2, d));
    EXPECT_SHAPE(d[0], 0, 3);
    EXPECT(d[1], KRT_SHAPE(3, 2), 0, 0, 0, 0, 0, 0);
    krti_graph_free(g);
}

TEST(losses_from_logits_say_what_does_not_fit)
{
    krti_graph *g = graph_new(t);
    krt_value *x = floats(g, KRT_SHAPE(2, 2), 1, 2, 3, 4);

    EXPECT_FAILS(krti_sparse_softmax_crossentropy(g, x, ints(g, KRT_SHAPE(3), 0, 1, 1)),
                 "sparse_softmax_crossentropy of logits (2, 2) and labels (3,)");
    EXPECT_FAILS(krti_softmax_crossentropy(g, x, floats(g, KRT_SHAPE(2), 0, 1)),
                 "softmax_crossentropy of logits (2, 2) and labels (2,)");
    krt_value *dx[1], *input = shaped(g, N, 2);
    ASSERT_INT_EQ(KRT_E_INVALID, krti_gradients(g, krti_square(g, input), &input, 1, dx));
    ASSERT_SAYS("the gradient of a loss of unknown shape (None, 2)");
    krti_graph_free(g);
}

int main(void)
{
    return RUN(
        UNIT(gradients_are_the_slopes_of_what_is_computed),
        UNIT(what_does_not_depend_has_no_gradient), UNIT(gradients_may_be_asked_for_anywhere),
        UNIT(ties_go_where_tensorflow_lets_them_go), UNIT(nothing_to_differentiate_is_no_failure),
        UNIT(losses_from_logits_say_what_does_not_fit));
}
