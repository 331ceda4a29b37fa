/* The small graphs that test_kernels.c compiles with each family of kernels: forward, then training's. */
#ifndef KERATIN_TESTS_KERNEL_CASES_H
#define KERATIN_TESTS_KERNEL_CASES_H

#include "testing.h"

#include "ops/autodiff.h"
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

static krt_value *conv_other_residual(krti_graph *g, krt_value *const *in,
                                      const krt_tensor *const *w)
{
    return krti_silu(g, krti_add(g, conv(g, in[0], w[0], w[1], window(2, 3, 1, 1, 1)), in[1]));
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

static krt_value *max_pool_3d(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const krti_window v = window(3, 3, 2, 1, 1);

    (void)w;
    return krti_max_pool(g, in[0], &v);
}

static krt_value *avg_pool_3d(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const krti_window v = window(3, 2, 2, 0, 1);

    (void)w;
    return krti_avg_pool(g, in[0], &v);
}

static krt_value *repeated(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return krti_repeat(g, krti_repeat(g, in[0], 3, 1), 2, -1);
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

static krt_value *gelu_grads(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    (void)w;
    return gradients_of(g, krti_gelu(g, in[0]), in, 1);
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
    const int64_t sizes[3] = {size, size, size}, strides[3] = {stride, stride, stride};
    krt_value *x = krti_relu(g, in[0], 0, 0, INFINITY);
    krti_window w;

    (void)krti_window_make(g, &w, x, x->shape.rank - 2, sizes, strides, NULL, padding);
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
    {"gradient of gelu", {S(7, 301), S(7, 301), END}, {END}, gelu_grads, 2e-6},
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
    {"gradient of max pooling 3d",
     {S(2, 5, 9, 8, 5), S(2, 3, 5, 4, 5), END},
     {END},
     max_pool_overlapping,
     1e-6},
    {"gradient of average pooling 3d",
     {S(2, 5, 9, 8, 5), S(2, 3, 5, 4, 5), END},
     {END},
     avg_pool_grads,
     1e-6},
    {"max pooling 3d", {S(2, 5, 7, 6, 19), END}, {END}, max_pool_3d, 0},
    {"average pooling 3d", {S(2, 4, 7, 6, 19), END}, {END}, avg_pool_3d, 2e-6},
    {"repetition", {S(3, 5, 7), END}, {END}, repeated, 0},
    {"softmax of short rows", {S(7, 9, 3), END}, {END}, softmax, 2e-6},
    {"softmax of short rows, one vector", {S(2, 2, 8), END}, {END}, softmax, 2e-6},
    {"conv into one channel", {S(2, 11, 13, 19), END}, {S(3, 3, 19, 1), S(1), END}, conv_3x3, 2e-5},
    {"conv into two channels, valid, relu",
     {S(2, 11, 9, 8), END},
     {S(3, 3, 8, 2), S(2), END},
     conv_3x3_relu,
     2e-5},
    {"conv into three channels, stride 2, tanh",
     {S(2, 12, 13, 7), END},
     {S(5, 5, 7, 3), END},
     conv_5x5_stride,
     2e-5},
    {"conv into one channel, stride 2, tanh",
     {S(2, 12, 13, 7), END},
     {S(5, 5, 7, 1), END},
     conv_5x5_stride,
     2e-5},
    {"conv into four channels, dilated",
     {S(2, 9, 17, 33), END},
     {S(3, 3, 33, 4), S(4), END},
     conv_dilated,
     2e-5},
    {"conv into two channels, residual, silu",
     {S(2, 6, 10, 12), S(2, 6, 10, 2), END},
     {S(3, 3, 12, 2), S(2), END},
     conv_other_residual,
     2e-5},
    {"pointwise into one channel, silu",
     {S(3, 6, 5, 35), END},
     {S(1, 1, 35, 1), S(1), END},
     conv_pointwise_silu,
     2e-5},
    {"conv 1d into two channels", {S(2, 29, 9), END}, {S(3, 9, 2), S(2), END}, conv_1d, 2e-5},
    {"conv of an image smaller than its window, into one channel",
     {S(2, 1, 2, 20), END},
     {S(3, 3, 20, 1), S(1), END},
     conv_3x3,
     2e-5},
    {"transposed conv into three channels",
     {S(2, 5, 6, 20), END},
     {S(3, 3, 3, 20), S(3), END},
     conv_transpose,
     2e-5},
    {"transposed conv into one channel",
     {S(1, 8, 6, 20), END},
     {S(4, 4, 1, 20), S(1), END},
     conv_transpose,
     2e-5},
    {"gradients of a conv into one channel, of two",
     {S(2, 9, 7, 2), S(3, 3, 2, 1), S(2, 9, 7, 1), END},
     {END},
     grads_same,
     2e-5},
    {"gradients of a conv of two channels",
     {S(2, 9, 7, 2), S(3, 3, 2, 24), S(2, 9, 7, 24), END},
     {END},
     grads_same,
     2e-5},
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

#endif
