/* Filter weights for resizing, as Keras computes them on TensorFlow: tf.image.resize, half-pixel
 * centers. Its three families differ at borders and in rounding: interpolation of two or four
 * neighbours (bicubic by a table of 1024 steps), pixel area, and a filter that is widened when
 * shrinking (antialias, and always lanczos). Positions are float32, whose rounding shows. */
#include "ops/reference/resample.h"

#include <float.h>

/* One output element's weights while they are made: input elements low..high. */
typedef struct taps {
    int64_t in;
    int64_t low, high;
    float *weight; /* room for the span */
} taps;

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static void normalize(taps *t)
{
    float sum = 0;

    for (int64_t i = 0; i < t->high - t->low; i++)
        sum += t->weight[i];
    if (fabsf(sum) < 1000.0f * FLT_MIN)
        return;
    for (int64_t i = 0; i < t->high - t->low; i++)
        t->weight[i] *= 1.0f / sum;
}

/* ------------------------------------------------------------------------------- neighbours */

static void nearest(taps *t, int64_t i, float scale)
{
    const int64_t at = (int64_t)floorf(((float)i + 0.5f) * scale);

    t->low = clamp(at, 0, t->in - 1);
    t->high = t->low + 1;
    t->weight[0] = 1;
}

static void bilinear(taps *t, int64_t i, float scale)
{
    const float at = ((float)i + 0.5f) * scale - 0.5f, floor_at = floorf(at);
    const int64_t low = clamp((int64_t)floor_at, 0, t->in - 1);
    const int64_t high = clamp((int64_t)ceilf(at), 0, t->in - 1);

    t->low = low;
    t->high = high + 1;
    t->weight[0] = 1;
    if (high > low) {
        t->weight[0] = 1 - (at - floor_at);
        t->weight[1] = at - floor_at;
    }
}

/* Keys' cubic with a = -0.5. */
static float keys(float x)
{
    if (x >= 2)
        return 0;
    if (x >= 1)
        return ((-0.5f * x + 2.5f) * x - 4) * x + 2;
    return (1.5f * x - 2.5f) * x * x + 1;
}

static void bicubic(taps *t, int64_t i, float scale)
{
    const float at = ((float)i + 0.5f) * scale - 0.5f;
    const int64_t base = (int64_t)floorf(at);
    const float step = (float)lrintf((at - (float)base) * 1024) / 1024;
    const float weight[] = {keys(1 + step), keys(step), keys(1 - step), keys(2 - step)};

    t->low = clamp(base - 1, 0, t->in - 1);
    t->high = clamp(base + 2, 0, t->in - 1) + 1;
    for (int64_t j = t->low; j < t->high; j++)
        t->weight[j - t->low] = weight[j - (base - 1)];
    normalize(t);
}

/* ------------------------------------------------------------------------------- area */

static void area(taps *t, int64_t i, float scale)
{
    const float from = (float)i * scale, to = (float)(i + 1) * scale;

    t->low = clamp((int64_t)floorf(from), 0, t->in - 1);
    t->high = clamp((int64_t)ceilf(to), t->low + 1, t->in);
    for (int64_t j = t->low; j < t->high; j++) {
        const bool starts = (float)j<from, ends = (float)(j + 1)> to;
        float share = 1;

        if (starts)
            share = ends ? scale : (float)(j + 1) - from;
        else if (ends)
            share = to - (float)j;
        t->weight[j - t->low] = share / scale;
    }
}

/* ------------------------------------------------------------------------------- filters */

static float triangle(float x)
{
    return x < 1 ? 1 - x : 0;
}

static float lanczos(float x, float radius)
{
    const float pi = 3.14159265359f;

    if (x > radius)
        return 0;
    if (x < 1e-3f)
        return 1;
    return radius * sinf(pi * x) * sinf(pi * x / radius) / (pi * pi * x * x);
}

static float filter_at(krti_interpolation method, float x)
{
    switch (method) {
    case KRTI_LANCZOS3:
        return lanczos(x, 3);
    case KRTI_LANCZOS5:
        return lanczos(x, 5);
    case KRTI_BICUBIC:
        return keys(x);
    default:
        return triangle(x);
    }
}

static float filter_radius(krti_interpolation method)
{
    static const float radius[] = {
        [KRTI_BILINEAR] = 1, [KRTI_BICUBIC] = 2, [KRTI_LANCZOS3] = 3, [KRTI_LANCZOS5] = 5};

    return radius[method];
}

/* scale: input elements for one of the output; wide: how much the filter is stretched. */
static void filtered(taps *t, int64_t i, float scale, krti_interpolation method, float wide)
{
    const float at = ((float)i + 0.5f) * scale, reach = filter_radius(method) * wide;

    t->low = t->high = 0;
    if (at < 0 || at > (float)t->in)
        return;
    t->low = clamp((int64_t)ceilf(at - reach - 0.5f), 0, t->in - 1);
    t->high = clamp((int64_t)floorf(at + reach - 0.5f), 0, t->in - 1) + 1;
    for (int64_t j = t->low; j < t->high; j++)
        t->weight[j - t->low] = filter_at(method, fabsf(((float)j + 0.5f - at) * (1.0f / wide)));
    normalize(t);
}

/* ------------------------------------------------------------------------------- all */

static bool is_filtered(krti_interpolation method, bool antialias)
{
    return method == KRTI_LANCZOS3 || method == KRTI_LANCZOS5 ||
           (antialias && (method == KRTI_BILINEAR || method == KRTI_BICUBIC));
}

static int64_t span_of(int64_t in, float scale, float wide, krti_interpolation method,
                       bool antialias)
{
    static const int64_t neighbours[] = {
        [KRTI_NEAREST] = 1, [KRTI_BILINEAR] = 2, [KRTI_BICUBIC] = 4};
    int64_t span;

    if (is_filtered(method, antialias))
        span = 2 * (int64_t)ceilf(filter_radius(method) * wide) + 1;
    else
        span = method == KRTI_AREA ? (int64_t)ceilf(scale) + 2 : neighbours[method];
    return span < in ? span : in;
}

static void taps_make(taps *t, int64_t i, float scale, float wide, krti_interpolation method,
                      bool antialias)
{
    if (is_filtered(method, antialias))
        filtered(t, i, scale, method, wide);
    else if (method == KRTI_NEAREST)
        nearest(t, i, scale);
    else if (method == KRTI_BILINEAR)
        bilinear(t, i, scale);
    else if (method == KRTI_BICUBIC)
        bicubic(t, i, scale);
    else
        area(t, i, scale);
}

krt_status krti_resample_make(krti_arena *a, int64_t in, int64_t out, krti_interpolation method,
                              bool antialias, const krti_resample **result)
{
    /* TensorFlow's filters get the scale the other way round and invert it. */
    const float scale =
        is_filtered(method, antialias) ? 1.0f / ((float)out / (float)in) : (float)in / (float)out;
    const float wide = antialias && scale > 1 ? scale : 1;
    const int64_t span = span_of(in, scale, wide, method, antialias);
    krti_resample *r = krti_arena_alloc(a, sizeof *r);
    int64_t *start = krti_arena_array(a, (size_t)out, sizeof *start);
    float *weight = krti_arena_array(a, (size_t)out, (size_t)span * sizeof *weight);
    taps t = {.in = in};

    if (r == NULL || start == NULL || weight == NULL)
        return KRT_E_NOMEM;
    for (int64_t i = 0; i < out; i++) {
        t.weight = &weight[i * span];
        taps_make(&t, i, scale, wide, method, antialias);
        start[i] = t.low < in - span ? t.low : in - span;
        const int64_t late = t.low - start[i];
        if (late > 0) { /* the span would pass the end: it starts earlier, with zeros */
            memmove(&t.weight[late], t.weight, (size_t)(t.high - t.low) * sizeof *weight);
            memset(t.weight, 0, (size_t)late * sizeof *weight);
        }
    }
    *r = (krti_resample){.size = out, .span = span, .start = start, .weight = weight};
    *result = r;
    return KRT_OK;
}
