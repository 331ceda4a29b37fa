/* A source of batches (Keras's generator) with a thread that stays one batch ahead. */
#ifndef KRTI_TRAINING_PREFETCH_H
#define KRTI_TRAINING_PREFETCH_H

#include "training/training.h"

typedef struct krti_prefetch krti_prefetch;

/* `source` is copied. */
krt_status krti_prefetch_new(struct krti_training *t, krti_prefetch **out,
                             const krt_source *source);
/* Stops the thread, after the call under way. NULL allowed. */
void krti_prefetch_free(krti_prefetch *s);
int64_t krti_prefetch_steps(const krti_prefetch *s);
/* Begins a pass; goes on with the one under way when it was left early. */
krt_status krti_prefetch_begin(krti_prefetch *s);
/* The next batch; *out NULL when the pass is over. Valid until the next call. */
krt_status krti_prefetch_next(krti_prefetch *s, const krti_step_data **out);

#endif
