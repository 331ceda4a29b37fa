/* Crossentropy of a softmax, from its logits: loss and gradient in one pass, without the division
 * and the logarithm that lose digits. Mirrors tf.nn.{,sparse_}softmax_cross_entropy_with_logits,
 * which Keras's losses come down to. Kernels: reference/norm.c. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* Out come the loss of each row and, for the way back, its gradient. */
static krt_status set_outputs(krti_graph *g, krti_node *n)
{
    const krt_shape logits = n->in[0]->shape;
    const krt_dtype dtype = n->in[0]->dtype;
    krt_shape rows = logits;

    if (dtype != KRT_FLOAT32 && dtype != KRT_FLOAT64)
        return INFER_FAIL(g, "%s takes float32 or float64, found %s", n->op->name,
                          krt_dtype_name(dtype));
    rows.rank--;
    n->out[1].dtype = dtype;
    n->out[1].shape = logits;
    return krti_infer_set(n, dtype, rows);
}

static bool dims_match(krt_shape a, krt_shape b, int rank)
{
    for (int i = 0; i < rank; i++)
        if (!krti_dim_match(a.dim[i], b.dim[i]))
            return false;
    return true;
}

static krt_status infer_dense(krti_graph *g, krti_node *n)
{
    const krt_shape logits = n->in[0]->shape, labels = n->in[1]->shape;
    const krt_status st = krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    if (logits.rank < 1 || labels.rank != logits.rank || !dims_match(logits, labels, logits.rank))
        return INFER_FAIL(g, "softmax_crossentropy of logits %s and labels %s",
                          krti_shape_text(logits).s, krti_shape_text(labels).s);
    return set_outputs(g, n);
}

static krt_status infer_sparse(krti_graph *g, krti_node *n)
{
    const krt_shape logits = n->in[0]->shape, labels = n->in[1]->shape;
    const krt_dtype dtype = n->in[1]->dtype;

    if (krti_dtype_is_float(dtype) || dtype == KRT_BOOL)
        return INFER_FAIL(g, "sparse_softmax_crossentropy takes integer labels, found %s",
                          krt_dtype_name(dtype));
    if (logits.rank < 1 || labels.rank != logits.rank - 1 ||
        !dims_match(logits, labels, labels.rank))
        return INFER_FAIL(g, "sparse_softmax_crossentropy of logits %s and labels %s",
                          krti_shape_text(logits).s, krti_shape_text(labels).s);
    return set_outputs(g, n);
}

static double flops_loss(const krti_node *n)
{
    const int64_t size = krt_shape_size(n->in[0]->shape);

    return size == KRT_NONE ? 0 : 5.0 * (double)size;
}

#define LOSS(NAME, INFER)                                         \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 2,                  \
                                    .max_in = 2,                  \
                                    .num_out = 2,                 \
                                    .infer = INFER,               \
                                    .reference = krti_ref_##NAME, \
                                    .flops = flops_loss,          \
                                    .vjp = krti_vjp_##NAME}
LOSS(softmax_crossentropy, infer_dense);
LOSS(sparse_softmax_crossentropy, infer_sparse);

krt_value *krti_softmax_crossentropy(krti_graph *g, krt_value *logits, krt_value *labels)
{
    krt_value *in[] = {krti_to_float(g, logits), NULL};

    in[1] = in[0] != NULL ? krti_cast(g, labels, in[0]->dtype) : NULL;
    return krti_graph_add1(g, &krti_op_softmax_crossentropy, in, 2, NULL);
}

krt_value *krti_sparse_softmax_crossentropy(krti_graph *g, krt_value *logits, krt_value *labels)
{
    krt_value *in[] = {krti_to_float(g, logits), labels};

    if (labels != NULL && (krti_dtype_is_float(labels->dtype) || labels->dtype == KRT_BOOL))
        in[1] = krti_cast(g, labels, KRT_INT64);
    return krti_graph_add1(g, &krti_op_sparse_softmax_crossentropy, in, 2, NULL);
}
