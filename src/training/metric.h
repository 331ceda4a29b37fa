/* Metrics: sums over everything seen, and a number from them. Keras: metrics/.
 *
 * Most are means of a function of labels and predictions; that function is described with operations
 * and reduced to a sum and a count in the step's own program. The rest (confusion matrices, F-scores,
 * R2) look at labels and predictions when the batch is done, in plain C. Their variables carry
 * Keras's names. */
#ifndef KRTI_TRAINING_METRIC_H
#define KRTI_TRAINING_METRIC_H

#include "training/score.h"

typedef struct krti_metric krti_metric;

/* What a metric does that is no mean. */
typedef struct krti_metric_rule {
    /* Whether a batch of these shapes can be looked at; asked for every new shape, after build. */
    krt_status (*check)(const krti_metric *m, krt_shape y_true, krt_shape y_pred);
    /* Makes the variables, when the shapes are known. */
    krt_status (*build)(krti_metric *m, krt_shape y_true, krt_shape y_pred);
    void (*update)(krti_metric *m, const krt_metric_batch *b);
    /* Writes up to `room` numbers, answers how many there are. */
    size_t (*result)(const krti_metric *m, double *out, size_t room);
} krti_metric_rule;

/* Which values are better. Keras: Metric._direction. */
typedef enum krti_direction { KRTI_DOWN = 0, KRTI_UP, KRTI_NO_DIRECTION } krti_direction;

typedef struct krti_metric_class {
    krt_layer_class base;
    krti_score_fn values;         /* of a mean */
    const krti_metric_rule *rule; /* of anything else */
    const char *aliases[3];
    const char *name; /* Keras's default where it is not the class's snake case */
    bool is_counted;  /* Keras numbers the names: "auc", "auc_1" */
    bool is_root;     /* the square root of the mean */
    bool crosses;     /* labels (n,) meet predictions (n, 1) each with each, as in Keras */
    bool wants_classes;
    krti_direction direction;
} krti_metric_class;
extern const krti_family krti_metrics;

enum { KRTI_METRIC_STATES = 5, KRTI_METRIC_RESULTS = 4096 };

typedef struct krti_metric_state {
    const char *name; /* Keras's: "total" */
    size_t n;
    float *values;
} krti_metric_state;

struct krti_metric {
    krt_ctx *k;
    krti_arena *arena;
    const krti_metric_class *cls;
    const krt_layer_class *own; /* the registered class; NULL: one of Keras's */
    void *args;
    const char *name;
    bool is_built;
    krti_metric_state states[KRTI_METRIC_STATES];
    int num_states;
    krt_shape y_true, y_pred; /* it was built for */
    void *extra;              /* the rule's own, in the arena */
};

/* From a name or an object, which must outlive it, for these shapes: "accuracy" is chosen by them.
 * Fails: E_UNKNOWN_CLASS, E_INVALID. */
krt_status krti_metric_read(krt_layer *owner, krti_arena *a, const krti_conf *object,
                            krt_shape y_true, krt_shape y_pred, krti_metric *out);
/* Whether there is such a metric with such arguments, before shapes are known. */
krt_status krti_metric_check(krt_layer *owner, krti_arena *a, const krti_conf *object);
bool krti_metric_is_mean(const krti_metric *m);
krti_direction krti_metric_direction(const krti_metric *m);
/* Sum and count of a mean over one batch. `weight` and `mask` may be NULL. */
krt_status krti_metric_describe(const krti_metric *m, krti_scoring *s, krt_value *weight,
                                krt_value *mask, krt_value **total, krt_value **count);
krt_status krti_metric_build(krti_metric *m, krt_shape y_true, krt_shape y_pred);
void krti_metric_reset(krti_metric *m);
void krti_metric_add_mean(krti_metric *m, float total, float count);
size_t krti_metric_result(const krti_metric *m, double *out, size_t room);
/* "... wants y of the output's shape ..."; for rules. */
krt_status krti_metric_refuse(const krti_metric *m, krt_shape y_true, krt_shape y_pred);
/* One more variable of n zeros; for rules. */
krt_status krti_metric_add_state(krti_metric *m, const char *name, size_t n);

extern const krti_metric_rule krti_rule_true_positives, krti_rule_true_negatives,
    krti_rule_false_positives, krti_rule_false_negatives, krti_rule_precision, krti_rule_recall,
    krti_rule_sensitivity_at_specificity, krti_rule_specificity_at_sensitivity,
    krti_rule_precision_at_recall, krti_rule_recall_at_precision, krti_rule_auc;
extern const krti_metric_rule krti_rule_own, krti_rule_fbeta, krti_rule_iou, krti_rule_r2;

/* total / count, 0 where the count is. */
static inline float krti_divide_no_nan(float total, float count)
{
    return count == 0 ? 0 : total / count;
}

#endif
