/* Names and numbers, in Keras's order: what was measured, sorted; what callbacks added, behind. */
#ifndef KRTI_TRAINING_LOGS_H
#define KRTI_TRAINING_LOGS_H

#include "base/arena.h"
#include <keratin/train.h>

typedef struct krti_logs {
    krt_logs logs; /* the public face; first */
    krt_ctx *k;
    const char **names; /* owned */
    double *values;
    size_t names_capacity, values_capacity;
} krti_logs;

#define KRTI_LOGS_INIT(ctx) \
    {                       \
        .k = (ctx)          \
    }

/* Replaces the value of a name, or appends it. */
krt_status krti_logs_set(krti_logs *l, const char *name, double value);
/* Sorts the names, in byte order. */
void krti_logs_sort(krti_logs *l);
void krti_logs_clear(krti_logs *l);
void krti_logs_free(krti_logs *l);

/* --- history --------------------------------------------------------------------------------- */
krt_status krti_history_new(krt_ctx *k, krt_history **out);
krt_status krti_history_add(krt_history *h, int64_t epoch, const krt_logs *logs);

#endif
