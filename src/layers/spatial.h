/* What convolution and pooling layers share: reading their arguments whatever the rank, checking
 * them in Keras's words, and the way between channels first and channels last.
 *
 * The field table of a class already says where each argument lies and how many numbers it has, so
 * one function serves Conv1D, Conv2D and Conv3D: it looks its arguments up by their keys. Keras:
 * utils/argument_validation.py, layers/input_spec.py. */
#ifndef KRTI_LAYERS_SPATIAL_H
#define KRTI_LAYERS_SPATIAL_H

#include "layers/layer.h"

/* The member behind a config key, NULL when the class has no such argument. */
void *krti_args_member(const krt_layer_class *cls, void *args, const char *key);
/* How many numbers the argument holds: 1 to 3 for KRT_FIELD_INT1 to INT3, else 0. */
int krti_args_rank(const krt_layer_class *cls, const char *key);

/* standardize_tuple: every number is positive (or not negative) and small enough to compute with.
 */
krt_status krti_spatial_tuple(const krt_layer *l, const char *key, const int64_t *value, int n,
                              bool allow_zero);
/* standardize_padding: lower case, and one of the known words. */
krt_status krti_spatial_padding(krt_layer *l, const char **padding, bool allow_causal);
/* standardize_data_format: NULL is channels_last. */
krt_status krti_spatial_data_format(krt_layer *l, const char **data_format);
bool krti_is_channels_first(const char *data_format);

/* InputSpec(ndim), InputSpec(min_ndim) and InputSpec(axes): what a layer may be called on. */
krt_status krti_check_ndim(const krt_layer *l, krt_shape x, int ndim);
krt_status krti_check_min_ndim(const krt_layer *l, krt_shape x, int ndim);
krt_status krti_check_axis(const krt_layer *l, krt_shape x, int axis, int64_t value);

/* (batch, channels, spatial...) to (batch, spatial..., channels) and back; nothing to do, and `x`
 * itself, when the layer is channels last. */
krt_value *krti_to_channels_last(krti_graph *g, krt_value *x, const char *data_format);
krt_value *krti_from_channels_last(krti_graph *g, krt_value *x, const char *data_format);

#endif
