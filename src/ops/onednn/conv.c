/* Convolution and transposed convolution by oneDNN, and convolution's gradients: what our own loops do
 * not know, very large windows above all. Activations stay channels last, in the library's sense a permuted
 * plain layout; weights take whatever layout the library likes best, once, and stay as they are where
 * training changes them. */
#include "ops/onednn/dnn.h"
#include "ops/onednn/table.h"

/* Logical dims and strides of one array in oneDNN's order. */
typedef struct array {
    int n;
    dnnl_dim_t dims[DNN_MAX_DIMS], strides[DNN_MAX_DIMS];
} array;

/* (n, spatial..., c) as (n, c, spatial...). */
static array activation_array(krt_shape shape)
{
    array a = {.n = shape.rank};
    int order[DNN_MAX_DIMS] = {0};

    a.dims[0] = shape.dim[0];
    a.dims[1] = shape.dim[shape.rank - 1];
    for (int i = 1; i < shape.rank - 1; i++) {
        a.dims[i + 1] = shape.dim[i];
        order[i] = i + 1;
    }
    order[shape.rank - 1] = 1;
    dnn_strides(a.strides, a.n, a.dims, order);
    return a;
}

/* (spatial..., in / groups, out) as ([groups,] out / groups, in / groups, spatial...); for a
 * transposed convolution the kernel is (spatial..., out, in). */
static array kernel_array(const krti_node *n, krt_shape shape)
{
    const krti_window *w = &n->attrs.window;
    const bool transposed = n->op == &krti_op_conv_transpose;
    const int grouped = w->groups > 1 ? 1 : 0;
    array a = {.n = w->rank + 2 + grouped};
    int order[DNN_MAX_DIMS] = {0};

    if (grouped)
        a.dims[0] = w->groups;
    a.dims[grouped] = shape.dim[transposed ? w->rank : w->rank + 1] / w->groups;
    a.dims[grouped + 1] = shape.dim[transposed ? w->rank + 1 : w->rank];
    for (int i = 0; i < w->rank; i++) {
        a.dims[grouped + 2 + i] = shape.dim[i];
        order[i] = grouped + 2 + i;
    }
    order[w->rank] = transposed ? grouped : grouped + 1;
    if (grouped)
        order[w->rank + 1] = 0;
    order[w->rank + 1 + grouped] = transposed ? grouped + 1 : grouped;
    dnn_strides(a.strides, a.n, a.dims, order);
    return a;
}

typedef struct conv_mds {
    dnn_md src, kernel, bias, dst, plain_kernel;
} conv_mds;

static void conv_mds_free(conv_mds *m)
{
    dnn_md_free(&m->src);
    dnn_md_free(&m->kernel);
    dnn_md_free(&m->bias);
    dnn_md_free(&m->dst);
    dnn_md_free(&m->plain_kernel);
}

/* What is read, what is made and the kernel, wherever the node has them. */
static bool conv_mds_make(conv_mds *m, const krti_node *n)
{
    const bool for_input = n->op == &krti_op_conv_grad_input;
    const bool for_kernel = n->op == &krti_op_conv_grad_kernel;
    const krt_value *const y = for_input ? n->in[0] : for_kernel ? n->in[1] : &n->out[0];
    const array src = activation_array(for_input ? n->out[0].shape : n->in[0]->shape);
    const array dst = activation_array(y->shape);
    const array kernel = kernel_array(n, for_kernel ? n->out[0].shape : n->in[1]->shape);
    const bool is_static = !for_kernel && n->in[1]->node->is_static;
    const dnnl_dim_t one = 1, channels = dst.dims[1];

    memset(m, 0, sizeof *m);
    return dnn_md_make(&m->src, src.n, src.dims, src.strides) &&
           dnn_md_make(&m->dst, dst.n, dst.dims, dst.strides) &&
           dnn_md_make(&m->kernel, kernel.n, kernel.dims, is_static ? NULL : kernel.strides) &&
           dnn_md_make(&m->plain_kernel, kernel.n, kernel.dims, kernel.strides) &&
           dnn_md_make(&m->bias, 1, &channels, &one);
}

typedef struct window_dims {
    dnnl_dims_t strides, dilates, before, after;
} window_dims;

static window_dims window_of(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    window_dims d;

    for (int i = 0; i < w->rank; i++) {
        d.strides[i] = w->stride[i];
        d.dilates[i] = w->dilation[i] - 1;
        d.before[i] = w->before[i];
        d.after[i] = w->after[i];
    }
    return d;
}

static dnnl_status_t make_descriptor(dnn_step *d, const krti_node *n, const conv_mds *m,
                                     dnnl_primitive_attr_t attr)
{
    const bool transposed = n->op == &krti_op_conv_transpose;
    const window_dims w = window_of(n);
    dnn_md_ref src = dnn_md_ref_of(&m->src), kernel = dnn_md_ref_of(&m->kernel);
    dnn_md_ref dst = dnn_md_ref_of(&m->dst);
    dnn_md_ref bias = n->num_in > 2 && n->in[2] != NULL ? dnn_md_ref_of(&m->bias) : NULL;

#if DNNL_VERSION_MAJOR >= 3
    if (transposed)
        return dnnl_deconvolution_forward_primitive_desc_create(
            &d->pd, d->engine, dnnl_forward_inference, dnnl_deconvolution_direct, src, kernel, bias,
            dst, w.strides, w.dilates, w.before, w.after, attr);
    return dnnl_convolution_forward_primitive_desc_create(
        &d->pd, d->engine, dnnl_forward_inference, dnnl_convolution_direct, src, kernel, bias, dst,
        w.strides, w.dilates, w.before, w.after, attr);
#else
    dnnl_convolution_desc_t desc; /* deconvolution's is the same type */
    const dnnl_status_t status =
        transposed ? dnnl_dilated_deconvolution_forward_desc_init(
                         &desc, dnnl_forward_inference, dnnl_deconvolution_direct, src, kernel,
                         bias, dst, w.strides, w.dilates, w.before, w.after)
                   : dnnl_dilated_convolution_forward_desc_init(
                         &desc, dnnl_forward_inference, dnnl_convolution_direct, src, kernel, bias,
                         dst, w.strides, w.dilates, w.before, w.after);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(&d->pd, &desc, attr, d->engine, NULL);
#endif
}

/* A gradient wants to know the forward pass it belongs to. */
static dnnl_status_t make_gradient(dnn_step *d, const krti_node *n, const conv_mds *m,
                                   dnnl_primitive_attr_t attr)
{
    const bool for_input = n->op == &krti_op_conv_grad_input;
    const window_dims w = window_of(n);
    dnn_md_ref src = dnn_md_ref_of(&m->src), kernel = dnn_md_ref_of(&m->kernel);
    dnn_md_ref dst = dnn_md_ref_of(&m->dst);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = dnnl_success;

#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_convolution_forward_primitive_desc_create(
        &forward, d->engine, dnnl_forward_training, dnnl_convolution_direct, src, kernel, NULL, dst,
        w.strides, w.dilates, w.before, w.after, NULL);
    if (status == dnnl_success && for_input)
        status = dnnl_convolution_backward_data_primitive_desc_create(
            &d->pd, d->engine, dnnl_convolution_direct, src, kernel, dst, w.strides, w.dilates,
            w.before, w.after, forward, attr);
    else if (status == dnnl_success)
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            &d->pd, d->engine, dnnl_convolution_direct, src, kernel, NULL, dst, w.strides,
            w.dilates, w.before, w.after, forward, attr);
#else
    dnnl_convolution_desc_t desc;

    status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_training, dnnl_convolution_direct, src, kernel, NULL, dst, w.strides,
        w.dilates, w.before, w.after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&forward, &desc, NULL, d->engine, NULL);
    if (status == dnnl_success)
        status = for_input ? dnnl_dilated_convolution_backward_data_desc_init(
                                 &desc, dnnl_convolution_direct, src, kernel, dst, w.strides,
                                 w.dilates, w.before, w.after)
                           : dnnl_dilated_convolution_backward_weights_desc_init(
                                 &desc, dnnl_convolution_direct, src, kernel, NULL, dst, w.strides,
                                 w.dilates, w.before, w.after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&d->pd, &desc, attr, d->engine, forward);
#endif
    if (forward != NULL)
        dnnl_primitive_desc_destroy(forward);
    return status;
}

static krt_status add_arguments(krti_build *b, krti_step *s, dnn_step *d, const conv_mds *m)
{
    const krti_node *n = s->node;
    dnn_md_ref kernel = dnnl_primitive_desc_query_md(d->pd, dnnl_query_weights_md, 0);
    const bool is_static = n->in[1]->node->is_static;
    const void *packed = NULL;
    krt_status st = KRT_OK;

    if (is_static)
        st = dnn_pack(b, s, d, 1, dnn_md_ref_of(&m->plain_kernel), kernel, &packed);
    if (st != KRT_OK)
        return st;
    dnn_step_add(d, DNNL_ARG_SRC, DNN_INPUT, 0, NULL,
                 dnnl_primitive_desc_query_md(d->pd, dnnl_query_src_md, 0));
    dnn_step_add(d, DNNL_ARG_WEIGHTS, is_static ? DNN_PACKED : DNN_INPUT, 1, packed, kernel);
    dnn_step_add(d, DNNL_ARG_DST, DNN_OUTPUT, 0, NULL,
                 dnnl_primitive_desc_query_md(d->pd, dnnl_query_dst_md, 0));
    if (n->num_in > 2 && n->in[2] != NULL)
        dnn_step_add(d, DNNL_ARG_BIAS, DNN_INPUT, 2, NULL,
                     dnnl_primitive_desc_query_md(d->pd, dnnl_query_weights_md, 1));
    return KRT_OK;
}

static void add_gradient_arguments(const krti_node *n, dnn_step *d)
{
    const bool for_input = n->op == &krti_op_conv_grad_input;
    const dnnl_query_t src = for_input ? dnnl_query_diff_src_md : dnnl_query_src_md;
    const dnnl_query_t kernel = for_input ? dnnl_query_weights_md : dnnl_query_diff_weights_md;

    dnn_step_add(d, for_input ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
                 for_input ? DNN_OUTPUT : DNN_INPUT, 0, NULL,
                 dnnl_primitive_desc_query_md(d->pd, src, 0));
    dnn_step_add(d, for_input ? DNNL_ARG_WEIGHTS : DNNL_ARG_DIFF_WEIGHTS,
                 for_input ? DNN_INPUT : DNN_OUTPUT, 1, NULL,
                 dnnl_primitive_desc_query_md(d->pd, kernel, 0));
    dnn_step_add(d, DNNL_ARG_DIFF_DST, DNN_INPUT, for_input ? 0 : 1, NULL,
                 dnnl_primitive_desc_query_md(d->pd, dnnl_query_diff_dst_md, 0));
}

static krt_status prepare_conv(krti_build *b, krti_step *s)
{
    const bool is_gradient = s->node->op != &krti_op_conv && s->node->op != &krti_op_conv_transpose;
    dnn_step *d = NULL;
    dnnl_primitive_attr_t attr = NULL;
    conv_mds m = {0};
    krt_status st = dnn_step_new(b, s, &d);

    if (st != KRT_OK)
        return st;
    TRY(dnn_attr_make(b, s, d, &attr));
    if (!conv_mds_make(&m, s->node))
        TRY(dnn_check(b, s, dnnl_invalid_arguments, "a convolution's shapes"));
    TRY(dnn_check(b, s,
                  is_gradient ? make_gradient(d, s->node, &m, attr)
                              : make_descriptor(d, s->node, &m, attr),
                  "a convolution"));
    if (is_gradient)
        add_gradient_arguments(s->node, d);
    else
        TRY(add_arguments(b, s, d, &m));
    TRY(dnn_step_finish(b, s, d));

done:
    conv_mds_free(&m);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

static bool supports_conv(const krti_node *n, int threads)
{
    (void)threads;
    if (n->in[0]->dtype != KRT_FLOAT32 || n->in[1]->dtype != KRT_FLOAT32 ||
        krt_shape_size(n->out[0].shape) <= 0 || krt_shape_size(n->in[0]->shape) <= 0)
        return false;
    return n->op != &krti_op_conv_transpose || n->attrs.window.groups <= 1;
}

#define CONV(op_of, alias)                                              \
    const krti_kernel krti_onednn_##op_of = {.name = "onednn_" #op_of,  \
                                             .op = &krti_op_##op_of,    \
                                             .may_alias = (alias),      \
                                             .supports = supports_conv, \
                                             .prepare = prepare_conv,   \
                                             DNN_STEP_FUNCTIONS}

CONV(conv, DNN_RESIDUAL);
CONV(conv_transpose, DNN_RESIDUAL);
CONV(conv_grad_input, 0);
CONV(conv_grad_kernel, 0);
