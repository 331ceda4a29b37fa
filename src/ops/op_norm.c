/* Normalizing ops: batch and layer normalization, softmax. Kernels: reference/norm.c.
 *
 * Mirrors keras/src/ops/nn.py and the layers that call it. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* Elements times a handful: subtract, multiply, an exp or a root. */
static double flops_norm(const krti_node *n)
{
    const int64_t size = krt_shape_size(n->out[0].shape);

    return size == KRT_NONE ? 0 : 5.0 * (double)size;
}

/* Every further input is a vector along `axis` of the first. */
static krt_status check_vectors(krti_graph *g, const krti_node *n, int axis)
{
    const krt_shape x = n->in[0]->shape;

    for (int i = 1; i < n->num_in; i++)
        if (n->in[i] != NULL &&
            (n->in[i]->shape.rank != 1 || !krti_dim_match(n->in[i]->shape.dim[0], x.dim[axis])))
            return INFER_FAIL(g, "%s along axis %d of %s does not fit statistics of %s",
                              n->op->name, axis, krti_shape_text(x).s,
                              krti_shape_text(n->in[i]->shape).s);
    return KRT_OK;
}

static krt_status infer_batch_norm(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[0]->shape;
    krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    const int axis = krti_axis(g, n->attrs.norm.axis, x.rank);
    if (axis < 0)
        return g->status;
    n->attrs.norm.axis = axis;
    st = check_vectors(g, n, axis);
    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, x) : st;
}

const krti_op krti_op_batch_norm = {.name = "batch_norm",
                                    .min_in = 3,
                                    .max_in = 5,
                                    .infer = infer_batch_norm,
                                    .reference = krti_ref_batch_norm,
                                    .vjp = krti_vjp_batch_norm,
                                    .flops = flops_norm};

krt_value *krti_batch_norm(krti_graph *g, krt_value *x, krt_value *mean, krt_value *variance,
                           krt_value *gamma, krt_value *beta, int axis, double epsilon)
{
    const krti_attrs attrs = {.norm = {.epsilon = epsilon, .axis = axis}};
    krt_value *in[] = {krti_to_float(g, x), mean, variance, gamma, beta};

    for (int i = 1; i < 5 && in[0] != NULL; i++)
        in[i] = krti_cast(g, in[i], in[0]->dtype);
    return krti_graph_add1(g, &krti_op_batch_norm, in, 5, &attrs);
}

static krt_status infer_layer_norm(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[0]->shape;
    krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    if (x.rank < 1)
        return INFER_FAIL(g, "layer_norm takes rank 1 and more, found ()");
    n->attrs.norm.axis = x.rank - 1;
    st = check_vectors(g, n, x.rank - 1);
    return st == KRT_OK ? krti_infer_set(n, n->in[0]->dtype, x) : st;
}

const krti_op krti_op_layer_norm = {.name = "layer_norm",
                                    .min_in = 1,
                                    .max_in = 3,
                                    .infer = infer_layer_norm,
                                    .reference = krti_ref_layer_norm,
                                    .vjp = krti_vjp_layer_norm,
                                    .flops = flops_norm};

krt_value *krti_layer_norm(krti_graph *g, krt_value *x, krt_value *gamma, krt_value *beta,
                           double epsilon)
{
    const krti_attrs attrs = {.norm = {.epsilon = epsilon}};
    krt_value *in[] = {krti_to_float(g, x), gamma, beta};

    for (int i = 1; i < 3 && in[0] != NULL; i++)
        in[i] = krti_cast(g, in[i], in[0]->dtype);
    return krti_graph_add1(g, &krti_op_layer_norm, in, 3, &attrs);
}

static krt_status infer_softmax(krti_graph *g, krti_node *n)
{
    const krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    n->attrs.axis.axis = krti_axis(g, n->attrs.axis.axis, n->in[0]->shape.rank);
    if (n->attrs.axis.axis < 0)
        return g->status;
    return krti_infer_set(n, n->in[0]->dtype, n->in[0]->shape);
}

const krti_op krti_op_softmax = {.name = "softmax",
                                 .min_in = 1,
                                 .max_in = 1,
                                 .infer = infer_softmax,
                                 .reference = krti_ref_softmax,
                                 .vjp = krti_vjp_softmax,
                                 .flops = flops_norm};
const krti_op krti_op_log_softmax = {.name = "log_softmax",
                                     .min_in = 1,
                                     .max_in = 1,
                                     .infer = infer_softmax,
                                     .reference = krti_ref_log_softmax,
                                     .vjp = krti_vjp_log_softmax,
                                     .flops = flops_norm};

static krt_value *softmax(krti_graph *g, const krti_op *op, krt_value *x, int axis)
{
    const krti_attrs attrs = {.axis = {.axis = axis}};
    krt_value *in = krti_to_float(g, x);

    return krti_graph_add1(g, op, &in, 1, &attrs);
}

krt_value *krti_softmax(krti_graph *g, krt_value *x, int axis)
{
    return softmax(g, &krti_op_softmax, x, axis);
}

krt_value *krti_log_softmax(krti_graph *g, krt_value *x, int axis)
{
    return softmax(g, &krti_op_log_softmax, x, axis);
}
