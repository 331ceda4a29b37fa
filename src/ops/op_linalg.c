/* Products: matmul, Dense's form of it, and einsum composed of transposes, reshapes and matmuls.
 *
 * Mirrors keras/src/ops/numpy.py's matmul and einsum. The kernel is reference/linalg.c. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* ------------------------------------------------------------------------------- matmul */

/* The last two axes of an operand, transposition undone. */
static void rows_and_cols(krt_shape s, bool transpose, int64_t *rows, int64_t *cols)
{
    *rows = s.dim[s.rank - (transpose ? 1 : 2)];
    *cols = s.dim[s.rank - (transpose ? 2 : 1)];
}

static krt_shape batch_of(krt_shape s)
{
    s.rank -= 2;
    return s;
}

static krt_status infer_matmul(krti_graph *g, krti_node *n)
{
    const krt_shape a = n->in[0]->shape, b = n->in[1]->shape;
    const krt_status st = krti_infer_floats(g, n);
    int64_t m, k, k_b, cols;
    krt_shape out;

    if (st != KRT_OK)
        return st;
    if (a.rank < 2 || b.rank < 2)
        return INFER_FAIL(g, "matmul takes rank 2 and more, found %s and %s", krti_shape_text(a).s,
                          krti_shape_text(b).s);
    rows_and_cols(a, n->attrs.matmul.transpose_a, &m, &k);
    rows_and_cols(b, n->attrs.matmul.transpose_b, &k_b, &cols);
    if (!krti_dim_match(k, k_b))
        return INFER_FAIL(g, "matmul of %s%s and %s%s: inner dimensions %lld and %lld differ",
                          krti_shape_text(a).s, n->attrs.matmul.transpose_a ? " transposed" : "",
                          krti_shape_text(b).s, n->attrs.matmul.transpose_b ? " transposed" : "",
                          (long long)k, (long long)k_b);
    if (!krti_shape_broadcast(batch_of(a), batch_of(b), &out))
        return INFER_FAIL(g, "matmul of %s and %s: their batch axes cannot be broadcast",
                          krti_shape_text(a).s, krti_shape_text(b).s);
    out.dim[out.rank++] = m;
    out.dim[out.rank++] = cols;
    return krti_infer_fused(g, n, out);
}

static double flops_matmul(const krti_node *n)
{
    const krt_shape a = n->in[0]->shape;
    const int64_t k = a.dim[a.rank - (n->attrs.matmul.transpose_a ? 2 : 1)];
    const int64_t size = krt_shape_size(n->out[0].shape);

    return k == KRT_NONE || size == KRT_NONE ? 0 : 2.0 * (double)size * (double)k;
}

const krti_op krti_op_matmul = {.name = "matmul",
                                .min_in = 2,
                                .max_in = 4,
                                .flags = KRTI_OP_FUSES,
                                .infer = infer_matmul,
                                .reference = krti_ref_matmul,
                                .vjp = krti_vjp_matmul,
                                .flops = flops_matmul};

krt_value *krti_matmul(krti_graph *g, krt_value *a, krt_value *b, bool transpose_a,
                       bool transpose_b, krt_value *bias)
{
    const krti_attrs attrs = {.matmul = {.transpose_a = transpose_a, .transpose_b = transpose_b}};

    if (a == NULL || b == NULL)
        return NULL;
    const krt_dtype dtype = krti_float_dtype(krti_result_dtype(a->dtype, b->dtype));
    krt_value *in[] = {krti_cast(g, a, dtype), krti_cast(g, b, dtype), krti_cast(g, bias, dtype)};
    return krti_graph_add1(g, &krti_op_matmul, in, bias != NULL ? 3 : 2, &attrs);
}

krt_value *krti_dense(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias)
{
    if (x == NULL || kernel == NULL)
        return NULL;
    const krt_shape in = x->shape;
    if (in.rank < 1 || kernel->shape.rank != 2)
        return krti_graph_fail(g, KRT_E_INVALID, "dense of %s with a kernel of %s",
                               krti_shape_text(in).s, krti_shape_text(kernel->shape).s);
    if (!krti_dim_match(in.dim[in.rank - 1], kernel->shape.dim[0]))
        return krti_graph_fail(g, KRT_E_INVALID,
                               "the kernel wants %lld features, the input has %lld",
                               (long long)kernel->shape.dim[0], (long long)in.dim[in.rank - 1]);
    if (in.rank == 2)
        return krti_matmul(g, x, kernel, false, false, bias);
    krt_value *rows = krti_reshape(g, x, KRT_SHAPE(-1, kernel->shape.dim[0]));
    krt_shape out = in;
    out.dim[out.rank - 1] = kernel->shape.dim[1];
    return krti_reshape(g, krti_matmul(g, rows, kernel, false, false, bias), out);
}
