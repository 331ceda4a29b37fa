/* Image layers that act in training only. Keras: layers/preprocessing/image_preprocessing.
 *
 * At inference all of them are the identity. In training each draws from its own seed what Keras on
 * JAX draws, and moves or colours each image by it. What moves pixels is one function: where each
 * pixel of the result comes from, as a linear map of its place, and what stands beyond the edge. Colours
 * are augmentation_color.c; what is more, or made of other layers, augmentation_warp.c and _mix.c. */
#include "layers/augmentation.h"
#include "layers/images.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- arguments */

static krt_status refuse_factor(const krt_layer *l, const char *key, krt_numbers given, double low,
                                double high)
{
    char text[96] = "None";

    if (given.n == 1)
        snprintf(text, sizeof text, "%g", given.items[0]);
    else if (given.n > 1)
        snprintf(text, sizeof text, "(%g, %g%s)", given.items[0], given.items[1],
                 given.n > 2 ? ", ..." : "");
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `%s` argument should be a number (or a list of two numbers) in the "
                           "range [%g, %g]. Received: %s=%s",
                           key, low, high, key, text);
}

static krt_status factor(const krt_layer *l, const char *key, krt_numbers given, double low,
                         double high, double out[2])
{
    const double *v = given.items;

    if (given.n != 1 && given.n != 2)
        return refuse_factor(l, key, given, low, high);
    for (size_t i = 0; i < given.n; i++)
        if (!(v[i] >= low && v[i] <= high))
            return refuse_factor(l, key, given, low, high);
    out[0] = given.n == 1 ? fmax(-fabs(v[0]), low) : fmin(v[0], v[1]);
    out[1] = given.n == 1 ? fabs(v[0]) : fmax(v[0], v[1]);
    return KRT_OK;
}

bool krti_act_factor(const krti_acting *t, const char *key, krt_numbers given, double low,
                     double high, double out[2])
{
    const krt_status st = factor(t->l, key, given, low, high, out);

    t->g->status = st != KRT_OK ? st : t->g->status;
    return st == KRT_OK;
}

krt_value *krti_act_key(const krti_acting *t)
{
    krti_draws *const d = t->draws;

    if (d == NULL)
        return krti_call_draw(t->c);
    if (d->next == d->num) {
        KRTI_ASSERT((size_t)d->num < KRTI_COUNT(d->key));
        d->key[d->num++] = krti_call_draw(t->c);
    }
    return d->key[d->next++];
}

krt_value *krti_act_draw(const krti_acting *t, double low, double high)
{
    const krt_shape shape = {4, {t->x->shape.dim[0], 1, 1, 1}};

    return krti_random_uniform_of(t->g, krti_act_key(t), shape, low, high);
}

krt_value *krti_act_draw_factor(const krti_acting *t, const char *key, krt_numbers given,
                                double low, double high)
{
    double range[2];

    return krti_act_factor(t, key, given, low, high, range) ? krti_act_draw(t, range[0], range[1])
                                                            : NULL;
}

krt_value *krti_act_chosen(const krti_acting *t)
{
    krt_value *const probability = krti_act_draw_factor(t, "factor", t->a->factor, 0, 1);

    return krti_less(t->g, krti_act_draw(t, 0, 1), probability);
}

bool krti_act_value_range(const krti_acting *t, double out[2])
{
    const krt_numbers given = t->a->value_range;

    out[0] = given.n == 2 ? given.items[0] : 0;
    out[1] = given.n == 2 ? given.items[1] : 0;
    if (given.n == 2)
        return true;
    (void)krti_graph_fail(t->g, KRT_E_INVALID,
                          "The `value_range` argument should be a list of two numbers. Received "
                          "%zu",
                          given.n);
    return false;
}

/* ------------------------------------------------------------------------------- moving pixels */

static krt_value *indices_of(krti_graph *g, krt_shape shape, int64_t period, int64_t divisor,
                             krt_dtype dtype)
{
    const int64_t n = krt_shape_size(shape);
    int32_t *data = krti_arena_array(&g->arena, (size_t)n + 1, sizeof *data);

    if (data == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++)
        data[i] = (int32_t)(i % period / divisor);
    return krti_cast(g, krti_constant(g, KRT_INT32, shape, data), dtype);
}

krt_value *krti_act_places(krti_graph *g, krt_shape shape, krt_dtype dtype)
{
    return indices_of(g, shape, krt_shape_size(shape), 1, dtype);
}

/* i - n * floor(i / n), for whole numbers in float32 without an error. */
static krt_value *modulo(krti_graph *g, krt_value *i, double n)
{
    krt_value *times = krti_floor(g, krti_divide(g, i, krti_scalar(g, n)));

    return krti_subtract(g, i, krti_affine(g, times, n, 0, 0));
}

/* The pixel that stands at place i of a line of n: SciPy's modes. *inside: which places are real,
 * where the mode has something else beyond them. */
static krt_value *place(const krti_acting *t, krt_value *i, int64_t n, krt_value **inside)
{
    krti_graph *const g = t->g;
    const char *mode = t->a->fill_mode;
    const double last = (double)n - 1;

    if (strcmp(mode, "reflect") == 0) {
        i = modulo(g, i, 2 * (double)n);
        return krti_minimum(g, i, krti_affine(g, i, -1, 2 * (double)n - 1, 0));
    }
    if (strcmp(mode, "wrap") == 0)
        return modulo(g, i, (double)n);
    krt_value *const at = krti_clip(g, i, 0, last, 0);
    if (strcmp(mode, "constant") == 0) {
        krt_value *const is = krti_equal(g, at, i);

        *inside = *inside == NULL ? is : krti_logical_and(g, *inside, is);
    } else if (strcmp(mode, "nearest") != 0) {
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Unknown `fill_mode` %s. Expected of one ('reflect', 'wrap', "
                               "'constant', 'nearest')",
                               mode);
    }
    return at;
}

/* The pixels at rows y and columns x, (batch, height * width) each. */
static krt_value *pixels(const krti_acting *t, krt_value *flat, krt_value *y, krt_value *x)
{
    krti_graph *const g = t->g;
    const int64_t batch = t->x->shape.dim[0], h = t->x->shape.dim[1], w = t->x->shape.dim[2];
    krt_value *inside = NULL;

    y = place(t, y, h, &inside);
    x = place(t, x, w, &inside);
    krt_value *at = krti_add(g, krti_affine(g, y, (double)w, 0, 0), x);
    krt_value *image = krti_act_places(g, (krt_shape){2, {batch, 1}}, KRT_INT32);
    image = krti_multiply(g, image, krti_scalar_of(g, KRT_INT32, (double)(h * w)));
    krt_value *found = krti_gather(g, flat, krti_add(g, krti_cast(g, at, KRT_INT32), image), 0);
    if (inside == NULL)
        return found;
    return krti_where(g, krti_expand_dims(g, inside, -1), found, krti_scalar(g, t->a->fill_value));
}

static krt_value *round_half_away(krti_graph *g, krt_value *x)
{
    krt_value *const up = krti_floor(g, krti_affine(g, x, 1, 0.5, 0));

    return krti_where(g, krti_less(g, x, krti_scalar(g, 0)),
                      krti_ceil(g, krti_affine(g, x, 1, -0.5, 0)), up);
}

static krt_value *blend(const krti_acting *t, krt_value *flat, krt_value *y, krt_value *x)
{
    krti_graph *const g = t->g;
    krt_value *const top = krti_floor(g, y), *const left = krti_floor(g, x);
    krt_value *const down = krti_subtract(g, y, top), *const right = krti_subtract(g, x, left);
    krt_value *sum = NULL;

    for (int i = 0; i < 4; i++) {
        const double dy = i / 2, dx = i % 2;
        krt_value *found =
            pixels(t, flat, krti_affine(g, top, 1, dy, 0), krti_affine(g, left, 1, dx, 0));
        krt_value *weight = krti_multiply(g, krti_affine(g, down, 2 * dy - 1, 1 - dy, 0),
                                          krti_affine(g, right, 2 * dx - 1, 1 - dx, 0));

        found = krti_multiply(g, found, krti_expand_dims(g, weight, -1));
        sum = sum == NULL ? found : krti_add(g, sum, found);
    }
    return sum;
}

krt_value *krti_act_sample(const krti_acting *t, krt_value *y, krt_value *x)
{
    krti_graph *const g = t->g;
    const krt_shape s = t->x->shape;
    const int64_t pixels_an_image = s.dim[1] * s.dim[2];
    const bool is_nearest = strcmp(t->a->interpolation, "nearest") == 0;

    if (!is_nearest && strcmp(t->a->interpolation, "bilinear") != 0)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Unknown `interpolation` %s. Expected of one ('nearest', "
                               "'bilinear')",
                               t->a->interpolation);
    if (pixels_an_image >= 1 << 24 || krt_shape_size(s) > INT32_MAX)
        return krti_graph_fail(g, KRT_E_INVALID, "images are too large to be transformed");
    krt_value *const flat =
        krti_reshape(g, t->x, (krt_shape){2, {s.dim[0] * pixels_an_image, s.dim[3]}});
    if (is_nearest)
        return krti_reshape(g, pixels(t, flat, round_half_away(g, y), round_half_away(g, x)), s);
    return krti_reshape(g, blend(t, flat, y, x), s);
}

/* ops.image.affine_transform(): pixel (x, y) comes from m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5],
 * numbers of each image; NULL is none. */
static krt_value *transform(const krti_acting *t, krt_value *const m[6])
{
    krti_graph *const g = t->g;
    const krt_shape s = t->x->shape, plane = {2, {1, s.dim[1] * s.dim[2]}};
    const krt_shape column = {2, {s.dim[0], 1}};
    krt_value *const at[2] = {indices_of(g, plane, s.dim[2], 1, KRT_FLOAT32),
                              indices_of(g, plane, plane.dim[1], s.dim[2], KRT_FLOAT32)};
    krt_value *from[2] = {NULL, NULL};
    for (int i = 0; i < 6; i++) {
        krt_value *part = m[i] != NULL ? krti_reshape(g, m[i], column) : NULL;

        if (part == NULL)
            continue;
        if (i % 3 < 2)
            part = krti_multiply(g, part, at[i % 3]);
        from[i / 3] = from[i / 3] == NULL ? part : krti_add(g, from[i / 3], part);
    }
    return krti_act_sample(t, from[1], from[0]);
}

static krt_value *one(const krti_acting *t)
{
    const krt_shape shape = {4, {t->x->shape.dim[0], 1, 1, 1}};

    return krti_broadcast_to(t->g, krti_scalar(t->g, 1), shape);
}

static krt_value *flip(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const char *const mode = t->a->mode;
    const bool both = strcmp(mode, "horizontal_and_vertical") == 0;
    krt_value *y = t->x, *flips = NULL;

    if (!both && strcmp(mode, "horizontal") != 0 && strcmp(mode, "vertical") != 0)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "mode is \"%s\", expected \"horizontal\", \"vertical\" or "
                               "\"horizontal_and_vertical\"",
                               mode);
    flips = krti_less_equal(g, krti_act_draw(t, 0, 1), krti_scalar(g, 0.5));
    if (both || mode[0] == 'h')
        y = krti_where(g, flips, krti_slice_axis(g, y, 2, KRT_NONE, KRT_NONE, -1), y);
    if (both || mode[0] == 'v')
        y = krti_where(g, flips, krti_slice_axis(g, y, 1, KRT_NONE, KRT_NONE, -1), y);
    return y;
}

krt_value *krti_act_rotate(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const double cx = 0.5 * (double)(t->x->shape.dim[2] - 1);
    const double cy = 0.5 * (double)(t->x->shape.dim[1] - 1);
    double range[2];

    if (!krti_act_factor(t, "factor", t->a->factor, -1, 1, range))
        return NULL;
    krt_value *angle = krti_act_draw(t, range[0] * 360, range[1] * 360);
    angle = krti_affine(g, angle, (float)(3.14159265358979323846 / 180), 0, 0);
    krt_value *const cosine = krti_cos(g, angle), *const sine = krti_sin(g, angle);
    /* around the middle: c - cx * m0 - cy * m1 */
    krt_value *const x =
        krti_subtract(g, krti_affine(g, cosine, -cx, cx, 0), krti_affine(g, sine, -cy, 0, 0));
    krt_value *const y =
        krti_subtract(g, krti_affine(g, sine, -cx, cy, 0), krti_affine(g, cosine, cy, 0, 0));
    return transform(t, (krt_value *const[6]){cosine, krti_negative(g, sine), x, sine, cosine, y});
}

/* What a height or width is multiplied by: 1 more than the factor. */
static krt_value *draw_zoom(const krti_acting *t, const char *key, krt_numbers given)
{
    double range[2];

    return krti_act_factor(t, key, given, -1, 1, range)
               ? krti_act_draw(t, range[0] + 1, range[1] + 1)
               : NULL;
}

static krt_value *zoom(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const double cx = (double)(t->x->shape.dim[2] - 1) / 2;
    const double cy = (double)(t->x->shape.dim[1] - 1) / 2;
    krt_value *const h = draw_zoom(t, "height_factor", t->a->height_factor);
    krt_value *const w =
        t->a->width_factor.n == 0 ? h : draw_zoom(t, "width_factor", t->a->width_factor);

    return transform(t, (krt_value *const[6]){w, NULL, krti_affine(g, w, -cx, cx, 0), NULL, h,
                                              krti_affine(g, h, -cy, cy, 0)});
}

krt_value *krti_act_translate(const krti_acting *t)
{
    krti_graph *const g = t->g;
    krt_value *const h = krti_act_draw_factor(t, "height_factor", t->a->height_factor, -1, 1);
    krt_value *const w = krti_act_draw_factor(t, "width_factor", t->a->width_factor, -1, 1);

    return transform(t, (krt_value *const[6]){
                            one(t), NULL, krti_affine(g, w, -(double)t->x->shape.dim[2], 0, 0),
                            NULL, one(t), krti_affine(g, h, -(double)t->x->shape.dim[1], 0, 0)});
}

krt_value *krti_act_shear(const krti_acting *t)
{
    krti_graph *const g = t->g;
    krt_value *const turns = krti_greater(g, krti_act_draw(t, 0, 1), krti_scalar(g, 0.5));
    krt_value *const sign = krti_where(g, turns, krti_scalar(g, -1), krti_scalar(g, 1));
    krt_value *const y =
        krti_multiply(g, krti_act_draw_factor(t, "y_factor", t->a->y_factor, -1, 1), sign);
    krt_value *const x =
        krti_multiply(g, krti_act_draw_factor(t, "x_factor", t->a->x_factor, -1, 1), sign);

    return transform(t, (krt_value *const[6]){one(t), x, NULL, y, one(t), NULL});
}

/* `length` places of an axis from a drawn one on. */
static krt_value *window(const krti_acting *t, krt_value *x, int axis, int64_t length)
{
    krti_graph *const g = t->g;
    krt_value *start = krti_random_uniform_of(g, krti_act_key(t), (krt_shape){.rank = 0}, 0,
                                              (double)(t->x->shape.dim[axis] - length + 1));
    krt_value *at = krti_act_places(g, (krt_shape){1, {length}}, KRT_INT32);

    return krti_gather(g, x, krti_add(g, at, krti_cast(g, krti_floor(g, start), KRT_INT32)), axis);
}

static krt_value *crop(const krti_acting *t)
{
    const int64_t h = t->x->shape.dim[1], w = t->x->shape.dim[2];
    const int64_t size[2] = {t->a->height, t->a->width};
    krt_value *x = t->x;

    if (size[0] < 1 || size[1] < 1)
        return krti_graph_fail(t->g, KRT_E_INVALID, "height and width must be positive");
    if (h > size[0] && w > size[1])
        return window(t, window(t, x, 1, size[0]), 2, size[1]);
    for (int i = 0; i < 2;
         i++) { /* the middle of the largest part of that ratio, then as if random */
        const int64_t own = i == 0 ? h : w, other = i == 0 ? w : h;
        int64_t part = (int64_t)((double)(other * size[i]) / (double)size[1 - i]);

        part = part > own ? own : part < 1 ? 1 : part;
        const int64_t start = (own - part) / 2;
        x = krti_slice_axis(t->g, x, i + 1, start, start + size[i], 1);
    }
    if (x == NULL || (x->shape.dim[1] == size[0] && x->shape.dim[2] == size[1]))
        return x;
    return krti_resize_image(t->g, x, size[0], size[1], KRTI_BILINEAR, false);
}

/* ------------------------------------------------------------------------------- calling */

/* Bounding boxes are not part of a model's images. */
static krt_value *keep(const krti_acting *t)
{
    return t->x;
}

typedef struct krti_augmentation {
    krti_class base;
    krti_act_fn act; /* NULL: does not act */
    double factor;   /* Keras's default; 0: none */
} krti_augmentation;

static const krti_augmentation *class_of(const krt_layer *l)
{
    return (const krti_augmentation *)(const void *)l->cls;
}

static krt_status act(const krt_layer *l, const krt_augmentation_args *a, krt_call *c)
{
    const krti_act_fn changes = class_of(l)->act;
    krt_value *const x = krti_open_images(c, krti_float_input(c, 0), a->data_format);

    if (x == NULL)
        return c->g->status;
    if (changes != NULL)
        return krti_close_images(c, changes(&(const krti_acting){c->g, c, l, a, x, NULL}),
                                 a->data_format);
    return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                           "%s acts in training, which this build does not run; take the layer out "
                           "of the model, or augment the data before it comes here",
                           l->class_name);
}

static krt_status augmentation_call(const krt_layer *l, const void *args, krt_call *c)
{
    return c->training ? act(l, args, c) : krt_call_output(c, 0, krti_cast_input(c, 0));
}

/* The ones that give float32 also for integer images. */
static krt_status augmentation_cast_call(const krt_layer *l, const void *args, krt_call *c)
{
    return c->training ? act(l, args, c) : krt_call_output(c, 0, krti_float_input(c, 0));
}

static void fill(krt_numbers *given, const double *values, int n)
{
    if (given->n == 0)
        *given = (krt_numbers){(size_t)n, values, {.rank = n > 1, .dim = {n}}};
}

/* One number of RandomContrast is (0, f) to Keras 3 and was (f, f) to tf.keras; two are the same to both. */
static krt_status make_pair(krt_layer *l, krt_numbers *factor)
{
    double *pair = NULL;

    if (factor->n != 1 || !(factor->items[0] >= 0 && factor->items[0] <= 1))
        return KRT_OK;
    pair = krti_arena_array(&l->arena, 2, sizeof *pair);
    if (pair == NULL)
        return KRT_E_NOMEM;
    pair[0] = l->generation < 3 ? factor->items[0] : 0;
    pair[1] = factor->items[0];
    *factor = (krt_numbers){2, pair, {.rank = 1, .dim = {2}}};
    return KRT_OK;
}

/* Keras's defaults, where it has any: what is not given is written into files, too. */
static krt_status augmentation_init(krt_layer *l, void *args)
{
    static const double none = 0, always = 1, all[2] = {0, 255};
    krt_augmentation_args *const a = args;

    if (class_of(l)->factor > 0)
        fill(&a->factor, &class_of(l)->factor, 1);
    if (isnan(a->alpha))
        a->alpha = 0.2;
    fill(&a->scale, &always, 1);
    fill(&a->sigma, &always, 1);
    fill(&a->x_factor, &none, 1);
    fill(&a->y_factor, &none, 1);
    fill(&a->addition_factor, &none, 1);
    fill(&a->threshold_factor, &none, 1);
    fill(&a->value_range, all, 2);
    return krti_spatial_data_format(l, krti_args_member(l->cls, args, "data_format"));
}

static krt_status aug_mix_init(krt_layer *l, void *args)
{
    krt_augmentation_args *const a = args;

    if (isnan(a->alpha))
        a->alpha = 1;
    return augmentation_init(l, args);
}

static krt_status contrast_init(krt_layer *l, void *args)
{
    const krt_status st = make_pair(l, &((krt_augmentation_args *)args)->factor);

    return st == KRT_OK ? augmentation_init(l, args) : st;
}

static krt_status erasing_init(krt_layer *l, void *args)
{
    static const double areas[2] = {0.02, 0.33};

    fill(&((krt_augmentation_args *)args)->scale, areas, 2);
    return augmentation_init(l, args);
}

static krt_shape crop_claim(const krt_layer *l, krt_shape in, krt_shape out)
{
    const krt_augmentation_args *const a = l->args;
    const int height = out.rank - (strcmp(a->data_format, "channels_first") == 0 ? 2 : 3);

    (void)in;
    if (out.rank >= 3) {
        out.dim[height] = a->height;
        out.dim[height + 1] = a->width;
    }
    return out;
}

/* ------------------------------------------------------------------------------- classes */

#define F(kind, key) KRT_FIELD(krt_augmentation_args, kind, key)
#define IGNORED(key)              \
    {                             \
        key, KRT_FIELD_IGNORED, 0 \
    }
#define COMMON                                                            \
    F(INT, seed), F(STRING, data_format), IGNORED("bounding_box_format"), \
        KRT_BASE_FIELDS(krt_augmentation_args)
#define NO_FACTOR IGNORED("factor"), COMMON
#define FILLED    F(STRING, fill_mode), F(STRING, interpolation), F(FLOAT, fill_value)

static const krt_field flip_fields[] = {F(STRING, mode), NO_FACTOR};
static const krt_field rotation_fields[] = {F(NUMBERS, factor), FILLED, COMMON};
static const krt_field two_factor_fields[] = {F(NUMBERS, height_factor), F(NUMBERS, width_factor),
                                              FILLED, NO_FACTOR};
static const krt_field shear_fields[] = {F(NUMBERS, x_factor), F(NUMBERS, y_factor), FILLED,
                                         NO_FACTOR};
static const krt_field crop_fields[] = {F(INT, height), F(INT, width), NO_FACTOR};
static const krt_field color_fields[] = {F(NUMBERS, factor), F(NUMBERS, value_range), COMMON};
static const krt_field grayscale_fields[] = {F(NUMBERS, factor), COMMON};
static const krt_field solarization_fields[] = {
    F(NUMBERS, addition_factor), F(NUMBERS, threshold_factor), F(NUMBERS, value_range), NO_FACTOR};
static const krt_field aug_mix_fields[] = {
    F(NUMBERS, value_range), F(INT, num_chains), F(INT, chain_depth),      F(NUMBERS, factor),
    F(FLOAT, alpha),         F(BOOL, all_ops),   F(STRING, interpolation), COMMON};
static const krt_field rand_augment_fields[] = {
    F(NUMBERS, value_range), F(INT, num_ops), F(NUMBERS, factor), F(STRING, interpolation), COMMON};
static const krt_field cut_mix_fields[] = {F(NUMBERS, factor), COMMON};
static const krt_field mix_up_fields[] = {F(FLOAT, alpha), NO_FACTOR};
static const krt_field equalization_fields[] = {F(NUMBERS, value_range), F(INT, bins), NO_FACTOR};
static const krt_field jitter_fields[] = {
    F(NUMBERS, value_range),       F(NUMBERS, brightness_factor), F(NUMBERS, contrast_factor),
    F(NUMBERS, saturation_factor), F(NUMBERS, hue_factor),        NO_FACTOR};
static const krt_field elastic_fields[] = {F(NUMBERS, factor), F(NUMBERS, scale), FILLED,
                                           F(NUMBERS, value_range), COMMON};
static const krt_field erasing_fields[] = {
    F(NUMBERS, factor),
    F(NUMBERS, scale),
    {"fill_value", KRT_FIELD_NUMBERS, offsetof(krt_augmentation_args, fill_values)},
    F(NUMBERS, value_range),
    COMMON};
static const krt_field blur_fields[] = {F(NUMBERS, factor), F(NUMBERS, kernel_size),
                                        F(NUMBERS, sigma), F(NUMBERS, value_range), COMMON};
static const krt_field perspective_fields[] = {
    F(NUMBERS, factor), F(NUMBERS, scale), F(STRING, interpolation), F(FLOAT, fill_value), COMMON};
/* Of those that do not run in training: every key of every one of them, none of which counts. */
static const krt_field other_fields[] = {
    IGNORED("interpolation"), IGNORED("fill_value"), IGNORED("max_number"),
    IGNORED("lower"),         IGNORED("upper"),      NO_FACTOR,
};

/* Of all classes: one for each would be the largest thing in the library that is not code. */
static const krt_augmentation_args defaults = {.spec = {sizeof defaults, "RandomFlip"},
                                               KRT_AUGMENTATION_DEFAULTS};

/* clang-format off */
/* X(identifier, class, its fields, its init, whether integer images become float32, what it does in
 * training, the default of `factor`) */
#define AUGMENTATIONS(X)                                                                           \
    X(aug_mix, "AugMix", aug_mix, aug_mix, _cast, krti_act_aug_mix, 0.3)                           \
    X(cut_mix, "CutMix", cut_mix, augmentation, _cast, krti_act_cut_mix, 1)                        \
    X(equalization, "Equalization", equalization, augmentation, , krti_act_equalize, 0)            \
    X(max_num_bounding_boxes, "MaxNumBoundingBoxes", other, augmentation, , keep, 0)               \
    X(mix_up, "MixUp", mix_up, augmentation, , krti_act_mix_up, 0)                                 \
    X(rand_augment, "RandAugment", rand_augment, augmentation, _cast, krti_act_rand_augment, 0.5)  \
    X(brightness, "RandomBrightness", color, augmentation, , krti_act_brightness, 0)               \
    X(degeneration, "RandomColorDegeneration", color, augmentation, , krti_act_degenerate, 0)      \
    X(color_jitter, "RandomColorJitter", jitter, augmentation, , krti_act_color_jitter, 0)         \
    X(contrast, "RandomContrast", color, contrast, , krti_act_contrast, 0)                         \
    X(elastic, "RandomElasticTransform", elastic, augmentation, _cast, krti_act_elastic, 1)        \
    X(erasing, "RandomErasing", erasing, erasing, _cast, krti_act_erase, 1)                        \
    X(flipping, "RandomFlip", flip, augmentation, _cast, flip, 0)                                  \
    X(gaussian_blur, "RandomGaussianBlur", blur, augmentation, _cast, krti_act_gaussian_blur, 1)   \
    X(grayscale, "RandomGrayscale", grayscale, augmentation, , krti_act_grayscale, 0.5)            \
    X(height, "RandomHeight", other, augmentation, , NULL, 0)                                      \
    X(hue, "RandomHue", color, augmentation, , krti_act_hue, 0)                                    \
    X(invert, "RandomInvert", color, augmentation, , krti_act_invert, 1)                           \
    X(perspective, "RandomPerspective", perspective, augmentation, _cast, krti_act_perspective, 1) \
    X(posterization, "RandomPosterization", color, augmentation, , krti_act_posterize, 0)          \
    X(rotation, "RandomRotation", rotation, augmentation, _cast, krti_act_rotate, 0)               \
    X(saturation, "RandomSaturation", color, augmentation, , krti_act_saturation, 0)               \
    X(sharpness, "RandomSharpness", color, augmentation, _cast, krti_act_sharpness, 0)             \
    X(shearing, "RandomShear", shear, augmentation, _cast, krti_act_shear, 0)                      \
    X(translation, "RandomTranslation", two_factor, augmentation, _cast, krti_act_translate, 0)    \
    X(width, "RandomWidth", other, augmentation, , NULL, 0)                                        \
    X(zooming, "RandomZoom", two_factor, augmentation, _cast, zoom, 0)                             \
    X(solarization, "Solarization", solarization, augmentation, _cast, krti_act_solarize, 0)
/* clang-format on */

#define CLASS(title, keys, starts, cast, more)                                             \
    {                                                                                      \
        .struct_size = sizeof(krt_layer_class), .name = title, .defaults = &defaults.spec, \
        .fields = keys##_fields, .num_fields = KRTI_COUNT(keys##_fields),                  \
        .call = augmentation##cast##_call, .init = starts##_init,                          \
        .flags = KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS | (more),                             \
    }
#define X(id, title, keys, starts, cast, does, by_default)     \
    static const krti_augmentation id##_class = {              \
        .base = {.base = CLASS(title, keys, starts, cast, 0)}, \
        .act = does,                                           \
        .factor = by_default,                                  \
    };
AUGMENTATIONS(X)
#undef X
static const krti_augmentation crop_class = {
    .base = {.base = CLASS("RandomCrop", crop, augmentation, , KRTI_LAYER_BUILDS_CLAIM),
             .claim = crop_claim},
    .act = crop,
};

const krt_layer_class *const krti_classes_augmentation[] = {
#define X(id, ...) &id##_class.base.base,
    AUGMENTATIONS(X)
#undef X
        & crop_class.base.base,
    NULL,
};
