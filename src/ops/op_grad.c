/* Operations that only training needs: batch normalization by the batch's own statistics, and what
 * the rules of vjp_*.c cannot say with other operations. Kernels: reference/{conv,pool,norm,shape,
 * reduce,image}.c.
 *
 * A gradient takes `dy` first and says the shape of what it is the gradient for in its attributes;
 * the window or axis lies where the forward operation has it. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* The output has this shape and the first input's dtype, a float one. */
static krt_status set_shape(krti_graph *g, krti_node *n, krt_shape shape)
{
    const krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    if (!krti_shape_known(shape))
        return INFER_FAIL(g, "%s of the unknown shape %s", n->op->name, krti_shape_text(shape).s);
    return krti_infer_set(n, n->in[0]->dtype, shape);
}

static krt_status same_shapes(krti_graph *g, const krti_node *n, int a, int b)
{
    if (krt_shape_equal(n->in[a]->shape, n->in[b]->shape))
        return KRT_OK;
    return INFER_FAIL(g, "%s of %s and %s", n->op->name, krti_shape_text(n->in[a]->shape).s,
                      krti_shape_text(n->in[b]->shape).s);
}

static double size_of(const krt_value *v)
{
    const int64_t size = krt_shape_size(v->shape);

    return size == KRT_NONE ? 0 : (double)size;
}

/* ------------------------------------------------------------------------------- elementwise */

krt_value *krti_stop_gradient(krti_graph *g, krt_value *x)
{
    return krti_graph_add1(g, &krti_op_stop_gradient, &x, 1, NULL);
}

const krti_op krti_op_stop_gradient = {.name = "stop_gradient",
                                       .min_in = 1,
                                       .max_in = 1,
                                       .flags = KRTI_OP_VIEW,
                                       .infer = krti_infer_same,
                                       .reference = krti_ref_stop_gradient};

/* dy and a value of its shape. */
static krt_status infer_pair(krti_graph *g, krti_node *n)
{
    const krt_status st = same_shapes(g, n, 0, 1);

    return st == KRT_OK ? set_shape(g, n, n->in[0]->shape) : st;
}

/* y = relu(x) with threshold 0 and a slope of at least 0: dy where 0 < y < c, a dy below. */
const krti_op krti_op_relu_grad = {.name = "relu_grad",
                                   .min_in = 2,
                                   .max_in = 2,
                                   .infer = infer_pair,
                                   .reference = krti_ref_relu_grad};
const krti_op krti_op_softmax_grad = {.name = "softmax_grad",
                                      .min_in = 2,
                                      .max_in = 2,
                                      .infer = infer_pair,
                                      .reference = krti_ref_softmax_grad};

/* dy, x and y = sort(x). */
static krt_status infer_triple(krti_graph *g, krti_node *n)
{
    const krt_status st = same_shapes(g, n, 1, 2);

    return st == KRT_OK ? infer_pair(g, n) : st;
}

const krti_op krti_op_sort_grad = {.name = "sort_grad",
                                   .min_in = 3,
                                   .max_in = 3,
                                   .infer = infer_triple,
                                   .reference = krti_ref_sort_grad};

/* ------------------------------------------------------------------------------- convolution */

static krt_status infer_conv_grad(krti_graph *g, krti_node *n)
{
    const krti_window *w = &n->attrs.window;

    if (w->rank < 1 || w->rank > 3 || n->in[0]->shape.rank != w->rank + 2 ||
        n->in[1]->shape.rank != w->rank + 2 || n->attrs.window_grad.shape.rank != w->rank + 2)
        return INFER_FAIL(g, "%s of %s and %s over %d spatial axes", n->op->name,
                          krti_shape_text(n->in[0]->shape).s, krti_shape_text(n->in[1]->shape).s,
                          w->rank);
    return set_shape(g, n, n->attrs.window_grad.shape);
}

/* As many as the convolution itself: every element of dy meets the window. */
static double flops_conv_grad(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const bool for_input = n->op == &krti_op_conv_grad_input;
    const krt_shape kernel = for_input ? n->in[1]->shape : n->out[0].shape;
    double each = 2.0 * (double)kernel.dim[w->rank];

    for (int i = 0; i < w->rank; i++)
        each *= (double)w->size[i];
    return each * size_of(n->in[for_input ? 0 : 1]);
}

#define CONV_GRAD(NAME)                                           \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 2,                  \
                                    .max_in = 2,                  \
                                    .infer = infer_conv_grad,     \
                                    .reference = krti_ref_##NAME, \
                                    .flops = flops_conv_grad,     \
                                    .vjp = krti_vjp_##NAME}
CONV_GRAD(conv_grad_input);
CONV_GRAD(conv_grad_kernel);

krt_value *krti_conv_grad_input(krti_graph *g, krt_value *dy, krt_value *kernel, krt_shape x,
                                const krti_window *w)
{
    const krti_attrs attrs = {.window_grad = {.window = *w, .shape = x}};
    krt_value *in[] = {dy, kernel};

    return krti_graph_add1(g, &krti_op_conv_grad_input, in, 2, &attrs);
}

krt_value *krti_conv_grad_kernel(krti_graph *g, krt_value *x, krt_value *dy, krt_shape kernel,
                                 const krti_window *w)
{
    const krti_attrs attrs = {.window_grad = {.window = *w, .shape = kernel}};
    krt_value *in[] = {x, dy};

    return krti_graph_add1(g, &krti_op_conv_grad_kernel, in, 2, &attrs);
}

/* ------------------------------------------------------------------------------- pooling */

/* dy, x and y. */
static krt_status infer_max_pool_grad(krti_graph *g, krti_node *n)
{
    const krt_status st = same_shapes(g, n, 0, 2);

    return st == KRT_OK ? set_shape(g, n, n->in[1]->shape) : st;
}

static krt_status infer_avg_pool_grad(krti_graph *g, krti_node *n)
{
    return set_shape(g, n,
                     n->op == &krti_op_avg_pool_grad ? n->attrs.window_grad.shape
                                                     : n->attrs.adaptive.shape);
}

#define POOL_GRAD(NAME, NUM_IN, INFER)                \
    const krti_op krti_op_##NAME = {.name = #NAME,    \
                                    .min_in = NUM_IN, \
                                    .max_in = NUM_IN, \
                                    .infer = INFER,   \
                                    .reference = krti_ref_##NAME}
POOL_GRAD(max_pool_grad, 3, infer_max_pool_grad);
POOL_GRAD(avg_pool_grad, 1, infer_avg_pool_grad);
POOL_GRAD(adaptive_max_pool_grad, 3, infer_max_pool_grad);
POOL_GRAD(adaptive_avg_pool_grad, 1, infer_avg_pool_grad);

/* ------------------------------------------------------------------------------- normalization */

static double flops_norm(const krti_node *n)
{
    return 8.0 * size_of(&n->out[0]);
}

static void set_vector(krti_node *n, int i, int64_t size)
{
    n->out[i].dtype = n->in[0]->dtype;
    n->out[i].shape = KRT_SHAPE(size);
}

/* y, mean and variance out. */
static krt_status infer_batch_norm_train(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[0]->shape;
    const krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    n->attrs.norm.axis = krti_axis(g, n->attrs.norm.axis, x.rank);
    if (n->attrs.norm.axis < 0)
        return g->status;
    const int64_t channels = x.dim[n->attrs.norm.axis];
    for (int i = 1; i < n->num_in; i++)
        if (n->in[i] != NULL &&
            (n->in[i]->shape.rank != 1 || !krti_dim_match(n->in[i]->shape.dim[0], channels)))
            return INFER_FAIL(g, "%s along axis %d of %s does not fit %s", n->op->name,
                              n->attrs.norm.axis, krti_shape_text(x).s,
                              krti_shape_text(n->in[i]->shape).s);
    set_vector(n, 1, channels);
    set_vector(n, 2, channels);
    return krti_infer_set(n, n->in[0]->dtype, x);
}

const krti_op krti_op_batch_norm_train = {.name = "batch_norm_train",
                                          .min_in = 1,
                                          .max_in = 3,
                                          .num_out = 3,
                                          .infer = infer_batch_norm_train,
                                          .reference = krti_ref_batch_norm_train,
                                          .flops = flops_norm,
                                          .vjp = krti_vjp_batch_norm_train};

krt_value *krti_batch_norm_train(krti_graph *g, krt_value *x, krt_value *gamma, krt_value *beta,
                                 int axis, double epsilon, krt_value **mean, krt_value **variance)
{
    const krti_attrs attrs = {.norm = {.epsilon = epsilon, .axis = axis}};
    krt_value *in[] = {krti_to_float(g, x), gamma, beta};

    for (int i = 1; i < 3 && in[0] != NULL; i++)
        in[i] = krti_cast(g, in[i], in[0]->dtype);
    krti_node *const n = krti_graph_add(g, &krti_op_batch_norm_train, in, 3, &attrs);
    if (mean != NULL)
        *mean = n != NULL ? &n->out[1] : NULL;
    if (variance != NULL)
        *variance = n != NULL ? &n->out[2] : NULL;
    return n != NULL ? &n->out[0] : NULL;
}

/* dy and x, then mean, variance and gamma, or gamma alone; out come dx, dgamma and dbeta. */
static krt_status infer_norm_grad(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[1]->shape;
    const krt_status st = same_shapes(g, n, 0, 1);

    if (st != KRT_OK)
        return st;
    set_vector(n, 1, x.dim[n->attrs.norm.axis]);
    set_vector(n, 2, x.dim[n->attrs.norm.axis]);
    return set_shape(g, n, x);
}

const krti_op krti_op_batch_norm_grad = {.name = "batch_norm_grad",
                                         .min_in = 4,
                                         .max_in = 5,
                                         .num_out = 3,
                                         .infer = infer_norm_grad,
                                         .reference = krti_ref_batch_norm_grad,
                                         .flops = flops_norm};
const krti_op krti_op_layer_norm_grad = {.name = "layer_norm_grad",
                                         .min_in = 2,
                                         .max_in = 3,
                                         .num_out = 3,
                                         .infer = infer_norm_grad,
                                         .reference = krti_ref_layer_norm_grad,
                                         .flops = flops_norm};

/* ------------------------------------------------------------------------------- moved elements */

static krt_status infer_slice_grad(krti_graph *g, krti_node *n)
{
    return set_shape(g, n, n->attrs.slice.shape);
}

static krt_status infer_pad_grad(krti_graph *g, krti_node *n)
{
    return set_shape(g, n, n->attrs.pad.shape);
}

/* dy and the indices. */
static krt_status infer_gather_grad(krti_graph *g, krti_node *n)
{
    const krt_dtype dtype = n->in[0]->dtype;

    if (dtype != KRT_FLOAT32 && dtype != KRT_FLOAT64)
        return INFER_FAIL(g, "gather_grad takes float32 or float64, found %s",
                          krt_dtype_name(dtype));
    return krti_infer_set(n, dtype, n->attrs.gather_grad.shape);
}

static krt_status infer_resize_grad(krti_graph *g, krti_node *n)
{
    krt_shape shape = n->in[0]->shape;

    shape.dim[1] = n->attrs.resize.from[0];
    shape.dim[2] = n->attrs.resize.from[1];
    return set_shape(g, n, shape);
}

#define MOVED_GRAD(NAME, NUM_IN)                           \
    const krti_op krti_op_##NAME = {.name = #NAME,         \
                                    .min_in = NUM_IN,      \
                                    .max_in = NUM_IN,      \
                                    .infer = infer_##NAME, \
                                    .reference = krti_ref_##NAME}
MOVED_GRAD(slice_grad, 1);
MOVED_GRAD(pad_grad, 1);
MOVED_GRAD(gather_grad, 2);
MOVED_GRAD(resize_grad, 1);
