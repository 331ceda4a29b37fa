/* What cmd_predict.c and tap.c share. */
#ifndef KERATIN_CLI_PREDICT_H
#define KERATIN_CLI_PREDICT_H

#include "cli.h"

typedef struct outputs {
    size_t n;
    krt_tensor **items; /* malloc'ed */
} outputs;

/* Fills y with the outputs of one layer for inputs x, batch by batch; what was filled is the
 * caller's to free, also on failure. Returns a status of the tool, the failure printed. */
int tap_layer(cli *c, krt_model *m, const char *layer, krt_tensor *const *x, long long batch_size,
              outputs *y);

#endif
