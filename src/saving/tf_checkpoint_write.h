/* Writing TensorFlow checkpoints: arrays under their keys and a graph, in files that change as one. */
#ifndef KRTI_SAVING_TF_CHECKPOINT_WRITE_H
#define KRTI_SAVING_TF_CHECKPOINT_WRITE_H

#include "saving/named_list.h"

typedef struct krti_checkpoint_options {
    bool sync; /* to disk, before the old checkpoint goes */
    bool include_optimizer;
} krti_checkpoint_options;

/* The model as tf.keras's model.save_weights(prefix) lists it (tf_checkpoint_save.c). Fails: E_STATE for
 * a model without its variables, E_UNKNOWN_CLASS. */
krt_status krti_named_list_add_checkpoint(krti_named_list *l, krt_model *m,
                                          const krti_checkpoint_options *options);

/* Writes PREFIX.index, PREFIX.data-00000-of-00001 and the state file `checkpoint`: the list's keys and
 * its graph, or names alone where it has none. Fails: E_IO, E_NOT_FOUND (the directory), E_UNSUPPORTED. */
krt_status krti_tf_checkpoint_write(const krti_named_list *l, const char *prefix,
                                    const krti_checkpoint_options *options);

#endif
