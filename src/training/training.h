/* What compile() makes of a model, kept with it: settings, optimizer, losses and metrics, and the
 * programs of its steps. */
#ifndef KRTI_TRAINING_TRAINING_H
#define KRTI_TRAINING_TRAINING_H

#include "training/logs.h"
#include "training/metric.h"
#include "training/optimizer.h"
#include <keratin/train.h>

#include <stdatomic.h>

/* A metric of an output and the name it is reported by. */
typedef struct krti_output_metric {
    krti_metric metric;
    const char *reported; /* "kind_accuracy" */
    bool is_weighted;
} krti_output_metric;

/* One output with what is said about it. */
typedef struct krti_trained_output {
    const char *name; /* krt_model_output_key() */
    int target;       /* which y; -1: none, it has no loss */
    bool has_loss;
    krti_loss loss;
    double weight;                     /* of the loss; NAN: none was given */
    int64_t num_classes, ignore_class; /* where labels are class numbers; else 0 and KRT_NONE */
    const char *reported;              /* "kind_loss", when more than one output has a loss */
    float total, count;                /* Keras's tracker of that */
    krti_output_metric *metrics;
    size_t num_metrics;
} krti_trained_output;

struct krti_training {
    krt_ctx *k;
    krt_model *m;
    krti_arena arena;
    const char *backend;       /* "tensorflow" or "jax"; not in files */
    krti_optimizer *optimizer; /* made when asked for */
    krt_names undecayed;       /* exclude_from_weight_decay */

    bool is_built; /* what follows, when the shapes of y are known */
    krti_arena built;
    krti_trained_output *outputs;
    size_t num_outputs, num_targets, num_losses;
    float total, count; /* the tracker of the whole loss */

    struct krti_program *programs;
    struct krti_packs *packs;         /* constants of the programs */
    krti_logs logs;                   /* as of the last batch */
    krti_logs evaluated;              /* what evaluate() hands out */
    const krt_fit_params *params;     /* while fit() runs */
    krti_logs *logs_under_way;        /* while on_epoch_end runs: the epoch's */
    bool stops;                       /* model.stop_training */
    bool has_own_callbacks;           /* in C, which may add logs of any name */
    int64_t start_epoch, start_batch; /* where a restored training goes on; KRT_NONE: as asked */
    atomic_int is_requested;          /* krt_request_stop() */
};

/* The model's, made when there is none yet. */
krt_status krti_training_of(krt_model *m, struct krti_training **out);

/* --- compile_utils.c ------------------------------------------------------------------------- */
/* Losses and metrics for targets and predictions of these shapes (with the batch axis). */
krt_status krti_build_outputs(struct krti_training *t, const krt_shape *targets, size_t num_targets,
                              const krt_shape *predictions);
void krti_forget_outputs(struct krti_training *t);
/* Keras: reset_metrics(), trackers included. */
void krti_reset_trackers(struct krti_training *t);
/* Every tracker and metric into the logs, sorted. */
krt_status krti_collect_logs(struct krti_training *t, krti_logs *out);
/* The names that an epoch will report, with zeros. None when they are not known: the shapes of a
 * source of batches are not, and callbacks in C may add any. */
krt_status krti_expected_logs(struct krti_training *t, bool will_validate, krti_logs *out);

/* --- program.c ------------------------------------------------------------------------------- */

typedef enum krti_program_kind {
    KRTI_PROGRAM_TEST,
    KRTI_PROGRAM_TRAIN,
    KRTI_PROGRAM_ACCUMULATE /* gradients are summed, nothing else moves */
} krti_program_kind;

/* A batch as a program takes it: arrays of the model's dtypes, targets and weights in float32. */
typedef struct krti_step_data {
    const void *const *x;
    const krt_shape *x_shapes;
    const float *const *y;
    const krt_shape *y_shapes;
    size_t num_y;
    const float *const *weights; /* one an output; NULL entries: none. NULL: none at all */
    const krt_shape *weight_shapes;
    int64_t rows;
} krti_step_data;

/* One step on one batch: loss and metrics go to the trackers; `kind` decides what else happens.
 * *loss, when not NULL, gets the batch's. */
/* Makes the program for such a batch, and with it losses and metrics. */
krt_status krti_prepare_step(struct krti_training *t, krti_program_kind kind,
                             const krti_step_data *data);
krt_status krti_run_step(struct krti_training *t, krti_program_kind kind,
                         const krti_step_data *data, float *loss);
void krti_programs_free(struct krti_training *t);

/* n labels of an output, the first of them number `first` of what `of` names, `a_row` in a row. */
typedef struct krti_labels {
    const float *y;
    size_t n, first, a_row;
    const char *of;
} krti_labels;
/* Class numbers beyond the classes: TensorFlow gives NaN for them on some machines, which nobody can
 * trace back. */
krt_status krti_check_labels(const struct krti_training *t, const krti_trained_output *o,
                             const krti_labels *l);

/* --- trainer.c ------------------------------------------------------------------------------- */
/* For on_train_begin: the first epoch, and how many of its batches are done already. */
void krti_set_start(struct krti_training *t, int64_t epoch, int64_t batch);
/* Whether krt_request_stop() ended what runs. */
bool krti_training_is_interrupted(struct krti_training *t);

#endif
