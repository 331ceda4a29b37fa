/* Convolutions. Inputs of any spatial rank are seen as three-dimensional; see conv.inc. */
#include "ops/reference/reference.h"

enum { STRIP = 64 };

/* A convolution with its missing spatial axes filled in front with ones. */
typedef struct conv_shape {
    int64_t batch, channels, filters, groups;
    int64_t in[3], out[3], size[3], stride[3], dilation[3], before[3];
} conv_shape;

static conv_shape conv_shape_of(const krti_node *n, const krti_view *in, const krti_view *out)
{
    const krti_window *w = &n->attrs.window;
    const int first = 3 - w->rank;
    conv_shape c = {.batch = in[0].shape.dim[0],
                    .channels = in[0].shape.dim[w->rank + 1],
                    .filters = out->shape.dim[w->rank + 1],
                    .groups = w->groups,
                    .in = {1, 1, 1},
                    .out = {1, 1, 1},
                    .size = {1, 1, 1},
                    .stride = {1, 1, 1},
                    .dilation = {1, 1, 1}};

    for (int i = 0; i < w->rank; i++) {
        c.in[first + i] = in[0].shape.dim[i + 1];
        c.out[first + i] = out->shape.dim[i + 1];
        c.size[first + i] = w->size[i];
        c.stride[first + i] = w->stride[i];
        c.dilation[first + i] = w->dilation[i];
        c.before[first + i] = w->before[i];
    }
    return c;
}

/* Splits a running number into the three places it stands for, the last one fastest. */
static void places(int64_t number, const int64_t *dim, int64_t *at)
{
    for (int i = 2; i >= 0; i--) {
        at[i] = number % dim[i];
        number /= dim[i];
    }
}

/* Where the kernel's place `k` reads the input for the output's place `o`: an offset in pixels,
 * or -1 in the padding. */
static int64_t conv_source(const conv_shape *c, const int64_t *o, const int64_t *k)
{
    int64_t pixel = 0;

    for (int i = 0; i < 3; i++) {
        const int64_t at = o[i] * c->stride[i] - c->before[i] + k[i] * c->dilation[i];

        if (at < 0 || at >= c->in[i])
            return -1;
        pixel = pixel * c->in[i] + at;
    }
    return pixel;
}

/* The same for a transposed convolution: the input's place that the kernel's place `k` spreads to
 * the output's place `o`. */
static int64_t transpose_source(const conv_shape *c, const int64_t *o, const int64_t *k)
{
    int64_t pixel = 0;

    for (int i = 0; i < 3; i++) {
        const int64_t spread = o[i] + c->before[i] - k[i] * c->dilation[i];

        if (spread < 0 || spread % c->stride[i] != 0 || spread / c->stride[i] >= c->in[i])
            return -1;
        pixel = pixel * c->in[i] + spread / c->stride[i];
    }
    return pixel;
}

static int64_t volume(const int64_t *dim)
{
    return dim[0] * dim[1] * dim[2];
}

#define TEMPLATE "ops/reference/conv.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

void krti_ref_conv(const krti_node *n, const krti_view *in, krti_view *out)
{
    const conv_shape c = conv_shape_of(n, in, out);

    if (out->dtype == KRT_FLOAT64)
        conv_f64(&c, in[0].data, in[1].data, out->data);
    else
        conv_f32(&c, in[0].data, in[1].data, out->data);
}

void krti_ref_conv_transpose(const krti_node *n, const krti_view *in, krti_view *out)
{
    const conv_shape c = conv_shape_of(n, in, out);

    if (out->dtype == KRT_FLOAT64)
        conv_transpose_f64(&c, in[0].data, in[1].data, out->data);
    else
        conv_transpose_f32(&c, in[0].data, in[1].data, out->data);
}

/* The shape of the forward convolution; the gradient stands where its input or its kernel stood. */
void krti_ref_conv_grad_input(const krti_node *n, const krti_view *in, krti_view *out)
{
    const conv_shape c = conv_shape_of(n, out, &in[0]);

    if (out->dtype == KRT_FLOAT64)
        conv_grad_input_f64(&c, in[0].data, in[1].data, out->data);
    else
        conv_grad_input_f32(&c, in[0].data, in[1].data, out->data);
}

void krti_ref_conv_grad_kernel(const krti_node *n, const krti_view *in, krti_view *out)
{
    const conv_shape c = conv_shape_of(n, in, &in[1]);

    if (out->dtype == KRT_FLOAT64)
        conv_grad_kernel_f64(&c, in[0].data, in[1].data, out->data);
    else
        conv_grad_kernel_f32(&c, in[0].data, in[1].data, out->data);
}

/* One element of what the pointwise convolution makes: pixel x, filter j of `filters`. */
static float expanded(const krti_node *n, const krti_view *in, const float *x, int64_t j)
{
    const int64_t channels = in[4].shape.dim[in[4].shape.rank - 2];
    const int64_t filters = in[4].shape.dim[in[4].shape.rank - 1];
    const float *kernel = in[4].data, *bias = n->num_in > 5 ? in[5].data : NULL;
    double sum = bias != NULL ? (double)bias[j] : 0;

    for (int64_t i = 0; i < channels; i++)
        sum += (double)x[i] * (double)kernel[i * filters + j];
    return krti_activation_apply(n->attrs.expand.activation, (float)sum);
}

/* Nothing is kept between the two convolutions: every place of a window expands its pixel anew. */
void krti_ref_expand_depthwise(const krti_node *n, const krti_view *in, krti_view *out)
{
    const conv_shape c = conv_shape_of(n, in, out);
    const int64_t pixels = volume(c.out), num_places = volume(c.size);
    const float *kernel = in[1].data;
    float *y = out->data;

    for (int64_t i = 0; i < c.batch * pixels; i++) {
        const float *image = (const float *)in[0].data + i / pixels * volume(c.in) * c.channels;
        int64_t o[3], k[3];

        places(i % pixels, c.out, o);
        for (int64_t j = 0; j < c.filters; j++) {
            double sum = 0;

            for (int64_t p = 0; p < num_places; p++) {
                places(p, c.size, k);
                const int64_t pixel = conv_source(&c, o, k);
                if (pixel >= 0)
                    sum += (double)expanded(n, in, image + pixel * c.channels, j) *
                           (double)kernel[p * c.filters + j];
            }
            y[i * c.filters + j] = (float)sum;
        }
    }
}
