/* Images, as reshaping, preprocessing and augmentation layers take them. */
#ifndef KRTI_LAYERS_IMAGES_H
#define KRTI_LAYERS_IMAGES_H

#include "layers/layer.h"

/* "nearest", "bilinear", ... in any case. Fails: E_INVALID in Keras's words. */
krt_status krti_interpolation_named(const krt_layer *l, const char *name,
                                    krti_interpolation *method);
/* The images as (batch, height, width, channels), a lone one as a batch of one, and back, as output 0 of
 * the call. Fails through the graph. */
krt_value *krti_open_images(krt_call *c, krt_value *x, const char *data_format);
krt_status krti_close_images(krt_call *c, krt_value *y, const char *data_format);

#endif
