/* Gradients of reductions, scans, and of what moves elements. See autodiff.h. */
#include "ops/autodiff.h"

#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- reductions */

/* The shape of the input with 1 where it was reduced. */
static krt_shape kept_shape(const krti_node *n)
{
    krt_shape s = n->in[0]->shape;

    for (int i = 0; i < n->attrs.reduce.n; i++)
        s.dim[n->attrs.reduce.axis[i]] = 1;
    return s;
}

/* A value of the output's size as one that broadcasts against the input. */
static krt_value *kept(krti_vjp *v, krt_value *x)
{
    return krti_reshape(v->g, x, kept_shape(v->n));
}

void krti_vjp_reduce_sum(krti_vjp *v)
{
    v->dx[0] = krti_broadcast_to(v->g, kept(v, v->dy[0]), v->n->in[0]->shape);
}

void krti_vjp_reduce_mean(krti_vjp *v)
{
    const krt_shape in = v->n->in[0]->shape;
    const int64_t size = krt_shape_size(in), left = krt_shape_size(v->n->out[0].shape);
    const double share = size > 0 ? (double)left / (double)size : 0;

    v->dx[0] = krti_broadcast_to(v->g, krti_affine(v->g, kept(v, v->dy[0]), share, 0, 0), in);
}

/* Each element's slope is the product of the others, which is not y / x where that is 0. */
void krti_vjp_reduce_prod(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const x = v->n->in[0], *const zero = krti_zero_like(g, x);
    const int *axes = v->n->attrs.reduce.axis, n = v->n->attrs.reduce.n;

    if (n == 0) {
        v->dx[0] = v->dy[0];
        return;
    }
    krt_value *const is_zero = krti_equal(g, x, zero);
    krt_value *const filled = krti_where(g, is_zero, krti_scalar_like(g, x, 1), x);
    krt_value *const product = krti_reduce_prod(g, filled, axes, n, true);
    krt_value *const zeros = krti_reduce_sum(g, krti_cast(g, is_zero, x->dtype), axes, n, true);
    krt_value *const none = krti_equal(g, zeros, zero);
    krt_value *const only =
        krti_logical_and(g, is_zero, krti_equal(g, zeros, krti_scalar_like(g, x, 1)));
    krt_value *const others =
        krti_where(g, krti_logical_or(g, none, only), krti_divide(g, product, filled), zero);
    v->dx[0] = krti_multiply(g, kept(v, v->dy[0]), others);
}

/* Equal extremes share the gradient. */
static void vjp_extreme(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const x = v->n->in[0];
    const int *axes = v->n->attrs.reduce.axis, n = v->n->attrs.reduce.n;

    if (n == 0) {
        v->dx[0] = v->dy[0];
        return;
    }
    krt_value *const is_extreme = krti_cast(g, krti_equal(g, x, kept(v, &v->n->out[0])), x->dtype);
    krt_value *const num = krti_reduce_sum(g, is_extreme, axes, n, true);
    v->dx[0] = krti_multiply(g, is_extreme, krti_divide(g, kept(v, v->dy[0]), num));
}

void krti_vjp_reduce_max(krti_vjp *v)
{
    vjp_extreme(v);
}

void krti_vjp_reduce_min(krti_vjp *v)
{
    vjp_extreme(v);
}

void krti_vjp_cumsum(krti_vjp *v)
{
    const krti_attrs *at = &v->n->attrs;

    v->dx[0] = krti_cumsum(v->g, v->dy[0], at->scan.axis, at->scan.exclusive, !at->scan.reverse);
}

void krti_vjp_sort(krti_vjp *v)
{
    krt_value *in[] = {v->dy[0], v->n->in[0], &v->n->out[0]};

    v->dx[0] = krti_graph_add1(v->g, &krti_op_sort_grad, in, 3, &v->n->attrs);
}

/* ------------------------------------------------------------------------------- shape */

void krti_vjp_reshape(krti_vjp *v)
{
    v->dx[0] = krti_reshape(v->g, v->dy[0], v->n->in[0]->shape);
}

void krti_vjp_transpose(krti_vjp *v)
{
    int perm[KRT_MAX_RANK] = {0};

    for (int i = 0; i < v->dy[0]->shape.rank; i++)
        perm[v->n->attrs.transpose.perm[i]] = i;
    v->dx[0] = krti_transpose(v->g, v->dy[0], perm);
}

void krti_vjp_concat(krti_vjp *v)
{
    const int axis = v->n->attrs.axis.axis;
    int64_t from = 0;

    for (int i = 0; i < v->n->num_in; i++) {
        const int64_t size = v->n->in[i]->shape.dim[axis];

        if (v->wanted[i])
            v->dx[i] = krti_slice_axis(v->g, v->dy[0], axis, from, from + size, 1);
        from += size;
    }
}

/* Zeros around, when the slice was in one piece. */
void krti_vjp_slice(krti_vjp *v)
{
    krti_attrs attrs = v->n->attrs;
    const krt_shape in = v->n->in[0]->shape, out = v->dy[0]->shape;
    int64_t after[KRT_MAX_RANK] = {0};
    krt_value *dy = v->dy[0];
    bool whole = true;

    for (int i = 0; i < in.rank; i++) {
        whole = whole && attrs.slice.step[i] == 1;
        after[i] = in.dim[i] - attrs.slice.start[i] - out.dim[i];
    }
    attrs.slice.shape = in;
    v->dx[0] = whole ? krti_pad(v->g, dy, attrs.slice.start, after, KRTI_PAD_CONSTANT, 0)
                     : krti_graph_add1(v->g, &krti_op_slice_grad, &dy, 1, &attrs);
}

void krti_vjp_pad(krti_vjp *v)
{
    krti_attrs attrs = v->n->attrs;
    const krt_shape in = v->n->in[0]->shape;
    int64_t stop[KRT_MAX_RANK] = {0}, step[KRT_MAX_RANK] = {0};
    krt_value *dy = v->dy[0];

    for (int i = 0; i < in.rank; i++) {
        stop[i] = attrs.pad.before[i] + in.dim[i];
        step[i] = 1;
    }
    attrs.pad.shape = in;
    v->dx[0] = attrs.pad.mode == KRTI_PAD_CONSTANT
                   ? krti_slice(v->g, dy, attrs.pad.before, stop, step)
                   : krti_graph_add1(v->g, &krti_op_pad_grad, &dy, 1, &attrs);
}

/* dv with axis `axis` taken apart into two, of which the one at `gone` (0 or 1) is summed away. */
static krt_value *sum_part(krti_graph *g, krt_value *dv, int axis, int64_t first, int64_t second,
                           int gone)
{
    if (dv == NULL)
        return NULL;
    const krti_split s = krti_split_at(dv->shape, axis);
    krt_value *const parts = krti_reshape(g, dv, KRT_SHAPE(s.outer, first, second, s.inner));
    krt_shape out = dv->shape;

    out.dim[axis] = gone == 0 ? second : first;
    return krti_reshape(g, krti_reduce_sum(g, parts, (int[]){gone + 1}, 1, false), out);
}

void krti_vjp_tile(krti_vjp *v)
{
    const krt_shape in = v->n->in[0]->shape;
    krt_value *dv = v->dy[0];

    for (int i = 0; i < in.rank; i++)
        if (v->n->attrs.tile.times[i] != 1)
            dv = sum_part(v->g, dv, i, v->n->attrs.tile.times[i], in.dim[i], 0);
    v->dx[0] = dv;
}

void krti_vjp_repeat(krti_vjp *v)
{
    const int axis = v->n->attrs.repeat.axis;

    v->dx[0] =
        sum_part(v->g, v->dy[0], axis, v->n->in[0]->shape.dim[axis], v->n->attrs.repeat.times, 1);
}

void krti_vjp_broadcast_to(krti_vjp *v)
{
    v->dx[0] = krti_unbroadcast(v->g, v->dy[0], v->n->in[0]->shape);
}

void krti_vjp_gather(krti_vjp *v)
{
    const krti_attrs attrs = {
        .gather_grad = {.axis = v->n->attrs.axis.axis, .shape = v->n->in[0]->shape}};
    krt_value *in[] = {v->dy[0], v->n->in[1]};

    if (v->wanted[0])
        v->dx[0] = krti_graph_add1(v->g, &krti_op_gather_grad, in, 2, &attrs);
}
