/* Functions of labels and predictions, as losses and metrics share them. Keras: losses/losses.py and
 * the functions of metrics/.
 *
 * Each describes one value a sample with operations; a loss reduces them to a number, a metric to a
 * mean over everything it has seen. */
#ifndef KRTI_TRAINING_SCORE_H
#define KRTI_TRAINING_SCORE_H

#include "training/object.h"
#include <keratin/sys/score_class.h>

typedef struct krti_scoring {
    krti_graph *g;
    const void *args;           /* of the loss or metric class */
    krt_value *y_true, *y_pred; /* float32; of one rank where the last axis of one is 1 */
    /* As Keras on TensorFlow: crossentropy of a softmax or sigmoid is computed from what went in. */
    bool looks_through;
    bool is_metric;             /* args is the metric's struct where the two differ */
    const krt_layer_class *own; /* whose call krti_score_own() is */
    krt_value *mask;            /* out: which values count, when the function decides; else NULL */
} krti_scoring;

typedef krt_value *(*krti_score_fn)(krti_scoring *s);

/* X(name): krt_value *krti_score_<name>(krti_scoring *s) */
/* clang-format off */
#define KRTI_SCORES(X)                                                                            \
    X(binary_crossentropy) X(binary_focal_crossentropy) X(categorical_crossentropy)               \
    X(categorical_focal_crossentropy) X(categorical_generalized_cross_entropy)                    \
    X(sparse_categorical_crossentropy) X(categorical_hinge) X(hinge) X(squared_hinge)             \
    X(cosine_similarity) X(kl_divergence) X(poisson) X(mean_squared_error) X(mean_absolute_error) \
    X(mean_absolute_percentage_error) X(mean_squared_logarithmic_error) X(huber) X(log_cosh)      \
    X(dice) X(tversky) X(ctc) X(circle)
/* clang-format on */
#define X(name) krt_value *krti_score_##name(krti_scoring *s);
KRTI_SCORES(X)
#undef X

#define KRTI_EPSILON 1e-7 /* keras.backend.epsilon() */

/* What a registered class describes. Fails through the graph. */
krt_value *krti_score_own(krti_scoring *s);
const krt_layer_class *krti_own_loss(krt_ctx *k, const char *name);
const krt_layer_class *krti_own_metric(krt_ctx *k, const char *name);
/* Keras's squeeze_or_expand_to_same_rank(). */
void krti_same_rank(krti_graph *g, krt_value **a, krt_value **b, bool expand_rank_1);
/* Fails through the graph unless the shapes agree, a 1 meeting anything. */
bool krti_scores_fit(krti_scoring *s);

/* A class that a loss or a metric name means; args are the class's own. */
typedef struct krti_loss_class {
    krt_layer_class base;
    krti_score_fn score;
    const char *aliases[4];
    bool wants_classes; /* labels are class numbers */
} krti_loss_class;
extern const krti_family krti_losses;

/* A loss at work. */
typedef struct krti_loss {
    const krti_loss_class *cls;
    const krt_layer_class *own; /* the registered class; NULL: one of Keras's */
    const void *args;
    const char *name;
    const char *reduction;
} krti_loss;

/* The members every loss's args struct begins with. */
typedef struct krti_loss_args {
    KRT_LOSS_MEMBERS;
} krti_loss_args;

/* From a name or an object; the object must outlive it. Fails: E_UNKNOWN_CLASS, E_INVALID. */
krt_status krti_loss_read(krt_layer *owner, krti_arena *a, const krti_conf *object, krti_loss *out);
/* The number to report and the one to differentiate, which differ with the reduction "none" only.
 * `weight` and `mask` may be NULL. */
krt_value *krti_loss_describe(const krti_loss *l, krti_scoring *s, krt_value *weight,
                              krt_value *mask, krt_value **to_minimize);
/* Keras's apply_mask(). */
krt_value *krti_apply_mask(krti_graph *g, krt_value *weight, krt_value *mask, bool is_mean);
/* Whether a name means the class: its own, its snake case or an alias. */
bool krti_is_identifier(const krt_layer_class *cls, const char *const *aliases, size_t num_aliases,
                        const char *name);
/* What a loss or metric is called that was asked for by this name: without its package. */
const char *krti_score_name(const char *identifier);
/* The name of a function where an object is one. */
const krti_conf *krti_unwrap_function(const krti_conf *object);
/* "crossentropy" or "ce" in any case: the class from shapes. NULL when it is another name. */
const char *krti_loss_by_shape(const char *name, krt_shape y_true, krt_shape y_pred);

#endif
