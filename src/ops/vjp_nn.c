/* Gradients of products, convolutions, pooling, normalization and losses. See autodiff.h. */
#include "ops/autodiff.h"

/* A bias reaches every element along the last axis. */
static void bias_vjp(krti_vjp *v)
{
    krt_value *dy = v->dy[0];
    int axes[KRT_MAX_RANK];

    if (v->n->num_in <= 2 || !v->wanted[2])
        return;
    for (int i = 0; i + 1 < dy->shape.rank; i++)
        axes[i] = i;
    v->dx[2] = krti_reduce_sum(v->g, dy, axes, dy->shape.rank - 1, false);
}

/* ------------------------------------------------------------------------------- products */

static krt_value *as_rows(krti_graph *g, krt_value *x)
{
    const krt_shape s = x->shape;
    const int64_t cols = s.dim[s.rank - 1];
    int64_t rows = 1;

    for (int i = 0; i + 1 < s.rank; i++)
        rows *= s.dim[i];
    return krti_reshape(g, x, KRT_SHAPE(rows, cols));
}

static krt_value *matmul_da(krti_vjp *v)
{
    const bool ta = v->n->attrs.matmul.transpose_a, tb = v->n->attrs.matmul.transpose_b;
    krt_value *const b = v->n->in[1], *const dy = v->dy[0];

    return ta ? krti_matmul(v->g, b, dy, tb, true, NULL)
              : krti_matmul(v->g, dy, b, false, !tb, NULL);
}

/* A matrix that met many is one product of all their rows. */
static krt_value *matmul_db(krti_vjp *v)
{
    const bool ta = v->n->attrs.matmul.transpose_a, tb = v->n->attrs.matmul.transpose_b;
    krt_value *a = v->n->in[0], *dy = v->dy[0];

    if (v->n->in[1]->shape.rank == 2 && a->shape.rank > 2 && !ta) {
        a = as_rows(v->g, a);
        dy = as_rows(v->g, dy);
    }
    return tb ? krti_matmul(v->g, dy, a, true, ta, NULL)
              : krti_matmul(v->g, a, dy, !ta, false, NULL);
}

void krti_vjp_matmul(krti_vjp *v)
{
    if (v->wanted[0])
        v->dx[0] = krti_unbroadcast(v->g, matmul_da(v), v->n->in[0]->shape);
    if (v->wanted[1])
        v->dx[1] = krti_unbroadcast(v->g, matmul_db(v), v->n->in[1]->shape);
    bias_vjp(v);
}

/* ------------------------------------------------------------------------------- convolution */

void krti_vjp_conv(krti_vjp *v)
{
    const krti_window *w = &v->n->attrs.window;
    krt_value *const x = v->n->in[0], *const kernel = v->n->in[1], *const dy = v->dy[0];

    if (v->wanted[0])
        v->dx[0] = krti_conv_grad_input(v->g, dy, kernel, x->shape, w);
    if (v->wanted[1])
        v->dx[1] = krti_conv_grad_kernel(v->g, x, dy, kernel->shape, w);
    bias_vjp(v);
}

/* Backwards a transposed convolution is a plain one of the same window over what it has made. Places
 * that no input has reached are cut off first. */
void krti_vjp_conv_transpose(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const x = v->n->in[0], *const kernel = v->n->in[1];
    krti_window w = v->n->attrs.window;
    krt_value *dy = v->dy[0];

    for (int i = 0; i < w.rank; i++)
        if (w.after[i] < 0) {
            dy = krti_slice_axis(g, dy, i + 1, 0, v->dy[0]->shape.dim[i + 1] + w.after[i], 1);
            w.after[i] = 0;
        }
    if (v->wanted[0])
        v->dx[0] = krti_conv(g, dy, kernel, NULL, &w);
    if (v->wanted[1])
        v->dx[1] = krti_conv_grad_kernel(g, dy, x, kernel->shape, &w);
    bias_vjp(v);
}

void krti_vjp_conv_grad_input(krti_vjp *v)
{
    const krti_window *w = &v->n->attrs.window;
    krt_value *const dy = v->n->in[0], *const kernel = v->n->in[1], *const u = v->dy[0];

    if (v->wanted[0])
        v->dx[0] = krti_conv(v->g, u, kernel, NULL, w);
    if (v->wanted[1])
        v->dx[1] = krti_conv_grad_kernel(v->g, u, dy, kernel->shape, w);
}

void krti_vjp_conv_grad_kernel(krti_vjp *v)
{
    const krti_window *w = &v->n->attrs.window;
    krt_value *const x = v->n->in[0], *const dy = v->n->in[1], *const u = v->dy[0];

    if (v->wanted[0])
        v->dx[0] = krti_conv_grad_input(v->g, dy, u, x->shape, w);
    if (v->wanted[1])
        v->dx[1] = krti_conv(v->g, x, u, NULL, w);
}

/* ------------------------------------------------------------------------------- pooling */

/* A maximum looks for its place again; the mean's gradient needs the shape alone. */
static void max_pool_vjp(krti_vjp *v, const krti_op *op, const krti_attrs *attrs)
{
    krt_value *in[] = {v->dy[0], v->n->in[0], &v->n->out[0]};

    v->dx[0] = krti_graph_add1(v->g, op, in, 3, attrs);
}

static krti_attrs window_attrs(const krti_vjp *v)
{
    return (krti_attrs){.window_grad = {.window = v->n->attrs.window, .shape = v->n->in[0]->shape}};
}

static krti_attrs adaptive_attrs(const krti_vjp *v)
{
    krti_attrs attrs = v->n->attrs;

    attrs.adaptive.shape = v->n->in[0]->shape;
    return attrs;
}

void krti_vjp_max_pool(krti_vjp *v)
{
    const krti_attrs attrs = window_attrs(v);

    max_pool_vjp(v, &krti_op_max_pool_grad, &attrs);
}

void krti_vjp_adaptive_max_pool(krti_vjp *v)
{
    const krti_attrs attrs = adaptive_attrs(v);

    max_pool_vjp(v, &krti_op_adaptive_max_pool_grad, &attrs);
}

void krti_vjp_avg_pool(krti_vjp *v)
{
    const krti_attrs attrs = window_attrs(v);

    v->dx[0] = krti_graph_add1(v->g, &krti_op_avg_pool_grad, &(krt_value *){v->dy[0]}, 1, &attrs);
}

void krti_vjp_adaptive_avg_pool(krti_vjp *v)
{
    const krti_attrs attrs = adaptive_attrs(v);

    v->dx[0] =
        krti_graph_add1(v->g, &krti_op_adaptive_avg_pool_grad, &(krt_value *){v->dy[0]}, 1, &attrs);
}

void krti_vjp_resize(krti_vjp *v)
{
    krti_attrs attrs = v->n->attrs;

    attrs.resize.from[0] = v->n->in[0]->shape.dim[1];
    attrs.resize.from[1] = v->n->in[0]->shape.dim[2];
    v->dx[0] = krti_graph_add1(v->g, &krti_op_resize_grad, &(krt_value *){v->dy[0]}, 1, &attrs);
}

/* ------------------------------------------------------------------------------- normalization */

/* A vector along `axis` so that it broadcasts against x. */
static krt_value *along(krti_graph *g, krt_value *vector, krt_shape x, int axis)
{
    krt_shape s = {.rank = x.rank - axis};

    if (vector == NULL)
        return NULL;
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = i == 0 ? x.dim[axis] : 1;
    return krti_reshape(g, vector, s);
}

/* x summed over every axis but one. */
static krt_value *sum_others(krti_graph *g, krt_value *x, int axis)
{
    int axes[KRT_MAX_RANK], n = 0;

    if (x == NULL)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        if (i != axis)
            axes[n++] = i;
    return n > 0 ? krti_reduce_sum(g, x, axes, n, false) : x;
}

/* By given statistics: y = (x - mean) r gamma + beta with r = 1 / sqrt(variance + epsilon). */
void krti_vjp_batch_norm(krti_vjp *v)
{
    krti_graph *const g = v->g;
    const krti_node *n = v->n;
    const int axis = n->attrs.norm.axis;
    krt_value *const x = n->in[0], *const dy = v->dy[0];
    krt_value *const gamma = n->num_in > 3 ? n->in[3] : NULL;
    krt_value *const r = krti_rsqrt(g, krti_affine(g, n->in[2], 1, n->attrs.norm.epsilon, 0));
    krt_value *const scale = gamma != NULL ? krti_multiply(g, r, gamma) : r;
    const bool sums = v->wanted[1] || (n->num_in > 4 && v->wanted[4]);
    krt_value *const sum = sums ? sum_others(g, dy, axis) : NULL;

    if (v->wanted[0])
        v->dx[0] = krti_multiply(g, dy, along(g, scale, x->shape, axis));
    if (v->wanted[1])
        v->dx[1] = krti_negative(g, krti_multiply(g, sum, scale));
    if (v->wanted[2] || (gamma != NULL && v->wanted[3])) {
        krt_value *const off = krti_subtract(g, x, along(g, n->in[1], x->shape, axis));
        krt_value *const moment = sum_others(g, krti_multiply(g, dy, off), axis);

        v->dx[2] = krti_multiply(g, krti_affine(g, moment, -0.5, 0, 0),
                                 krti_multiply(g, scale, krti_square(g, r)));
        if (gamma != NULL)
            v->dx[3] = krti_multiply(g, moment, r);
    }
    if (n->num_in > 4 && v->wanted[4])
        v->dx[4] = sum;
}

/* What flows into the batch's own mean and variance, when something looks at them. */
static krt_value *moments_dx(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const x = v->n->in[0], *mean = NULL, *dx = NULL;
    const int axis = v->n->attrs.norm.axis;
    const double n = (double)krt_shape_size(x->shape) / (double)x->shape.dim[axis];

    if (v->dy[1] != NULL)
        dx = along(g, krti_affine(g, v->dy[1], 1 / n, 0, 0), x->shape, axis);
    if (v->dy[2] != NULL) {
        mean = along(g, &v->n->out[1], x->shape, axis);
        krt_value *const spread =
            krti_multiply(g, krti_subtract(g, x, mean),
                          along(g, krti_affine(g, v->dy[2], 2 / n, 0, 0), x->shape, axis));
        dx = dx != NULL ? krti_add(g, dx, spread) : spread;
    }
    return dx != NULL ? krti_broadcast_to(g, dx, x->shape) : NULL;
}

void krti_vjp_batch_norm_train(krti_vjp *v)
{
    krti_node *const n = v->n;
    krt_value *in[] = {v->dy[0], n->in[0], &n->out[1], &n->out[2], n->in[1]};

    if (v->dy[0] != NULL) {
        krti_node *const back = krti_graph_add(v->g, &krti_op_batch_norm_grad, in, 5, &n->attrs);

        for (int i = 0; back != NULL && i < 3; i++)
            v->dx[i] = &back->out[i];
    }
    krt_value *const more = v->wanted[0] ? moments_dx(v) : NULL;
    if (more != NULL)
        v->dx[0] = v->dx[0] != NULL ? krti_add(v->g, v->dx[0], more) : more;
}

void krti_vjp_layer_norm(krti_vjp *v)
{
    krt_value *in[] = {v->dy[0], v->n->in[0], v->n->num_in > 1 ? v->n->in[1] : NULL};
    krti_node *const back = krti_graph_add(v->g, &krti_op_layer_norm_grad, in, 3, &v->n->attrs);

    for (int i = 0; back != NULL && i < v->n->num_in; i++)
        v->dx[i] = &back->out[i];
}

void krti_vjp_softmax(krti_vjp *v)
{
    krt_value *in[] = {v->dy[0], &v->n->out[0]};

    v->dx[0] = krti_graph_add1(v->g, &krti_op_softmax_grad, in, 2, &v->n->attrs);
}

void krti_vjp_log_softmax(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const dy = v->dy[0];
    krt_value *const sum = krti_reduce_sum(g, dy, (int[]){v->n->attrs.axis.axis}, 1, true);

    v->dx[0] = krti_subtract(g, dy, krti_multiply(g, krti_exp(g, &v->n->out[0]), sum));
}

/* ------------------------------------------------------------------------------- losses */

/* The second output is the gradient of each row's loss. */
static krt_value *logits_dx(krti_vjp *v)
{
    krt_value *const dy = krti_expand_dims(v->g, v->dy[0], -1);

    return krti_multiply(v->g, dy, &v->n->out[1]);
}

void krti_vjp_sparse_softmax_crossentropy(krti_vjp *v)
{
    if (v->dy[0] != NULL)
        v->dx[0] = logits_dx(v);
}

void krti_vjp_softmax_crossentropy(krti_vjp *v)
{
    krti_graph *const g = v->g;

    if (v->dy[0] == NULL)
        return;
    if (v->wanted[0])
        v->dx[0] = logits_dx(v);
    if (v->wanted[1])
        v->dx[1] = krti_negative(g, krti_multiply(g, krti_expand_dims(g, v->dy[0], -1),
                                                  krti_log_softmax(g, v->n->in[0], -1)));
}
