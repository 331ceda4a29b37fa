/* TensorFlow checkpoints, and the variables of SavedModels: a tensor bundle and the graph of the objects
 * its tensors belong to. What tf.keras wrote for save_weights(prefix), and what
 * tf.train.Checkpoint(model=...) writes for Keras of any generation. Keras:
 * tf_keras/src/saving/legacy/save.py; TensorFlow: python/checkpoint. Page:
 * docs/formats/tf_checkpoint.md. */
#ifndef KRTI_SAVING_TF_CHECKPOINT_H
#define KRTI_SAVING_TF_CHECKPOINT_H

#include "formats/object_graph.h"
#include "formats/tensor_bundle.h"
#include "saving/match.h"
#include "training/optimizer.h"

/* Kept with the list of arrays. */
typedef struct krti_tf_checkpoint {
    krt_ctx *k;
    krti_bundle *bundle;
    krti_object_graph graph;
    bool has_graph;     /* no: tensors are known by names only */
    size_t *arrays;     /* by node: index of its array in the store + 1, 0 when it is no variable */
    int64_t size_bytes; /* of the index and of the data files */
} krti_tf_checkpoint;

/* Under this key our own checkpoints have krti_optimizer.seed, an int64. No node of the graph names it:
 * TensorFlow leaves it alone, assert_consumed() too. */
#define KRTI_TF_SEED_KEY "optimizer/.ATTRIBUTES/KERATIN_SEED"

/* --- paths (tf_checkpoint_path.c) ------------------------------------------------------------- */
/* The prefix that a path means, into s: the prefix itself, one of its files, a `checkpoint` state file
 * or a directory with one (its newest checkpoint), a SavedModel. Fails: E_NOT_FOUND, E_FORMAT. */
krt_status krti_tf_checkpoint_prefix(krti_str *s, const char *filepath);

/* --- reading (tf_checkpoint_list.c, tf_checkpoint_match.c) ------------------------------------- */
/* Binds the graph to the model as TensorFlow does, by the names of edges, and what that leaves by the
 * variables' own names. */
krt_status krti_tf_checkpoint_match(krti_match *m);
/* The nodes that variables of the model are bound to, KRTI_NO_NODE for none, and the model's own. */
krt_status krti_tf_checkpoint_nodes(krti_store *s, krt_model *m, krt_variable *const *variables,
                                    size_t n, uint32_t *nodes, uint32_t *root);
/* Fills an optimizer, which is built, with the state the checkpoint has for it: slots by their names and
 * the variables they go with, so that another order does no harm. *num: variables that were found.
 * Shapes that differ are a warning, as in Keras (tf_checkpoint_optimizer.c). */
krt_status krti_tf_checkpoint_fill_optimizer(krti_store *s, krt_model *m, krti_optimizer *o,
                                             size_t *num);

/* --- SavedModel (saved_model.c) ----------------------------------------------------------------- */
/* What keras_metadata.pb, or saved_model.pb before TensorFlow 2.5, says of the root object: Keras's
 * class_name and config, keras_version, training_config. *out stays NULL when there is none, as in
 * models that Keras 3 exports. */
krt_status krti_saved_model_config(krti_arena *a, const char *dir, const krti_conf **out,
                                   size_t *text_size);

#endif
