/* Layers that act in training only. Keras: layers/regularization.
 *
 * At inference all of them are the identity, so one call serves them; what they do in training
 * comes with training, until then a call with `training` says that it is missing. */
#include "layers/describe.h"
#include "layers/spatial.h"

static krt_status call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)args;
    if (c->training)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "%s acts in training, which this build does not run", l->class_name);
    return krt_call_output(c, 0, krti_cast_input(c, 0));
}

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

#define CLASS(id, title, fallback, init_fn, ...)                                            \
    static const krt_field id##_fields[] = {__VA_ARGS__, KRT_BASE_FIELDS(krt_##id##_args)}; \
    static const krt_layer_class id = {                                                     \
        .struct_size = sizeof id,                                                           \
        .name = title,                                                                      \
        .defaults = fallback,                                                               \
        .fields = id##_fields,                                                              \
        .num_fields = KRTI_COUNT(id##_fields),                                              \
        .call = call,                                                                       \
        .init = init_fn,                                                                    \
        .flags = KRT_LAYER_PASSES_MASK,                                                     \
    };
#define F(id, kind, key) KRT_FIELD(krt_##id##_args, kind, key)

CLASS(dropout, "Dropout", KRT_DROPOUT(0), rate_init, F(dropout, FLOAT, rate), F(dropout, INT, seed),
      F(dropout, SHAPE, noise_shape))
CLASS(alpha_dropout, "AlphaDropout", KRT_ALPHA_DROPOUT(0), rate_init, F(alpha_dropout, FLOAT, rate),
      F(alpha_dropout, INT, seed), F(alpha_dropout, SHAPE, noise_shape))
/* Keras 3 writes what it inherited from Dropout, too: null. */
CLASS(spatial_dropout1d, "SpatialDropout1D", KRT_SPATIAL_DROPOUT1D(0), rate_init,
      F(spatial_dropout1d, FLOAT, rate), F(spatial_dropout1d, INT, seed),
      {"noise_shape", KRT_FIELD_IGNORED, 0})
CLASS(spatial_dropout2d, "SpatialDropout2D", KRT_SPATIAL_DROPOUT2D(0), rate_init,
      F(spatial_dropout2d, FLOAT, rate), F(spatial_dropout2d, INT, seed),
      {"noise_shape", KRT_FIELD_IGNORED, 0}, F(spatial_dropout2d, STRING, data_format))
CLASS(spatial_dropout3d, "SpatialDropout3D", KRT_SPATIAL_DROPOUT3D(0), rate_init,
      F(spatial_dropout3d, FLOAT, rate), F(spatial_dropout3d, INT, seed),
      {"noise_shape", KRT_FIELD_IGNORED, 0}, F(spatial_dropout3d, STRING, data_format))
CLASS(gaussian_dropout, "GaussianDropout", KRT_GAUSSIAN_DROPOUT(0), rate_init,
      F(gaussian_dropout, FLOAT, rate), F(gaussian_dropout, INT, seed))
CLASS(gaussian_noise, "GaussianNoise", KRT_GAUSSIAN_NOISE(0), noise_init,
      F(gaussian_noise, FLOAT, stddev), F(gaussian_noise, INT, seed))
CLASS(activity_regularization, "ActivityRegularization",
      KRT_ACTIVITY_REGULARIZATION(.trainable = true), NULL, F(activity_regularization, FLOAT, l1),
      F(activity_regularization, FLOAT, l2))

const krt_layer_class *const krti_classes_regularization[] = {
    &dropout,           &alpha_dropout,           &spatial_dropout1d,
    &spatial_dropout2d, &spatial_dropout3d,       &gaussian_dropout,
    &gaussian_noise,    &activity_regularization, NULL};
