/* Image resizing, as reshaping and preprocessing layers ask for it. */
#ifndef KRTI_LAYERS_IMAGES_H
#define KRTI_LAYERS_IMAGES_H

#include "layers/layer.h"

/* "nearest", "bilinear", ... in any case. Fails: E_INVALID in Keras's words. */
krt_status krti_interpolation_named(const krt_layer *l, const char *name,
                                    krti_interpolation *method);

#endif
