/* Image layers that bend, blur and level images: RandomPerspective, RandomElasticTransform,
 * RandomGaussianBlur, RandomPosterization and Equalization. Keras:
 * layers/preprocessing/image_preprocessing, and the functions of ops.image under them. */
#include "layers/augmentation.h"

#include "ops/op.h"

/* ------------------------------------------------------------------------------- RandomPerspective */

/* How far a corner is moved along x (0) or y (1), as a factor of its place; corners are in reading order. */
static krt_value *corner(const krti_acting *t, krt_value *moves, int number, int axis)
{
    krti_graph *const g = t->g;
    krt_value *const own = krti_slice_axis(g, moves, 1, number, number + 1, 1);

    return krti_affine(g,
                       krti_reshape(g, krti_slice_axis(g, own, 2, axis, axis + 1, 1),
                                    (krt_shape){2, {t->x->shape.dim[0], 1}}),
                       1, 1, 0);
}

/* Keras solves eight equations for the map from the moved corners back to the old ones. A corner moves by
 * a factor of its place, so that the first stays at 0 and two more on their edges; then the map is
 * x = a x' / (p x' + q y' + 1), y = b y' / (p x' + q y' + 1), and the corners say what a, b, p, q are. */
krt_value *krti_act_perspective(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const krt_shape s = t->x->shape, moved = {3, {s.dim[0], 4, 2}},
                    plane = {2, {1, s.dim[1] * s.dim[2]}};
    const double w = (double)s.dim[2] - 1, h = (double)s.dim[1] - 1;
    const double scale = t->a->scale.n == 1 ? t->a->scale.items[0] : 1;
    krt_augmentation_args a = *t->a;
    const krti_acting beyond = {g, t->c, t->l, &a, t->x, t->draws};

    a.fill_mode = "constant";
    krt_value *const acts = krti_act_chosen(t);
    krt_value *const by =
        krti_random_uniform_of(g, krti_act_key(t), moved, -0.5 * scale, 0.5 * scale);
    krt_value *const x1 = krti_affine(g, corner(t, by, 1, 0), w, 0, 0);
    krt_value *const y2 = krti_affine(g, corner(t, by, 2, 1), h, 0, 0);
    krt_value *const x3 = krti_affine(g, corner(t, by, 3, 0), w, 0, 0);
    krt_value *const y3 = krti_affine(g, corner(t, by, 3, 1), h, 0, 0);
    krt_value *const p = krti_divide(g, krti_affine(g, krti_divide(g, y3, y2), 1, -1, 0), x3);
    krt_value *const q = krti_divide(g, krti_affine(g, krti_divide(g, x3, x1), 1, -1, 0), y3);
    krt_value *const ax = krti_affine(g, krti_add(g, p, krti_reciprocal(g, x1)), w, 0, 0);
    krt_value *const by_y = krti_affine(g, krti_add(g, q, krti_reciprocal(g, y2)), h, 0, 0);
    krt_value *const i = krti_act_places(g, plane, KRT_FLOAT32);
    krt_value *const row = krti_floor(g, krti_divide(g, i, krti_scalar(g, w + 1)));
    krt_value *const column = krti_subtract(g, i, krti_affine(g, row, w + 1, 0, 0));
    krt_value *const depth =
        krti_affine(g, krti_add(g, krti_multiply(g, p, column), krti_multiply(g, q, row)), 1, 1, 0);
    krt_value *const y =
        krti_act_sample(&beyond, krti_divide(g, krti_multiply(g, by_y, row), depth),
                        krti_divide(g, krti_multiply(g, ax, column), depth));
    return krti_where(g, acts, y, t->x);
}

/* ------------------------------------------------------------------------------- blurring */

/* A line of weights that sum to 1, exp(-x^2 / 2 sigma^2) from -reach to reach; beyond `within`, where that
 * is not NULL, they are 0. */
static krt_value *gaussian(krti_graph *g, int64_t size, krt_value *sigma, krt_value *within)
{
    static const int all = 0;
    krt_value *const x = krti_affine(g, krti_act_places(g, (krt_shape){1, {size}}, KRT_FLOAT32), 1,
                                     -(double)(size - 1) / 2, 0);
    krt_value *y = krti_square(g, krti_divide(g, x, sigma));

    y = krti_exp(g, krti_affine(g, y, -0.5, 0, 0));
    if (within != NULL)
        y = krti_where(g, krti_less_equal(g, krti_absolute(g, x), within), y, krti_scalar(g, 0));
    return krti_divide(g, y, krti_reduce_sum(g, y, &all, 1, true));
}

/* Along the rows, then along the columns, of every channel; beyond the edges is 0. */
static krt_value *blur(krti_graph *g, krt_value *x, krt_value *down, krt_value *right)
{
    static const int64_t stride[2] = {1, 1};
    krt_value *const lines[2] = {down, right};

    for (int i = 0; i < 2 && x != NULL && lines[i] != NULL; i++) {
        const int64_t n = lines[i]->shape.dim[0], channels = x->shape.dim[3];
        const int64_t size[2] = {i == 0 ? n : 1, i == 0 ? 1 : n};
        const krt_shape shape = {4, {size[0], size[1], 1, channels}};
        krti_window w;

        if (krti_window_make(g, &w, x, 2, size, stride, NULL, "same") != KRT_OK)
            return NULL;
        w.groups = channels;
        krt_value *const kernel =
            krti_reshape(g, lines[i], (krt_shape){4, {size[0], size[1], 1, 1}});
        x = krti_conv(g, x, krti_broadcast_to(g, kernel, shape), NULL, &w);
    }
    return x;
}

/* Where blurring acts: kernel_size is of x, then of y. */
krt_value *krti_act_gaussian_blur(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const krt_numbers given = t->a->kernel_size;
    int64_t size[2] = {3, 3};
    double range[2], values[2];

    for (size_t i = 0; i < 2 && given.n > 0; i++)
        size[i] = (int64_t)given.items[i < given.n ? i : 0];
    if (given.n > 2 || size[0] % 2 != 1 || size[1] % 2 != 1)
        return krti_graph_fail(g, KRT_E_INVALID, "kernel_size must be an odd number, or two");
    krt_value *const acts = krti_act_chosen(t);
    if (!krti_act_factor(t, "sigma", t->a->sigma, 0, 1, range) || !krti_act_value_range(t, values))
        return NULL;
    krt_value *sigma =
        krti_random_uniform_of(g, krti_act_key(t), (krt_shape){1, {2}}, range[0], range[1]);
    sigma = krti_affine(g, sigma, 1, 1e-6, 0);
    krt_value *const right = gaussian(g, size[0], krti_slice_axis(g, sigma, 0, 0, 1, 1), NULL);
    krt_value *const down = gaussian(g, size[1], krti_slice_axis(g, sigma, 0, 1, 2, 1), NULL);
    krt_value *const y = krti_where(g, acts, blur(g, t->x, down, right), t->x);
    return krti_clip(g, y, values[0], values[1], 0);
}

/* Every pixel comes from a place that is moved along the diagonal, by noise that is blurred: the one draw
 * stands for both axes, as in Keras. The blur is as wide as a drawn number says, so its weights have the
 * largest size there is, with zeros at the ends. */
krt_value *krti_act_elastic(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const krt_shape s = t->x->shape, noise = {4, {s.dim[0], s.dim[1], s.dim[2], 1}};
    const int64_t least = s.dim[1] < s.dim[2] ? s.dim[1] : s.dim[2];
    const int64_t most = s.dim[1] < s.dim[2] ? s.dim[2] : s.dim[1];
    double factor[2], scale[2], values[2];

    if (!krti_act_factor(t, "factor", t->a->factor, 0, 1, factor) ||
        !krti_act_factor(t, "scale", t->a->scale, 0, 1, scale) || !krti_act_value_range(t, values))
        return NULL;
    if (factor[1] == 0 || scale[1] == 0)
        return t->x;
    krt_value *const acts = krti_act_chosen(t);
    krt_value *const by =
        krti_random_uniform_of(g, krti_act_key(t), (krt_shape){1, {1}}, scale[0], scale[1]);
    krt_value *const sigma =
        krti_maximum(g, krti_affine(g, by, 0.05 * (double)least, 0, 0), krti_scalar(g, 1e-6));
    krt_value *const reach =
        krti_floor(g, krti_affine(g, krti_floor(g, krti_affine(g, sigma, 6, 0, 0)), 0.5, 0, 0));
    const int64_t size = (int64_t)(6 * 0.05 * (double)least * scale[1] + 1e-3) | 1;
    krt_value *const line = gaussian(g, size, sigma, reach);
    krt_value *moved = krti_random_normal_of(g, krti_act_key(t), noise, 0, 1);
    moved = blur(g, krti_multiply(g, moved, sigma), line, line);
    moved = krti_multiply(g, moved, krti_affine(g, by, 0.1 * (double)most, 0, 0));
    moved = krti_reshape(g, moved, (krt_shape){2, {s.dim[0], s.dim[1] * s.dim[2]}});
    krt_value *const i = krti_act_places(g, (krt_shape){2, {1, s.dim[1] * s.dim[2]}}, KRT_FLOAT32);
    krt_value *const row = krti_floor(g, krti_divide(g, i, krti_scalar(g, (double)s.dim[2])));
    krt_value *const column = krti_subtract(g, i, krti_affine(g, row, (double)s.dim[2], 0, 0));
    krt_value *const y = krti_act_sample(t, krti_add(g, row, moved), krti_add(g, column, moved));
    return krti_clip(g, krti_where(g, acts, y, t->x), values[0], values[1], 0);
}

/* ------------------------------------------------------------------------------- levels */

/* As many bits of each colour as a drawn number says; a single one from 1 to below it, as in Keras. */
krt_value *krti_act_posterize(const krti_acting *t)
{
    static const float steps[9] = {256, 128, 64, 32, 16, 8, 4, 2, 1}; /* by bits kept */
    krti_graph *const g = t->g;
    double range[2], values[2];

    if (!krti_act_factor(t, "factor", t->a->factor, 1, 8, range) ||
        !krti_act_value_range(t, values))
        return NULL;
    const double low = fmin(values[0], values[1]), width = fmax(values[0], values[1]) - low;
    krt_value *const of_bits = krti_constant(g, KRT_FLOAT32, (krt_shape){1, {9}}, steps);
    krt_value *step = krti_scalar(g, (double)steps[(int)range[0]]);
    if (floor(range[0]) != floor(range[1])) {
        krt_value *const bits = krti_act_draw(t, floor(range[0]), floor(range[1]));
        step = krti_gather(g, of_bits, krti_cast(g, krti_floor(g, bits), KRT_INT32), 0);
    }
    krt_value *x = krti_affine(g, t->x, 255 / width, -low * 255 / width, 0);
    x = krti_floor(g, krti_divide(g, krti_trunc(g, krti_clip(g, x, 0, 255, 0)), step));
    return krti_affine(g, krti_multiply(g, x, step), width / 255, low, 0);
}

/* How many of n indices below `bins` are 0, 1, ...: what is gathered backwards is added up. */
static krt_value *count(krti_graph *g, krt_value *indices, int64_t bins)
{
    const krt_shape shape = indices != NULL ? indices->shape : (krt_shape){.rank = 0};
    krt_value *in[2] = {krti_broadcast_to(g, krti_scalar(g, 1), shape), indices};
    krti_attrs attrs;

    memset(&attrs, 0, sizeof attrs);
    attrs.gather_grad.shape = (krt_shape){1, {bins}};
    return krti_graph_add1(g, &krti_op_gather_grad, in, 2, &attrs);
}

static krt_value *bin_of(krti_graph *g, krt_value *x, double last)
{
    return krti_cast(g, krti_clip(g, x, 0, last, 0), KRT_INT32);
}

/* The levels of one channel of all images, spread so that each is as frequent as the next. */
static krt_value *equalize_channel(krti_graph *g, krt_value *x, int64_t bins)
{
    static const int all = 0;
    const double last = (double)bins - 1;
    krt_value *const wide = krti_scalar(g, 255), *const zero = krti_scalar(g, 0);
    krt_value *const counted = krti_divide(g, krti_affine(g, x, last, 0, 0), wide);
    krt_value *const read = krti_affine(g, krti_divide(g, x, wide), last, 0, 0);
    krt_value *const num = count(g, bin_of(g, counted, last), bins);
    krt_value *const sums = krti_cumsum(g, num, 0, false, false);
    krt_value *const least = krti_reduce_min(
        g, krti_where(g, krti_greater(g, sums, zero), sums, krti_scalar(g, INFINITY)), &all, 1,
        true);
    krt_value *const rest = krti_subtract(g, krti_slice_axis(g, sums, 0, bins - 1, bins, 1), least);
    krt_value *const one = krti_scalar(g, 1);
    krt_value *levels = krti_affine(g, krti_subtract(g, sums, least), 255, 0, 0);
    levels = krti_divide(g, levels, krti_where(g, krti_equal(g, rest, zero), one, rest));
    levels = krti_clip(g, krti_round(g, levels), 0, 255, 0);
    krt_value *const used =
        krti_reduce_sum(g, krti_cast(g, krti_greater(g, num, zero), KRT_FLOAT32), &all, 1, true);
    return krti_where(g, krti_less_equal(g, used, one), x,
                      krti_gather(g, levels, bin_of(g, read, last), 0));
}

krt_value *krti_act_equalize(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const krt_shape s = t->x->shape, line = {1, {s.dim[0] * s.dim[1] * s.dim[2]}};
    const int64_t channels = s.dim[3];
    krt_value **parts = krti_arena_array(&g->arena, (size_t)channels, sizeof *parts);
    double values[2];

    if (!krti_act_value_range(t, values))
        return NULL;
    if (parts == NULL)
        return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
    if (t->a->bins < 1 || line.dim[0] > 1 << 24)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "bins must be positive, and a batch have at most 2^24 pixels");
    const double low = fmin(values[0], values[1]), width = fmax(values[0], values[1]) - low;
    krt_value *const x = krti_affine(g, t->x, 255 / width, -low * 255 / width, 0);
    for (int64_t i = 0; i < channels; i++) {
        krt_value *own = krti_reshape(g, krti_slice_axis(g, x, 3, i, i + 1, 1), line);

        own = equalize_channel(g, own, t->a->bins);
        parts[i] = krti_reshape(g, own, (krt_shape){4, {s.dim[0], s.dim[1], s.dim[2], 1}});
    }
    return krti_affine(g, krti_concat(g, parts, (size_t)channels, 3), width / 255, low, 0);
}
