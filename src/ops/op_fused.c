/* Operations only the compiler makes. scale_shift is BatchNormalization at inference where nothing
 * stands before it to take it: y = activation(x * scale + shift + residual) along the last axis.
 * fused is a group of elementwise operations; see fused.h. moments and norm_sums are what is left of
 * BatchNormalization in training, and of its gradient, when the elementwise rest joins groups. */
#include "ops/fused.h"

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

/* ------------------------------------------------------------------------------- groups */

bool krti_fused_see(krt_shape in, krt_shape out, krti_fused_input *see)
{
    const int pad = out.rank - in.rank;
    int first = in.rank, last = -1;

    *see = (krti_fused_input){1, 1};
    if (pad < 0)
        return false;
    for (int i = 0; i < in.rank; i++) {
        if (in.dim[i] == 1)
            continue;
        if (in.dim[i] != out.dim[i + pad])
            return false;
        first = first < i ? first : i;
        last = i;
    }
    for (int i = first; i <= last; i++) {
        if (in.dim[i] != out.dim[i + pad]) /* repeats between two axes of its own */
            return false;
        see->period *= in.dim[i];
    }
    for (int i = last + 1 + pad; i < out.rank && last >= 0; i++)
        see->repeat *= out.dim[i];
    return true;
}

static krt_status infer_fused(krti_graph *g, krti_node *n)
{
    const krti_fused *f = n->attrs.fused;

    (void)g;
    n->num_out = f->num_out;
    for (int i = 0; i < f->num_out; i++) {
        n->out[i].dtype = f->out_dtype[i];
        n->out[i].shape = f->out_shape[i];
    }
    return KRT_OK;
}

/* Which inputs an operation takes as bool. */
static bool takes_bool(const krti_op *op, int i)
{
    return op == &krti_op_logical_not || op == &krti_op_logical_and || op == &krti_op_logical_or ||
           op == &krti_op_logical_xor || (op == &krti_op_where && i == 0);
}

static float apply(const krti_fused_op *f, const float *values)
{
    const krti_node node = {.op = f->op, .attrs = {.scalar = {f->a, f->b, f->c}}};
    const krt_shape one = {.rank = 0};
    unsigned char bits[3], bit = 0;
    float numbers[3], y = 0;
    krti_view in[3];

    if (f->op == &krti_op_broadcast_to)
        return values[f->in[0]];
    if (f->op == &krti_op_cast)
        return f->is_bool ? (float)(values[f->in[0]] != 0) : values[f->in[0]];
    for (int i = 0; i < 3 && f->in[i] >= 0; i++) {
        numbers[i] = values[f->in[i]];
        bits[i] = numbers[i] != 0;
        in[i] = takes_bool(f->op, i) ? (krti_view){&bits[i], KRT_BOOL, one}
                                     : (krti_view){&numbers[i], KRT_FLOAT32, one};
    }
    krti_view out =
        f->is_bool ? (krti_view){&bit, KRT_BOOL, one} : (krti_view){&y, KRT_FLOAT32, one};
    f->op->reference(&node, in, &out);
    return f->is_bool ? (float)bit : y;
}

static void reference_fused(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_fused *f = n->attrs.fused;
    float values[KRTI_FUSED_MAX_IN + KRTI_FUSED_MAX_OPS];

    for (int64_t i = 0; i < f->size; i++) {
        for (int j = 0; j < f->num_in; j++) {
            const size_t at = (size_t)(i / f->in[j].repeat % f->in[j].period);
            const char *from = (const char *)in[j].data + at * krt_dtype_size(in[j].dtype);

            krti_convert(&values[j], KRT_FLOAT32, from, in[j].dtype, 1);
        }
        for (int j = 0; j < f->num_ops; j++)
            values[f->num_in + j] = apply(&f->ops[j], values);
        for (int j = 0; j < f->num_out; j++)
            krti_convert((char *)out[j].data + (size_t)i * krt_dtype_size(out[j].dtype),
                         out[j].dtype, &values[f->out[j]], KRT_FLOAT32, 1);
    }
}

static double flops_fused(const krti_node *n)
{
    const krti_fused *f = n->attrs.fused;

    return (double)f->size * f->num_ops;
}

const krti_op krti_op_fused = {.name = "fused",
                               .min_in = 1,
                               .max_in = -1,
                               .num_out = KRTI_MAX_OUT,
                               .infer = infer_fused,
                               .reference = reference_fused,
                               .flops = flops_fused};

/* ------------------------------------------------------------------------------- normalization */

/* Two vectors along the last axis. */
static krt_status infer_vectors(krti_graph *g, krti_node *n)
{
    const krt_shape x = n->in[0]->shape;

    (void)g;
    for (int i = 0; i < 2; i++) {
        n->out[i].dtype = n->in[0]->dtype;
        n->out[i].shape = KRT_SHAPE(x.dim[x.rank - 1]);
    }
    return KRT_OK;
}

/* Mean and biased variance of x by the last axis, in two passes. */
static void reference_moments(const krti_node *n, const krti_view *in, krti_view *out)
{
    const size_t columns = (size_t)krt_shape_size(out[0].shape);
    const size_t size = (size_t)krt_shape_size(in[0].shape);
    const float *x = in[0].data;
    float *mean = out[0].data, *variance = out[1].data;

    (void)n;
    for (size_t j = 0; j < columns; j++) {
        double sum = 0, squares = 0;

        for (size_t i = j; i < size; i += columns)
            sum += (double)x[i];
        const double middle = sum / (double)(size / columns);
        for (size_t i = j; i < size; i += columns)
            squares += ((double)x[i] - middle) * ((double)x[i] - middle);
        mean[j] = (float)middle;
        variance[j] = (float)(squares / (double)(size / columns));
    }
}

/* Of dy, x and mean: the sums of dy and of dy (x - mean) by the last axis. */
static void reference_norm_sums(const krti_node *n, const krti_view *in, krti_view *out)
{
    const size_t columns = (size_t)krt_shape_size(out[0].shape);
    const size_t size = (size_t)krt_shape_size(in[0].shape);
    const float *dy = in[0].data, *x = in[1].data, *mean = in[2].data;
    float *sum = out[0].data, *moment = out[1].data;

    (void)n;
    for (size_t j = 0; j < columns; j++) {
        double s = 0, m = 0;

        for (size_t i = j; i < size; i += columns) {
            s += (double)dy[i];
            m += (double)dy[i] * ((double)x[i] - (double)mean[j]);
        }
        sum[j] = (float)s;
        moment[j] = (float)m;
    }
}

static double flops_sums(const krti_node *n)
{
    return 4.0 * (double)krt_shape_size(n->in[0]->shape);
}

const krti_op krti_op_moments = {.name = "moments",
                                 .min_in = 1,
                                 .max_in = 1,
                                 .num_out = 2,
                                 .infer = infer_vectors,
                                 .reference = reference_moments,
                                 .flops = flops_sums};
const krti_op krti_op_norm_sums = {.name = "norm_sums",
                                   .min_in = 3,
                                   .max_in = 3,
                                   .num_out = 2,
                                   .infer = infer_vectors,
                                   .reference = reference_norm_sums,
                                   .flops = flops_sums};
