/* Normalization layers: batch, layer, group, RMS, unit, and the spectral wrapper. Keras:
 * layers/normalization/, ops/nn.py.
 *
 * Batch normalization over one axis and layer normalization over the last are operations of their own;
 * every other axis is composed as Keras composes it, so that numbers agree to the last few bits. */
#include "layers/describe.h"
#include "ops/autodiff.h"
#include <keratin/layers/initializers.h>
#include <keratin/layers/normalization.h>

/* ------------------------------------------------------------------------------- shared */

/* An axis of either sign as an index; -1 when the input has no such axis, which is recorded. */
static int find_axis(const krt_layer *l, krt_shape x, int64_t axis)
{
    char text[160];

    if (axis >= -x.rank && axis < x.rank)
        return (int)(axis < 0 ? axis + x.rank : axis);
    krti_layer_fail(l, KRT_E_INVALID,
                    "Axis %lld is out of bounds for input shape %s. Received: axis=%lld",
                    (long long)axis, krt_shape_print(x, text, sizeof text), (long long)axis);
    return -1;
}

/* All of a list, in the order Keras sorts them: by the numbers as they were given. */
static krt_status find_axes(const krt_layer *l, krt_shape x, const krt_axes *axes, int *found)
{
    int64_t sorted[KRT_MAX_RANK];

    if (axes->n < 1 || axes->n > x.rank)
        return krti_layer_fail(l, KRT_E_INVALID, "axis names %d axes of an input of rank %d",
                               axes->n, x.rank);
    for (int i = 0; i < axes->n; i++) {
        int at = i;

        for (; at > 0 && sorted[at - 1] > axes->axis[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = axes->axis[i];
    }
    for (int i = 0; i < axes->n; i++) {
        found[i] = find_axis(l, x, sorted[i]);
        if (found[i] < 0)
            return KRT_E_INVALID;
    }
    return KRT_OK;
}

/* The dimensions along these axes. */
static krt_shape shape_along(krt_shape x, const int *axes, int n)
{
    krt_shape s = {.rank = n};

    for (int i = 0; i < n; i++)
        s.dim[i] = x.dim[axes[i]];
    return s;
}

/* The input's rank with ones everywhere but along these axes. */
static krt_shape broadcast_along(krt_shape x, const int *axes, int n)
{
    krt_shape s = {.rank = x.rank};

    for (int i = 0; i < s.rank; i++)
        s.dim[i] = 1;
    for (int i = 0; i < n; i++)
        s.dim[axes[i]] = x.dim[axes[i]];
    return s;
}

static krt_status add_gamma_and_beta(krt_layer *l, krt_shape shape, const krt_spec *gamma,
                                     const krt_spec *beta, bool scale, bool center)
{
    krt_status st = KRT_OK;

    if (scale)
        TRY(krt_layer_add_weight(l, "gamma", shape, gamma, true));
    if (center)
        TRY(krt_layer_add_weight(l, "beta", shape, beta, true));

done:
    return st;
}

/* A weight by name, NULL when the layer goes without it. */
static krt_value *optional_weight(krt_call *c, const char *name, bool is_used)
{
    return is_used ? krt_call_weight(c, name) : NULL;
}

static krt_value *reshaped(krti_graph *g, krt_value *v, krt_shape shape)
{
    return v != NULL ? krti_reshape(g, v, shape) : NULL;
}

/* x * inv + (beta - mean * inv) with inv = rsqrt(variance + epsilon) * gamma. */
static krt_value *normalize(krti_graph *g, krt_value *x, krt_value *mean, krt_value *variance,
                            krt_value *gamma, krt_value *beta, double epsilon)
{
    krt_value *inv = krti_rsqrt_above(g, variance, epsilon);

    if (gamma != NULL)
        inv = krti_multiply(g, inv, gamma);
    krt_value *offset = krti_negative(g, krti_multiply(g, mean, inv));
    if (beta != NULL)
        offset = krti_add(g, offset, beta);
    return krti_add(g, krti_multiply(g, x, inv), offset);
}

/* ------------------------------------------------------------------------------- batch */

/* One axis: (channels,). More, as tf.keras had it: the input's rank with ones elsewhere. */
static krt_status batch_shape(const krt_layer *l, const krt_axes *axes, krt_shape x,
                              krt_shape *shape)
{
    int found[KRT_MAX_RANK];
    const krt_status st = find_axes(l, x, axes, found);

    if (st != KRT_OK)
        return st;
    *shape = axes->n == 1 ? shape_along(x, found, 1) : broadcast_along(x, found, axes->n);
    return KRT_OK;
}

static krt_status batch_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_batch_normalization_args *a = args;
    const krt_spec *mean = a->moving_mean_initializer, *variance = a->moving_variance_initializer;
    krt_status st = KRT_OK;
    krt_shape shape;

    (void)n;
    TRY(batch_shape(l, &a->axis, inputs[0], &shape));
    TRY(add_gamma_and_beta(l, shape, a->gamma_initializer, a->beta_initializer, a->scale,
                           a->center));
    TRY(krt_layer_add_weight(l, "moving_mean", shape, mean, false));
    TRY(krt_layer_add_weight(l, "moving_variance", shape, variance, false));
    if (a->renorm) {
        TRY(krt_layer_add_weight(l, "moving_stddev", shape, variance, false));
        TRY(krt_layer_add_weight(l, "renorm_mean", shape, mean, false));
        TRY(krt_layer_add_weight(l, "renorm_stddev", shape, variance, false));
    }

done:
    return st;
}

/* Sums over what the mask shows, and how much that is. */
static krt_value *masked_mean(krti_graph *g, krt_value *x, krt_value *shown, const int *axes, int n)
{
    krt_value *const kept = krti_where(g, shown, x, krti_scalar(g, 0));
    krt_value *const num = krti_reduce_sum(
        g, krti_broadcast_to(g, krti_cast(g, shown, KRT_FLOAT32), x->shape), axes, n, true);

    return krti_divide(g, krti_reduce_sum(g, kept, axes, n, true), krti_affine(g, num, 1, 1e-7, 0));
}

/* The batch's own statistics over every axis but those of the layer, keepdims. */
static krt_status batch_moments(const krt_layer *l, krti_graph *g, krt_value *x, krt_value *mask,
                                krt_value **mean, krt_value **variance)
{
    const krt_batch_normalization_args *a = l->args;
    int own[KRT_MAX_RANK], axes[KRT_MAX_RANK], n = 0;
    const krt_status st = find_axes(l, x->shape, &a->axis, own);
    char text[160], other[160];

    if (st != KRT_OK)
        return st;
    for (int i = 0; i < x->shape.rank; i++) {
        bool kept = false;

        for (int j = 0; j < a->axis.n; j++)
            kept = kept || own[j] == i;
        if (!kept)
            axes[n++] = i;
    }
    if (mask == NULL)
        return krti_moments(g, x, axes, n, mean, variance);
    if (mask->shape.rank != x->shape.rank - 1)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The mask provided should be one dimension less than the inputs. "
                               "Received: mask.shape=%s, inputs.shape=%s",
                               krt_shape_print(mask->shape, text, sizeof text),
                               krt_shape_print(x->shape, other, sizeof other));
    krt_value *const shown = krti_cast(g, krti_expand_dims(g, mask, -1), KRT_BOOL);
    *mean = masked_mean(g, x, shown, axes, n);
    *variance = masked_mean(g, krti_squared_difference(g, x, *mean), shown, axes, n);
    return g->status;
}

/* moving = moving * momentum + batch * (1 - momentum) */
static krt_status move_towards(krt_call *c, const char *name, krt_value *batch, double momentum)
{
    krti_graph *const g = c->g;
    krt_value *const moving = krt_call_weight(c, name);

    return krti_call_update(c, name,
                            krti_add(g, krti_affine(g, moving, momentum, 0, 0),
                                     krti_affine(g, batch, 1 - momentum, 0, 0)));
}

/* What tf.keras hands the moving variance: its fused kernel for images divides by n - 1. */
static krt_value *as_moved(const krt_layer *l, krti_graph *g, krt_value *variance, krt_shape x)
{
    const krt_batch_normalization_args *a = l->args;
    const int axis = a->axis.n == 1 ? find_axis(l, x, a->axis.axis[0]) : -1;

    if (l->trains_as != 2 || x.rank != 4 || (axis != 1 && axis != 3))
        return variance;
    const double n = (double)krt_shape_size(x) / (double)x.dim[axis];
    return n > 1 ? krti_affine(g, variance, n / (n - 1), 0, 0) : variance;
}

/* A correction within what `renorm_clipping` says, which is there to be reached and not to be learnt
 * from. */
static krt_value *correction(const krt_layer *l, krti_graph *g, krt_value *x, const char *least,
                             const char *most)
{
    const krti_conf *const limits = krti_conf_get(l->config, "renorm_clipping");
    double low = -INFINITY, high = INFINITY;

    if (krti_conf_as_float(krti_conf_get(limits, most), &high) && least == NULL)
        low = -high;
    if (least != NULL)
        (void)krti_conf_as_float(krti_conf_get(limits, least), &low);
    return krti_stop_gradient(g, isinf(low) && isinf(high) ? x : krti_clip(g, x, low, high, 0));
}

/* Batch renormalization, of Keras 1 and 2: the batch's statistics, corrected towards slow ones. */
static krt_status renorm_train(const krt_layer *l, krt_call *c, krt_value *x, krt_shape shape)
{
    const krt_batch_normalization_args *a = l->args;
    krti_graph *const g = c->g;
    krt_value *const gamma = optional_weight(c, "gamma", a->scale);
    krt_value *const beta = optional_weight(c, "beta", a->center);
    krt_value *mean = NULL, *variance = NULL;
    krt_status st = batch_moments(l, g, x, krti_call_mask(c, 2), &mean, &variance);

    if (st != KRT_OK || mean == NULL)
        return st != KRT_OK ? st : g->status;
    const krt_shape along = mean->shape;
    krt_value *const own = krti_reshape(g, mean, shape);
    krt_value *const stddev =
        krti_sqrt(g, krti_affine(g, krti_reshape(g, variance, shape), 1, a->epsilon, 0));
    krt_value *const slow_mean = krt_call_weight(c, "renorm_mean");
    krt_value *const slow_stddev =
        krti_maximum(g, krt_call_weight(c, "renorm_stddev"), krti_scalar(g, sqrt(a->epsilon)));
    krt_value *r = correction(l, g, krti_divide(g, stddev, slow_stddev), "rmin", "rmax");
    krt_value *d = correction(l, g, krti_divide(g, krti_subtract(g, own, slow_mean), slow_stddev),
                              NULL, "dmax");

    if (gamma != NULL) {
        r = krti_multiply(g, r, gamma);
        d = krti_multiply(g, d, gamma);
    }
    if (beta != NULL)
        d = krti_add(g, d, beta);
    TRY(krt_call_output(c, 0,
                        normalize(g, x, mean, variance, krti_reshape(g, r, along),
                                  krti_reshape(g, d, along), a->epsilon)));
    TRY(move_towards(c, "renorm_mean", own, a->renorm_momentum));
    TRY(move_towards(c, "renorm_stddev", stddev, a->renorm_momentum));
    TRY(move_towards(c, "moving_mean", own, a->momentum));
    TRY(move_towards(c, "moving_stddev", stddev, a->momentum));
    krt_value *const moved = krti_square(g, krt_call_weight(c, "moving_stddev"));
    TRY(krti_call_update(c, "moving_variance",
                         krti_relu(g, krti_affine(g, moved, 1, -a->epsilon, 0), 0, 0, INFINITY)));

done:
    return st;
}

/* By the statistics of the batch, which the moving ones follow. */
static krt_status batch_train(const krt_layer *l, krt_call *c, krt_value *x, krt_shape shape)
{
    const krt_batch_normalization_args *a = l->args;
    krti_graph *const g = c->g;
    krt_value *const gamma = optional_weight(c, "gamma", a->scale);
    krt_value *const beta = optional_weight(c, "beta", a->center);
    krt_value *const mask = krti_call_mask(c, 2);
    krt_value *mean = NULL, *variance = NULL, *y = NULL;
    krt_status st = KRT_OK;

    if (a->renorm)
        return renorm_train(l, c, x, shape);
    if (mask != NULL || a->axis.n > 1) {
        TRY(batch_moments(l, g, x, mask, &mean, &variance));
        if (a->axis.n > 1)
            y = normalize(g, x, mean, variance, gamma, beta, a->epsilon);
        mean = krti_reshape(g, mean, shape);
        variance = krti_reshape(g, variance, shape);
    }
    if (a->axis.n == 1) {
        const int axis = find_axis(l, x->shape, a->axis.axis[0]);

        y = mean != NULL
                ? krti_batch_norm(g, x, mean, variance, gamma, beta, axis, a->epsilon)
                : krti_batch_norm_train(g, x, gamma, beta, axis, a->epsilon, &mean, &variance);
    }
    TRY(move_towards(c, "moving_mean", mean, a->momentum));
    TRY(move_towards(c, "moving_variance", as_moved(l, g, variance, x->shape), a->momentum));
    st = krt_call_output(c, 0, y);

done:
    return st;
}

static krt_status batch_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_batch_normalization_args *a = args;
    krt_value *const x = krti_float_input(c, 0);
    krt_value *const mean = krt_call_weight(c, "moving_mean");
    krt_value *const variance = krt_call_weight(c, "moving_variance");
    krt_value *const gamma = optional_weight(c, "gamma", a->scale);
    krt_value *const beta = optional_weight(c, "beta", a->center);
    krt_shape shape;

    if (x == NULL || mean == NULL)
        return c->g->status;
    const krt_status st = batch_shape(l, &a->axis, x->shape, &shape);
    if (st != KRT_OK)
        return st;
    if (c->training && l->trainable)
        return batch_train(l, c, x, shape);
    if (a->axis.n > 1)
        return krt_call_output(c, 0, normalize(c->g, x, mean, variance, gamma, beta, a->epsilon));
    const int axis = find_axis(l, x->shape, a->axis.axis[0]);
    return krt_call_output(c, 0,
                           krti_batch_norm(c->g, x, mean, variance, gamma, beta, axis, a->epsilon));
}

/* ------------------------------------------------------------------------------- layer */

static krt_status layer_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_layer_normalization_args *a = args;
    int axes[KRT_MAX_RANK];
    const krt_status st = find_axes(l, inputs[0], &a->axis, axes);

    (void)n;
    if (st != KRT_OK)
        return st;
    return add_gamma_and_beta(l, shape_along(inputs[0], axes, a->axis.n), a->gamma_initializer,
                              a->beta_initializer, a->scale || a->rms_scaling,
                              a->center && !a->rms_scaling);
}

static krt_status layer_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_layer_normalization_args *a = args;
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0);
    krt_value *gamma = optional_weight(c, "gamma", a->scale || a->rms_scaling);
    krt_value *beta = optional_weight(c, "beta", a->center && !a->rms_scaling);
    krt_value *mean, *variance;
    int axes[KRT_MAX_RANK];

    if (x == NULL)
        return g->status;
    krt_status st = find_axes(l, x->shape, &a->axis, axes);
    if (st != KRT_OK)
        return st;
    if (a->axis.n == 1 && axes[0] == x->shape.rank - 1 && !a->rms_scaling)
        return krt_call_output(c, 0, krti_layer_norm(g, x, gamma, beta, a->epsilon));
    st = krti_moments(g, x, axes, a->axis.n, &mean, &variance);
    if (st != KRT_OK)
        return st;
    const krt_shape along = broadcast_along(x->shape, axes, a->axis.n);
    gamma = reshaped(g, gamma, along);
    beta = reshaped(g, beta, along);
    if (a->rms_scaling)
        return krt_call_output(
            c, 0,
            krti_multiply(g, krti_multiply(g, x, krti_rsqrt_above(g, variance, a->epsilon)),
                          gamma));
    return krt_call_output(c, 0, normalize(g, x, mean, variance, gamma, beta, a->epsilon));
}

/* ------------------------------------------------------------------------------- group */

static krt_status group_init(krt_layer *l, void *args)
{
    const krt_group_normalization_args *a = args;

    if (a->groups > 0 || a->groups == -1)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Received an invalid value for argument `groups`, expected a positive "
                           "integer (or `-1` for instance normalization). Received: groups=%lld",
                           (long long)a->groups);
}

static int64_t num_groups(const krt_group_normalization_args *a, int64_t channels)
{
    return a->groups == -1 ? channels : a->groups;
}

static krt_status check_groups(const krt_layer *l, krt_shape x, int64_t channels, int64_t groups)
{
    const krt_group_normalization_args *a = l->args;
    char text[160];

    if (channels == KRT_NONE)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Axis %lld of input tensor should have a defined dimension but the "
                               "layer received an input with shape %s",
                               (long long)a->axis, krt_shape_print(x, text, sizeof text));
    if (channels < groups)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Number of groups (%lld) cannot be more than the number of channels "
                               "(%lld)",
                               (long long)groups, (long long)channels);
    if (groups == 0 || channels % groups != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Number of groups (%lld) must be a multiple of the number of "
                               "channels (%lld)",
                               (long long)groups, (long long)channels);
    return KRT_OK;
}

static krt_status group_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_group_normalization_args *a = args;
    const int axis = find_axis(l, inputs[0], a->axis);
    krt_status st = KRT_OK;

    (void)n;
    if (axis < 0)
        return KRT_E_INVALID;
    const int64_t channels = inputs[0].dim[axis];
    TRY(check_groups(l, inputs[0], channels, num_groups(a, channels)));
    st = add_gamma_and_beta(l, (krt_shape){1, {channels}}, a->gamma_initializer,
                            a->beta_initializer, a->scale, a->center);

done:
    return st;
}

/* Splits one axis of a shape into (groups, what is left). */
static krt_shape split_axis(krt_shape s, int axis, int64_t groups)
{
    for (int i = s.rank; i > axis; i--)
        s.dim[i] = s.dim[i - 1];
    s.dim[axis] = groups;
    s.dim[axis + 1] = s.dim[axis + 1] / groups;
    s.rank++;
    return s;
}

static krt_value *group_normalize(krt_call *c, const krt_group_normalization_args *a, krt_value *x,
                                  int axis)
{
    krti_graph *const g = c->g;
    const krt_shape shape = x->shape;
    const int64_t groups = num_groups(a, shape.dim[axis]);
    const krt_shape along = split_axis(broadcast_along(shape, &axis, 1), axis, groups);
    krt_value *const grouped = krti_reshape(g, x, split_axis(shape, axis, groups));
    krt_value *mean, *variance;
    int axes[KRT_MAX_RANK], n = 0;

    for (int i = 1; i <= shape.rank; i++)
        if (i != axis)
            axes[n++] = i;
    if (grouped == NULL || krti_moments(g, grouped, axes, n, &mean, &variance) != KRT_OK)
        return NULL;
    krt_value *const gamma = reshaped(g, optional_weight(c, "gamma", a->scale), along);
    krt_value *const beta = reshaped(g, optional_weight(c, "beta", a->center), along);
    return krti_reshape(g, normalize(g, grouped, mean, variance, gamma, beta, a->epsilon), shape);
}

static krt_status group_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_group_normalization_args *a = args;
    krt_value *const x = krti_float_input(c, 0);

    if (x == NULL)
        return c->g->status;
    const int axis = find_axis(l, x->shape, a->axis);
    if (axis < 0)
        return KRT_E_INVALID;
    if (axis == 0 || x->shape.rank == KRT_MAX_RANK)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "GroupNormalization over axis %d of an input of rank %d", axis,
                               x->shape.rank);
    const int64_t channels = x->shape.dim[axis];
    const krt_status st = check_groups(l, x->shape, channels, num_groups(a, channels));
    return st == KRT_OK ? krt_call_output(c, 0, group_normalize(c, a, x, axis)) : st;
}

/* ------------------------------------------------------------------------------- rms and unit */

static krt_status rms_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    static const krt_spec ones = {sizeof(krt_spec), "Ones"};
    const krt_rms_normalization_args *a = args;
    int axes[KRT_MAX_RANK];
    const krt_status st = find_axes(l, inputs[0], &a->axis, axes);

    (void)n;
    if (st != KRT_OK)
        return st;
    return krt_layer_add_weight(l, "scale", shape_along(inputs[0], axes, a->axis.n), &ones, true);
}

/* The scale meets the result as NumPy broadcasts it, from the right, whatever the axes were. */
static krt_status rms_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_rms_normalization_args *a = args;
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0);
    int axes[KRT_MAX_RANK];

    if (x == NULL)
        return g->status;
    const krt_status st = find_axes(l, x->shape, &a->axis, axes);
    if (st != KRT_OK)
        return st;
    krt_value *const mean = krti_reduce_mean(g, krti_square(g, x), axes, a->axis.n, true);
    krt_value *const y = krti_multiply(g, x, krti_rsqrt_above(g, mean, a->epsilon));
    return krt_call_output(c, 0, krti_multiply(g, y, krt_call_weight(c, "scale")));
}

static krt_status unit_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_unit_normalization_args *a = args;
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0);
    int axes[KRT_MAX_RANK];

    if (x == NULL)
        return g->status;
    const krt_status st = find_axes(l, x->shape, &a->axis, axes);
    if (st != KRT_OK)
        return st;
    krt_value *inv = krti_rsqrt(g, krti_reduce_sum(g, krti_square(g, x), axes, a->axis.n, true));
    inv = krti_minimum(g, inv, krti_scalar_like(g, x, 1e12)); /* 1 / epsilon */
    return krt_call_output(c, 0, krti_multiply(g, x, inv));
}

/* ------------------------------------------------------------------------------- spectral */

static krt_status spectral_init(krt_layer *l, void *args)
{
    const krt_spectral_normalization_args *a = args;
    krt_layer *inner;
    krt_status st = KRT_OK;

    if (a->power_iterations <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`power_iterations` should be greater than zero. Received: "
                               "`power_iterations=%lld`",
                               (long long)a->power_iterations);
    if (a->layer == NULL)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "SpectralNormalization needs the argument `layer`");
    TRY(krti_layer_from_arg(l, &inner, a->layer));
    TRY(krti_layer_add_inner(l, "layer", false, inner));

done:
    return st;
}

static const krt_spec *const normal = KRT_TRUNCATED_NORMAL(.stddev = 0.02);

/* The kernel belongs to the inner layer and is saved here once more, before vector_u. */
static krt_status spectral_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_layer *const inner = krti_layer_inner(l, "layer");
    krt_status st = KRT_OK;

    (void)args;
    if (inner->cls == NULL)
        return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS,
                               "the wrapped layer has the class %s, which this build cannot run",
                               inner->class_name);
    TRY(krti_layer_build(inner, inputs, n));
    krt_variable *kernel = krti_layer_variable(inner, "kernel");
    if (kernel == NULL)
        kernel = krti_layer_variable(inner, "embeddings");
    if (kernel == NULL)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "%s object has no attribute 'kernel' nor 'embeddings'",
                               inner->class_name);
    TRY(krti_layer_add_shared(l, kernel));
    const krt_shape shape = kernel->tensor->shape;
    TRY(krt_layer_add_weight(l, "vector_u", (krt_shape){2, {1, shape.dim[shape.rank - 1]}}, normal,
                             false));

done:
    return st;
}

static krt_value *to_length_one(krti_graph *g, krt_value *x)
{
    krt_value *const squares = krti_reduce_sum(g, krti_square(g, x), NULL, 0, false);

    return krti_multiply(g, x, krti_rsqrt(g, krti_maximum(g, squares, krti_scalar(g, 1e-14))));
}

/* Divides the kernel by its largest singular value, which power iterations on vector_u approach, and
 * keeps both. A kernel of zeros stays. */
static krt_status normalize_kernel(const krt_layer *l, krt_call *c)
{
    const krt_spectral_normalization_args *a = l->args;
    krti_graph *const g = c->g;
    const krt_variable *const variable = l->variables[0];
    krt_value *const kernel = krti_current(g, krti_variable(g, variable->tensor));
    krt_value *const first = krt_call_weight(c, "vector_u");
    krt_value *u = first, *v = NULL;

    if (kernel == NULL || u == NULL)
        return g->status;
    krt_value *const w =
        krti_reshape(g, kernel, (krt_shape){2, {-1, kernel->shape.dim[kernel->shape.rank - 1]}});
    for (int64_t i = 0; i < a->power_iterations; i++) {
        v = to_length_one(g, krti_matmul(g, u, w, false, true, NULL));
        u = to_length_one(g, krti_matmul(g, v, w, false, false, NULL));
    }
    u = krti_stop_gradient(g, u);
    v = krti_stop_gradient(g, v);
    krt_value *const sigma =
        krti_matmul(g, krti_matmul(g, v, w, false, false, NULL), u, false, true, NULL);
    krt_value *const is_zero =
        krti_reduce_all(g, krti_equal(g, kernel, krti_scalar(g, 0)), NULL, 0, false);
    krt_value *const divided =
        krti_divide(g, kernel, krti_reshape(g, sigma, (krt_shape){.rank = 0}));
    krt_status st = krti_call_update(c, "vector_u", krti_where(g, is_zero, first, u));
    if (st == KRT_OK)
        st = krti_assign(g, krti_variable(g, variable->tensor),
                         krti_where(g, is_zero, kernel, divided));
    return st;
}

/* At inference the kernel is what training left, already divided by its norm. */
static krt_status spectral_call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *const x = krt_call_input(c, 0);
    krt_value *const mask = c->in_mask != NULL ? c->in_mask[0] : NULL;

    (void)args;
    if (x == NULL)
        return c->g->status;
    const krt_status st = c->training ? normalize_kernel(l, c) : KRT_OK;
    if (st != KRT_OK)
        return st;
    krt_value *const y = krti_layer_apply(krti_layer_inner(l, "layer"), c, x, mask, NULL);
    return krt_call_output(c, 0, y != NULL ? krti_cast(c->g, y, x->dtype) : NULL);
}

/* ------------------------------------------------------------------------------- classes */

/* Fields stand in the order of get_config(), which is the order of the keys in files. */
/* clang-format off */
#define IGNORED(key) {key, KRT_FIELD_IGNORED, 0}
/* clang-format on */
#define SCALE_OBJECTS(T)                                                             \
    KRT_FIELD(T, OBJECT, beta_regularizer), KRT_FIELD(T, OBJECT, gamma_regularizer), \
        KRT_FIELD(T, OBJECT, beta_constraint), KRT_FIELD(T, OBJECT, gamma_constraint)
#define SCALE_INITIALIZERS(T) \
    KRT_FIELD(T, OBJECT, beta_initializer), KRT_FIELD(T, OBJECT, gamma_initializer)
#define CENTER_AND_SCALE(T) KRT_FIELD(T, BOOL, center), KRT_FIELD(T, BOOL, scale)

#define T                   krt_batch_normalization_args
static const krt_field batch_fields[] = {
    KRT_FIELD(T, AXES, axis),
    KRT_FIELD(T, FLOAT, momentum),
    KRT_FIELD(T, FLOAT, epsilon),
    CENTER_AND_SCALE(T),
    SCALE_INITIALIZERS(T),
    KRT_FIELD(T, OBJECT, moving_mean_initializer),
    KRT_FIELD(T, OBJECT, moving_variance_initializer),
    SCALE_OBJECTS(T),
    KRT_FIELD(T, BOOL, synchronized),
    KRT_FIELD(T, BOOL, renorm),
    IGNORED("renorm_clipping"),
    KRT_FIELD(T, FLOAT, renorm_momentum),
    IGNORED("fused"), /* tf.keras: how, not what */
    IGNORED("virtual_batch_size"),
    IGNORED("adjustment"),
    KRT_BASE_FIELDS(T),
};
#undef T

#define T krt_layer_normalization_args
static const krt_field layer_fields[] = {
    KRT_FIELD(T, AXES, axis), KRT_FIELD(T, FLOAT, epsilon),
    CENTER_AND_SCALE(T),      KRT_FIELD(T, BOOL, rms_scaling),
    SCALE_INITIALIZERS(T),    SCALE_OBJECTS(T),
    KRT_BASE_FIELDS(T),
};
#undef T

#define T krt_group_normalization_args
static const krt_field group_fields[] = {
    KRT_FIELD(T, INT, groups), KRT_FIELD(T, INT, axis), KRT_FIELD(T, FLOAT, epsilon),
    CENTER_AND_SCALE(T),       SCALE_INITIALIZERS(T),   SCALE_OBJECTS(T),
    KRT_BASE_FIELDS(T),
};
#undef T

#define T krt_rms_normalization_args
static const krt_field rms_fields[] = {
    KRT_FIELD(T, AXES, axis),
    KRT_FIELD(T, FLOAT, epsilon),
    KRT_BASE_FIELDS(T),
};
#undef T

#define T krt_unit_normalization_args
static const krt_field unit_fields[] = {KRT_FIELD(T, AXES, axis), KRT_BASE_FIELDS(T)};
#undef T

#define T krt_spectral_normalization_args
static const krt_field spectral_fields[] = {
    KRT_FIELD(T, LAYER, layer),
    KRT_FIELD(T, INT, power_iterations),
    KRT_BASE_FIELDS(T),
};
#undef T

static krt_status batch_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_set(a, dict, "renorm_clipping", krti_conf_null(a));
}

static krt_status axis_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_enlist(a, dict, "axis");
}

/* X(identifier, class, defaults, build, init, flags, config) */
#define CLASSES(X)                                                                            \
    X(batch, "BatchNormalization", KRT_BATCH_NORMALIZATION(), batch_build, NULL, PASSES_MASK, \
      batch_config)                                                                           \
    X(layer, "LayerNormalization", KRT_LAYER_NORMALIZATION(), layer_build, NULL, PASSES_MASK, \
      axis_config)                                                                            \
    X(group, "GroupNormalization", KRT_GROUP_NORMALIZATION(), group_build, group_init,        \
      PASSES_MASK, NULL)                                                                      \
    X(rms, "RMSNormalization", KRT_RMS_NORMALIZATION(), rms_build, NULL, 0, axis_config)      \
    X(unit, "UnitNormalization", KRT_UNIT_NORMALIZATION(), NULL, NULL,                        \
      PASSES_MASK | KRTI_LAYER_BORN_BUILT, NULL)                                              \
    X(spectral, "SpectralNormalization", KRT_SPECTRAL_NORMALIZATION(NULL), spectral_build,    \
      spectral_init, 0, NULL)
#define PASSES_MASK KRT_LAYER_PASSES_MASK

#define DEFINE(id, class_name, default_args, build_fn, init_fn, class_flags, config_fn) \
    static const krti_class id##_class = {                                              \
        .base = {.struct_size = sizeof(krt_layer_class),                                \
                 .name = class_name,                                                    \
                 .defaults = default_args,                                              \
                 .fields = id##_fields,                                                 \
                 .num_fields = KRTI_COUNT(id##_fields),                                 \
                 .build = build_fn,                                                     \
                 .call = id##_call,                                                     \
                 .init = init_fn,                                                       \
                 .flags = (class_flags) | KRTI_LAYER_HOOKS},                            \
        .config = config_fn,                                                            \
    };
CLASSES(DEFINE)

#define LIST(id, ...) &id##_class.base,
const krt_layer_class *const krti_classes_normalization[] = {CLASSES(LIST) NULL};
