/* Where a training goes on: the newest checkpoint that a template wrote and that verifies. */
#ifndef KERATIN_CLI_RESUME_H
#define KERATIN_CLI_RESUME_H

#include "cli.h"

typedef struct place {
    int64_t epoch, batch; /* epochs done; batches done in the next one */
} place;

typedef struct resuming {
    const char *template;
    bool weights_only, at_epoch_ends; /* as they were saved */
    int64_t steps;                    /* batches an epoch */
} resuming;

/* Loads it into *m: weights into the model, a whole model in its place. None there: *start stays, and
 * a line says so. */
int resume_from(cli *c, krt_model **m, const resuming *r, place *start);

#endif
