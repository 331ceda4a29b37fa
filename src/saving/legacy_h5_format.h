/* Whole-model and weights-only HDF5 of Keras 1 and 2, and of Keras 3 for a name in .h5: pairing the
 * model's layers with the file's. Keras: legacy/saving/legacy_h5_format.py. */
#ifndef KRTI_SAVING_LEGACY_H5_FORMAT_H
#define KRTI_SAVING_LEGACY_H5_FORMAT_H

#include "saving/match.h"

/* The weights of a layer in the order in which this generation of Keras lists them. Owns: *out,
 * krti_free() it. */
krt_status krti_legacy_weights(const krt_layer *l, int generation, krt_variable ***out, size_t *n);

/* Pairs the layers that have weights. `generation`: of the Keras that wrote the file, which decides
 * in which order a nested model's weights lie, and how kernels do. `is_theano`: written on Theano,
 * whose convolutions turn the kernel round. `is_foreign`: the model is not the file's own. */
krt_status krti_legacy_h5_match(krti_match *m, int generation, bool is_theano, bool is_foreign);

#endif
