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

enum { KRTI_MAX_SCALARS = 4 };

/* One variable's update while it is described. */
typedef struct krti_updating {
    krti_graph *g;
    const krti_optimizer *o;
    const void *args;
    const krt_variable *v;
    krt_value *variable, *gradient; /* as they are now: decayed, clipped */
    bool follows_tensorflow;        /* see krti_optimizing */
    krt_value *rate;
    krt_value *scalars[KRTI_MAX_SCALARS]; /* the class's own */
} krti_updating;

struct krti_optimizer_class {
    krt_layer_class base;
    const krti_state_kind *states;
    size_t num_states;
    /* Refuses arguments Keras refuses, in its words. NULL: nothing to refuse. */
    krt_status (*check)(krt_ctx *k, const void *args);
    /* Adds what does not fit the table. NULL: nothing. */
    krt_status (*build)(krti_optimizer *o);
    /* Describes what becomes of the variable, which it returns, and of its slots. */
    krt_value *(*update)(krti_updating *u);
    /* The numbers of the step with this 1-based count (as a float32) and rate. */
    void (*scalars)(const krti_optimizer *o, float step, float rate, float *out);
    /* After a step that was done: what the host keeps. NULL: nothing. */
    void (*commit)(krti_optimizer *o, const float *scalars);
    /* Weight decay of one variable where it is not the base's. */
    double (*decay)(const void *args, const krt_variable *v);
};

const krti_optimizer_class *krti_optimizer_class_of(const krt_layer_class *cls);
/* One more variable at the end of the list; for build hooks. `of` may be NULL. */
krt_status krti_optimizer_add(krti_optimizer *o, const char *path, const char *slot,
                              const krt_variable *of, krt_shape shape, krt_dtype dtype,
                              double initial);

/* X(name): krt_value *krti_update_<name>(krti_updating *u), one an optimizer. */
#define KRTI_UPDATES(X) \
    X(adadelta)         \
    X(adafactor)        \
    X(adagrad)          \
    X(adam) X(adamax) X(ftrl) X(lamb) X(lion) X(muon) X(nadam) X(rmsprop) X(sgd) X(schedule_free)
#define X(name) krt_value *krti_update_##name(krti_updating *u);
KRTI_UPDATES(X)
#undef X
/* X(name): void krti_scalars_<name>(...) */
#define KRTI_SCALARS(X) \
    X(adafactor) X(adam) X(adamax) X(ftrl) X(lamb) X(muon) X(nadam) X(schedule_free)
#define X(name) \
    void krti_scalars_##name(const krti_optimizer *o, float step, float rate, float *out);
KRTI_SCALARS(X)
#undef X
void krti_commit_nadam(krti_optimizer *o, const float *scalars);

/* Describes one whole step: clipping, decay, the rule, averages, constraints, in Keras's order. */
typedef struct krti_optimizing {
    krti_graph *g;
    const krti_optimizer *o; /* the inner one of a LossScaleOptimizer */
    krt_names undecayed;
    krt_value **gradients; /* one a trainable variable; NULL: none */
    bool accumulates;      /* this step only adds to the sums of gradients */
    /* TensorFlow's ways: the gradient of an embedding is a list of rows, see krti_of_rows(); a value
     * taken from a variable before it is assigned is read after. */
    bool follows_tensorflow;
    krt_value *rate, *scalars[KRTI_MAX_SCALARS];
    krt_value *average;   /* momentum of the averages in this step */
    krt_value *overwrite; /* KRT_BOOL: whether the averages replace the variables; NULL: never */
    krt_value *is_finite; /* KRT_BOOL: whether to do anything; NULL: always */
} krti_optimizing;
krt_status krti_describe_step(krti_optimizing *s);

/* What to take of a gradient, element by element; zero of zero. */
typedef krt_value *(*krti_element_fn)(krti_graph *g, krt_value *x, const void *how);
/* fn of a gradient. TensorFlow's gradient of an embedding is a list of rows (IndexedSlices), in which
 * an index may occur twice; with `by_row` fn is taken of each row before those of an index are added
 * up. What keeps the list there keeps it here: this function is how a LossScaleOptimizer unscales, how
 * clipnorm and clipvalue clip, and what rules square or take the absolute value of. Everything else,
 * global_clipnorm's factor and the sums of accumulation too, makes a tensor of it first, as krti_add()
 * and krti_multiply() do. */
krt_value *krti_of_rows(krti_graph *g, bool by_row, krt_value *x, krti_element_fn fn,
                        const void *how);
/* The gradient squared so. */
krt_value *krti_rows_squared(krti_graph *g, bool by_row, krt_value *x);

/* What the gradient is taken for, and the update begins with. Where a layer has assigned to its weight
 * on the way (SpectralNormalization) TensorFlow's tape sees the variable read again, and the update
 * goes on from there; JAX differentiates the way and forgets it. */
krt_value *krti_before_update(const krti_optimizing *s, const krt_variable *v);

/* A schedule read from its object. Fails: E_UNKNOWN_CLASS, E_INVALID (bad bounds). */
krt_status krti_schedule_read(krt_model *m, krti_arena *a, const krti_conf *object, void **out);
/* The rate at this step, computed in float32. */
float krti_schedule_at(const void *schedule, int64_t step);

#endif
