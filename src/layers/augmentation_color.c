/* Image layers that change colours, in training: brightness, contrast, hue and their kin. See
 * augmentation.h. Keras: layers/preprocessing/image_preprocessing. */
#include "layers/augmentation.h"

#include <float.h>

krt_value *krti_act_contrast(const krti_acting *t)
{
    static const int height = 1, width = 2;
    krti_graph *const g = t->g;
    double range[2], values[2];

    if (!krti_act_factor(t, "factor", t->a->factor, 0, 1, range) ||
        !krti_act_value_range(t, values))
        return NULL;
    krt_value *const by = krti_act_draw(t, 1 - range[0], 1 + range[1]);
    krt_value *mean = krti_reduce_mean(g, t->x, &height, 1, true);
    mean = krti_reduce_mean(g, mean, &width, 1, true);
    krt_value *const moved = krti_multiply(g, krti_subtract(g, t->x, mean), by);
    return krti_clip(g, krti_add(g, moved, mean), values[0], values[1], 0);
}

krt_value *krti_act_brightness(const krti_acting *t)
{
    krti_graph *const g = t->g;
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    const double low = fmin(values[0], values[1]), high = fmax(values[0], values[1]);
    krt_value *const delta =
        krti_affine(g, krti_act_draw_factor(t, "factor", t->a->factor, -1, 1), high - low, 0, 0);
    return krti_clip(g, krti_add(g, t->x, delta), low, high, 0);
}

krt_value *krti_act_invert(const krti_acting *t)
{
    krti_graph *const g = t->g;
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    return krti_where(g, krti_act_chosen(t), krti_affine(g, t->x, -1, values[1], 0), t->x);
}

static krt_value *gray(const krti_acting *t)
{
    static const float weights[3] = {0.2989F, 0.5870F, 0.1140F};
    static const int channels = 3;
    krti_graph *const g = t->g;

    if (t->x->shape.dim[3] == 1)
        return t->x;
    if (t->x->shape.dim[3] != 3)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Invalid channel size: expected 3 (RGB) or 1 (Grayscale)");
    krt_value *const w = krti_constant(g, KRT_FLOAT32, KRT_SHAPE(3), weights);
    return krti_reduce_sum(g, krti_multiply(g, t->x, w), &channels, 1, true);
}

krt_value *krti_act_grayscale(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const double share = t->a->factor.items[0];

    return krti_where(g, krti_less(g, krti_act_draw(t, 0, 1), krti_scalar(g, share)), gray(t),
                      t->x);
}

krt_value *krti_act_degenerate(const krti_acting *t)
{
    krti_graph *const g = t->g;
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    krt_value *const by = krti_act_draw_factor(t, "factor", t->a->factor, -1, 1);
    krt_value *const moved = krti_multiply(g, by, krti_subtract(g, gray(t), t->x));
    return krti_clip(g, krti_add(g, t->x, moved), fmin(values[0], values[1]),
                     fmax(values[0], values[1]), 0);
}

/* Each of three channels, the images' last axis. */
static bool split_channels(const krti_acting *t, krt_value *x, krt_value *out[3])
{
    if (x == NULL || x->shape.dim[3] != 3) {
        if (x != NULL)
            (void)krti_graph_fail(t->g, KRT_E_INVALID, "Invalid channel size: expected 3 (RGB)");
        return false;
    }
    for (int i = 0; i < 3; i++)
        out[i] = krti_slice_axis(t->g, x, 3, i, i + 1, 1);
    return true;
}

/* Keras's rgb_to_hsv(): hue, saturation and value. */
static bool to_hsv(const krti_acting *t, krt_value *x, krt_value *hsv[3])
{
    krti_graph *const g = t->g;
    krt_value *c[3], *const zero = krti_scalar(g, 0), *const one = krti_scalar(g, 1);

    x = krti_where(g, krti_less(g, krti_absolute(g, x), krti_scalar(g, FLT_EPSILON)), zero, x);
    if (!split_channels(t, x, c))
        return false;
    krt_value *const value = krti_maximum(g, krti_maximum(g, c[0], c[1]), c[2]);
    krt_value *const least = krti_minimum(g, krti_minimum(g, c[0], c[1]), c[2]);
    krt_value *const range = krti_subtract(g, value, least);
    krt_value *const is_bright = krti_greater(g, value, zero);
    krt_value *const is_colored = krti_greater(g, range, zero);
    krt_value *const share = krti_divide(g, range, krti_where(g, is_bright, value, one));
    krt_value *const norm =
        krti_reciprocal(g, krti_affine(g, krti_where(g, is_colored, range, one), 6, 0, 0));
    krt_value *turns[3];
    for (int i = 0; i < 3; i++) /* g - b, b - r, r - g */
        turns[i] =
            krti_affine(g, krti_multiply(g, norm, krti_subtract(g, c[(i + 1) % 3], c[(i + 2) % 3])),
                        1, 2.0 * i / 6, 0);
    krt_value *hue = krti_where(g, krti_equal(g, value, c[1]), turns[1], turns[2]);
    hue = krti_where(g, krti_equal(g, value, c[0]), turns[0], hue);
    krt_value *const back = krti_cast(g, krti_less(g, hue, zero), KRT_FLOAT32);
    hsv[0] = krti_add(g, krti_where(g, is_colored, hue, zero), back);
    hsv[1] = krti_where(g, is_bright, share, zero);
    hsv[2] = value;
    return true;
}

static krt_value *from_hsv(const krti_acting *t, krt_value *const hsv[3])
{
    krti_graph *const g = t->g;
    krt_value *turned = krti_subtract(g, hsv[0], krti_floor(g, hsv[0]));
    krt_value *const rest = krti_affine(g, hsv[1], -1, 1, 0);
    krt_value *c[3];

    turned = krti_affine(g, turned, 6, 0, 0);
    for (int i = 0; i < 3; i++) { /* |h - 3| - 1, 2 - |h - 2|, 2 - |h - 4| */
        static const double middle[3] = {3, 2, 4};
        krt_value *far = krti_absolute(g, krti_affine(g, turned, 1, -middle[i], 0));

        far = krti_clip(g, krti_affine(g, far, i == 0 ? 1 : -1, i == 0 ? -1 : 2, 0), 0, 1, 0);
        c[i] = krti_multiply(g, hsv[2], krti_add(g, rest, krti_multiply(g, hsv[1], far)));
    }
    return krti_concat(g, c, 3, 3);
}

krt_value *krti_act_hue(const krti_acting *t)
{
    krti_graph *const g = t->g;
    krt_value *hsv[3], *const one = krti_scalar(g, 1);
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    const double width = values[1] - values[0];
    krt_value *const turns = krti_greater(g, krti_act_draw(t, 0, 1), krti_scalar(g, 0.5));
    krt_value *by = krti_act_draw_factor(t, "factor", t->a->factor, 0, 1);
    by = krti_affine(g, krti_multiply(g, krti_where(g, turns, krti_scalar(g, -1), one), by), 0.5, 0,
                     0);
    if (!to_hsv(t, krti_affine(g, t->x, 1 / width, -values[0] / width, 0), hsv))
        return NULL;
    krt_value *hue = krti_add(g, hsv[0], by);
    hue = krti_where(g, krti_greater(g, hue, one), krti_affine(g, hue, 1, -1, 0), hue);
    hsv[0] = krti_where(g, krti_less(g, hue, krti_scalar(g, 0)), krti_affine(g, hue, 1, 1, 0), hue);
    return krti_affine(g, krti_clip(g, from_hsv(t, hsv), 0, 1, 0), width, values[0], 0);
}

krt_value *krti_act_saturation(const krti_acting *t)
{
    krti_graph *const g = t->g;
    krt_value *hsv[3];
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    krt_value *by = krti_act_draw_factor(t, "factor", t->a->factor, -1, 1);
    by = krti_divide(g, by, krti_affine(g, by, -1, 1 + 1e-7, 0));
    if (!to_hsv(t, t->x, hsv))
        return NULL;
    hsv[1] = krti_clip(g, krti_multiply(g, hsv[1], by), fmin(values[0], values[1]),
                       fmax(values[0], values[1]), 0);
    return from_hsv(t, hsv);
}

/* Away from, or towards, what a 3 x 3 window makes of each channel. */
krt_value *krti_act_sharpness(const krti_acting *t)
{
    static const int64_t size[2] = {3, 3}, stride[2] = {1, 1};
    krti_graph *const g = t->g;
    const int64_t channels = t->x->shape.dim[3];
    float *kernel = krti_arena_array(&g->arena, 9 * (size_t)channels, sizeof *kernel);
    krti_window w;
    double values[2];

    if (kernel == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    if (!krti_act_value_range(t, values))
        return NULL;
    for (int64_t i = 0; i < 9 * channels; i++)
        kernel[i] = i / channels == 4 ? 5.0F / 13 : 1.0F / 13;
    if (krti_window_make(g, &w, t->x, 2, size, stride, NULL, "same") != KRT_OK)
        return NULL;
    w.groups = channels;
    krt_value *const k = krti_constant(g, KRT_FLOAT32, (krt_shape){4, {3, 3, 1, channels}}, kernel);
    krt_value *const smooth = krti_conv(g, t->x, k, NULL, &w);
    krt_value *by = krti_affine(g, krti_act_draw_factor(t, "factor", t->a->factor, 0, 1), -2, 1, 0);
    krt_value *const moved = krti_multiply(g, by, krti_subtract(g, smooth, t->x));
    return krti_clip(g, krti_add(g, t->x, moved), fmin(values[0], values[1]),
                     fmax(values[0], values[1]), 0);
}

/* Solarization's numbers are from 0, not from their negative, and of 255. */
static krt_value *draw_level(const krti_acting *t, const char *key, krt_numbers given)
{
    double range[2];

    return krti_act_factor(t, key, given, 0, 1, range) ? krti_act_draw(t, range[0], range[1] * 255)
                                                       : NULL;
}

krt_value *krti_act_solarize(const krti_acting *t)
{
    krti_graph *const g = t->g;
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    const double low = fmin(values[0], values[1]), width = fmax(values[0], values[1]) - low;
    krt_value *const addition = draw_level(t, "addition_factor", t->a->addition_factor);
    krt_value *const threshold = draw_level(t, "threshold_factor", t->a->threshold_factor);
    krt_value *y = krti_affine(g, t->x, 255 / width, -low * 255 / width, 0);
    y = krti_clip(g, krti_add(g, y, addition), 0, 255, 0);
    y = krti_where(g, krti_less(g, y, threshold), y, krti_affine(g, y, -1, 255, 0));
    return krti_affine(g, y, width / 255, low, 0);
}

krt_value *krti_act_auto_contrast(const krti_acting *t)
{
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    const double low = fmin(values[0], values[1]);
    return krti_auto_contrast(t->g, t->x, low, fmax(values[0], values[1]) - low);
}
