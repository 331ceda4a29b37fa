/* Writing TensorFlow checkpoints: a list of arrays and a graph, into files that change as one. */
#ifndef KRTI_SAVING_TF_CHECKPOINT_WRITE_H
#define KRTI_SAVING_TF_CHECKPOINT_WRITE_H

#include "models/model.h"
#include "saving/store.h"

typedef struct krti_bundle_item {
    const char *key;
    krt_dtype dtype;
    krt_shape shape;
    const void *data;   /* NULL: in the list's store */
    size_t store_array; /* its index there */
} krti_bundle_item;

typedef struct krti_bundle_list {
    krt_ctx *k;
    krti_arena arena;
    krti_bundle_item *items;
    size_t n, capacity;
    krti_str graph;    /* serialized; empty: a checkpoint of names */
    krti_store *store; /* where items without data lie; borrowed */
} krti_bundle_list;

typedef struct krti_checkpoint_options {
    bool sync; /* to disk, before the old checkpoint goes */
    bool include_optimizer;
} krti_checkpoint_options;

void krti_bundle_list_init(krti_bundle_list *l, krt_ctx *k);
void krti_bundle_list_free(krti_bundle_list *l);
/* The key is copied, data is not. */
krt_status krti_bundle_list_add(krti_bundle_list *l, const krti_bundle_item *item);
/* Writes PREFIX.index, PREFIX.data-00000-of-00001 and the state file `checkpoint`. */
krt_status krti_bundle_list_write(const krti_bundle_list *l, const char *prefix,
                                  const krti_checkpoint_options *options);

/* The model as tf.keras's model.save_weights(prefix) lists it (tf_checkpoint_save.c). */
krt_status krti_bundle_list_add_model(krti_bundle_list *l, krt_model *m,
                                      const krti_checkpoint_options *options);
/* The arrays of an open file: a checkpoint's with its graph, others' by the names of variables. */
krt_status krti_bundle_list_add_store(krti_bundle_list *l, krti_store *s,
                                      const krti_checkpoint_options *options);

#endif
