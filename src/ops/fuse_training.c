/* Rewriting what only training has. See plan.h and fuse.c, which calls these rules.
 *
 * BatchNormalization by the batch's own statistics, and its gradient, become sums over the batch and
 * elementwise arithmetic, which joins the groups around it: the activation and the addition behind
 * it, the gradient of the activation before it. The arithmetic keeps to x - mean, as x * scale + shift
 * would lose digits where the mean is large. */
#include "ops/fuse.h"

static bool is_last_axis_float(const krti_node *n, const krt_value *x)
{
    return x->dtype == KRT_FLOAT32 && n->attrs.norm.axis == x->shape.rank - 1 &&
           krti_shape_known(x->shape) && krt_shape_size(x->shape) > 0;
}

static krt_value *input_of(const krti_node *n, int i)
{
    return i < n->num_in ? n->in[i] : NULL;
}

/* gamma / sqrt(variance + epsilon) */
static krt_value *scale_of(krti_graph *g, const krti_node *n, krt_value *variance, krt_value *gamma)
{
    krt_value *r = krti_rsqrt(g, krti_affine(g, variance, 1, n->attrs.norm.epsilon, 0));

    return gamma != NULL ? krti_multiply(g, r, gamma) : r;
}

krt_status krti_split_batch_norm(krti_graph *g, krti_node *n)
{
    krt_value *x = n->in[0], *gamma = input_of(n, 1), *beta = input_of(n, 2);

    if (!is_last_axis_float(n, x))
        return KRT_OK;
    krti_node *moments = krti_graph_add(g, &krti_op_moments, &x, 1, NULL);
    if (moments == NULL)
        return g->status;
    krt_value *scale = scale_of(g, n, &moments->out[1], gamma);
    krt_value *y = krti_multiply(g, krti_subtract(g, x, &moments->out[0]), scale);
    if (beta != NULL)
        y = krti_add(g, y, beta);
    if (y == NULL)
        return g->status;
    n->out[0].same_as = y;
    n->out[1].same_as = &moments->out[0];
    n->out[2].same_as = &moments->out[1];
    return KRT_OK;
}

/* dx = scale (dy - sum(dy) / n - (x - mean) r^2 sum(dy (x - mean)) / n) */
krt_status krti_split_batch_norm_grad(krti_graph *g, krti_node *n)
{
    krt_value *dy = n->in[0], *x = n->in[1], *mean = n->in[2], *variance = n->in[3];

    if (!is_last_axis_float(n, x))
        return KRT_OK;
    const double count = (double)krt_shape_size(x->shape) / (double)x->shape.dim[x->shape.rank - 1];
    krt_value *in[] = {dy, x, mean};
    krti_node *sums = krti_graph_add(g, &krti_op_norm_sums, in, 3, NULL);
    if (sums == NULL)
        return g->status;
    krt_value *r = scale_of(g, n, variance, NULL),
              *scale = scale_of(g, n, variance, input_of(n, 4));
    krt_value *slope =
        krti_affine(g, krti_multiply(g, krti_multiply(g, scale, krti_square(g, r)), &sums->out[1]),
                    -1 / count, 0, 0);
    krt_value *shift = krti_affine(g, krti_multiply(g, scale, &sums->out[0]), -1 / count, 0, 0);
    krt_value *dx = krti_add(g, krti_multiply(g, dy, scale), shift);
    dx = krti_add(g, dx, krti_multiply(g, krti_subtract(g, x, mean), slope));
    krt_value *dgamma = krti_multiply(g, &sums->out[1], r);
    if (dx == NULL || dgamma == NULL)
        return g->status;
    n->out[0].same_as = dx;
    n->out[1].same_as = dgamma;
    n->out[2].same_as = &sums->out[0];
    return KRT_OK;
}

/* The gradient of max(relu(x)) meets first the pooling, then the activation. A window hands all it
 * has to one place, where the activation's result is the pooling's, so the two change places, and
 * the activation's is computed on what is smaller. */
krt_status krti_swap_pool_and_relu(krti_graph *g, krti_node *n)
{
    krti_node *pool = n->in[0]->node;
    krt_value *in[] = {NULL, NULL};

    if (pool->op != &krti_op_max_pool_grad || pool->in[1] != n->in[1] ||
        n->in[0]->dtype != KRT_FLOAT32)
        return KRT_OK;
    in[0] = pool->in[0];
    in[1] = pool->in[2];
    krt_value *through[] = {krti_graph_add1(g, &krti_op_relu_grad, in, 2, &n->attrs), pool->in[1],
                            pool->in[2]};
    krt_value *dx = krti_graph_add1(g, &krti_op_max_pool_grad, through, 3, &pool->attrs);
    if (dx == NULL)
        return g->status;
    n->out[0].same_as = dx;
    return KRT_OK;
}
