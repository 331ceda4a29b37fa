/* The vocabularies of a model's layers, out of its file and into one. */
#ifndef KRTI_SAVING_ASSETS_H
#define KRTI_SAVING_ASSETS_H

#include "models/model.h"
#include "saving/keras_writer.h"

/* Gives the model's layers their vocabularies from the assets of a `.keras`; files of other forms have
 * none. Fails: E_MISMATCH, E_CORRUPT, the layer named. */
krt_status krti_assets_load(krt_model *m, krti_source *f);
/* The assets that a save of the model writes. Owns: *out, krti_assets_free() it. */
krt_status krti_assets_of(krt_ctx *k, krt_model *m, krti_asset **out, size_t *n);

#endif
