/* Image layers that put images, or what other layers make of them, together: MixUp, CutMix, RandomErasing,
 * RandomColorJitter, RandAugment and AugMix. Keras: layers/preprocessing/image_preprocessing.
 *
 * Uniform and normal draws are those of Keras on JAX. Permutations, whole numbers and draws from Beta and
 * Gamma distributions come of the same seed in another way: of the same distribution, not the same
 * numbers. */
#include "layers/augmentation.h"

#include "base/rng.h"

#include <float.h>

/* ------------------------------------------------------------------------------- draws */

/* Candidates of which one is taken; one in 20 is refused at most, so all are once in 10^10 draws. */
enum { TRIES = 8 };

/* Logarithms of n draws from Gamma(alpha, 1): Marsaglia and Tsang's method for alpha + 1, and a power of a
 * uniform draw back to alpha, which may be close to 0. */
static krt_value *draw_log_gamma(const krti_acting *t, krt_value *alpha, int64_t n)
{
    krti_graph *const g = t->g;
    const krt_shape tries = {2, {TRIES, n}}, one = {2, {1, n}};
    krt_value *const d = krti_affine(g, alpha, 1, 2.0 / 3, 0);
    krt_value *const z = krti_random_normal_of(g, krti_act_key(t), tries, 0, 1);
    krt_value *const u = krti_random_uniform_of(g, krti_act_key(t), tries, 0, 1);
    krt_value *const rest = krti_random_uniform_of(g, krti_act_key(t), one, 0, 1);
    krt_value *const root =
        krti_affine(g, krti_multiply(g, z, krti_rsqrt(g, krti_affine(g, d, 9, 0, 0))), 1, 1, 0);
    krt_value *const v = krti_multiply(g, root, krti_square(g, root));
    krt_value *const log_v = krti_log(g, krti_maximum(g, v, krti_scalar(g, FLT_MIN)));
    krt_value *const more = krti_affine(g, krti_subtract(g, log_v, v), 1, 1, 0);
    krt_value *const bound =
        krti_add(g, krti_affine(g, krti_square(g, z), 0.5, 0, 0), krti_multiply(g, d, more));
    krt_value *const accepted =
        krti_logical_and(g, krti_greater(g, v, krti_scalar(g, 0)),
                         krti_less(g, krti_log(g, krti_affine(g, u, -1, 1, 0)), bound));
    krt_value *found = krti_slice_axis(g, log_v, 0, TRIES - 1, TRIES, 1);
    for (int64_t i = TRIES - 1; i-- > 0;)
        found = krti_where(g, krti_slice_axis(g, accepted, 0, i, i + 1, 1),
                           krti_slice_axis(g, log_v, 0, i, i + 1, 1), found);
    krt_value *const back = krti_divide(g, krti_log(g, krti_affine(g, rest, -1, 1, 0)), alpha);
    return krti_reshape(g, krti_add(g, krti_add(g, found, krti_log(g, d)), back),
                        (krt_shape){1, {n}});
}

/* n draws from Beta(alpha, alpha): the share of one of two draws from a Gamma distribution. */
static krt_value *draw_beta(const krti_acting *t, krt_value *alpha, int64_t n)
{
    krt_value *const a = draw_log_gamma(t, alpha, n), *const b = draw_log_gamma(t, alpha, n);

    return krti_sigmoid(t->g, krti_subtract(t->g, a, b));
}

/* The images in a random order: each goes where its draw stands among all. */
static krt_value *shuffled(const krti_acting *t)
{
    static const int others = 1;
    krti_graph *const g = t->g;
    const int64_t n = t->x->shape.dim[0];
    krt_value *const u = krti_random_uniform_of(g, krti_act_key(t), (krt_shape){1, {n}}, 0, 1);
    krt_value *const i = krti_act_places(g, (krt_shape){1, {n}}, KRT_INT32);
    krt_value *const own = krti_reshape(g, u, (krt_shape){2, {n, 1}});
    krt_value *const own_i = krti_reshape(g, i, (krt_shape){2, {n, 1}});
    krt_value *const before =
        krti_logical_or(g, krti_less(g, u, own),
                        krti_logical_and(g, krti_equal(g, u, own), krti_less(g, i, own_i)));
    krt_value *const order = krti_reduce_sum(g, krti_cast(g, before, KRT_INT32), &others, 1, false);

    return krti_gather(g, t->x, order, 0);
}

/* ------------------------------------------------------------------------------- boxes */

/* Whether a pixel's place along an axis lies in a stretch of this share of it, (batch, 1, 1, 1), that
 * begins at a drawn place. */
static krt_value *stretch(const krti_acting *t, int axis, krt_value *share)
{
    krti_graph *const g = t->g;
    const double length = (double)t->x->shape.dim[axis];
    krt_shape shape = {4, {1, 1, 1, 1}};

    shape.dim[axis] = t->x->shape.dim[axis];
    krt_value *const size = krti_affine(g, share, length, 0, 0);
    krt_value *const start =
        krti_multiply(g, krti_act_draw(t, 0, 1), krti_affine(g, size, -1, length, 0));
    krt_value *const at = krti_act_places(g, shape, KRT_FLOAT32);
    return krti_logical_and(g, krti_greater_equal(g, at, start),
                            krti_less(g, at, krti_add(g, start, size)));
}

static krt_value *box(const krti_acting *t, krt_value *width, krt_value *height)
{
    krt_value *const columns = stretch(t, 2, width);

    return krti_logical_and(t->g, columns, stretch(t, 1, height));
}

/* ------------------------------------------------------------------------------- two images */

static krt_value *image_shape(const krti_acting *t, krt_value *x)
{
    return krti_reshape(t->g, x, (krt_shape){4, {t->x->shape.dim[0], 1, 1, 1}});
}

krt_value *krti_act_mix_up(const krti_acting *t)
{
    krti_graph *const g = t->g;
    krt_value *const other = shuffled(t);
    krt_value *const alpha = krti_scalar(g, t->a->alpha);
    krt_value *const weight = image_shape(t, draw_beta(t, alpha, t->x->shape.dim[0]));

    return krti_add(g, krti_multiply(g, weight, t->x),
                    krti_multiply(g, krti_affine(g, weight, -1, 1, 0), other));
}

krt_value *krti_act_cut_mix(const krti_acting *t)
{
    krti_graph *const g = t->g;
    double range[2];

    if (!krti_act_factor(t, "factor", t->a->factor, 0, 1, range))
        return NULL;
    krt_value *alpha =
        krti_random_uniform_of(g, krti_act_key(t), (krt_shape){.rank = 0}, range[0], range[1]);
    alpha = krti_affine(g, alpha, 1, 1e-6, 0);
    krt_value *const kept = image_shape(t, draw_beta(t, alpha, t->x->shape.dim[0]));
    krt_value *const share = krti_sqrt(g, krti_affine(g, kept, -1, 1, 0));
    krt_value *const cut = box(t, share, share);
    return krti_where(g, cut, shuffled(t), t->x);
}

/* Noise, or what `fill_value` says, one number or one a channel. */
static krt_value *filling(const krti_acting *t, const double values[2])
{
    krti_graph *const g = t->g;
    const krt_numbers given = t->a->fill_values;
    krt_value *y = NULL;

    if (given.n == 0) {
        static const int to_last[4] = {0, 2, 3, 1};
        const krt_shape s = t->x->shape;
        const bool is_first = strcmp(t->a->data_format, "channels_first") == 0;
        const krt_shape drawn = {4, {s.dim[0], s.dim[3], s.dim[1], s.dim[2]}};

        y = krti_random_normal_of(g, krti_act_key(t), is_first ? drawn : s, 0, 1);
        y = krti_affine(g, is_first ? krti_transpose(g, y, to_last) : y, values[1], 0, 0);
    } else {
        float *data = krti_arena_array(&g->arena, given.n, sizeof *data);

        if (given.n != 1 && given.n != 3)
            return krti_graph_fail(g, KRT_E_INVALID,
                                   "The `fill_value` argument should be a number (or a list of "
                                   "three numbers)");
        if (data == NULL)
            return krti_graph_fail(g, KRT_E_NOMEM, "out of memory");
        for (size_t i = 0; i < given.n; i++)
            data[i] = (float)given.items[i];
        y = krti_constant(g, KRT_FLOAT32, (krt_shape){1, {(int64_t)given.n}}, data);
    }
    return krti_clip(g, y, values[0], values[1], 0);
}

krt_value *krti_act_erase(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const int64_t n = t->x->shape.dim[0];
    double scale[2], values[2];

    if (!krti_act_factor(t, "scale", t->a->scale, 0, 1, scale) || !krti_act_value_range(t, values))
        return NULL;
    krt_value *const areas = krti_sqrt(
        g, krti_random_uniform_of(g, krti_act_key(t), (krt_shape){2, {n, 2}}, scale[0], scale[1]));
    krt_value *const erased = box(t, image_shape(t, krti_slice_axis(g, areas, 1, 0, 1, 1)),
                                  image_shape(t, krti_slice_axis(g, areas, 1, 1, 2, 1)));
    krt_value *const acts = krti_act_chosen(t);
    return krti_where(g, krti_logical_and(g, acts, erased), filling(t, values), t->x);
}

/* ------------------------------------------------------------------------------- other layers */

/* What a layer of another class, with these arguments, makes of x. */
static krt_value *by_layer(const krti_acting *t, krti_act_fn act, const krt_augmentation_args *a,
                           krt_value *x, krti_draws *draws)
{
    const krti_acting inner = {t->g, t->c, t->l, a, x, draws};

    return x != NULL ? act(&inner) : NULL;
}

krt_value *krti_act_color_jitter(const krti_acting *t)
{
    const struct {
        krti_act_fn act;
        krt_numbers factor;
    } steps[] = {
        {krti_act_brightness, t->a->brightness_factor},
        {krti_act_contrast, t->a->contrast_factor},
        {krti_act_saturation, t->a->saturation_factor},
        {krti_act_hue, t->a->hue_factor},
    };
    krt_augmentation_args a = *t->a;
    krt_value *x = t->x;

    for (size_t i = 0; i < KRTI_COUNT(steps); i++) {
        a.factor = steps[i].factor;
        if (a.factor.n > 0)
            x = by_layer(t, steps[i].act, &a, x, NULL);
    }
    return x;
}

/* The layers that RandAugment and AugMix choose from, in the order of each. */
static const krti_act_fn rand_augment_layers[] = {
    krti_act_shear,      krti_act_translate,     krti_act_rotate,    krti_act_brightness,
    krti_act_degenerate, krti_act_contrast,      krti_act_sharpness, krti_act_posterize,
    krti_act_solarize,   krti_act_auto_contrast, krti_act_equalize,
};
static const krti_act_fn aug_mix_layers[] = {
    krti_act_shear,      krti_act_translate,     krti_act_rotate,    krti_act_posterize,
    krti_act_solarize,   krti_act_auto_contrast, krti_act_equalize,  krti_act_brightness,
    krti_act_degenerate, krti_act_contrast,      krti_act_sharpness,
};
enum { AUG_MIX_FEW = 7 }; /* those without `all_ops` */

/* The numbers that factors of these layers point to. */
typedef struct inner_args {
    krt_augmentation_args a;
    double factor[2], bits;
} inner_args;

/* Every factor of every layer is the outer layer's; posterization keeps as many bits. */
static bool make_inner(const krti_acting *t, inner_args *in)
{
    if (!krti_act_factor(t, "factor", t->a->factor, 0, 1, in->factor))
        return false;
    const krt_numbers both = {2, in->factor, {.rank = 1, .dim = {2}}};
    const int bits = (int)(8 * in->factor[1]);

    in->a = *t->a;
    in->a.factor = in->a.x_factor = in->a.y_factor = both;
    in->a.height_factor = in->a.width_factor = both;
    in->a.addition_factor = in->a.threshold_factor = both;
    in->a.fill_mode = "reflect";
    in->a.fill_value = 0;
    in->bits = bits > 1 ? bits : 1;
    return true;
}

static krt_value *by_chosen(const krti_acting *t, const inner_args *in, krti_act_fn act,
                            krt_value *x, krti_draws *draws)
{
    krt_augmentation_args a = in->a;

    if (act == krti_act_posterize)
        a.factor = (krt_numbers){1, &in->bits, {.rank = 0}};
    return by_layer(t, act, &a, x, draws);
}

/* Each of `num_ops` choices is one layer for the whole batch. Which one is known in a step only, so all
 * are computed, as Keras does; a layer that is chosen twice makes the same draws twice. */
krt_value *krti_act_rand_augment(const krti_acting *t)
{
    enum { LAYERS = KRTI_COUNT(rand_augment_layers) };
    krti_graph *const g = t->g;
    const int64_t num = t->a->num_ops;
    krti_draws draws[LAYERS] = {{.num = 0}};
    inner_args in;
    krt_value *x = t->x;

    if (!make_inner(t, &in))
        return NULL;
    if (num < 1)
        return x;
    krt_value *const drawn =
        krti_random_uniform_of(g, krti_act_key(t), (krt_shape){1, {num}}, 0, LAYERS);
    krt_value *const chosen = krti_floor(g, drawn);
    for (int64_t i = 0; i < num; i++) {
        krt_value *const own = krti_reshape(g, krti_slice_axis(g, chosen, 0, i, i + 1, 1),
                                            (krt_shape){4, {1, 1, 1, 1}});

        for (int j = 0; j < LAYERS; j++) {
            draws[j].next = 0;
            krt_value *const y = by_chosen(t, &in, rand_augment_layers[j], x, &draws[j]);
            x = krti_where(g, krti_equal(g, own, krti_scalar(g, j)), y, x);
        }
    }
    return x;
}

/* Which layers make up the chains is chosen when the step is compiled, as in Keras, where it happens once
 * a trace; here the layer's seed decides. */
krt_value *krti_act_aug_mix(const krti_acting *t)
{
    krti_graph *const g = t->g;
    const int64_t num = t->a->num_chains;
    const uint32_t layers = t->a->all_ops ? KRTI_COUNT(aug_mix_layers) : AUG_MIX_FEW;
    krt_value *const alpha = krti_scalar(g, t->a->alpha);
    krt_value *mixed = NULL;
    uint64_t choice = 0;
    double values[2];
    inner_args in;

    if (!make_inner(t, &in) || !krti_act_value_range(t, values))
        return NULL;
    if (num < 1)
        return krti_graph_fail(g, KRT_E_INVALID, "num_chains must be positive");
    krt_value *const weights = krti_softmax(g, draw_log_gamma(t, alpha, num), -1);
    krt_value *const own = draw_beta(t, alpha, 1);
    if (own == NULL)
        return NULL;
    const uint32_t key[2] = {*(const uint32_t *)krt_tensor_data(t->l->seed), 1};
    for (int64_t i = 0; i < num; i++) {
        krt_value *y = t->x;

        for (int64_t j = 0; j < t->a->chain_depth; j++) {
            const uint32_t layer = krti_random_bits(key, choice++) % (layers + 1);

            if (layer < layers)
                y = by_chosen(t, &in, aug_mix_layers[layer], y, NULL);
        }
        y = krti_multiply(g, y, krti_slice_axis(g, weights, 0, i, i + 1, 1));
        mixed = mixed == NULL ? y : krti_add(g, mixed, y);
    }
    mixed = krti_multiply(g, krti_affine(g, own, -1, 1, 0), mixed);
    return krti_clip(g, krti_add(g, krti_multiply(g, own, t->x), mixed), values[0], values[1], 0);
}
