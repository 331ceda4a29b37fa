/* Numeric and image preprocessing. Keras: layers/preprocessing.
 *
 * Resizing, CenterCrop and AutoContrast always act; the random image layers are augmentation.c's.
 * Text and categorical layers are not here. What Normalization learns from data is computed in double
 * precision, which Keras does not do: the results agree within float32's rounding. */
#include "layers/augmentation.h"
#include "layers/images.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- numbers */

/* A float32 constant of these numbers under `shape`, which has as many elements. */
static krt_value *constant(krti_graph *g, const krt_numbers *numbers, krt_shape shape)
{
    float *data = krti_arena_array(&g->arena, numbers->n > 0 ? numbers->n : 1, sizeof *data);

    if (data == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < numbers->n; i++)
        data[i] = (float)numbers->items[i];
    return krti_constant(g, KRT_FLOAT32, shape, data);
}

static krt_status rescaling_init(krt_layer *l, void *args)
{
    const krt_rescaling_args *a = args;

    if (a->scale.n > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID, "argument scale of Rescaling must be given");
}

static krt_status rescaling_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_rescaling_args *a = args;
    krti_graph *g = c->g;
    krt_value *x = krti_float_input(c, 0);

    (void)l;
    if (a->scale.n == 1 && a->scale.shape.rank == 0 && a->offset.n <= 1 &&
        a->offset.shape.rank <= 0) {
        const double offset = a->offset.n == 1 ? a->offset.items[0] : 0;

        return krt_call_output(c, 0, krti_affine(g, x, a->scale.items[0], offset, 0));
    }
    x = krti_multiply(g, x, constant(g, &a->scale, a->scale.shape));
    if (a->offset.n > 0)
        x = krti_add(g, x, constant(g, &a->offset, a->offset.shape));
    return krt_call_output(c, 0, x);
}

/* ------------------------------------------------------------------------------- Normalization */

static krt_status normalization_init(krt_layer *l, void *args)
{
    const krt_normalization_args *a = args;

    if ((a->mean.n == 0) != (a->variance.n == 0))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "When setting values directly, both `mean` and `variance` must be "
                               "set");
    if (a->mean.n > 0 && !krt_shape_equal(a->mean.shape, a->variance.shape))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "When setting values directly, `mean` and `variance` must have the "
                               "same shape");
    return KRT_OK;
}

/* Which axes keep statistics of their own, and the shape that broadcasts them over the input. */
static krt_status kept_axes(const krt_layer *l, const krt_normalization_args *a, krt_shape x,
                            krt_axes *kept, krt_shape *broadcast)
{
    bool keep[KRT_MAX_RANK] = {false};

    for (int i = 0; i < a->axis.n; i++) {
        const int64_t at = a->axis.axis[i] < 0 ? a->axis.axis[i] + x.rank : a->axis.axis[i];

        if (at < 0 || at >= x.rank)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "All `axis` values must be in the range [-ndim, ndim). Received "
                                   "inputs with ndim=%d, while axis=%lld",
                                   x.rank, (long long)a->axis.axis[i]);
        keep[at] = true;
    }
    kept->n = 0;
    broadcast->rank = x.rank;
    for (int i = 0; i < x.rank; i++) {
        broadcast->dim[i] = keep[i] ? x.dim[i] : 1;
        if (keep[i])
            kept->axis[kept->n++] = i;
    }
    return KRT_OK;
}

static krt_status normalization_build(krt_layer *l, const void *args, const krt_shape *inputs,
                                      size_t n)
{
    const krt_normalization_args *a = args;
    krt_axes kept = {0};
    krt_shape broadcast = {0}, shape = {0};
    krt_status st = KRT_OK;

    if (n != 1)
        return krti_fail_inputs(l, 1, n);
    TRY(kept_axes(l, a, inputs[0], &kept, &broadcast));
    if (a->mean.n > 0)
        goto done;
    for (int i = 0; i < kept.n; i++)
        shape.dim[shape.rank++] = inputs[0].dim[kept.axis[i]];
    TRY(krt_layer_add_weight(l, "mean", shape, krti_initializer_find("Zeros")->defaults, false));
    TRY(krt_layer_add_weight(l, "variance", shape, krti_initializer_find("Ones")->defaults, false));
    TRY(krt_layer_add_weight(l, "count", (krt_shape){.rank = 0},
                             krti_initializer_find("Zeros")->defaults, false));

done:
    return st;
}

/* Given statistics, their axes set against the kept ones from the right. */
static krt_value *given(krt_call *c, const krt_numbers *numbers, const krt_axes *kept, int rank)
{
    krt_shape shape = {.rank = rank};

    if (numbers->shape.rank > kept->n)
        return krti_graph_fail(c->g, KRT_E_INVALID,
                               "The rank of `mean` must be less than or equal to the number of "
                               "axes (%d), found %d",
                               kept->n, numbers->shape.rank);
    for (int i = 0; i < rank; i++)
        shape.dim[i] = 1;
    for (int i = 1; i <= numbers->shape.rank; i++)
        shape.dim[kept->axis[kept->n - i]] = numbers->shape.dim[numbers->shape.rank - i];
    return constant(c->g, numbers, shape);
}

static krt_status normalization_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_normalization_args *a = args;
    krti_graph *g = c->g;
    krt_value *x = krti_float_input(c, 0);
    krt_value *mean = NULL, *deviation = NULL;
    krt_axes kept = {0};
    krt_shape broadcast = {0};

    if (x == NULL)
        return g->status;
    const krt_status st = kept_axes(l, a, x->shape, &kept, &broadcast);
    if (st != KRT_OK)
        return st;
    if (a->mean.n > 0) {
        mean = given(c, &a->mean, &kept, x->shape.rank);
        deviation = given(c, &a->variance, &kept, x->shape.rank);
    } else {
        mean = krti_reshape(g, krt_call_weight(c, "mean"), broadcast);
        deviation = krti_reshape(g, krt_call_weight(c, "variance"), broadcast);
    }
    deviation = krti_maximum(g, krti_sqrt(g, deviation), krti_scalar(g, 1e-7));
    if (a->invert)
        return krt_call_output(c, 0, krti_add(g, mean, krti_multiply(g, x, deviation)));
    return krt_call_output(c, 0, krti_divide(g, krti_subtract(g, x, mean), deviation));
}

/* ------------------------------------------------------------------------------- adapt */

/* Walks an array element by element, knowing which of the kept axes' cells each one belongs to. */
typedef struct cursor {
    krt_shape shape;
    int64_t index[KRT_MAX_RANK], stride[KRT_MAX_RANK]; /* of cells; 0 for axes that are reduced */
    int64_t cell;
} cursor;

static cursor cursor_over(krt_shape shape, const krt_axes *kept)
{
    cursor c = {.shape = shape};
    int64_t stride = 1;

    for (int i = kept->n - 1; i >= 0; i--) {
        c.stride[kept->axis[i]] = stride;
        stride *= shape.dim[kept->axis[i]];
    }
    return c;
}

static void advance(cursor *c)
{
    for (int i = c->shape.rank - 1; i >= 0; i--) {
        c->cell += c->stride[i];
        if (++c->index[i] < c->shape.dim[i])
            return;
        c->cell -= c->stride[i] * c->shape.dim[i];
        c->index[i] = 0;
    }
}

/* What is known so far; the arrays have a number for each cell. */
typedef struct statistics {
    krt_axes kept;
    size_t cells;
    double count; /* elements behind each mean, as Keras counts them */
    double *mean, *variance, *batch_mean, *batch_variance;
} statistics;

static void of_batch(statistics *s, const krt_tensor *x)
{
    const double *const values = x->data;
    const size_t n = x->size_bytes / sizeof *values;
    cursor c = cursor_over(x->shape, &s->kept);

    memset(s->batch_mean, 0, 2 * s->cells * sizeof *s->batch_mean);
    for (size_t i = 0; i < n; i++, advance(&c))
        s->batch_mean[c.cell] += values[i];
    for (size_t i = 0; i < s->cells; i++)
        s->batch_mean[i] /= (double)(n / s->cells);
    for (size_t i = 0; i < n; i++, advance(&c)) {
        const double off = values[i] - s->batch_mean[c.cell];
        s->batch_variance[c.cell] += off * off;
    }
    for (size_t i = 0; i < s->cells; i++)
        s->batch_variance[i] /= (double)(n / s->cells);
}

/* Keras's formula for the variance of parts put together: that of lack-of-fit sums of squares. */
static void take_batch(statistics *s, const krt_tensor *x)
{
    const double count = (double)(x->size_bytes / sizeof(double) / s->cells);

    of_batch(s, x);
    s->count += count;
    const double weight = count / s->count, rest = 1 - weight;
    for (size_t i = 0; i < s->cells; i++) {
        const double mean = s->mean[i] * rest + s->batch_mean[i] * weight;
        const double before = s->mean[i] - mean, now = s->batch_mean[i] - mean;

        s->variance[i] =
            (s->variance[i] + before * before) * rest + (s->batch_variance[i] + now * now) * weight;
        s->mean[i] = mean;
    }
}

/* Before the first batch: the layer as it is, or as its first data make it. */
static krt_status begin_statistics(krt_layer *l, statistics *s, krt_shape x)
{
    krt_shape broadcast = {0};
    krt_status st = KRT_OK;

    TRY(krti_layer_build(l, &x, 1));
    TRY(kept_axes(l, l->args, l->build_shapes[0], &s->kept, &broadcast));
    s->cells = krti_layer_variable(l, "mean")->tensor->size_bytes / sizeof(float);
    s->mean = krti_array(l->owned.k, 4 * s->cells, sizeof *s->mean);
    if (s->mean == NULL || s->cells == 0)
        TRY(s->cells > 0 ? KRT_E_NOMEM
                         : krti_layer_fail(l, KRT_E_INVALID, "adapt() was given no numbers"));
    s->variance = s->mean + s->cells;
    s->batch_mean = s->variance + s->cells;
    s->batch_variance = s->batch_mean + s->cells;

done:
    return st;
}

static krt_status check_kept(const krt_layer *l, const statistics *s, krt_shape x)
{
    const krt_shape built = l->build_shapes[0];
    char a[160], b[160];
    bool fits = x.rank == built.rank && krt_shape_size(x) > 0;

    for (int i = 0; fits && i < s->kept.n; i++)
        fits = x.dim[s->kept.axis[i]] == built.dim[s->kept.axis[i]];
    if (fits)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The layer was built with input_shape=%s, but adapt() is being called "
                           "with data with an incompatible shape, data.shape=%s",
                           krt_shape_print(built, a, sizeof a), krt_shape_print(x, b, sizeof b));
}

/* As float64; of batches Keras first makes float32. */
static krt_status take_numbers(krt_layer *l, statistics *s, const krt_tensor *x, bool is_whole)
{
    krt_tensor *narrow = NULL, *wide = NULL;
    krt_status st = KRT_OK;

    if (s->mean == NULL)
        TRY(begin_statistics(l, s, x->shape));
    TRY(check_kept(l, s, x->shape));
    if (!is_whole)
        TRY(krt_tensor_cast(x, &narrow, KRT_FLOAT32));
    TRY(krt_tensor_cast(is_whole ? x : narrow, &wide, KRT_FLOAT64));
    take_batch(s, wide);

done:
    krt_tensor_free(narrow);
    krt_tensor_free(wide);
    return st;
}

static krt_status normalization_adapt(krt_layer *l, krti_adapt_data *data)
{
    const krt_normalization_args *a = l->args;
    const krt_tensor *x = NULL;
    statistics s = {.mean = NULL};
    krt_tensor *mean = NULL, *variance = NULL;
    krt_status st = KRT_OK;

    if (a->mean.n > 0)
        return krti_layer_fail(l, KRT_E_STATE,
                               "mean and variance were given when the layer was made; adapt() has "
                               "nothing to learn");
    for (st = data->next(data, &x); st == KRT_OK && x != NULL; st = data->next(data, &x))
        TRY(take_numbers(l, &s, x, data->is_whole));
    TRY(st);
    for (size_t i = 0; i < s.cells; i++)
        if (!isfinite(s.mean[i]) || !isfinite(s.variance[i]))
            TRY(krti_layer_fail(l, KRT_E_INVALID,
                                "adapt() was given NaN or infinite numbers; clean the data first"));
    if (s.mean == NULL)
        TRY(krti_layer_fail(l, KRT_E_INVALID, "adapt() was given no numbers"));
    TRY(krti_layer_initialize(l));
    TRY(krti_tensor_own(mean = krti_layer_variable(l, "mean")->tensor));
    TRY(krti_tensor_own(variance = krti_layer_variable(l, "variance")->tensor));
    for (size_t i = 0; i < s.cells; i++) {
        ((float *)mean->data)[i] = (float)s.mean[i];
        ((float *)variance->data)[i] = (float)s.variance[i];
    }

done:
    krti_free(l->owned.k, s.mean);
    return st;
}

/* ------------------------------------------------------------------------------- images */

static krt_status image_init(krt_layer *l, void *args)
{
    const int64_t *height = krti_args_member(l->cls, args, "height");
    const int64_t *width = krti_args_member(l->cls, args, "width");
    const char **interpolation = krti_args_member(l->cls, args, "interpolation");
    krti_interpolation method = KRTI_BILINEAR;
    krt_status st = KRT_OK;

    if (height != NULL)
        TRY(krti_spatial_tuple(l, "height", height, 1, false));
    if (width != NULL)
        TRY(krti_spatial_tuple(l, "width", width, 1, false));
    if (interpolation != NULL)
        TRY(krti_interpolation_named(l, *interpolation, &method));
    st = krti_spatial_data_format(l, krti_args_member(l->cls, args, "data_format"));

done:
    return st;
}

static krt_status resizing_init(krt_layer *l, void *args)
{
    const krt_resizing_args *a = args;

    if (a->pad_to_aspect_ratio && a->crop_to_aspect_ratio)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be "
                               "`True`");
    if (a->fill_mode == NULL || strcmp(a->fill_mode, "constant") != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value for argument `fill_mode`. Only `'constant'` is "
                               "supported. Received: fill_mode=%s",
                               a->fill_mode != NULL ? a->fill_mode : "None");
    return image_init(l, args);
}

/* The middle `height` x `width` of the images. */
static krt_value *middle(krti_graph *g, krt_value *x, int64_t height, int64_t width, int64_t top,
                         int64_t left)
{
    x = krti_slice_axis(g, x, 1, top, top + height, 1);
    return krti_slice_axis(g, x, 2, left, left + width, 1);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Keras computes the sides of the box in float32, truncating. */
static int64_t side(int64_t other, int64_t target, int64_t other_target)
{
    const double side = (float)(other * target) / (float)other_target;

    return side < (double)INT32_MAX ? (int64_t)side : INT32_MAX;
}

static krt_value *crop_to_ratio(krti_graph *g, krt_value *x, int64_t height, int64_t width)
{
    const int64_t h = x->shape.dim[1], w = x->shape.dim[2];
    const int64_t crop_height = clamp(side(w, height, width), 1, h);
    const int64_t crop_width = clamp(side(h, width, height), 1, w);

    return middle(g, x, crop_height, crop_width, (h - crop_height) / 2, (w - crop_width) / 2);
}

static krt_value *pad_to_ratio(krti_graph *g, krt_value *x, int64_t height, int64_t width,
                               double value)
{
    const int64_t h = x->shape.dim[1], w = x->shape.dim[2];
    const int64_t pad_height = clamp(side(w, height, width), h, INT32_MAX);
    const int64_t pad_width = clamp(side(h, width, height), w, INT32_MAX);
    const int64_t around[4] = {0, (pad_height - h) / 2, (pad_width - w) / 2, 0};

    return krti_pad(g, x, around, around, KRTI_PAD_CONSTANT, value);
}

/* Back to an integer dtype: rounded, and at its ends where the filter overshot. */
static krt_value *saturate(krti_graph *g, krt_value *x, krt_dtype dtype)
{
    static const struct {
        krt_dtype dtype;
        double low, high;
    } ranges[] = {
        {KRT_UINT8, 0, 255},
        {KRT_INT8, -128, 127},
        {KRT_INT16, -32768, 32767},
        {KRT_UINT16, 0, 65535},
        {KRT_UINT32, 0, 4294967040.0}, /* the float32 below the end of the range */
        {KRT_INT32, -2147483648.0, 2147483520.0},
    };

    x = krti_round(g, x);
    for (size_t i = 0; i < KRTI_COUNT(ranges); i++)
        if (ranges[i].dtype == dtype)
            x = krti_clip(g, x, ranges[i].low, ranges[i].high, 0);
    return krti_cast(g, x, dtype);
}

static krt_status resizing_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_resizing_args *a = args;
    krt_value *x = krti_open_images(c, krti_cast_input(c, 0), a->data_format);
    krti_interpolation method = KRTI_BILINEAR;
    krt_status st = KRT_OK;

    if (x == NULL)
        return c->g->status;
    TRY(krti_interpolation_named(l, a->interpolation, &method));
    const krt_dtype dtype = x->dtype;
    const bool sized = x->shape.dim[1] != KRT_NONE && x->shape.dim[2] != KRT_NONE;
    if (sized && a->crop_to_aspect_ratio)
        x = crop_to_ratio(c->g, x, a->height, a->width);
    else if (sized && a->pad_to_aspect_ratio)
        x = pad_to_ratio(c->g, x, a->height, a->width, a->fill_value);
    x = krti_resize_image(c->g, x, a->height, a->width, method, a->antialias);
    if (x != NULL && x->dtype != dtype)
        x = saturate(c->g, x, dtype);
    st = krti_close_images(c, x, a->data_format);

done:
    return st;
}

static krt_status center_crop_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_center_crop_args *a = args;
    krt_value *x = krti_open_images(c, krti_float_input(c, 0), a->data_format);

    (void)l;
    if (x == NULL)
        return c->g->status;
    const int64_t h = x->shape.dim[1], w = x->shape.dim[2];
    const bool sized = h != KRT_NONE && w != KRT_NONE;
    if (sized && h >= a->height && w >= a->width) {
        x = middle(c->g, x, a->height, a->width, (h - a->height) / 2, (w - a->width) / 2);
    } else {
        if (sized)
            x = crop_to_ratio(c->g, x, a->height, a->width);
        x = krti_resize_image(c->g, x, a->height, a->width, KRTI_BILINEAR, false);
    }
    return krti_close_images(c, x, a->data_format);
}

/* ------------------------------------------------------------------------------- AutoContrast */

static krt_status auto_contrast_init(krt_layer *l, void *args)
{
    const krt_auto_contrast_args *a = args;

    if (a->value_range.n == 0 ||
        (a->value_range.n == 2 && a->value_range.items[0] < a->value_range.items[1]))
        return image_init(l, args);
    return krti_layer_fail(l, KRT_E_INVALID,
                           "value_range of AutoContrast must be two ascending numbers");
}

/* low to 0 and high to 255 for each channel of each image; a channel of one value stays. */
krt_value *krti_auto_contrast(krti_graph *g, krt_value *x, double low, double width)
{
    static const int axes[2] = {1, 2};
    krt_value *const scaled = krti_affine(g, x, 255 / width, -low * 255 / width, 0);
    krt_value *const darkest = krti_reduce_min(g, scaled, axes, 2, true);
    krt_value *const range = krti_subtract(g, krti_reduce_max(g, scaled, axes, 2, true), darkest);
    krt_value *const scale = krti_divide(g, krti_scalar(g, 255), range);
    krt_value *const offset = krti_multiply(g, krti_negative(g, darkest), scale);
    krt_value *y = krti_clip(g, krti_add(g, krti_multiply(g, scaled, scale), offset), 0, 255, 0);

    y = krti_affine(g, y, width / 255, low, 0);
    return krti_where(g, krti_isnan(g, y), x, y);
}

static krt_status auto_contrast_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_auto_contrast_args *a = args;
    const double low = a->value_range.n == 2 ? a->value_range.items[0] : 0;
    const double width = a->value_range.n == 2 ? a->value_range.items[1] - low : 255;
    krt_value *const x = krti_float_input(c, 0);

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, x->shape, 4);
    if (st != KRT_OK)
        return st;
    return krt_call_output(c, 0, krti_auto_contrast(c->g, x, low, width));
}

static krt_status normalization_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    if (krti_conf_is_null(krti_conf_get(dict, "axis")))
        return krti_conf_set(a, dict, "axis", krti_conf_list(a));
    return krti_conf_enlist(a, dict, "axis");
}

/* ------------------------------------------------------------------------------- tables */

#define IGNORED(key)              \
    {                             \
        key, KRT_FIELD_IGNORED, 0 \
    }
#define F(id, kind, key) KRT_FIELD(krt_##id##_args, kind, key)
#define CLASS(id, title, fallback, build_fn, init_fn, with_mask, hook, adapt_fn, ...)       \
    static const krt_field id##_fields[] = {__VA_ARGS__, KRT_BASE_FIELDS(krt_##id##_args)}; \
    static const krti_class id = {                                                          \
        .base = {.struct_size = sizeof(krt_layer_class),                                    \
                 .name = title,                                                             \
                 .defaults = fallback,                                                      \
                 .fields = id##_fields,                                                     \
                 .num_fields = KRTI_COUNT(id##_fields),                                     \
                 .build = build_fn,                                                         \
                 .call = id##_call,                                                         \
                 .init = init_fn,                                                           \
                 .flags = (with_mask) | KRTI_LAYER_HOOKS},                                  \
        .config = hook,                                                                     \
        .adapt = adapt_fn,                                                                  \
    };

CLASS(rescaling, "Rescaling", KRT_RESCALING({.n = 0}), NULL, rescaling_init, KRT_LAYER_PASSES_MASK,
      NULL, NULL, F(rescaling, NUMBERS, scale), F(rescaling, NUMBERS, offset))
CLASS(normalization, "Normalization", KRT_NORMALIZATION(.trainable = true), normalization_build,
      normalization_init, KRT_LAYER_PASSES_MASK, normalization_config, normalization_adapt,
      F(normalization, AXES, axis), F(normalization, BOOL, invert), F(normalization, NUMBERS, mean),
      F(normalization, NUMBERS, variance))
CLASS(resizing, "Resizing", KRT_RESIZING(0), NULL, resizing_init, 0, NULL, NULL,
      F(resizing, INT, height), F(resizing, INT, width), F(resizing, STRING, interpolation),
      F(resizing, BOOL, crop_to_aspect_ratio), F(resizing, BOOL, pad_to_aspect_ratio),
      F(resizing, STRING, fill_mode), F(resizing, FLOAT, fill_value), F(resizing, BOOL, antialias),
      F(resizing, STRING, data_format), IGNORED("factor"), IGNORED("bounding_box_format"))
CLASS(center_crop, "CenterCrop", KRT_CENTER_CROP(0), NULL, image_init, 0, NULL, NULL,
      F(center_crop, INT, height), F(center_crop, INT, width), F(center_crop, STRING, data_format),
      IGNORED("factor"), IGNORED("bounding_box_format"))
CLASS(auto_contrast, "AutoContrast", KRT_AUTO_CONTRAST(.trainable = true), NULL, auto_contrast_init,
      0, NULL, NULL, F(auto_contrast, NUMBERS, value_range), F(auto_contrast, STRING, data_format),
      IGNORED("factor"), IGNORED("bounding_box_format"))

const krt_layer_class *const krti_classes_preprocessing[] = {
    &rescaling.base,   &normalization.base, &resizing.base,
    &center_crop.base, &auto_contrast.base, NULL,
};
