/* Resizing images by the weights infer has made; see resample.h. */
#include "ops/reference/reference.h"
#include "ops/reference/resample.h"

enum { STRIP = 64 };

#define TEMPLATE "ops/reference/image.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

/* Picks elements, whatever they mean. */
static void resize_nearest(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_resample *rows = n->attrs.resize.axis[0], *cols = n->attrs.resize.axis[1];
    const int64_t height = in[0].shape.dim[1], width = in[0].shape.dim[2];
    const size_t size = krt_dtype_size(out->dtype);
    const size_t pixel = (size_t)out->shape.dim[3] * size;
    unsigned char *to = out->data;

    for (int64_t b = 0; b < out->shape.dim[0]; b++)
        for (int64_t i = 0; i < rows->size; i++)
            for (int64_t j = 0; j < cols->size; j++, to += pixel) {
                const int64_t at = (b * height + rows->start[i]) * width + cols->start[j];

                memcpy(to, (const unsigned char *)in[0].data + (size_t)at * pixel, pixel);
            }
}

void krti_ref_resize(const krti_node *n, const krti_view *in, krti_view *out)
{
    if (n->attrs.resize.method == KRTI_NEAREST)
        resize_nearest(n, in, out);
    else if (out->dtype == KRT_FLOAT64)
        resize_f64(n, in, out);
    else
        resize_f32(n, in, out);
}

void krti_ref_resize_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    if (out->dtype == KRT_FLOAT64)
        resize_grad_f64(n, in, out);
    else
        resize_grad_f32(n, in, out);
}
