/* A save that is ready to be written: everything was checked and listed, nothing is on the disk yet.
 * Writing needs the model no more once the data was copied, which saving in the background does. */
#ifndef KRTI_SAVING_SAVE_PLAN_H
#define KRTI_SAVING_SAVE_PLAN_H

#include "saving/keras_writer.h"
#include "saving/legacy_h5_write.h"
#include "saving/weights_writer.h"
#include <keratin/saving.h>

typedef struct krti_save_plan {
    krt_ctx *k; /* whose memory and last error it uses: the model's, or one of its own */
    krti_arena arena;
    krti_save_list *list;   /* NULL: the answer to "overwrite?" was no, nothing is to be done */
    krti_str config;        /* the text that `keras` has */
    krti_asset *assets;     /* likewise */
    krti_keras_parts keras; /* of a whole model; without a config: weights alone */
    const char *filepath;
    krti_write_options options;
    double max_shard_bytes; /* 0: one file */
    bool zipped, incremental;
    krt_model *legacy; /* in Keras 2's HDF5, which is written from the model itself; else NULL */
    krti_legacy_h5_options legacy_options;
} krti_save_plan;

/* Whether a file that is there may be replaced, as every kind of save is asked: *go false where the
 * answer to the question was no. Fails: E_EXISTS when there is nobody to ask. */
krt_status krti_may_write(krt_ctx *k, const char *filepath, bool overwrite, krt_overwrite_fn ask,
                          void *user, bool *go);
/* What is said of a directory where a file is to be written. */
krt_status krti_refuse_directory(krt_ctx *k);
/* Keras's ending of a sharded set is .json, whatever was given; a warning says so. Fails: E_INVALID. */
krt_status krti_sharded_name(krt_ctx *k, const char *filepath, krti_str *name);
/* What krt_save() and krt_save_weights() do up to the first byte. The plan is freed also after a
 * failure, which is recorded in `k`. */
krt_status krti_save_plan_model(krti_save_plan *p, krt_ctx *k, krt_model *m, const char *filepath,
                                const krt_save_args *args);
krt_status krti_save_plan_weights(krti_save_plan *p, krt_ctx *k, krt_model *m, const char *filepath,
                                  const krt_save_weights_args *args);
krt_status krti_save_plan_write(krti_save_plan *p);
void krti_save_plan_free(krti_save_plan *p);

#endif
