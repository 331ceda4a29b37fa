/* Products by oneDNN: batched matmul, and Dense with its kernel packed once into the order that oneDNN
 * asks for. Asked after native/matmul.c. */
#include "ops/onednn/dnn.h"
#include "ops/onednn/table.h"

typedef struct matmul_mds {
    dnn_md a, b, plain_b, bias, dst;
} matmul_mds;

static void matmul_mds_free(matmul_mds *m)
{
    dnn_md_free(&m->a);
    dnn_md_free(&m->b);
    dnn_md_free(&m->plain_b);
    dnn_md_free(&m->bias);
    dnn_md_free(&m->dst);
}

/* (batch..., rows, columns) with the last two exchanged when the operand is transposed. Operands of
 * lower rank get batch dimensions of 1 in front. */
static bool operand(dnn_md *out, krt_shape shape, bool transposed, int rank, bool any)
{
    dnnl_dim_t dims[DNNL_MAX_NDIMS], strides[DNNL_MAX_NDIMS], step = 1;
    const int pad = rank - shape.rank;

    for (int i = rank; i-- > 0;) {
        dims[i] = i < pad ? 1 : shape.dim[i - pad];
        strides[i] = step;
        step *= dims[i];
    }
    if (transposed) {
        const dnnl_dim_t d = dims[rank - 1], t = strides[rank - 1];

        dims[rank - 1] = dims[rank - 2];
        dims[rank - 2] = d;
        strides[rank - 1] = strides[rank - 2];
        strides[rank - 2] = t;
    }
    return dnn_md_make(out, rank, dims, any ? NULL : strides);
}

static bool has_bias(const krti_node *n)
{
    return n->num_in > 2 && n->in[2] != NULL;
}

static bool matmul_mds_make(matmul_mds *m, const krti_node *n)
{
    const int rank = n->out[0].shape.rank;
    const bool packed = n->in[1]->node->is_static;
    krt_shape bias = {.rank = rank};

    memset(m, 0, sizeof *m);
    for (int i = 0; i < rank; i++)
        bias.dim[i] = 1;
    bias.dim[rank - 1] = n->out[0].shape.dim[rank - 1];
    return operand(&m->a, n->in[0]->shape, n->attrs.matmul.transpose_a, rank, false) &&
           operand(&m->b, n->in[1]->shape, n->attrs.matmul.transpose_b, rank, packed) &&
           operand(&m->plain_b, n->in[1]->shape, n->attrs.matmul.transpose_b, rank, false) &&
           operand(&m->bias, bias, false, rank, false) &&
           operand(&m->dst, n->out[0].shape, false, rank, false);
}

static dnnl_status_t make_descriptor(dnn_step *d, const krti_node *n, const matmul_mds *m,
                                     dnnl_primitive_attr_t attr)
{
    dnn_md_ref bias = has_bias(n) ? dnn_md_ref_of(&m->bias) : NULL;
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_matmul_primitive_desc_create(&d->pd, d->engine, dnn_md_ref_of(&m->a),
                                             dnn_md_ref_of(&m->b), bias, dnn_md_ref_of(&m->dst),
                                             attr);
#else
    dnnl_matmul_desc_t desc;
    const dnnl_status_t status = dnnl_matmul_desc_init(
        &desc, dnn_md_ref_of(&m->a), dnn_md_ref_of(&m->b), bias, dnn_md_ref_of(&m->dst));
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(&d->pd, &desc, attr, d->engine, NULL);
#endif
}

static krt_status add_arguments(krti_build *b, krti_step *s, dnn_step *d, const matmul_mds *m)
{
    dnn_md_ref weights = dnnl_primitive_desc_query_md(d->pd, dnnl_query_weights_md, 0);
    const void *packed = NULL;
    krt_status st = KRT_OK;

    dnn_step_add(d, DNNL_ARG_SRC, DNN_INPUT, 0, NULL,
                 dnnl_primitive_desc_query_md(d->pd, dnnl_query_src_md, 0));
    if (s->node->in[1]->node->is_static) {
        st = dnn_pack(b, s, d, 1, dnn_md_ref_of(&m->plain_b), weights, &packed);
        dnn_step_add(d, DNNL_ARG_WEIGHTS, DNN_PACKED, 0, packed, weights);
    } else {
        dnn_step_add(d, DNNL_ARG_WEIGHTS, DNN_INPUT, 1, NULL, weights);
    }
    dnn_step_add(d, DNNL_ARG_DST, DNN_OUTPUT, 0, NULL,
                 dnnl_primitive_desc_query_md(d->pd, dnnl_query_dst_md, 0));
    if (has_bias(s->node))
        dnn_step_add(d, DNNL_ARG_BIAS, DNN_INPUT, 2, NULL,
                     dnnl_primitive_desc_query_md(d->pd, dnnl_query_weights_md, 1));
    return st;
}

static krt_status prepare_matmul(krti_build *b, krti_step *s)
{
    dnn_step *d = NULL;
    dnnl_primitive_attr_t attr = NULL;
    matmul_mds m = {0};
    krt_status st = dnn_step_new(b, s, &d);

    if (st != KRT_OK)
        return st;
    TRY(dnn_attr_make(b, s, d, &attr));
    if (!matmul_mds_make(&m, s->node))
        TRY(dnn_check(b, s, dnnl_invalid_arguments, "a product's shapes"));
    TRY(dnn_check(b, s, make_descriptor(d, s->node, &m, attr), "a product"));
    TRY(add_arguments(b, s, d, &m));
    TRY(dnn_step_finish(b, s, d));

done:
    matmul_mds_free(&m);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

static bool supports_matmul(const krti_node *n, int threads)
{
    (void)threads;
    const krt_shape a = n->in[0]->shape, b = n->in[1]->shape;

    return n->in[0]->dtype == KRT_FLOAT32 && n->in[1]->dtype == KRT_FLOAT32 && a.rank >= 2 &&
           b.rank >= 2 && n->out[0].shape.rank <= 6 && krt_shape_size(n->out[0].shape) > 0 &&
           krt_shape_size(a) > 0 && !n->in[0]->node->is_static;
}

const krti_kernel krti_onednn_matmul = {
    .name = "onednn_matmul",
    .op = &krti_op_matmul,
    .may_alias = DNN_RESIDUAL,
    .supports = supports_matmul,
    .prepare = prepare_matmul,
    DNN_STEP_FUNCTIONS,
};
