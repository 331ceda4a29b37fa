/* Fast kernels against the reference: one list of small graphs, each compiled three ways (native,
 * oneDNN, reference) and run on the same numbers. Tolerance 2e-5 of the largest result, since sums
 * are made in another order; elementwise functions 2e-6. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* setenv */
#endif
#include "testing.h"

#include "ops/autodiff.h"
#include "ops/native/isa.h"
#include "ops/plan.h"

#include <math.h>

enum { MAX_IN = 4 }; /* a list that is full ends there */

typedef krt_value *(*make_fn)(krti_graph *g, krt_value *const *in,
                              const krt_tensor *const *weights);

typedef struct graph_case {
    const char *name;
    krt_shape in[MAX_IN];      /* rank -1 ends the list */
    krt_shape weights[MAX_IN]; /* likewise */
    make_fn make;
    double tolerance; /* of the largest result */
} graph_case;

#define S(...)                                                     \
    {                                                              \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        {                                                          \
            __VA_ARGS__                                            \
        }                                                          \
    }
#define END        \
    {              \
        .rank = -1 \
    }

/* ------------------------------------------------------------------------------- the graphs */

static krti_window window(int rank, int64_t size, int64_t stride, int64_t pad, int64_t dilation)
{
    krti_window w = {.rank = rank, .groups = 1};

    for (int i = 0; i < 3; i++) {
        w.size[i] = i < rank ? size : 1;
        w.stride[i] = i < rank ? stride : 1;
        w.dilation[i] = i < rank ? dilation : 1;
        w.before[i] = w.after[i] = i < rank ? pad : 0;
        w.output_padding[i] = KRT_NONE;
    }
    return w;
}

static krt_value *conv(krti_graph *g, krt_value *x, const krt_tensor *kernel,
                       const krt_tensor *bias, krti_window w)
{
    return krti_conv(g, x, krti_variable(g, kernel), bias != NULL ? krti_variable(g, bias) : NULL,
                     &w);
}

static krt_value *conv_3x3(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return conv(g, in[0], w[0], w[1], window(2, 3, 1, 1, 1));
}

static krt_value *conv_3x3_relu(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return krti_relu(g, conv(g, in[0], w[0], w[1], window(2, 3, 1, 0, 1)), 0, 0, INFINITY);
}

static krt_value *conv_5x5_stride(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return krti_tanh(g, conv(g, in[0], w[0], NULL, window(2, 5, 2, 2, 1)));
}

static krt_value *conv_dilated(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return conv(g, in[0], w[0], w[1], window(2, 3, 1, 2, 2));
}

static krt_value *conv_residual(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *y = krti_add(g, conv(g, in[0], w[0], w[1], window(2, 3, 1, 1, 1)), in[0]);

    return krti_relu(g, y, 0, 0, INFINITY);
}

static krt_value *conv_pointwise_silu(krti_graph *g, krt_value *const *in,
                                      const krt_tensor *const *w)
{
    return krti_silu(g, conv(g, in[0], w[0], w[1], window(2, 1, 1, 0, 1)));
}

static krt_value *conv_batch_norm(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *y = conv(g, in[0], w[0], w[1], window(2, 3, 1, 1, 1));
    krt_value *variance = krti_square(g, krti_variable(g, w[2]));

    return krti_batch_norm(g, y, krti_variable(g, w[1]), variance, krti_variable(g, w[2]),
                           krti_variable(g, w[1]), -1, 1e-3);
}

static krt_value *conv_1d(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return conv(g, in[0], w[0], w[1], window(1, 3, 1, 1, 1));
}

static krt_value *conv_3d(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return conv(g, in[0], w[0], w[1], window(3, 3, 1, 1, 1));
}

static krt_value *conv_grouped(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 3, 1, 1, 1);

    v.groups = 4;
    return conv(g, in[0], w[0], w[1], v);
}

static krt_value *depthwise(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 3, 1, 1, 1);

    v.groups = w[0]->shape.dim[3];
    return krti_silu(g, conv(g, in[0], w[0], w[1], v));
}

static krt_value *depthwise_stride(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 5, 2, 2, 1);

    v.groups = w[0]->shape.dim[3];
    return conv(g, in[0], w[0], w[1], v);
}

static krt_value *depthwise_5x5(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 5, 1, 2, 1);

    v.groups = w[0]->shape.dim[3];
    return krti_relu(g, conv(g, in[0], w[0], w[1], v), 0, 0, 6);
}

/* A pointwise convolution and a depthwise one behind it, as mobile networks have them. */
static krt_value *expansion(krti_graph *g, krt_value *x, const krt_tensor *const *w,
                            krti_window depthwise)
{
    depthwise.groups = w[2]->shape.dim[3];
    krt_value *y = krti_relu(g, conv(g, x, w[0], w[1], window(2, 1, 1, 0, 1)), 0, 0, 6);
    return krti_relu(g, conv(g, y, w[2], w[3], depthwise), 0, 0, 6);
}

static krt_value *expand_same(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return expansion(g, in[0], w, window(2, 3, 1, 1, 1));
}

static krt_value *expand_valid_stride(krti_graph *g, krt_value *const *in,
                                      const krt_tensor *const *w)
{
    return expansion(g, in[0], w, window(2, 3, 2, 0, 1));
}

/* Keras's "same" with a step of two: all of the padding comes after. */
static krt_value *expand_same_stride(krti_graph *g, krt_value *const *in,
                                     const krt_tensor *const *w)
{
    krti_window v = window(2, 3, 2, 0, 1);

    v.after[0] = v.after[1] = 1;
    return expansion(g, in[0], w, v);
}

static krt_value *expand_dilated(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return expansion(g, in[0], w, window(2, 3, 1, 2, 2));
}

/* Rows are skipped where the step is longer than the filter. */
static krt_value *expand_sparse(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return expansion(g, in[0], w, window(2, 1, 3, 0, 1));
}

static krt_value *expand_silu(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 5, 1, 2, 1);

    v.groups = w[2]->shape.dim[3];
    krt_value *y = krti_silu(g, conv(g, in[0], w[0], w[1], window(2, 1, 1, 0, 1)));
    return krti_silu(g, conv(g, y, w[2], w[3], v));
}

static krt_value *expand_bare(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 5, 2, 2, 1);

    v.groups = w[1]->shape.dim[3];
    krt_value *y = krti_hard_silu(g, conv(g, in[0], w[0], NULL, window(2, 1, 1, 0, 1)));
    return conv(g, y, w[1], NULL, v);
}

/* What is widened is read twice. */
static krt_value *expand_shared(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krti_window v = window(2, 3, 1, 1, 1);

    v.groups = w[2]->shape.dim[3];
    krt_value *y = conv(g, in[0], w[0], w[1], window(2, 1, 1, 0, 1));
    krt_value *const both[] = {conv(g, y, w[2], w[3], v), y};
    return krti_concat(g, both, 2, -1);
}

static krt_value *padded_pool(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int64_t before[4] = {0, 1, 1, 0};
    krt_value *y = krti_relu(g, conv(g, in[0], w[0], w[1], window(2, 3, 1, 1, 1)), 0, 0, INFINITY);
    const krti_window v = window(2, 3, 2, 0, 1);

    return krti_max_pool(g, krti_pad(g, y, before, before, KRTI_PAD_CONSTANT, 0), &v);
}

static krt_value *max_pool(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const krti_window v = window(2, 3, 2, 1, 1);

    (void)w;
    return krti_max_pool(g, in[0], &v);
}

static krt_value *avg_pool(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const krti_window v = window(2, 3, 2, 1, 1);

    (void)w;
    return krti_avg_pool(g, in[0], &v);
}

static krt_value *conv_transpose(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int64_t stride[2] = {2, 2}, one[2] = {1, 1}, none[2] = {KRT_NONE, KRT_NONE};

    return krti_relu(g,
                     krti_conv_transpose(g, in[0], krti_variable(g, w[0]), krti_variable(g, w[1]),
                                         2, stride, one, none, "same"),
                     0.1, 0, INFINITY);
}

static krt_value *dense_gelu(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return krti_gelu(g, krti_dense(g, in[0], krti_variable(g, w[0]), krti_variable(g, w[1])));
}

static krt_value *batched_product(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_matmul(g, in[0], in[1], false, true, NULL);
}

static krt_value *softmax(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_softmax(g, in[0], -1);
}

static krt_value *layer_norm(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    return krti_layer_norm(g, in[0], krti_variable(g, w[0]), krti_variable(g, w[1]), 1e-3);
}

static krt_value *mean(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int axes[2] = {1, 2};

    (void)w;
    return krti_reduce_mean(g, in[0], axes, 2, false);
}

static krt_value *gate(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_multiply(g, in[0], krti_sigmoid(g, in[1]));
}

static krt_value *outer_sum(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_subtract(g, in[0], in[1]);
}

static krt_value *normalized(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *y = krti_subtract(g, krti_affine(g, in[0], 0.5, 1, 0), krti_variable(g, w[0]));

    return krti_divide(g, y, krti_affine(g, krti_variable(g, w[0]), 1, 3, 0));
}

static krt_value *transposed(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int perm[4] = {0, 3, 1, 2};

    (void)w;
    return krti_transpose(g, in[0], perm);
}

static krt_value *joined(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_concat(g, in, 2, -1);
}

static krt_value *padded(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int64_t before[4] = {0, 1, 2, 1}, after[4] = {0, 2, 0, 3};

    (void)w;
    return krti_pad(g, in[0], before, after, KRTI_PAD_CONSTANT, 1.5);
}

static krt_value *functions(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *x = in[0];
    krt_value *const all[] = {
        krti_sigmoid(g, x),        krti_tanh(g, x),
        krti_silu(g, x),           krti_gelu(g, x),
        krti_gelu_tanh(g, x),      krti_elu(g, x, 0.7, 0, 0),
        krti_selu(g, x),           krti_exp(g, x),
        krti_hard_sigmoid(g, x),   krti_hard_silu(g, x),
        krti_square(g, x),         krti_absolute(g, x),
        krti_negative(g, x),       krti_softsign(g, x),
        krti_clip(g, x, -1, 2, 0), krti_relu(g, x, 0.2, 0, 3),
    };

    (void)w;
    return krti_concat(g, all, KRTI_COUNT(all), -1);
}

/* A product for each activation that can be fused behind one. */
static krt_value *dense_tails(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *y[14];

    for (size_t i = 0; i < KRTI_COUNT(y); i++)
        y[i] = krti_dense(g, in[0], krti_variable(g, w[0]), krti_variable(g, w[1]));
    krt_value *const all[] = {
        krti_sigmoid(g, y[0]),
        krti_tanh(g, y[1]),
        krti_silu(g, y[2]),
        krti_gelu_tanh(g, y[3]),
        krti_absolute(g, y[4]),
        krti_square(g, y[5]),
        krti_hard_silu(g, y[6]),
        krti_hard_sigmoid(g, y[7]),
        krti_elu(g, y[8], 0.7, 0, 0),
        krti_selu(g, y[9]),
        krti_clip(g, y[10], -1, 2, 0),
        krti_relu(g, y[11], 0.2, 0, 3),
        krti_relu(g, y[12], 0, 0, 6),
        krti_relu(g, y[13], 0.1, 0, INFINITY),
    };

    return krti_concat(g, all, KRTI_COUNT(all), -1);
}

/* --- training: weights that come with the run, and gradients */

static krt_value *conv_of(krti_graph *g, krt_value *x, krt_value *kernel, int64_t stride)
{
    const int64_t size[2] = {kernel->shape.dim[0], kernel->shape.dim[1]};
    const int64_t strides[2] = {stride, stride};
    krti_window w;

    (void)krti_window_make(g, &w, x, 2, size, strides, NULL, "same");
    return krti_conv(g, x, kernel, NULL, &w);
}

static krt_value *conv_given(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_relu(g, conv_of(g, in[0], in[1], 1), 0, 0, INFINITY);
}

static krt_value *conv_given_stride(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return conv_of(g, in[0], in[1], 2);
}

/* A transposed convolution over one axis or two, its kernel and bias given. */
static krt_value *transposed_of(krti_graph *g, krt_value *const *in, int64_t stride,
                                int64_t dilation, const char *padding)
{
    const int64_t strides[2] = {stride, stride}, dilations[2] = {dilation, dilation};
    const int64_t none[2] = {KRT_NONE, KRT_NONE};

    return krti_relu(g,
                     krti_conv_transpose(g, in[0], in[1], in[2], in[1]->shape.rank - 2, strides,
                                         dilations, none, padding),
                     0.1, 0, 4);
}

static krt_value *transposed_stride(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return transposed_of(g, in, 2, 1, "valid");
}

static krt_value *transposed_gaps(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return transposed_of(g, in, 3, 1, "same");
}

static krt_value *transposed_dilated(krti_graph *g, krt_value *const *in,
                                     const krt_tensor *const *w)
{
    (void)w;
    return transposed_of(g, in, 1, 2, "same");
}

/* Both gradients of a convolution with this padding, in[0] being x and in[1] the kernel, weighted
 * by in[2], flat and side by side. As many groups as the kernel's channels make of x's. */
static krt_value *conv_grads(krti_graph *g, krt_value *const *in, int64_t stride, int64_t dilation,
                             const char *padding)
{
    const int rank = in[1]->shape.rank - 2;
    const int64_t strides[3] = {stride, stride, stride};
    const int64_t dilations[3] = {dilation, dilation, dilation};
    krti_window w;

    (void)krti_window_make(g, &w, in[0], rank, in[1]->shape.dim, strides, dilations, padding);
    w.groups = in[0]->shape.dim[rank + 1] / in[1]->shape.dim[rank];
    krt_value *dx = krti_conv_grad_input(g, in[2], in[1], in[0]->shape, &w);
    krt_value *dw = krti_conv_grad_kernel(g, in[0], in[2], in[1]->shape, &w);
    krt_value *flat[] = {krti_reshape(g, dx, (krt_shape){.rank = 1, .dim = {-1}}),
                         krti_reshape(g, dw, (krt_shape){.rank = 1, .dim = {-1}})};
    return krti_concat(g, flat, 2, 0);
}

#define GRADS(name, stride, dilation, padding)                                              \
    static krt_value *name(krti_graph *g, krt_value *const *in, const krt_tensor *const *w) \
    {                                                                                       \
        (void)w;                                                                            \
        return conv_grads(g, in, stride, dilation, padding);                                \
    }
GRADS(grads_same, 1, 1, "same")
GRADS(grads_valid, 1, 1, "valid")
GRADS(grads_stride, 2, 1, "same")
GRADS(grads_stride_valid, 3, 1, "valid")
GRADS(grads_dilated, 1, 2, "same")

static krt_value *product_given(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_matmul(g, in[0], in[1], false, false, in[2]);
}

static krt_value *product_transposed(krti_graph *g, krt_value *const *in,
                                     const krt_tensor *const *w)
{
    (void)w;
    return krti_matmul(g, in[0], in[1], false, true, NULL);
}

static krt_value *outer_product(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_add(g, krti_tanh(g, in[2]), krti_matmul(g, in[0], in[1], true, false, NULL));
}

/* The gradients of sum(y * weight) for every input but the last, which is the weight. */
static krt_value *gradients_of(krti_graph *g, krt_value *y, krt_value *const *in, size_t n)
{
    krt_value *grads[MAX_IN], *flat[MAX_IN];
    krt_value *weighted = krti_multiply(g, y, in[n]);

    (void)krti_gradients(g, weighted, in, n, grads);
    for (size_t i = 0; i < n; i++)
        flat[i] = krti_reshape(g, grads[i], (krt_shape){.rank = 1, .dim = {-1}});
    return krti_concat(g, flat, n, 0);
}

static krt_value *norm_train(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *mean = NULL, *variance = NULL;
    krt_value *far = krti_affine(g, in[0], 0.01, 30, 0); /* the mean a thousand deviations off */
    krt_value *y = krti_batch_norm_train(g, far, in[1], in[2], -1, 1e-6, &mean, &variance);
    krt_value *all[] = {
        krti_reshape(g, krti_relu(g, y, 0, 0, INFINITY), (krt_shape){.rank = 1, .dim = {-1}}), mean,
        krti_affine(g, variance, 1e4, 0, 0)};

    (void)w;
    return krti_concat(g, all, 3, 0);
}

static krt_value *norm_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *y = krti_batch_norm_train(g, in[0], in[1], in[2], -1, 1e-3, NULL, NULL);

    (void)w;
    return gradients_of(g, krti_relu(g, y, 0, 0, INFINITY), in, 3);
}

static krt_value *relu_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *capped = krti_relu(g, in[0], 0, 0, 0.5), *leaky = krti_relu(g, in[0], 0.2, 0, 0.7);

    (void)w;
    return gradients_of(g, krti_add(g, krti_square(g, capped), leaky), in, 1);
}

static krt_value *layer_norm_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return gradients_of(g, krti_layer_norm(g, in[0], in[1], in[2], 1e-3), in, 3);
}

static krt_value *plain_norm_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return gradients_of(g, krti_layer_norm(g, in[0], NULL, NULL, 1e-3), in, 1);
}

/* Behind a mean stands its gradient spread over what it was taken of, alone or in a group. */
static krt_value *mean_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *inner = krti_reduce_mean(g, in[0], (int[]){1, 2}, 2, true);
    krt_value *all = krti_reduce_mean(g, krti_square(g, in[0]), (int[]){0, 1, 2, 3}, 4, true);

    (void)w;
    return gradients_of(g, krti_add(g, krti_square(g, inner), all), in, 1);
}

/* Every kind of random array, of a key that the run brings. */
static krt_value *random_arrays(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const krt_shape shape = {.rank = 2, .dim = {37, 53}};
    krt_value *key = krti_cast(g, krti_affine(g, krti_square(g, in[0]), 1e9, 0, 0), KRT_UINT32);
    krt_value *all[] = {krti_random_uniform_of(g, key, shape, -1, 2),
                        krti_random_normal_of(g, key, shape, 0, 1),
                        krti_random_truncated_normal_of(g, key, shape, 0, 1),
                        krti_cast(g, krti_random_bernoulli_of(g, key, shape, 0.3), KRT_FLOAT32)};

    (void)w;
    return krti_concat(g, all, 4, 0);
}

static krt_value *pool_grads(krti_graph *g, krt_value *const *in, int64_t size, int64_t stride,
                             const char *padding, bool is_max)
{
    const int64_t sizes[2] = {size, size}, strides[2] = {stride, stride};
    krt_value *x = krti_relu(g, in[0], 0, 0, INFINITY);
    krti_window w;

    (void)krti_window_make(g, &w, x, 2, sizes, strides, NULL, padding);
    return gradients_of(g, is_max ? krti_max_pool(g, x, &w) : krti_avg_pool(g, x, &w), in, 1);
}

static krt_value *max_pool_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return pool_grads(g, in, 2, 2, "valid", true);
}

static krt_value *max_pool_overlapping(krti_graph *g, krt_value *const *in,
                                       const krt_tensor *const *w)
{
    (void)w;
    return pool_grads(g, in, 3, 2, "same", true);
}

static krt_value *avg_pool_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return pool_grads(g, in, 3, 2, "same", false);
}

static krt_value *long_sum(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *both[] = {krti_reduce_sum(g, in[0], (int[]){0, 1}, 2, false),
                         krti_reduce_mean(g, in[0], (int[]){0, 1}, 2, false),
                         krti_reduce_max(g, in[0], (int[]){0, 1}, 2, false)};

    (void)w;
    return krti_concat(g, both, 3, 0);
}

static const graph_case cases[] = {
    {"BatchNormalization in training",
     {S(7, 33, 29, 19), S(19), S(19), END},
     {END},
     norm_train,
     2e-4},
    {"gradients of BatchNormalization",
     {S(7, 33, 29, 19), S(19), S(19), S(7, 33, 29, 19)},
     {END},
     norm_grads,
     2e-5},
    {"gradients of layer normalization",
     {S(9, 41, 37), S(37), S(37), S(9, 41, 37)},
     {END},
     layer_norm_grads,
     2e-5},
    {"gradients of layer normalization, long rows",
     {S(40, 700), S(700), S(700), S(40, 700)},
     {END},
     layer_norm_grads,
     2e-5},
    {"gradient of layer normalization, plain",
     {S(9, 5), S(9, 5), END},
     {END},
     plain_norm_grads,
     2e-5},
    {"gradient of means", {S(3, 6, 5, 21), S(3, 1, 1, 21), END}, {END}, mean_grads, 2e-6},
    {"random arrays", {S(2), END}, {END}, random_arrays, 0},
    {"gradients of relu", {S(7, 301), S(7, 301), END}, {END}, relu_grads, 2e-6},
    {"gradient of max pooling", {S(3, 8, 6, 21), S(3, 4, 3, 21), END}, {END}, max_pool_grads, 0},
    {"gradient of max pooling with a rest",
     {S(3, 9, 7, 21), S(3, 4, 3, 21), END},
     {END},
     max_pool_grads,
     0},
    {"gradient of max pooling, overlapping",
     {S(2, 9, 8, 5), S(2, 5, 4, 5), END},
     {END},
     max_pool_overlapping,
     1e-6},
    {"gradient of average pooling",
     {S(2, 9, 8, 300), S(2, 5, 4, 300), END},
     {END},
     avg_pool_grads,
     1e-6},
    {"long sum", {S(100, 64, 36), END}, {END}, long_sum, 2e-6},
    {"conv, kernel given", {S(2, 9, 7, 5), S(3, 3, 5, 19), END}, {END}, conv_given, 2e-5},
    {"Winograd, kernel given", {S(2, 14, 13, 40), S(3, 3, 40, 72), END}, {END}, conv_given, 2e-5},
    {"conv stride 2, kernel given",
     {S(2, 9, 8, 3), S(3, 3, 3, 33), END},
     {END},
     conv_given_stride,
     2e-5},
    {"gradients, same",
     {S(5, 9, 7, 5), S(3, 3, 5, 19), S(5, 9, 7, 19), END},
     {END},
     grads_same,
     2e-5},
    {"gradients by Winograd",
     {S(2, 14, 13, 40), S(3, 3, 40, 72), S(2, 14, 13, 72), END},
     {END},
     grads_same,
     2e-5},
    {"gradients, one channel, valid",
     {S(9, 12, 10, 1), S(3, 3, 1, 32), S(9, 10, 8, 32), END},
     {END},
     grads_valid,
     2e-5},
    {"gradients, pointwise",
     {S(3, 5, 5, 24), S(1, 1, 24, 70), S(3, 5, 5, 70), END},
     {END},
     grads_same,
     2e-5},
    {"gradients, stride 2",
     {S(3, 9, 8, 6), S(3, 3, 6, 16), S(3, 5, 4, 16), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients, pointwise of stride 2",
     {S(3, 9, 8, 6), S(1, 1, 6, 16), S(3, 5, 4, 16), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients, stride 3, valid",
     {S(3, 13, 11, 4), S(4, 2, 4, 9), S(3, 4, 4, 9), END},
     {END},
     grads_stride_valid,
     2e-5},
    {"gradients, dilated",
     {S(2, 9, 12, 4), S(3, 3, 4, 48), S(2, 9, 12, 48), END},
     {END},
     grads_dilated,
     2e-5},
    {"transposed convolution, given",
     {S(3, 7, 6, 9), S(3, 3, 40, 9), S(40), END},
     {END},
     transposed_stride,
     2e-5},
    {"transposed convolution, steps longer than the kernel",
     {S(3, 7, 6, 9), S(2, 2, 17, 9), S(17), END},
     {END},
     transposed_gaps,
     2e-5},
    {"transposed convolution, dilated",
     {S(3, 7, 6, 9), S(3, 3, 17, 9), S(17), END},
     {END},
     transposed_dilated,
     2e-5},
    {"transposed convolution 1d",
     {S(3, 17, 9), S(4, 17, 9), S(17), END},
     {END},
     transposed_stride,
     2e-5},
    {"gradients, depthwise",
     {S(3, 9, 7, 37), S(3, 3, 1, 37), S(3, 9, 7, 37), END},
     {END},
     grads_same,
     2e-5},
    {"gradients, depthwise 5x5, large",
     {S(6, 31, 30, 48), S(5, 5, 1, 48), S(6, 31, 30, 48), END},
     {END},
     grads_same,
     2e-5},
    {"gradients, depthwise, stride 2",
     {S(2, 15, 12, 33), S(5, 5, 1, 33), S(2, 8, 6, 33), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients, depthwise, stride 3, valid",
     {S(2, 12, 10, 16), S(2, 2, 1, 16), S(2, 4, 3, 16), END},
     {END},
     grads_stride_valid,
     2e-5},
    {"gradients, depthwise, dilated",
     {S(2, 9, 7, 19), S(3, 3, 1, 19), S(2, 9, 7, 19), END},
     {END},
     grads_dilated,
     2e-5},
    {"gradients, depthwise 1d",
     {S(3, 40, 20), S(5, 1, 20), S(3, 20, 20), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients, grouped",
     {S(3, 9, 7, 24), S(3, 3, 6, 40), S(3, 9, 7, 40), END},
     {END},
     grads_same,
     2e-5},
    {"gradients, two filters a channel",
     {S(3, 9, 7, 20), S(3, 3, 1, 40), S(3, 5, 4, 40), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients 3d",
     {S(2, 6, 7, 5, 6), S(3, 3, 3, 6, 18), S(2, 6, 7, 5, 18), END},
     {END},
     grads_same,
     2e-5},
    {"gradients 3d, stride 2",
     {S(2, 6, 7, 5, 6), S(3, 3, 3, 6, 18), S(2, 3, 4, 3, 18), END},
     {END},
     grads_stride,
     2e-5},
    {"gradients, large kernel",
     {S(2, 5, 5, 160), S(3, 3, 160, 130), S(2, 5, 5, 130), END},
     {END},
     grads_same,
     2e-5},
    {"product, factor given", {S(37, 50), S(50, 130), S(130), END}, {END}, product_given, 2e-5},
    {"product of few rows, factor given",
     {S(2, 50), S(50, 130), S(130), END},
     {END},
     product_given,
     2e-5},
    {"product, transposed", {S(37, 50), S(75, 50), END}, {END}, product_transposed, 2e-5},
    {"product of one row, transposed", {S(1, 50), S(75, 50), END}, {END}, product_transposed, 2e-5},
    {"outer product", {S(300, 101), S(300, 75), S(101, 75), END}, {END}, outer_product, 2e-5},
    {"conv 3x3", {S(2, 9, 7, 5), END}, {S(3, 3, 5, 19), S(19), END}, conv_3x3, 2e-5},
    {"conv 3x3, wide", {S(1, 8, 8, 33), END}, {S(3, 3, 33, 100), S(100), END}, conv_3x3, 2e-5},
    {"conv 3x3, three channels",
     {S(1, 13, 11, 3), END},
     {S(3, 3, 3, 32), S(32), END},
     conv_3x3,
     2e-5},
    {"conv 3x3 by Winograd",
     {S(2, 14, 13, 40), END},
     {S(3, 3, 40, 72), S(72), END},
     conv_3x3,
     2e-5},
    {"conv 3x3 by Winograd, residual",
     {S(1, 25, 12, 48), END},
     {S(3, 3, 48, 48), S(48), END},
     conv_residual,
     2e-5},
    {"conv 3x3, sums in parts",
     {S(1, 5, 7, 480), END},
     {S(3, 3, 480, 70), S(70), END},
     conv_3x3_relu,
     2e-5},
    {"conv 3x3, long sums and a residual",
     {S(1, 5, 5, 470), END},
     {S(3, 3, 470, 470), S(470), END},
     conv_residual,
     2e-5},
    {"product, sums in parts", {S(13, 9000), S(9000, 70), S(70), END}, {END}, product_given, 2e-5},
    {"conv 3x3 relu", {S(1, 9, 9, 4), END}, {S(3, 3, 4, 16), S(16), END}, conv_3x3_relu, 2e-5},
    {"conv 5x5 stride 2", {S(2, 11, 8, 6), END}, {S(5, 5, 6, 24), END}, conv_5x5_stride, 2e-5},
    {"conv dilated", {S(1, 12, 10, 4), END}, {S(3, 3, 4, 8), S(8), END}, conv_dilated, 2e-5},
    {"conv residual", {S(1, 6, 6, 20), END}, {S(3, 3, 20, 20), S(20), END}, conv_residual, 2e-5},
    {"conv pointwise",
     {S(3, 5, 5, 12), END},
     {S(1, 1, 12, 70), S(70), END},
     conv_pointwise_silu,
     2e-5},
    {"conv batch norm",
     {S(1, 6, 5, 3), END},
     {S(3, 3, 3, 8), S(8), S(8), END},
     conv_batch_norm,
     2e-5},
    {"conv 1d", {S(2, 10, 4), END}, {S(3, 4, 9), S(9), END}, conv_1d, 2e-5},
    {"conv 3d", {S(1, 5, 4, 6, 3), END}, {S(3, 3, 3, 3, 8), S(8), END}, conv_3d, 2e-5},
    {"conv grouped", {S(1, 6, 6, 8), END}, {S(3, 3, 2, 16), S(16), END}, conv_grouped, 2e-5},
    {"depthwise", {S(2, 7, 9, 21), END}, {S(3, 3, 1, 21), S(21), END}, depthwise, 2e-5},
    {"depthwise, narrow", {S(1, 3, 2, 17), END}, {S(3, 3, 1, 17), S(17), END}, depthwise, 2e-5},
    {"depthwise stride 2",
     {S(1, 12, 13, 40), END},
     {S(5, 5, 1, 40), S(40), END},
     depthwise_stride,
     2e-5},
    {"expansion",
     {S(2, 19, 17, 8), END},
     {S(1, 1, 8, 96), S(96), S(3, 3, 1, 96), S(96)},
     expand_same,
     2e-5},
    {"expansion, many strips",
     {S(1, 75, 66, 5), END},
     {S(1, 1, 5, 48), S(48), S(3, 3, 1, 48), S(48)},
     expand_same,
     2e-5},
    {"expansion, odd channels",
     {S(2, 9, 13, 7), END},
     {S(1, 1, 7, 37), S(37), S(3, 3, 1, 37), S(37)},
     expand_same,
     2e-5},
    {"expansion, groups of unlike width",
     {S(1, 11, 10, 6), END},
     {S(1, 1, 6, 150), S(150), S(3, 3, 1, 150), S(150)},
     expand_same,
     2e-5},
    {"expansion, small image",
     {S(1, 2, 1, 6), END},
     {S(1, 1, 6, 40), S(40), S(3, 3, 1, 40), S(40)},
     expand_same,
     2e-5},
    {"expansion, stride 2, valid",
     {S(2, 29, 21, 6), END},
     {S(1, 1, 6, 96), S(96), S(3, 3, 1, 96), S(96)},
     expand_valid_stride,
     2e-5},
    {"expansion, stride 2, same",
     {S(1, 64, 60, 8), END},
     {S(1, 1, 8, 100), S(100), S(3, 3, 1, 100), S(100)},
     expand_same_stride,
     2e-5},
    {"expansion, dilated",
     {S(1, 14, 11, 8), END},
     {S(1, 1, 8, 64), S(64), S(3, 3, 1, 64), S(64)},
     expand_dilated,
     2e-5},
    {"expansion, stride 3",
     {S(1, 70, 65, 8), END},
     {S(1, 1, 8, 64), S(64), S(1, 1, 1, 64), S(64)},
     expand_sparse,
     2e-5},
    {"expansion, silu",
     {S(2, 12, 13, 10), END},
     {S(1, 1, 10, 144), S(144), S(5, 5, 1, 144), S(144)},
     expand_silu,
     2e-5},
    {"expansion, silu, many strips",
     {S(1, 61, 70, 4), END},
     {S(1, 1, 4, 80), S(80), S(5, 5, 1, 80), S(80)},
     expand_silu,
     2e-5},
    {"expansion, no bias",
     {S(2, 21, 18, 6), END},
     {S(1, 1, 6, 72), S(5, 5, 1, 72), END},
     expand_bare,
     2e-5},
    {"expansion, read twice",
     {S(1, 9, 8, 6), END},
     {S(1, 1, 6, 32), S(32), S(3, 3, 1, 32), S(32)},
     expand_shared,
     2e-5},
    {"depthwise 5x5", {S(2, 9, 11, 48), END}, {S(5, 5, 1, 48), S(48), END}, depthwise_5x5, 2e-5},
    {"depthwise 5x5, two rows",
     {S(1, 2, 9, 32), END},
     {S(5, 5, 1, 32), S(32), END},
     depthwise_5x5,
     2e-5},
    {"padding and max pooling",
     {S(1, 9, 9, 3), END},
     {S(3, 3, 3, 18), S(18), END},
     padded_pool,
     2e-5},
    {"max pooling", {S(2, 9, 8, 20), END}, {END}, max_pool, 0},
    {"average pooling", {S(2, 9, 8, 20), END}, {END}, avg_pool, 2e-6},
    {"transposed convolution",
     {S(1, 5, 6, 7), END},
     {S(3, 3, 10, 7), S(10), END},
     conv_transpose,
     2e-5},
    {"dense, one row", {S(1, 200), END}, {S(200, 130), S(130), END}, dense_gelu, 2e-5},
    {"dense, many rows", {S(37, 64), END}, {S(64, 75), S(75), END}, dense_gelu, 2e-5},
    {"dense and every activation", {S(5, 16), END}, {S(16, 33), S(33), END}, dense_tails, 2e-5},
    {"dense of rank 3", {S(2, 5, 33), END}, {S(33, 20), S(20), END}, dense_gelu, 2e-5},
    {"batched product", {S(2, 3, 7, 16), S(2, 3, 9, 16), END}, {END}, batched_product, 2e-5},
    {"softmax", {S(4, 37), END}, {END}, softmax, 2e-6},
    {"layer norm", {S(3, 5, 41), END}, {S(41), S(41), END}, layer_norm, 1e-5},
    {"mean over an image", {S(2, 9, 7, 21), END}, {END}, mean, 2e-6},
    {"a gate for each channel", {S(2, 5, 4, 24), S(2, 1, 1, 24), END}, {END}, gate, 2e-6},
    {"broadcast in the middle", {S(3, 1, 5, 8), S(4, 1, 8), END}, {END}, outer_sum, 2e-6},
    {"shift and scale", {S(2, 6, 6, 3), END}, {S(3), END}, normalized, 2e-6},
    {"transposition", {S(2, 17, 5, 18), END}, {END}, transposed, 0},
    {"concatenation", {S(2, 3, 5), S(2, 3, 18), END}, {END}, joined, 0},
    {"padding", {S(2, 3, 4, 5), END}, {END}, padded, 0},
    {"functions", {S(5, 77), END}, {END}, functions, 2e-6},
};

/* ------------------------------------------------------------------------------- running them */

/* Numbers in [-2, 2), the same in every run. */
static krt_tensor *numbers(testing *t, krt_shape shape, uint32_t seed)
{
    krt_tensor *x = NULL;
    uint32_t state = seed * 2654435761u + 1;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, shape));
    float *data = krt_tensor_data_mut(x);
    for (int64_t i = 0; i < krt_shape_size(shape); i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(state >> 8) / (float)(1 << 22) - 2.0f;
    }
    return x;
}

typedef struct answer {
    float *data;
    size_t n;
} answer;

static answer run_with(testing *t, const graph_case *c, const char *only, int threads)
{
    krti_graph *g = NULL;
    krti_plan *plan = NULL;
    krti_exec *exec = NULL;
    krti_packs *packs = NULL;
    krt_tensor *x[MAX_IN] = {NULL}, *weights[MAX_IN] = {NULL};
    krt_value *in[MAX_IN] = {NULL};
    const void *data[MAX_IN] = {NULL};
    answer a = {NULL, 0};

    ASSERT_OK(krti_graph_new(t->k, &g));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    for (int i = 0; i < MAX_IN && c->weights[i].rank >= 0; i++)
        weights[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
    for (int i = 0; i < MAX_IN && c->in[i].rank >= 0; i++) {
        x[i] = numbers(t, c->in[i], (uint32_t)i + 1);
        in[i] = krti_input(g, KRT_FLOAT32, c->in[i]);
        data[i] = krt_tensor_data(x[i]);
    }
    krt_value *y = c->make(g, in, (const krt_tensor *const *)weights);
    ASSERT_OK(g->status);
    ASSERT_OK(krti_graph_add_output(g, y));
    ASSERT_OK(krti_compile(t->k, &plan, g, packs,
                           &(krti_compile_args){.threads = threads, .only = only}));
    ASSERT_OK(krti_exec_new(t->k, &exec, plan));
    krti_exec_run(exec, data);
    a.n = (size_t)krt_shape_size(plan->graph->outputs[0]->shape);
    a.data = malloc(a.n * sizeof(float));
    memcpy(a.data, krti_exec_output(exec, 0), a.n * sizeof(float));
    krti_exec_free(exec);
    krti_plan_free(plan);
    krti_packs_free(packs);
    for (int i = 0; i < MAX_IN; i++) {
        krt_tensor_free(x[i]);
        krt_tensor_free(weights[i]);
    }
    return a;
}

static void agree(testing *t, const char *only, int threads)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        const graph_case *c = &cases[i];
        const answer expected = run_with(t, c, "reference", 1);
        const answer found = run_with(t, c, only, threads);
        double largest = 0;

        ASSERT_INT_EQ(expected.n, found.n);
        for (size_t j = 0; j < expected.n; j++)
            largest = fmax(largest, fabs((double)expected.data[j]));
        for (size_t j = 0; j < expected.n; j++) {
            const double e = (double)expected.data[j], f = (double)found.data[j];

            if (!(fabs(e - f) <= c->tolerance * largest)) {
                print_error("%s: element %zu of %zu: %.9g, the reference gives %.9g\n", c->name, j,
                            expected.n, f, e);
                fail();
            }
        }
        free(expected.data);
        free(found.data);
    }
}

TEST(native_kernels_agree_with_the_reference)
{
    agree(t, "native", 1);
}

TEST(native_kernels_agree_on_two_threads)
{
    agree(t, "native", 2);
}

TEST(every_instruction_set_agrees)
{
    setenv("KERATIN_ISA", "base", 1);
    agree(t, "native", 1);
    setenv("KERATIN_ISA", "avx2", 1);
    agree(t, "native", 1);
    unsetenv("KERATIN_ISA");
}

TEST(onednn_agrees_with_the_reference)
{
    agree(t, "onednn", 1);
}

/* The names of the kernels a case runs on, in order. */
static void kernels_of(testing *t, const graph_case *c, const char *only, char *out, size_t size)
{
    krti_graph *g = NULL;
    krti_plan *plan = NULL;
    krti_packs *packs = NULL;
    krt_tensor *weights[MAX_IN] = {NULL};
    krt_value *in[MAX_IN] = {NULL};

    ASSERT_OK(krti_graph_new(t->k, &g));
    ASSERT_OK(krti_packs_new(t->k, &packs));
    for (int i = 0; i < MAX_IN && c->weights[i].rank >= 0; i++)
        weights[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
    for (int i = 0; i < MAX_IN && c->in[i].rank >= 0; i++)
        in[i] = krti_input(g, KRT_FLOAT32, c->in[i]);
    ASSERT_OK(krti_graph_add_output(g, c->make(g, in, (const krt_tensor *const *)weights)));
    ASSERT_OK(
        krti_compile(t->k, &plan, g, packs, &(krti_compile_args){.threads = 1, .only = only}));
    out[0] = '\0';
    for (int i = 0; i < plan->num_steps; i++) {
        const size_t n = strlen(out);

        snprintf(out + n, size - n, "%s%s", i > 0 ? " " : "", plan->steps[i].kernel->name);
    }
    krti_plan_free(plan);
    krti_packs_free(packs);
    for (int i = 0; i < MAX_IN; i++)
        krt_tensor_free(weights[i]);
}

static const graph_case *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    fail();
    return NULL;
}

TEST(bias_residual_activation_and_normalization_fuse_into_one_step)
{
    char names[512];

    kernels_of(t, find("conv residual"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv batch norm"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv", names);
    kernels_of(t, find("conv 3x3 by Winograd, residual"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_winograd", names);
    kernels_of(t, find("dense of rank 3"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_matmul", names);
}

TEST(a_chain_of_shifts_and_scales_is_one_step)
{
    char names[512];

    kernels_of(t, find("shift and scale"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_scale_shift", names);
}

TEST(padding_before_max_pooling_of_what_is_not_negative_merges)
{
    char names[512];

    kernels_of(t, find("padding and max pooling"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_max_pool", names);
}

TEST(a_pointwise_and_a_depthwise_convolution_are_one_step)
{
    char names[512];

    setenv("KERATIN_ISA", "base", 1);
    kernels_of(t, find("expansion"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_depthwise", names);
    unsetenv("KERATIN_ISA");
    if (krti_isa_get()->vector == 1)
        skip();
    kernels_of(t, find("expansion"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_expand_depthwise", names);
    kernels_of(t, find("expansion, silu"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_expand_depthwise", names);
    kernels_of(t, find("expansion, read twice"), NULL, names, sizeof names);
    ASSERT_STR_EQ("native_conv native_depthwise native_concat", names);
    kernels_of(t, find("expansion"), "reference", names, sizeof names);
    ASSERT_STR_EQ("reference reference", names);
}

/* The op's own reference kernel, which no plan uses while a fast one does what is asked. */
TEST(the_fused_pair_has_a_reference_that_agrees)
{
    const krti_op *const op = &krti_op_expand_depthwise;
    const graph_case *c = find("expansion, odd channels");
    const answer expected = run_with(t, c, "reference", 1);
    krti_graph *g = NULL;
    krt_tensor *x = numbers(t, c->in[0], 1), *w[4];
    krti_view view[6], out = {malloc(expected.n * sizeof(float)), KRT_FLOAT32, {.rank = 0}};
    const int place[4] = {4, 5, 1, 2};
    krt_value *in[6] = {NULL};
    krti_attrs attrs;

    memset(&attrs, 0, sizeof attrs);
    memset(view, 0, sizeof view);
    ASSERT_OK(krti_graph_new(t->k, &g));
    in[0] = krti_input(g, KRT_FLOAT32, c->in[0]);
    view[0] = (krti_view){krt_tensor_data_mut(x), KRT_FLOAT32, c->in[0]};
    for (int i = 0; i < 4; i++) {
        w[i] = numbers(t, c->weights[i], (uint32_t)i + 100);
        in[place[i]] = krti_variable(g, w[i]);
        view[place[i]] = (krti_view){krt_tensor_data_mut(w[i]), KRT_FLOAT32, c->weights[i]};
    }
    attrs.expand.window = window(2, 3, 1, 1, 1);
    attrs.expand.window.groups = c->weights[2].dim[3];
    attrs.expand.activation = (krti_activation){&krti_op_relu, 0, 0, 6};
    krti_node *n = krti_graph_add(g, op, in, 6, &attrs);
    ASSERT_OK(g->status);
    n->activation = attrs.expand.activation;
    out.shape = n->out[0].shape;
    ASSERT_INT_EQ(expected.n, krt_shape_size(out.shape));
    krti_reference_run(n, view, &out);
    for (size_t i = 0; i < expected.n; i++)
        ASSERT_TRUE(fabsf(((float *)out.data)[i] - expected.data[i]) <= 1e-5f);
    free(out.data);
    free(expected.data);
    krti_graph_free(g);
    krt_tensor_free(x);
    for (int i = 0; i < 4; i++)
        krt_tensor_free(w[i]);
}

TEST(onednn_is_asked_when_it_is_asked_for)
{
#ifdef KERATIN_HAVE_ONEDNN
    char names[512];

    kernels_of(t, find("conv 3x3"), "onednn", names, sizeof names);
    ASSERT_STR_EQ("onednn_conv", names);
    kernels_of(t, find("conv grouped"), NULL, names, sizeof names);
    ASSERT_STR_EQ("onednn_conv", names);
#else
    skip();
#endif
}

int main(void)
{
    return RUN(UNIT(native_kernels_agree_with_the_reference),
               UNIT(native_kernels_agree_on_two_threads), UNIT(every_instruction_set_agrees),
               UNIT(onednn_agrees_with_the_reference),
               UNIT(bias_residual_activation_and_normalization_fuse_into_one_step),
               UNIT(a_chain_of_shifts_and_scales_is_one_step),
               UNIT(padding_before_max_pooling_of_what_is_not_negative_merges),
               UNIT(a_pointwise_and_a_depthwise_convolution_are_one_step),
               UNIT(the_fused_pair_has_a_reference_that_agrees),
               UNIT(onednn_is_asked_when_it_is_asked_for));
}
