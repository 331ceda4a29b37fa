/* Layers that act in training only: dropout, noise, and a penalty on what passes. Keras:
 * layers/regularization.
 *
 * At inference all of them are the identity. In training each draws one array a call from its own
 * seed, number by number what Keras on JAX draws from it. */
#include "layers/describe.h"
#include "layers/spatial.h"

/* An argument of this call's layer by its key. */
static const void *argument(const krt_layer *l, const char *key)
{
    return krti_args_member(l->cls, l->args, key);
}

static krt_status identity_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0, krti_cast_input(c, 0));
}

/* ------------------------------------------------------------------------------- dropout */

/* The shape of a draw: the input's, with what `noise_shape` says in its place. */
static krt_status noise_shape(const krt_layer *l, krt_shape x, krt_shape *noise)
{
    const krt_shape *given = argument(l, "noise_shape");
    char a[160], b[160];

    *noise = x;
    if (given == NULL || given->rank < 0)
        return KRT_OK;
    bool fits = given->rank <= x.rank;
    noise->rank = given->rank;
    for (int i = 0; i < given->rank; i++) {
        const int64_t dim = x.dim[x.rank - given->rank + i];

        noise->dim[i] = given->dim[i] == KRT_NONE ? x.dim[i] : given->dim[i];
        fits = fits && (noise->dim[i] == 1 || noise->dim[i] == dim);
    }
    if (fits)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID, "noise_shape %s does not fit an input of %s",
                           krt_shape_print(*given, a, sizeof a), krt_shape_print(x, b, sizeof b));
}

static krt_status dropout_call(const krt_layer *l, const void *args, krt_call *c)
{
    const double rate = *(const double *)argument(l, "rate");
    krt_value *const x = krti_float_input(c, 0);
    krt_shape noise;

    if (!c->training || rate == 0 || x == NULL)
        return identity_call(l, args, c);
    const krt_status st = noise_shape(l, x->shape, &noise);
    if (st != KRT_OK)
        return st;
    krt_value *const key = rate < 1 ? krti_call_draw(c) : NULL;
    return krt_call_output(c, 0, krti_dropout(c->g, x, key, rate, noise));
}

/* One draw for a whole feature map. */
static krt_status spatial_call(const krt_layer *l, const void *args, krt_call *c)
{
    const double rate = *(const double *)argument(l, "rate");
    const char *const *data_format = argument(l, "data_format");
    const bool first = data_format != NULL && krti_is_channels_first(*data_format);
    krt_value *const x = krti_float_input(c, 0);

    if (!c->training || rate == 0 || x == NULL)
        return identity_call(l, args, c);
    const int rank = l->class_name[strlen(l->class_name) - 2] - '0' + 2;
    const krt_status st = krti_check_ndim(l, x->shape, rank);
    if (st != KRT_OK)
        return st;
    krt_shape noise = x->shape;
    for (int i = 1; i < rank; i++)
        if (i != (first ? 1 : rank - 1))
            noise.dim[i] = 1;
    krt_value *const key = rate < 1 ? krti_call_draw(c) : NULL;
    return krt_call_output(c, 0, krti_dropout(c->g, x, key, rate, noise));
}

/* Keeps mean and deviation of what SELU makes: what is dropped becomes its lowest value, and all is
 * brought back by a line. */
static krt_status alpha_call(const krt_layer *l, const void *args, krt_call *c)
{
    const double rate = *(const double *)argument(l, "rate");
    const double low = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946;
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0);
    krt_shape noise;

    if (!c->training || rate == 0 || x == NULL)
        return identity_call(l, args, c);
    const krt_status st = noise_shape(l, x->shape, &noise);
    if (st != KRT_OK)
        return st;
    krt_value *const drawn = krti_random_uniform_of(g, krti_call_draw(c), noise, 0, 1);
    krt_value *const kept =
        krti_cast(g, krti_greater_equal(g, drawn, krti_scalar(g, rate)), KRT_FLOAT32);
    krt_value *const mixed =
        krti_add(g, krti_multiply(g, x, kept), krti_affine(g, kept, -low, low, 0));
    const double a = 1 / sqrt((1 - rate) * (1 + rate * low * low));
    return krt_call_output(c, 0, krti_affine(g, mixed, a, -a * low * rate, 0));
}

/* ------------------------------------------------------------------------------- noise */

static krt_status gaussian_dropout_call(const krt_layer *l, const void *args, krt_call *c)
{
    const double rate = *(const double *)argument(l, "rate");
    krt_value *const x = krti_float_input(c, 0);

    if (!c->training || rate == 0 || x == NULL)
        return identity_call(l, args, c);
    if (rate == 1)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "float division by zero: rate is 1, the noise would be infinite");
    krt_value *const noise =
        krti_random_normal_of(c->g, krti_call_draw(c), x->shape, 1, sqrt(rate / (1 - rate)));
    return krt_call_output(c, 0, krti_multiply(c->g, x, noise));
}

static krt_status gaussian_noise_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_gaussian_noise_args *a = args;
    krt_value *const x = krti_float_input(c, 0);

    if (!c->training || a->stddev == 0 || x == NULL)
        return identity_call(l, args, c);
    krt_value *const noise = krti_random_normal_of(c->g, krti_call_draw(c), x->shape, 0, a->stddev);
    return krt_call_output(c, 0, krti_add(c->g, x, noise));
}

/* ------------------------------------------------------------------------------- penalty */

/* Keras's L1L2 on the input, divided by the batch's size as every activity regularizer's is. */
static krt_status penalty_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_activity_regularization_args *a = args;
    krti_graph *const g = c->g;
    krt_value *const x = krti_float_input(c, 0);
    krt_value *sum = NULL;

    if (x != NULL && a->l1 != 0)
        sum = krti_affine(g, krti_reduce_sum(g, krti_absolute(g, x), NULL, 0, false), a->l1, 0, 0);
    if (x != NULL && a->l2 != 0) {
        krt_value *const squares =
            krti_affine(g, krti_reduce_sum(g, krti_square(g, x), NULL, 0, false), a->l2, 0, 0);

        sum = sum != NULL ? krti_add(g, sum, squares) : squares;
    }
    if (sum != NULL)
        (void)krti_add_loss(g, krti_a_sample(g, sum, x->shape));
    return identity_call(l, args, c);
}

/* ------------------------------------------------------------------------------- classes */

static krt_status rate_init(krt_layer *l, void *args)
{
    const double *rate = krti_args_member(l->cls, args, "rate");
    const char **data_format = krti_args_member(l->cls, args, "data_format");

    if (!(*rate >= 0 && *rate <= 1))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value received for argument `rate`. Expected a float value "
                               "between 0 and 1. Received: rate=%g",
                               *rate);
    return data_format != NULL ? krti_spatial_data_format(l, data_format) : KRT_OK;
}

static krt_status noise_init(krt_layer *l, void *args)
{
    const krt_gaussian_noise_args *a = args;

    if (a->stddev >= 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid value received for argument `stddev`. Expected a positive "
                           "float value. Received: stddev=%g",
                           a->stddev);
}

#define CLASS(id, title, fallback, init_fn, call_fn, more, ...)                             \
    static const krt_field id##_fields[] = {__VA_ARGS__, KRT_BASE_FIELDS(krt_##id##_args)}; \
    static const krt_layer_class id = {                                                     \
        .struct_size = sizeof id,                                                           \
        .name = title,                                                                      \
        .defaults = fallback,                                                               \
        .fields = id##_fields,                                                              \
        .num_fields = KRTI_COUNT(id##_fields),                                              \
        .call = call_fn,                                                                    \
        .init = init_fn,                                                                    \
        .flags = KRT_LAYER_PASSES_MASK | KRTI_LAYER_BORN_BUILT | (more),                    \
    };
#define F(id, kind, key) KRT_FIELD(krt_##id##_args, kind, key)

CLASS(dropout, "Dropout", KRT_DROPOUT(0), rate_init, dropout_call, KRTI_LAYER_DRAWS,
      F(dropout, FLOAT, rate), F(dropout, INT, seed), F(dropout, SHAPE, noise_shape))
CLASS(alpha_dropout, "AlphaDropout", KRT_ALPHA_DROPOUT(0), rate_init, alpha_call, KRTI_LAYER_DRAWS,
      F(alpha_dropout, FLOAT, rate), F(alpha_dropout, INT, seed),
      F(alpha_dropout, SHAPE, noise_shape))
/* Keras 3 writes what it inherited from Dropout, too: null. */
CLASS(spatial_dropout1d, "SpatialDropout1D", KRT_SPATIAL_DROPOUT1D(0), rate_init, spatial_call,
      KRTI_LAYER_DRAWS | KRTI_LAYER_BARE_CONFIG, F(spatial_dropout1d, FLOAT, rate),
      F(spatial_dropout1d, INT, seed), {"noise_shape", KRT_FIELD_IGNORED, 0})
CLASS(spatial_dropout2d, "SpatialDropout2D", KRT_SPATIAL_DROPOUT2D(0), rate_init, spatial_call,
      KRTI_LAYER_DRAWS | KRTI_LAYER_BARE_CONFIG, F(spatial_dropout2d, FLOAT, rate),
      F(spatial_dropout2d, INT, seed), {"noise_shape", KRT_FIELD_IGNORED, 0},
      F(spatial_dropout2d, STRING, data_format))
CLASS(spatial_dropout3d, "SpatialDropout3D", KRT_SPATIAL_DROPOUT3D(0), rate_init, spatial_call,
      KRTI_LAYER_DRAWS | KRTI_LAYER_BARE_CONFIG, F(spatial_dropout3d, FLOAT, rate),
      F(spatial_dropout3d, INT, seed), {"noise_shape", KRT_FIELD_IGNORED, 0},
      F(spatial_dropout3d, STRING, data_format))
CLASS(gaussian_dropout, "GaussianDropout", KRT_GAUSSIAN_DROPOUT(0), rate_init,
      gaussian_dropout_call, KRTI_LAYER_DRAWS, F(gaussian_dropout, FLOAT, rate),
      F(gaussian_dropout, INT, seed))
CLASS(gaussian_noise, "GaussianNoise", KRT_GAUSSIAN_NOISE(0), noise_init, gaussian_noise_call,
      KRTI_LAYER_DRAWS, F(gaussian_noise, FLOAT, stddev), F(gaussian_noise, INT, seed))
CLASS(activity_regularization, "ActivityRegularization",
      KRT_ACTIVITY_REGULARIZATION(.trainable = true), NULL, penalty_call, 0,
      F(activity_regularization, FLOAT, l1), F(activity_regularization, FLOAT, l2))

const krt_layer_class *const krti_classes_regularization[] = {
    &dropout,           &alpha_dropout,           &spatial_dropout1d,
    &spatial_dropout2d, &spatial_dropout3d,       &gaussian_dropout,
    &gaussian_noise,    &activity_regularization, NULL};
