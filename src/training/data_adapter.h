/* Batches from arrays or from a source. Keras: trainers/data_adapters/.
 *
 * Arrays are never copied whole: rows are gathered, and converted to what the model wants, batch by
 * batch. A source is called from a thread of its own, one batch ahead. */
#ifndef KRTI_TRAINING_DATA_ADAPTER_H
#define KRTI_TRAINING_DATA_ADAPTER_H

#include "training/training.h"

typedef struct krti_feed krti_feed;

typedef struct krti_feed_args {
    int64_t batch_size;
    krt_numbers class_weight;
    int64_t first, rows; /* part of the arrays; rows KRT_NONE: to the end */
    const char *what;    /* "validation " before x and y in errors; NULL: nothing */
} krti_feed_args;

/* Fails: E_INVALID (counts, shapes, NaN), E_NOMEM. The data must outlive it. */
krt_status krti_feed_new(struct krti_training *t, krti_feed **out, const krt_data *data,
                         const krti_feed_args *args);
void krti_feed_free(krti_feed *f);           /* NULL allowed */
int64_t krti_feed_rows(const krti_feed *f);  /* KRT_NONE: a source */
int64_t krti_feed_steps(const krti_feed *f); /* batches a pass; KRT_NONE: not known */

/* Whether all labels are classes of their outputs, which are known once a step is prepared; looks once. */
krt_status krti_feed_check_labels(krti_feed *f);

typedef enum krti_shuffle {
    KRTI_IN_ORDER = 0,
    KRTI_SHUFFLED,
    KRTI_SHUFFLED_IN_BATCHES
} krti_shuffle;
/* Begins a pass over all rows: as they are, in the order of this seed and epoch, or so that each batch
 * keeps its rows. */
krt_status krti_feed_begin(krti_feed *f, krti_shuffle shuffle, uint64_t seed, int64_t epoch);
/* The next batch; *out NULL when the pass is over. It is valid until the next call. */
krt_status krti_feed_next(krti_feed *f, const krti_step_data **out);

/* The order of n rows in an epoch: a permutation that is a function of its arguments alone. Rows stay
 * within their batch of this size; n: they go anywhere. */
void krti_permute(int64_t *order, int64_t n, int64_t batch, uint64_t seed, int64_t epoch);

#endif
