/* All weights of a model at one moment, in memory. */
#ifndef KRTI_CALLBACKS_SNAPSHOT_H
#define KRTI_CALLBACKS_SNAPSHOT_H

#include "models/model.h"

typedef struct krti_snapshot {
    char *bytes;
    size_t size;
    bool is_taken;
} krti_snapshot;

/* Takes one in place of what was taken before. */
krt_status krti_snapshot_take(krti_snapshot *s, krt_model *m);
/* Puts the weights back into the model it was taken of. */
krt_status krti_snapshot_restore(const krti_snapshot *s, krt_model *m);
void krti_snapshot_free(krti_snapshot *s, krt_ctx *k);

#endif
