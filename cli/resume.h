/* Where a training goes on: the newest checkpoint that a template wrote and that verifies. */
#ifndef KERATIN_CLI_RESUME_H
#define KERATIN_CLI_RESUME_H

#include "cli.h"

typedef struct place {
    int64_t epoch, batch; /* epochs done; batches done in the next one */
} place;

/* Loads it into *m: weights into the model, a whole model in its place. `steps`: batches an epoch, by
 * which the optimizer's steps say where it stands. None there: *start stays, and a line says so. */
int resume_from(cli *c, krt_model **m, const char *template, bool weights_only, int64_t steps,
                place *start);

#endif
