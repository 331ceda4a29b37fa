/* Windows, convolutions and pooling: shapes and table entries. Kernels: reference/conv.c, pool.c.
 *
 * Mirrors keras/src/ops/nn.py, with padding as TensorFlow places it ("same": the odd element comes
 * after) and transposed convolutions as keras/src/backend/common/backend_utils.py sizes them. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- windows */

/* What a dilated window covers. */
static int64_t reach(const krti_window *w, int i)
{
    return (w->size[i] - 1) * w->dilation[i] + 1;
}

static bool is_count(int64_t v)
{
    return v >= 1 && v <= INT32_MAX;
}

static bool is_padding(int64_t v)
{
    return v >= -INT32_MAX && v <= INT32_MAX;
}

static krt_status sizes_check(krti_graph *g, const krti_window *w, int i)
{
    if (!is_count(w->size[i]) || !is_count(w->stride[i]) || !is_count(w->dilation[i]))
        return INFER_FAIL(
            g, "window size, stride and dilation are at least 1, found %lld, %lld, %lld",
            (long long)w->size[i], (long long)w->stride[i], (long long)w->dilation[i]);
    if (reach(w, i) > INT32_MAX)
        return INFER_FAIL(g, "a window of %lld with dilation %lld is too large",
                          (long long)w->size[i], (long long)w->dilation[i]);
    return KRT_OK;
}

static krt_status window_check(krti_graph *g, const krti_window *w, const krti_node *n)
{
    if (w->rank < 1 || w->rank > 3 || n->in[0]->shape.rank != w->rank + 2)
        return INFER_FAIL(g, "%s over %d spatial axes does not fit an input of %s", n->op->name,
                          w->rank, krti_shape_text(n->in[0]->shape).s);
    for (int i = 0; i < w->rank; i++) {
        const int64_t before = w->before[i], after = w->after[i];

        if (sizes_check(g, w, i) != KRT_OK)
            return g->status;
        const bool unknown = before == KRT_NONE || after == KRT_NONE;

        if (unknown ? n->in[0]->shape.dim[i + 1] != KRT_NONE
                    : !is_padding(before) || !is_padding(after))
            return INFER_FAIL(g, "padding of axis %d is unknown or too large", i + 1);
    }
    return KRT_OK;
}

/* Output sizes of a window that moves over the spatial axes of the first input. */
static krt_status window_shape(krti_graph *g, const krti_node *n, const krti_window *w,
                               int64_t channels, krt_shape *out)
{
    const krt_shape in = n->in[0]->shape;
    const krt_status st = window_check(g, w, n);

    *out = in;
    if (st != KRT_OK)
        return st;
    out->dim[in.rank - 1] = channels;
    for (int i = 0; i < w->rank; i++) {
        const int64_t dim = in.dim[i + 1];

        if (dim == KRT_NONE)
            continue;
        const int64_t room = dim + w->before[i] + w->after[i] - reach(w, i);
        if (room < 0)
            return INFER_FAIL(g,
                              "Computed output size would be zero or negative: a window of %lld "
                              "does not fit axis %d of %s",
                              (long long)reach(w, i), i + 1, krti_shape_text(in).s);
        out->dim[i + 1] = room / w->stride[i] + 1;
    }
    return KRT_OK;
}

/* Padding of one axis. "same" gives ceil(dim / stride) outputs, the odd element after. */
static bool pad_axis(krti_window *w, int i, int64_t dim, const char *padding)
{
    w->before[i] = w->after[i] = 0;
    if (strcmp(padding, "valid") == 0)
        return true;
    if (strcmp(padding, "causal") == 0 && w->rank == 1) {
        w->before[i] = reach(w, i) - 1;
        return true;
    }
    if (strcmp(padding, "same") != 0)
        return false;
    if (dim == KRT_NONE && w->stride[i] > 1) {
        w->before[i] = w->after[i] = KRT_NONE;
        return true;
    }
    const int64_t last = dim == KRT_NONE || dim == 0 ? -1 : (dim - 1) % w->stride[i];
    const int64_t total = reach(w, i) - 1 - (last < 0 ? 0 : last);
    w->before[i] = total > 0 ? total / 2 : 0;
    w->after[i] = total > 0 ? total - total / 2 : 0;
    return true;
}

krt_status krti_window_make(krti_graph *g, krti_window *out, const krt_value *x, int rank,
                            const int64_t *size, const int64_t *stride, const int64_t *dilation,
                            const char *padding)
{
    *out = (krti_window){.rank = rank, .groups = 1};
    if (x == NULL || g->status != KRT_OK)
        return g->status != KRT_OK ? g->status : INFER_FAIL(g, "a window needs an input");
    if (rank < 1 || rank > 3 || x->shape.rank != rank + 2)
        return INFER_FAIL(g, "a window over %d spatial axes does not fit an input of %s", rank,
                          krti_shape_text(x->shape).s);
    for (int i = 0; i < 3; i++) {
        out->size[i] = i < rank ? size[i] : 1;
        out->stride[i] = i < rank ? stride[i] : 1;
        out->dilation[i] = i < rank && dilation != NULL ? dilation[i] : 1;
        out->output_padding[i] = KRT_NONE;
        if (sizes_check(g, out, i) != KRT_OK)
            return g->status;
        if (i < rank && !pad_axis(out, i, x->shape.dim[i + 1], padding))
            return INFER_FAIL(g, "padding is \"valid\", \"same\"%s, found \"%s\"",
                              rank == 1 ? " or \"causal\"" : "", padding);
    }
    return KRT_OK;
}

static double size_or_zero(krt_shape s)
{
    const int64_t size = krt_shape_size(s);

    return size == KRT_NONE ? 0 : (double)size;
}

/* ------------------------------------------------------------------------------- convolution */

/* The kernel is (size..., a, b); fills in its spatial sizes. */
static krt_status kernel_check(krti_graph *g, const krti_node *n, const krti_window *w)
{
    const krt_shape kernel = n->in[1]->shape;
    bool fits = kernel.rank == w->rank + 2 && krti_shape_known(kernel);

    for (int i = 0; fits && i < w->rank; i++)
        fits = kernel.dim[i] == w->size[i];
    return fits ? KRT_OK
                : INFER_FAIL(g, "a kernel of %s does not fit an input of %s",
                             krti_shape_text(kernel).s, krti_shape_text(n->in[0]->shape).s);
}

static krt_status infer_conv(krti_graph *g, krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape in = n->in[0]->shape, kernel = n->in[1]->shape;
    krt_shape out;
    krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK || (st = kernel_check(g, n, w)) != KRT_OK)
        return st;
    const int64_t channels = kernel.dim[w->rank], filters = kernel.dim[w->rank + 1];
    if (w->groups < 1 || filters % w->groups != 0)
        return INFER_FAIL(g, "%lld filters cannot be split into %lld groups", (long long)filters,
                          (long long)w->groups);
    if ((st = window_shape(g, n, w, filters, &out)) != KRT_OK)
        return st;
    if (!krti_dim_match(in.dim[in.rank - 1], krti_dim_mul(channels, w->groups)))
        return INFER_FAIL(g, "the kernel wants %lld channels, the input has %lld",
                          (long long)krti_dim_mul(channels, w->groups),
                          (long long)in.dim[in.rank - 1]);
    return krti_infer_fused(g, n, out);
}

/* Every output element sums over the kernel's places and its group's channels. */
static double flops_conv(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    double per_output = 2.0 * (double)n->in[1]->shape.dim[w->rank];

    for (int i = 0; i < w->rank; i++)
        per_output *= (double)w->size[i];
    return per_output * size_or_zero(n->out[0].shape);
}

const krti_op krti_op_conv = {.name = "conv",
                              .min_in = 2,
                              .max_in = 4,
                              .flags = KRTI_OP_FUSES,
                              .infer = infer_conv,
                              .reference = krti_ref_conv,
                              .vjp = krti_vjp_conv,
                              .flops = flops_conv};

/* x, kernel and bias in one float dtype. */
static krt_value *add_conv(krti_graph *g, const krti_op *op, krt_value *x, krt_value *kernel,
                           krt_value *bias, const krti_attrs *attrs)
{
    if (x == NULL || kernel == NULL)
        return NULL;
    const krt_dtype dtype = krti_float_dtype(krti_result_dtype(x->dtype, kernel->dtype));
    krt_value *in[] = {krti_cast(g, x, dtype), krti_cast(g, kernel, dtype),
                       krti_cast(g, bias, dtype)};
    return krti_graph_add1(g, op, in, bias != NULL ? 3 : 2, attrs);
}

krt_value *krti_conv(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias,
                     const krti_window *w)
{
    return add_conv(g, &krti_op_conv, x, kernel, bias, &(krti_attrs){.window = *w});
}

/* A pointwise convolution and the depthwise convolution behind it in one: x, the depthwise kernel,
 * its bias and residual, then the pointwise kernel and bias. Made by the compiler (fuse_expand.c). */
static krt_status infer_expand_depthwise(krti_graph *g, krti_node *n)
{
    const krti_window *w = &n->attrs.expand.window;
    krt_shape out;
    krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK || (st = kernel_check(g, n, w)) != KRT_OK)
        return st;
    if (n->num_in < 5 || n->in[4] == NULL)
        return INFER_FAIL(g, "expand_depthwise needs a pointwise kernel");
    const krt_shape pointwise = n->in[4]->shape;
    const int64_t channels = n->in[1]->shape.dim[w->rank + 1];
    if (pointwise.rank != w->rank + 2 || pointwise.dim[w->rank + 1] != channels ||
        !krti_dim_match(pointwise.dim[w->rank], n->in[0]->shape.dim[w->rank + 1]))
        return INFER_FAIL(g, "a pointwise kernel of %s does not fit an input of %s",
                          krti_shape_text(pointwise).s, krti_shape_text(n->in[0]->shape).s);
    st = window_shape(g, n, w, channels, &out);
    return st == KRT_OK ? krti_infer_fused(g, n, out) : st;
}

/* What the two convolutions take: flops_conv counts the second. */
static double flops_expand_depthwise(const krti_node *n)
{
    const krt_shape x = n->in[0]->shape, pointwise = n->in[4]->shape;

    return flops_conv(n) + 2.0 * size_or_zero(x) * (double)pointwise.dim[pointwise.rank - 1];
}

const krti_op krti_op_expand_depthwise = {.name = "expand_depthwise",
                                          .min_in = 2,
                                          .max_in = 6,
                                          .flags = KRTI_OP_FUSES,
                                          .infer = infer_expand_depthwise,
                                          .reference = krti_ref_expand_depthwise,
                                          .flops = flops_expand_depthwise};

/* ------------------------------------------------------------------------------- transposed */

/* before and after are cut off the full result; see krti_window. */
static krt_status infer_conv_transpose(krti_graph *g, krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape in = n->in[0]->shape, kernel = n->in[1]->shape;
    krt_shape out = in;
    krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK || (st = window_check(g, w, n)) != KRT_OK ||
        (st = kernel_check(g, n, w)) != KRT_OK)
        return st;
    if (!krti_dim_match(in.dim[in.rank - 1], kernel.dim[w->rank + 1]))
        return INFER_FAIL(g, "the kernel wants %lld channels, the input has %lld",
                          (long long)kernel.dim[w->rank + 1], (long long)in.dim[in.rank - 1]);
    out.dim[in.rank - 1] = kernel.dim[w->rank];
    for (int i = 0; i < w->rank; i++) {
        if (in.dim[i + 1] == KRT_NONE)
            continue;
        const int64_t full = krti_dim_mul(in.dim[i + 1] - 1, w->stride[i]);
        const int64_t size = krti_dim_add(full, reach(w, i) - w->before[i] - w->after[i]);
        if (size <= 0)
            return INFER_FAIL(g, "Computed output size would be zero or negative: axis %d of %s",
                              i + 1, krti_shape_text(in).s);
        out.dim[i + 1] = size;
    }
    return krti_infer_fused(g, n, out);
}

/* Every input element meets the whole kernel. */
static double flops_conv_transpose(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    double per_input = 2.0 * (double)n->in[1]->shape.dim[w->rank];

    for (int i = 0; i < w->rank; i++)
        per_input *= (double)w->size[i];
    return per_input * size_or_zero(n->in[0]->shape);
}

const krti_op krti_op_conv_transpose = {.name = "conv_transpose",
                                        .min_in = 2,
                                        .max_in = 4,
                                        .flags = KRTI_OP_FUSES,
                                        .infer = infer_conv_transpose,
                                        .reference = krti_ref_conv_transpose,
                                        .vjp = krti_vjp_conv_transpose,
                                        .flops = flops_conv_transpose};

/* Keras's rule for one axis (_convert_conv_transpose_padding_args_from_keras_to_jax), as cuts off
 * the full result. None of it depends on the input's size. */
static void transpose_cuts(krti_window *w, int i, bool same)
{
    const int64_t size = reach(w, i), stride = w->stride[i], given = w->output_padding[i];

    if (!same) {
        const int64_t rest = stride > size ? stride - size : 0;

        w->before[i] = 0;
        w->after[i] = -(given == KRT_NONE ? rest : given);
        return;
    }
    const int64_t total = given == KRT_NONE ? stride + size - 2 : size + size % 2 - 2 + given;
    const int64_t half = total / 2 + total % 2;
    const int64_t left = half < size - 1 ? half : size - 1;
    w->before[i] = size - 1 - left;
    w->after[i] = size - 1 - (total - left);
}

krt_value *krti_conv_transpose(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias,
                               int rank, const int64_t *stride, const int64_t *dilation,
                               const int64_t *output_padding, const char *padding)
{
    const int64_t none[] = {KRT_NONE, KRT_NONE, KRT_NONE};
    krti_attrs attrs = {.window = {.rank = 0}};
    krti_window *w = &attrs.window;

    if (x == NULL || kernel == NULL)
        return NULL;
    if (strcmp(padding, "valid") != 0 && strcmp(padding, "same") != 0)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "a transposed convolution's padding is \"valid\" or \"same\", "
                               "found \"%s\"",
                               padding);
    if (kernel->shape.rank != rank + 2)
        return krti_graph_fail(g, KRT_E_INVALID, "a kernel of %s does not fit an input of %s",
                               krti_shape_text(kernel->shape).s, krti_shape_text(x->shape).s);
    if (krti_window_make(g, w, x, rank, kernel->shape.dim, stride, dilation, "valid") != KRT_OK)
        return NULL;
    for (int i = 0; i < rank; i++) {
        w->output_padding[i] = (output_padding != NULL ? output_padding : none)[i];
        if (w->output_padding[i] != KRT_NONE &&
            (w->output_padding[i] < 0 || w->output_padding[i] > INT32_MAX))
            return krti_graph_fail(g, KRT_E_INVALID, "output_padding is at least 0, found %lld",
                                   (long long)w->output_padding[i]);
        transpose_cuts(w, i, strcmp(padding, "same") == 0);
    }
    return add_conv(g, &krti_op_conv_transpose, x, kernel, bias, &attrs);
}

/* ------------------------------------------------------------------------------- pooling */

static krt_status infer_pool(krti_graph *g, krti_node *n)
{
    const krt_shape in = n->in[0]->shape;
    krt_shape out;
    krt_status st = krti_infer_floats(g, n);

    if (st == KRT_OK)
        st = window_shape(g, n, &n->attrs.window, in.rank > 0 ? in.dim[in.rank - 1] : 1, &out);
    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, out) : st;
}

static double flops_pool(const krti_node *n)
{
    double per_output = 1;

    for (int i = 0; i < n->attrs.window.rank; i++)
        per_output *= (double)n->attrs.window.size[i];
    return per_output * size_or_zero(n->out[0].shape);
}

#define POOL(NAME, INFER, FLOPS)                                  \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 1,                  \
                                    .max_in = 1,                  \
                                    .infer = INFER,               \
                                    .reference = krti_ref_##NAME, \
                                    .flops = FLOPS,               \
                                    .vjp = krti_vjp_##NAME}
POOL(max_pool, infer_pool, flops_pool);
POOL(avg_pool, infer_pool, flops_pool);

krt_value *krti_max_pool(krti_graph *g, krt_value *x, const krti_window *w)
{
    return krti_graph_add1(g, &krti_op_max_pool, &x, 1, &(krti_attrs){.window = *w});
}

krt_value *krti_avg_pool(krti_graph *g, krt_value *x, const krti_window *w)
{
    return krti_graph_add1(g, &krti_op_avg_pool, &x, 1, &(krti_attrs){.window = *w});
}

static krt_status infer_adaptive(krti_graph *g, krti_node *n)
{
    const krt_status st = krti_infer_floats(g, n);
    const int rank = n->attrs.adaptive.rank;
    krt_shape out = n->in[0]->shape;

    if (st != KRT_OK)
        return st;
    if (rank < 1 || rank > 3 || out.rank != rank + 2)
        return INFER_FAIL(g, "%s over %d spatial axes does not fit an input of %s", n->op->name,
                          rank, krti_shape_text(out).s);
    for (int i = 0; i < rank; i++) {
        if (!is_count(n->attrs.adaptive.size[i]))
            return INFER_FAIL(g, "output_size is at least 1, found %lld",
                              (long long)n->attrs.adaptive.size[i]);
        if (out.dim[i + 1] == 0)
            return INFER_FAIL(g, "%s of %s, which is empty", n->op->name, krti_shape_text(out).s);
        out.dim[i + 1] = n->attrs.adaptive.size[i];
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

/* The windows together cover the input about once. */
static double flops_adaptive(const krti_node *n)
{
    return size_or_zero(n->in[0]->shape);
}

POOL(adaptive_avg_pool, infer_adaptive, flops_adaptive);
POOL(adaptive_max_pool, infer_adaptive, flops_adaptive);

static krt_value *adaptive(krti_graph *g, const krti_op *op, krt_value *x, int rank,
                           const int64_t *size)
{
    krti_attrs attrs = {.adaptive = {.rank = rank}};

    for (int i = 0; i < 3; i++)
        attrs.adaptive.size[i] = i < rank ? size[i] : 1;
    return krti_graph_add1(g, op, &x, 1, &attrs);
}

krt_value *krti_adaptive_avg_pool(krti_graph *g, krt_value *x, int rank, const int64_t *size)
{
    return adaptive(g, &krti_op_adaptive_avg_pool, x, rank, size);
}

krt_value *krti_adaptive_max_pool(krti_graph *g, krt_value *x, int rank, const int64_t *size)
{
    return adaptive(g, &krti_op_adaptive_max_pool, x, rank, size);
}
