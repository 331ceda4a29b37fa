/* An optimizer: a class, its arguments, and its variables in Keras's order. Keras:
 * optimizers/base_optimizer.py.
 *
 * This is what saving needs: the variables with their names, to write them and to fill them, without
 * knowing any optimizer; and the compile settings, one dict in the form of Keras 3's compile_config.
 * What an optimizer does with a gradient is update.h. A model has one optimizer at most, of the
 * settings it was compiled with; a file's settings are kept even when this build cannot train with
 * them. */
#ifndef KRTI_TRAINING_OPTIMIZER_H
#define KRTI_TRAINING_OPTIMIZER_H

#include "base/map.h"
#include "models/model.h"
#include <keratin/training/optimizers.h>

typedef struct krti_optimizer krti_optimizer;
typedef struct krti_optimizer_class krti_optimizer_class;

/* One variable of an optimizer. */
typedef struct krti_optimizer_variable {
    const char *path;       /* Keras 3's: "adam/dense_kernel_momentum" */
    const char *slot;       /* "iteration", "learning_rate", "average", "momentum", ... */
    const krt_variable *of; /* the model's variable it goes with; NULL: the optimizer's own */
    krt_tensor *tensor;     /* never without data */
    krt_tensor *precise;    /* float64 of the file it came from, see krt_variable; else NULL */
} krti_optimizer_variable;

struct krti_optimizer {
    krt_ctx *k;
    krti_arena arena;
    const krti_optimizer_class *cls;
    const char *class_name; /* "Adam" */
    const char *name;       /* "adam" */
    const krti_conf
        *config;    /* Keras 3's object, as given; krti_optimizer_to_conf() has today's rate */
    void *args;     /* the class's args struct */
    void *schedule; /* the rate by step; NULL: the variable learning_rate */
    krti_optimizer *inner; /* of a LossScaleOptimizer; NULL */
    /* Whether it has its slots. In the order of Keras 3's optimizer.variables, which is that of
     * /optimizer/vars/N in files: iteration, learning_rate (none with a schedule), then slots. A
     * LossScaleOptimizer's list ends before the inner one's, which Keras appends when it saves. */
    bool is_built;
    krti_optimizer_variable *variables;
    size_t num_variables, capacity;
    krti_map *places;         /* of these by variable and slot, from 1 on */
    size_t first_slot;        /* index of the first slot: 1 or 2 */
    krt_variable **trainable; /* model.trainable_variables it was built for: m->trained */
    const char **flat_paths;  /* of these: "dense_kernel" */
    size_t num_trainable;
    krt_tensor *iteration;     /* int64, of variables */
    krt_tensor *learning_rate; /* float32, of variables; NULL with a schedule */
    /* What makes shuffling and dropout repeatable: drawn from the context's seed at the beginning;
     * savers keep it (an attribute keratin_seed beside the optimizer's variables) and loaders set
     * it, so that a resumed run draws on where the first left off. */
    uint64_t seed;
};

/* From Keras's object or a name; built later. Fails: E_UNKNOWN_CLASS, E_INVALID. */
krt_status krti_optimizer_from_conf(krt_model *m, krti_optimizer **out, const krti_conf *object);
/* Puts a LossScaleOptimizer around one that is not built yet, as Keras's compile() does for a model of
 * mixed_float16. */
krt_status krti_optimizer_scale_loss(krt_model *m, krti_optimizer *o);
/* Nadam's product, which Keras 2 keeps in no .h5 or .keras, as it is after as many steps as were done;
 * nothing for other classes. */
void krti_optimizer_infer_product(krti_optimizer *o);
void krti_optimizer_free(krti_optimizer *o); /* NULL allowed */
/* Adds the slots for the model's trainable variables, once. Their values are Keras's initial ones. */
krt_status krti_optimizer_build(krti_optimizer *o, krt_model *m);
/* Notes what is trained now as what Keras's optimizer is built for, in m->trained: a loader does when a
 * model comes with settings, so that what is frozen before the first step has its slots all the same. */
krt_status krti_note_trained(krt_model *m);
/* Which of o->trainable are trained now, and how many. Fails: E_STATE, in Keras's words, when something
 * else is trained now: what was thawed or added since the optimizer was built. */
krt_status krti_optimizer_trains(const krti_optimizer *o, krt_model *m, bool *trains, size_t *num);
/* Keras 3's object with the learning rate as it is now. */
krt_status krti_optimizer_to_conf(const krti_optimizer *o, krti_arena *a, krti_conf **out);
/* By slot and variable (NULL: the optimizer's own); NULL: none. */
krti_optimizer_variable *krti_optimizer_find(const krti_optimizer *o, const char *slot,
                                             const krt_variable *of);
/* tf.keras's word for a slot since 2.11: "m" for Adam's momentum, "v" for its velocity; the same word
 * where there is no other. `is_legacy`: that of optimizers up to 2.10 and of optimizers.legacy ("rms"
 * of RMSprop's velocity). */
const char *krti_optimizer_tf_slot(const krti_optimizer *o, const char *slot, bool is_legacy);
/* The variable that tf.keras up to 2.10 has this word for; NULL: none. */
krti_optimizer_variable *krti_optimizer_find_legacy(const krti_optimizer *o, const char *word,
                                                    const krt_variable *of);
/* A number in place of a slot that is not needed: Adafactor has some in Keras 3, and none in Keras 2. */
bool krti_is_placeholder(const krti_optimizer_variable *v);
/* Whether Keras 2 has nothing of the kind. */
bool krti_is_of_keras3(const krti_optimizer_variable *v);

/* Keras's optimizer.learning_rate and optimizer.iterations (of whole accumulations) as of now. */
float krti_optimizer_rate(const krti_optimizer *o);
int64_t krti_optimizer_iterations(const krti_optimizer *o);

/* --- the model's ----------------------------------------------------------------------------- */

/* The settings the model was compiled with, or came with in its file: a dict as compile_config, or
 * NULL. Borrowed until they change. */
const krti_conf *krti_compile_config(const krt_model *m);
/* The same with the optimizer as it is now, for writing; a null node when not compiled. */
krt_status krti_compile_config_now(const krt_model *m, krti_arena *a, krti_conf **out);
/* Replaces them, for loaders; copied. NULL: none. What was compiled before is freed. */
krt_status krti_set_compile_config(krt_model *m, const krti_conf *config);
/* The model's optimizer, made from the settings when asked for the first time; *out NULL: the model
 * is not compiled. Fails: what krti_optimizer_from_conf() fails with; the settings stay. */
krt_status krti_model_optimizer(krt_model *m, krti_optimizer **out);
/* The same if there is one already: what a saver writes. */
krti_optimizer *krti_model_optimizer_now(const krt_model *m);

#endif
