/* Resizing images. The weights are made here, with the shape; the kernel is reference/image.c.
 *
 * Mirrors keras/src/ops/image.py's resize as computed on TensorFlow. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"
#include "ops/reference/resample.h"

static krt_status infer_resize(krti_graph *g, krti_node *n)
{
    krt_shape out = n->in[0]->shape;
    krt_status st = n->attrs.resize.method == KRTI_NEAREST ? krti_infer_one_dtype(g, n)
                                                           : krti_infer_floats(g, n);

    if (st != KRT_OK)
        return st;
    if (out.rank != 4)
        return INFER_FAIL(g, "resize takes images of rank 4, found %s", krti_shape_text(out).s);
    for (int i = 0; i < 2; i++) {
        const int64_t in = out.dim[i + 1], size = n->attrs.resize.size[i];

        if (size < 1 || size > INT32_MAX || in == 0)
            return INFER_FAIL(g, "resize of %s to (%lld, %lld)", krti_shape_text(out).s,
                              (long long)n->attrs.resize.size[0],
                              (long long)n->attrs.resize.size[1]);
        out.dim[i + 1] = size;
        n->attrs.resize.axis[i] = NULL;
        if (in == KRT_NONE)
            continue;
        st = krti_resample_make(&g->arena, in, size, n->attrs.resize.method,
                                n->attrs.resize.antialias, &n->attrs.resize.axis[i]);
        if (st != KRT_OK)
            return st;
    }
    return krti_infer_set(n, n->in[0]->dtype, out);
}

static double flops_resize(const krti_node *n)
{
    const krti_resample *const *axis = n->attrs.resize.axis;
    const int64_t size = krt_shape_size(n->out[0].shape);

    if (axis[0] == NULL || axis[1] == NULL || size == KRT_NONE)
        return 0;
    return 2.0 * (double)size * (double)axis[0]->span * (double)axis[1]->span;
}

const krti_op krti_op_resize = {.name = "resize",
                                .min_in = 1,
                                .max_in = 1,
                                .infer = infer_resize,
                                .reference = krti_ref_resize,
                                .vjp = krti_vjp_resize,
                                .flops = flops_resize};

krt_value *krti_resize_image(krti_graph *g, krt_value *x, int64_t height, int64_t width,
                             krti_interpolation method, bool antialias)
{
    const krti_attrs attrs = {
        .resize = {.n = 2, .size = {height, width}, .method = method, .antialias = antialias}};

    if (method != KRTI_NEAREST)
        x = krti_to_float(g, x);
    return krti_graph_add1(g, &krti_op_resize, &x, 1, &attrs);
}
