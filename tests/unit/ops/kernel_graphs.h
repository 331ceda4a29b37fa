/* The small graphs that kernel_cases.h puts numbers through: forward, then training's. */
#ifndef KERATIN_TESTS_KERNEL_GRAPHS_H
#define KERATIN_TESTS_KERNEL_GRAPHS_H

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

/* As many groups as the kernel's channels make of the input's; a step of its own for each axis. */
static krt_value *conv_steps(krti_graph *g, krt_value *const *in, const krt_tensor *const *w,
                             const int64_t *strides, int64_t dilation, const char *padding)
{
    const int rank = w[0]->shape.rank - 2;
    const int64_t dilations[3] = {dilation, dilation, dilation};
    krti_window v;

    (void)krti_window_make(g, &v, in[0], rank, w[0]->shape.dim, strides, dilations, padding);
    v.groups = in[0]->shape.dim[rank + 1] / w[0]->shape.dim[rank];
    return krti_relu(g, conv(g, in[0], w[0], w[1], v), 0, 0, INFINITY);
}

#define CONV(name, padding, dilation, ...)                                                  \
    static krt_value *name(krti_graph *g, krt_value *const *in, const krt_tensor *const *w) \
    {                                                                                       \
        return conv_steps(g, in, w, (const int64_t[]){__VA_ARGS__}, dilation, padding);     \
    }
CONV(conv_same, "same", 1, 1, 1, 1)
CONV(conv_valid, "valid", 1, 1, 1, 1)
CONV(conv_steps_same, "same", 1, 2, 1, 3)
CONV(conv_steps_valid, "valid", 1, 1, 2, 2)
CONV(conv_dilated_same, "same", 2, 1, 1, 1)

/* A padding layer before it becomes its own: whole planes of it, and of x, are never seen. */
static krt_value *conv_padded(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    const int64_t before[5] = {0, 4, 1, 0, 0}, after[5] = {0, 2, 0, 3, 0};
    krt_value *x = krti_pad(g, in[0], before, after, KRTI_PAD_CONSTANT, 0);

    return conv_steps(g, &x, w, (const int64_t[]){3, 1, 1}, 1, "valid");
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

/* A transposed convolution, its kernel and bias given. */
static krt_value *transposed_of(krti_graph *g, krt_value *const *in, int64_t stride,
                                int64_t dilation, const char *padding)
{
    const int64_t strides[3] = {stride, stride, stride};
    const int64_t dilations[3] = {dilation, dilation, dilation};
    const int64_t none[3] = {KRT_NONE, KRT_NONE, KRT_NONE};

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
static krt_value *conv_grads(krti_graph *g, krt_value *const *in, const int64_t *strides,
                             int64_t dilation, const char *padding)
{
    const int rank = in[1]->shape.rank - 2;
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

#define GRADS(name, padding, dilation, ...)                                                 \
    static krt_value *name(krti_graph *g, krt_value *const *in, const krt_tensor *const *w) \
    {                                                                                       \
        (void)w;                                                                            \
        return conv_grads(g, in, (const int64_t[]){__VA_ARGS__}, dilation, padding);        \
    }
GRADS(grads_same, "same", 1, 1, 1, 1)
GRADS(grads_valid, "valid", 1, 1, 1, 1)
GRADS(grads_stride, "same", 1, 2, 2, 2)
GRADS(grads_stride_valid, "valid", 1, 3, 3, 3)
GRADS(grads_dilated, "same", 2, 1, 1, 1)
GRADS(grads_steps, "same", 1, 2, 1, 3)
GRADS(grads_rows, "valid", 1, 2, 1, 1)

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
                        krti_cast(g, krti_random_bernoulli_of(g, key, shape, 0.3), KRT_FLOAT32)};

    (void)w;
    return krti_concat(g, all, 3, 0);
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

/* A cell over time with a mask: what it gives and, of an LSTM, keeps. */
static krt_value *rnn_graph(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias,
                            krt_value *h, krti_rnn_kind kind)
{
    krt_value *const mask =
        krti_greater(g, krti_reduce_sum(g, x, (int[]){2}, 1, false), krti_scalar(g, -9));
    krt_value *const rnn[KRTI_RNN_IN] = {[KRTI_RNN_X] = krti_affine(g, x, 0.7, 0, 0),
                                         [KRTI_RNN_KERNEL] = krti_affine(g, kernel, 0.1, 0, 0),
                                         [KRTI_RNN_BIAS] = bias,
                                         [KRTI_RNN_H] = h,
                                         [KRTI_RNN_MASK] = mask};
    krt_value *carry = NULL, *y = krti_rnn(g, rnn, kind, &carry);

    return carry != NULL ? krti_concat(g, (krt_value *[]){y, carry}, 2, -1) : y;
}

/* With known weights, without a state to begin with; and the gradients for everything. */
#define RNN_GRAPHS(NAME, BIASED, ...)                                                              \
    static krt_value *NAME(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)        \
    {                                                                                              \
        return rnn_graph(g, in[0], krti_variable(g, w[0]), BIASED ? krti_variable(g, w[1]) : NULL, \
                         NULL, (krti_rnn_kind){__VA_ARGS__});                                      \
    }                                                                                              \
    static krt_value *NAME##_grads(krti_graph *g, krt_value *const *in,                            \
                                   const krt_tensor *const *w)                                     \
    {                                                                                              \
        krt_value *y = rnn_graph(g, in[0], in[1], BIASED ? in[2] : NULL, BIASED ? NULL : in[2],    \
                                 (krti_rnn_kind){__VA_ARGS__});                                    \
                                                                                                   \
        (void)w;                                                                                   \
        return gradients_of(g, krti_reduce_sum(g, y, (int[]){2}, 1, false), in, 3);                \
    }
RNN_GRAPHS(rnn_simple, false, KRTI_RNN_SIMPLE, KRTI_RNN_TANH, KRTI_RNN_LINEAR)
RNN_GRAPHS(rnn_lstm, false, KRTI_RNN_LSTM, KRTI_RNN_TANH, KRTI_RNN_SIGMOID)
RNN_GRAPHS(rnn_lstm_hard, false, KRTI_RNN_LSTM, KRTI_RNN_RELU, KRTI_RNN_HARD_SIGMOID_V2)
RNN_GRAPHS(rnn_gru, true, KRTI_RNN_GRU, KRTI_RNN_TANH, KRTI_RNN_SIGMOID)
RNN_GRAPHS(rnn_gru_before, false, KRTI_RNN_GRU_BEFORE, KRTI_RNN_TANH, KRTI_RNN_HARD_SIGMOID)
#undef RNN_GRAPHS

static krt_value *long_sum(krti_graph *g, krt_value *const *in, const krt_tensor *const *w)
{
    krt_value *both[] = {krti_reduce_sum(g, in[0], (int[]){0, 1}, 2, false),
                         krti_reduce_mean(g, in[0], (int[]){0, 1}, 2, false),
                         krti_reduce_max(g, in[0], (int[]){0, 1}, 2, false)};

    (void)w;
    return krti_concat(g, both, 3, 0);
}

#endif
