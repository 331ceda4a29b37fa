/* Operations only the compiler makes. scale_shift is BatchNormalization at inference where nothing
 * stands before it to take it: y = activation(x * scale + shift + residual) along the last axis. */
#include "ops/op.h"

static krt_status infer_scale_shift(krti_graph *g, krti_node *n)
{
    (void)g;
    n->out[0].dtype = n->in[0]->dtype;
    n->out[0].shape = n->in[0]->shape;
    return KRT_OK;
}

/* Shift, residual and activation are applied by krti_reference_run(). */
static void reference_scale_shift(const krti_node *n, const krti_view *in, krti_view *out)
{
    const size_t columns = (size_t)in[1].shape.dim[0];
    const size_t total = (size_t)krt_shape_size(out->shape);
    const float *x = in[0].data, *scale = in[1].data;
    float *y = out->data;

    (void)n;
    for (size_t i = 0; i < total; i++)
        y[i] = x[i] * scale[i % columns];
}

static double flops_scale_shift(const krti_node *n)
{
    return 2.0 * (double)krt_shape_size(n->out[0].shape);
}

const krti_op krti_op_scale_shift = {
    .name = "scale_shift",
    .min_in = 2,
    .max_in = 4,
    .flags = KRTI_OP_FUSES,
    .infer = infer_scale_shift,
    .reference = reference_scale_shift,
    .flops = flops_scale_shift,
};
