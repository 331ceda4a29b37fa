/* Operations on images: resizing, padding, cropping, gray, blocks. Keras: ops/image.py, and
 * depth_to_space of ops/nn.py. */
#include "layers/operations_list.h"
#include "layers/spatial.h"
#include "tensor/tensor.h"

static const char *data_format(const krti_opcall *o)
{
    const char *const text = krti_opcall_text(o, "data_format", "channels_last");

    return strcmp(text, "channels_first") == 0 || strcmp(text, "NCHW") == 0 ? "channels_first"
                                                                            : "channels_last";
}

/* A batch of images, channels last; *alone when there was one image and no batch. */
static krt_value *images_in(const krti_opcall *o, const char *name, bool *alone)
{
    krt_value *x = krti_opcall_tensor(o, name);

    if (x == NULL)
        return NULL;
    if (x->shape.rank != 3 && x->shape.rank != 4)
        return krti_opcall_fail(o, KRT_E_INVALID,
                                "Invalid images rank: expected rank 3 (single image) or rank 4 "
                                "(batch of images), found rank %d",
                                x->shape.rank);
    *alone = x->shape.rank == 3;
    if (*alone)
        x = krti_expand_dims(o->g, x, 0);
    return krti_to_channels_last(o->g, x, data_format(o));
}

static krt_value *images_out(const krti_opcall *o, krt_value *x, bool alone)
{
    x = krti_from_channels_last(o->g, x, data_format(o));
    return alone ? krti_squeeze(o->g, x, (const int[]){0}, 1) : x;
}

/* ------------------------------------------------------------------------------- resizing */

static bool read_method(const char *name, krti_interpolation *method)
{
    static const struct {
        const char *name;
        krti_interpolation method;
    } methods[] = {{"nearest", KRTI_NEAREST},   {"bilinear", KRTI_BILINEAR},
                   {"bicubic", KRTI_BICUBIC},   {"lanczos3", KRTI_LANCZOS3},
                   {"lanczos5", KRTI_LANCZOS5}, {"area", KRTI_AREA}};

    for (size_t i = 0; i < KRTI_COUNT(methods); i++)
        if (strcmp(methods[i].name, name) == 0) {
            *method = methods[i].method;
            return true;
        }
    return false;
}

/* How large a part of an axis of `dim` gives the aspect height : width of the target, in Keras's
 * float32 steps; larger than `dim` where it would have to grow. */
static int64_t aspect_part(int64_t other, int64_t own_target, int64_t other_target)
{
    return (int64_t)((float)(other * own_target) / (float)other_target);
}

/* Takes the middle of the image, or puts borders around it, so that it has the target's aspect. */
static krt_value *fit_aspect(const krti_opcall *o, krt_value *x, const int64_t *size, bool crops)
{
    int64_t border[4] = {0};

    for (int i = 0; i < 2; i++) {
        const int64_t dim = x->shape.dim[i + 1], other = x->shape.dim[2 - i];

        if (dim == KRT_NONE || other == KRT_NONE || size[0] < 1 || size[1] < 1 || dim > INT32_MAX ||
            other > INT32_MAX || size[0] > INT32_MAX || size[1] > INT32_MAX)
            return x; /* for its shape, which the target decides */
        const int64_t part = aspect_part(other, size[i], size[1 - i]);
        if (crops)
            border[i + 1] = (dim - (part < 1 ? 1 : part < dim ? part : dim)) / 2;
        else
            border[i + 1] = ((part > dim ? part : dim) - dim) / 2;
    }
    if (!crops)
        return krti_pad(o->g, x, border, border, KRTI_PAD_CONSTANT,
                        krti_opcall_float(o, "fill_value", 0));
    const krt_shape s = x->shape;
    for (int i = 0; i < 2; i++) {
        const int64_t part = aspect_part(s.dim[2 - i], size[i], size[1 - i]);
        const int64_t n = part < 1 ? 1 : part < s.dim[i + 1] ? part : s.dim[i + 1];

        x = krti_slice_axis(o->g, x, i + 1, border[i + 1], border[i + 1] + n, 1);
    }
    return x;
}

/* Keras keeps the dtype; TensorFlow's own function answers in float32 unless it only picks. */
static krt_value *as_keras(const krti_opcall *o, krt_value *y, krt_dtype dtype)
{
    if (y == NULL || o->config == NULL || y->dtype == dtype)
        return y;
    if (krti_dtype_is_float(dtype))
        return krti_cast(o->g, y, dtype);
    return krti_saturate_cast(o->g, krti_round(o->g, y), dtype);
}

krt_value *krti_operation_resize(const krti_opcall *o)
{
    bool alone = false;
    krt_value *x = images_in(o, "images", &alone);
    const char *const name = krti_opcall_text(o, "interpolation", "bilinear");
    const bool crops = krti_opcall_bool(o, "crop_to_aspect_ratio", false);
    krti_interpolation method;
    int64_t size[2];

    if (x == NULL)
        return NULL;
    const krt_dtype dtype = x->dtype;
    if (!read_method(name, &method))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the interpolation \"%s\"", name);
    if (krti_opcall_bool(o, "preserve_aspect_ratio", false) ||
        krti_opcall_bool(o, "align_corners", false) ||
        !krti_opcall_bool(o, "half_pixel_centers", true))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "TensorFlow's resizing that keeps the aspect ratio or does not "
                                "count from the middle of pixels");
    if (krti_opcall_ints(o, "size", size, 2) != 2)
        return krti_opcall_fail(o, KRT_E_INVALID, "`size` must be a height and a width");
    if (crops || krti_opcall_bool(o, "pad_to_aspect_ratio", false))
        x = fit_aspect(o, x, size, crops);
    krt_value *const y = krti_resize_image(o->g, x, size[0], size[1], method,
                                           krti_opcall_bool(o, "antialias", false));
    return images_out(o, as_keras(o, y, dtype), alone);
}

/* ------------------------------------------------------------------------------- borders */

/* Two of three numbers of one axis are given; KRT_NONE where the third cannot be known yet. */
static void complete(int64_t dim, int64_t *before, int64_t *after, int64_t *target, int sign)
{
    const int64_t grown = *target == KRT_NONE || dim == KRT_NONE ? KRT_NONE
                          : sign > 0                             ? *target - dim
                                                                 : dim - *target;

    if (*before == KRT_NONE && grown != KRT_NONE && *after != KRT_NONE)
        *before = grown - *after;
    if (*after == KRT_NONE && grown != KRT_NONE && *before != KRT_NONE)
        *after = grown - *before;
}

typedef struct borders {
    int64_t before[4], after[4];
} borders;

static bool read_borders(const krti_opcall *o, const krt_value *x, const char *word, int sign,
                         borders *b)
{
    static const char *const sides[2][2] = {{"top", "bottom"}, {"left", "right"}};
    static const char *const targets[2] = {"target_height", "target_width"};
    char before[32], after[32];

    *b = (borders){{0}, {0}};
    for (int i = 0; i < 2; i++) {
        const int axis = i + 1;
        int64_t target = krti_opcall_int(o, targets[i], KRT_NONE);

        snprintf(before, sizeof before, "%s_%s", sides[i][0], word);
        snprintf(after, sizeof after, "%s_%s", sides[i][1], word);
        b->before[axis] = krti_opcall_int(o, before, KRT_NONE);
        b->after[axis] = krti_opcall_int(o, after, KRT_NONE);
        complete(x->shape.dim[axis], &b->before[axis], &b->after[axis], &target, sign);
        if (b->before[axis] < 0 || b->after[axis] < 0 || b->before[axis] > INT32_MAX ||
            b->after[axis] > INT32_MAX) {
            krti_opcall_fail(o, KRT_E_INVALID,
                             "%s and %s must be given or follow from %s, and "
                             "not be negative",
                             before, after, targets[i]);
            return false;
        }
    }
    return true;
}

krt_value *krti_operation_pad_images(const krti_opcall *o)
{
    bool alone = false;
    krt_value *const x = images_in(o, "images", &alone);
    borders b;

    if (x == NULL || !read_borders(o, x, "padding", 1, &b))
        return NULL;
    return images_out(o, krti_pad(o->g, x, b.before, b.after, KRTI_PAD_CONSTANT, 0), alone);
}

krt_value *krti_operation_crop_images(const krti_opcall *o)
{
    bool alone = false;
    krt_value *x = images_in(o, "images", &alone);
    borders b;

    if (x == NULL || !read_borders(o, x, "cropping", -1, &b))
        return NULL;
    for (int i = 1; i <= 2; i++)
        x = krti_slice_axis(o->g, x, i, b.before[i], b.after[i] > 0 ? -b.after[i] : KRT_NONE, 1);
    return images_out(o, x, alone);
}

/* The middle of an image, as large a part of it as the fraction says. */
krt_value *krti_operation_central_crop(const krti_opcall *o)
{
    bool alone = false;
    krt_value *x = images_in(o, "images", &alone);
    const double fraction = krti_opcall_float(o, "central_fraction", 1);

    if (x == NULL)
        return NULL;
    if (!(fraction > 0 && fraction <= 1))
        return krti_opcall_fail(o, KRT_E_INVALID, "central_fraction must be within (0, 1]");
    for (int i = 1; i <= 2 && x != NULL; i++) {
        const int64_t dim = x->shape.dim[i];

        if (dim == KRT_NONE)
            continue;
        const int64_t start = (int64_t)(((double)dim - (double)dim * fraction) / 2);
        x = krti_slice_axis(o->g, x, i, start, dim - start, 1);
    }
    return images_out(o, x, alone);
}

/* ------------------------------------------------------------------------------- patches */

/* Steps of `stride` from `from`, as many as there are patches. */
static krt_value *every(krti_graph *g, krt_value *x, int axis, int64_t from, int64_t stride,
                        int64_t n)
{
    const int64_t stop = n == KRT_NONE ? KRT_NONE : from + (n - 1) * stride + 1;

    return krti_slice_axis(g, x, axis, from, stop, stride);
}

enum { MAX_PATCH = 4096 };

typedef struct patching {
    int64_t size[2], stride[2], rate[2];
} patching;

static bool read_patching(const krti_opcall *o, patching *p)
{
    static const char *const names[3] = {"size", "strides", "dilation_rate"};
    int64_t *const out[3] = {p->size, p->stride, p->rate};

    for (int i = 0; i < 3; i++) {
        int64_t given[4];
        const int n = krti_opcall_ints(o, names[i], given, 4);

        if (n < 0 || n == 3 || (n == 0 && i == 0))
            return false;
        for (int j = 0; j < 2; j++) {
            out[i][j] = i == 1 ? p->size[j] : 1;
            if (n > 0)
                out[i][j] = given[n == 1 ? 0 : n == 4 ? j + 1 : j];
            if (out[i][j] < 1 || out[i][j] > INT16_MAX)
                return false;
        }
    }
    return p->size[0] * p->size[1] <= MAX_PATCH;
}

/* Zeros around as "same" places them, and how many patches fit along each axis. */
static krt_value *frame(const krti_opcall *o, krt_value *x, const patching *p, int64_t *count)
{
    const char *const padding = krti_opcall_text(o, "padding", "valid");
    const bool same = strcmp(padding, "same") == 0 || strcmp(padding, "SAME") == 0;
    krti_window w;
    int64_t before[4] = {0}, after[4] = {0};

    if (krti_window_make(o->g, &w, x, 2, p->size, p->stride, p->rate, same ? "same" : "valid") !=
        KRT_OK)
        return NULL;
    for (int i = 0; i < 2; i++) {
        const int64_t dim = x->shape.dim[i + 1], reach = (p->size[i] - 1) * p->rate[i] + 1;

        count[i] = KRT_NONE;
        if (dim == KRT_NONE || w.before[i] == KRT_NONE)
            continue;
        before[i + 1] = w.before[i];
        after[i + 1] = w.after[i];
        if (dim + w.before[i] + w.after[i] < reach)
            return krti_opcall_fail(o, KRT_E_INVALID, "patches larger than the image");
        count[i] = (dim + w.before[i] + w.after[i] - reach) / p->stride[i] + 1;
    }
    return krti_pad(o->g, x, before, after, KRTI_PAD_CONSTANT, 0);
}

/* Each place of a patch is one strided slice of the image; side by side they are its channels. */
krt_value *krti_operation_extract_patches(const krti_opcall *o)
{
    bool alone = false;
    krt_value *x = images_in(o, "images", &alone);
    patching p;
    int64_t count[2];
    size_t n = 0;

    if (x == NULL)
        return NULL;
    if (!read_patching(o, &p))
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED,
                                "patches of more than %d places, or of more than two axes",
                                MAX_PATCH);
    x = frame(o, x, &p, count);
    krt_value **const parts =
        krti_arena_array(&o->g->arena, (size_t)(p.size[0] * p.size[1]), sizeof(krt_value *));
    if (parts == NULL)
        return krti_opcall_fail(o, KRT_E_NOMEM, "out of memory");
    if (x == NULL)
        return NULL;
    for (int64_t i = 0; i < p.size[0]; i++) {
        krt_value *const rows = every(o->g, x, 1, i * p.rate[0], p.stride[0], count[0]);

        for (int64_t j = 0; j < p.size[1]; j++)
            parts[n++] = every(o->g, rows, 2, j * p.rate[1], p.stride[1], count[1]);
    }
    return images_out(o, krti_concat(o->g, parts, n, 3), alone);
}

/* ------------------------------------------------------------------------------- channels */

/* Each image by itself: (x - mean) / max(deviation, 1 / sqrt(number of its elements)). */
krt_value *krti_operation_per_image_standardization(const krti_opcall *o)
{
    static const int axes[3] = {1, 2, 3};
    krti_graph *const g = o->g;
    bool alone = false;
    krt_value *const x = images_in(o, "images", &alone);
    krt_value *mean, *variance;
    int64_t n = 1;

    if (x == NULL || krti_moments(g, x, axes, 3, &mean, &variance) != KRT_OK)
        return NULL;
    for (int i = 1; i < 4; i++)
        n = krti_dim_mul(n, x->shape.dim[i]);
    krt_value *const least = krti_scalar_like(g, variance, n > 0 ? 1 / sqrt((double)n) : 1);
    krt_value *const deviation = krti_maximum(g, krti_sqrt(g, variance), least);
    return images_out(o, krti_divide(g, krti_subtract(g, x, mean), deviation), alone);
}

krt_value *krti_operation_rgb_to_grayscale(const krti_opcall *o)
{
    static const float weights[3] = {0.2989F, 0.5870F, 0.1140F};
    bool alone = false;
    krt_value *const x = images_in(o, "images", &alone);

    if (x == NULL || x->shape.dim[3] == 1)
        return x != NULL ? images_out(o, x, alone) : NULL;
    if (x->shape.dim[3] != 3)
        return krti_opcall_fail(o, KRT_E_INVALID,
                                "Invalid channel size: expected 3 (RGB) or 1 (Grayscale)");
    krt_value *const w = krti_constant(o->g, KRT_FLOAT32, KRT_SHAPE(3), weights);
    krt_value *const gray =
        krti_reduce_sum(o->g, krti_multiply(o->g, x, w), (const int[]){3}, 1, true);
    return images_out(o, krti_cast(o->g, gray, x->dtype), alone);
}

/* ------------------------------------------------------------------------------- blocks */

static krt_value *blocks_in(const krti_opcall *o, int64_t *block)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    *block = krti_opcall_int(o, "block_size", 0);
    if (x == NULL)
        return NULL;
    if (x->shape.rank != 4 || *block < 1 || *block > INT16_MAX)
        return krti_opcall_fail(o, KRT_E_INVALID, "blocks of %lld in a tensor of rank %d",
                                (long long)*block, x->shape.rank);
    return krti_to_channels_last(o->g, x, data_format(o));
}

krt_value *krti_operation_depth_to_space(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    int64_t b;
    krt_value *x = blocks_in(o, &b);

    if (x == NULL)
        return NULL;
    const krt_shape s = x->shape;
    const int64_t depth = s.dim[3];
    if (depth == KRT_NONE || depth % (b * b) != 0)
        return krti_opcall_fail(o, KRT_E_INVALID, "%lld channels do not make blocks of %lld",
                                (long long)depth, (long long)b);
    x = krti_reshape(g, x, KRT_SHAPE(s.dim[0], s.dim[1], s.dim[2], b, b, depth / (b * b)));
    x = krti_transpose(g, x, (const int[]){0, 1, 3, 2, 4, 5});
    x = krti_reshape(
        g, x,
        KRT_SHAPE(s.dim[0], krti_dim_mul(s.dim[1], b), krti_dim_mul(s.dim[2], b), depth / (b * b)));
    return krti_from_channels_last(g, x, data_format(o));
}

krt_value *krti_operation_space_to_depth(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    int64_t b;
    krt_value *x = blocks_in(o, &b);

    if (x == NULL)
        return NULL;
    const krt_shape s = x->shape;
    for (int i = 1; i <= 2; i++)
        if (s.dim[i] != KRT_NONE && s.dim[i] % b != 0)
            return krti_opcall_fail(o, KRT_E_INVALID,
                                    "axis %d of %lld is not made of blocks of %lld", i,
                                    (long long)s.dim[i], (long long)b);
    const int64_t rows = krti_dim_div(s.dim[1], b), cols = krti_dim_div(s.dim[2], b);
    x = krti_reshape(g, x, KRT_SHAPE(s.dim[0], rows, b, cols, b, s.dim[3]));
    x = krti_transpose(g, x, (const int[]){0, 1, 3, 2, 4, 5});
    x = krti_reshape(g, x, KRT_SHAPE(s.dim[0], rows, cols, krti_dim_mul(s.dim[3], b * b)));
    return krti_from_channels_last(g, x, data_format(o));
}
