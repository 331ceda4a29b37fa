/* Whole models in Keras 3's own form: a `.keras` archive, or the same files in a directory.
 * Keras: save_model() of saving_lib.py. */
#ifndef KRTI_SAVING_KERAS_WRITER_H
#define KRTI_SAVING_KERAS_WRITER_H

#include "saving/source.h"
#include "saving/weights_writer.h"

/* A file some layer keeps beside its weights: a vocabulary. */
typedef struct krti_asset {
    const char *path; /* "assets/layers/string_lookup/vocabulary.txt" */
    krti_bytes *bytes;
} krti_asset;

typedef struct krti_keras_parts {
    const krti_str *config; /* config.json: the text, since its tree would take ten times as much */
    const krti_asset *assets;
    size_t num_assets;
    int trains_as; /* see krt_layer; 0 or 3: as Keras 3 does, which goes without saying */
} krti_keras_parts;

/* Writes metadata.json, config.json, model.weights.h5 and the assets, in this order, into an archive
 * or, not zipped, a directory. Either changes as one. */
krt_status krti_write_keras(krti_save_list *l, const krti_keras_parts *parts, const char *filepath,
                            bool zipped, const krti_write_options *options);

/* The assets of an open archive or directory, for conversions. Owns: *out; krti_assets_free() it
 * before the source is closed. */
krt_status krti_source_assets(krti_source *f, krti_asset **out, size_t *n);
void krti_assets_free(krt_ctx *k, krti_asset *assets, size_t n);

#endif
