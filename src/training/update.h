/* Optimizer classes: which variables each keeps and how it follows a gradient. Keras:
 * optimizers/<name>.py build() and update_step().
 *
 * An update is described with operations, as a layer is. Numbers that change with the step only, the
 * learning rate and Adam's bias correction, are computed by the host in float32 and enter the graph
 * as scalar inputs. */
#ifndef KRTI_TRAINING_UPDATE_H
#define KRTI_TRAINING_UPDATE_H

#include "training/optimizer.h"

/* The members every optimizer's args struct begins with. */
typedef struct krti_optimizer_args {
    KRT_OPTIMIZER_MEMBERS;
} krti_optimizer_args;

/* One kind of slot. Kinds of one group alternate variable by variable; groups follow each other. */
typedef struct krti_state_kind {
    const char *slot;      /* "momentum" */
    const char *tf_slot;   /* tf.keras's word since 2.11; NULL: the same */
    const char *tf_legacy; /* tf.keras's word before; NULL: the same */
    int group;
    /* Whether a variable has it; NULL: all do. */
    bool (*is_used)(const void *args, const krt_variable *v);
    /* Its first value; NULL: zeros. */
    double (*initial)(const void *args);
    /* Shape and dtype; NULL: the variable's. */
    krt_shape (*shape)(krt_shape of, krt_dtype *dtype);
    bool copies;   /* begins as a copy of the variable */
    bool is_plain; /* Keras names it after the variable alone, without the slot */
} krti_state_kind;

struct krti_optimizer_class {
    krt_layer_class base;
    const krti_state_kind *states;
    size_t num_states;
    /* Refuses arguments Keras refuses, in its words. NULL: nothing to refuse. */
    krt_status (*check)(krt_ctx *k, const void *args);
    /* Adds what does not fit the table. NULL: nothing. */
    krt_status (*build)(krti_optimizer *o);
};

const krti_optimizer_class *krti_optimizer_class_of(const krt_layer_class *cls);
/* One more variable at the end of the list; for build hooks. `of` may be NULL. */
krt_status krti_optimizer_add(krti_optimizer *o, const char *path, const char *slot,
                              const krt_variable *of, krt_shape shape, krt_dtype dtype,
                              double initial);

/* A schedule read from its object. Fails: E_UNKNOWN_CLASS, E_INVALID (bad bounds). */
krt_status krti_schedule_read(krt_model *m, krti_arena *a, const krti_conf *object, void **out);
/* The rate at this step, computed in float32. */
float krti_schedule_at(const void *schedule, int64_t step);

#endif
