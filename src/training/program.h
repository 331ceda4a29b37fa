/* A step while it is made: what the program of a step is, and its description as a graph. */
#ifndef KRTI_TRAINING_PROGRAM_H
#define KRTI_TRAINING_PROGRAM_H

#include "ops/plan.h"
#include "training/training.h"
#include "training/update.h"

/* Results of one metric: sum and count, or the predictions it looks at; -1: none. */
typedef struct krti_metric_places {
    int total, count;
} krti_metric_places;

/* A layer that draws random numbers in a step, and how often. */
typedef struct krti_drawing {
    uint32_t *state; /* [seed, draws], Keras's SeedGenerator */
    uint32_t draws;
} krti_drawing;

struct krti_program {
    struct krti_program *next;
    krti_program_kind kind;
    size_t num_x, num_y;
    krt_shape *x, *y, *weights; /* rank -1: no weights for this output */
    krti_plan *plan;
    krti_exec *exec;
    const void **inputs;
    /* The scalar inputs of an updating step, in this order, where it has them. */
    float rate, scalars[KRTI_MAX_SCALARS], average, loss_scale;
    bool overwrite;
    bool updates;                /* it trains, and there is something to train */
    int output_losses;           /* results: the first of the outputs' losses */
    int is_finite;               /* -1: not asked */
    int *predictions;            /* by output; -1: not kept */
    krti_metric_places *metrics; /* all outputs' metrics in order */
    krti_drawing *drawings;
    size_t num_drawings;
};

/* A step while it is described. */
typedef struct krti_program_making {
    struct krti_training *t;
    struct krti_program *p;
    krti_graph *g;
    krt_value **x, **y, **weights;   /* inputs; NULL entries of weights: none */
    krt_value **out, **mask;         /* the model's */
    krt_value *scale_input;          /* of a LossScaleOptimizer's loss */
    krt_value *reported, *minimized; /* the whole loss, twice */
    krti_optimizing step;
    bool *trains; /* by variable of the optimizer: it is not frozen now */
    size_t num_trained;
    size_t num_results;
} krti_program_making;

/* Fills d->g, to which d->p's shapes are known, and what d->p says of its results (program_graph.c). */
krt_status krti_program_describe(krti_program_making *d);

#endif
