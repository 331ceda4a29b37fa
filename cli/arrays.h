/* Arrays from files for a model: what predict, evaluate and fit share. */
#ifndef KERATIN_CLI_ARRAYS_H
#define KERATIN_CLI_ARRAYS_H

#include "cli.h"

/* One tensor for each input, from one file or from NAME=FILE; what was read is the caller's, also on
 * failure. Returns a status of the tool, the failure printed. */
int arrays_for_inputs(cli *c, const krt_model *m, const opt_list *files, krt_tensor **x);
/* x / scale as float32, for --scale. */
krt_status array_scale(krt_tensor **x, double scale);

/* Inputs and targets together. */
typedef struct samples {
    size_t num_x, num_y;
    krt_tensor **x, **y;
} samples;
int samples_read(cli *c, const krt_model *m, const opt_list *x, const opt_list *y, double scale,
                 samples *out);
void samples_free(samples *d);

#endif
