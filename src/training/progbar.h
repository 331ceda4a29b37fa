/* Keras's progress line as text: utils/progbar.py, character for character. What time it is comes
 * from the caller, so that a test can say. */
#ifndef KRTI_TRAINING_PROGBAR_H
#define KRTI_TRAINING_PROGBAR_H

#include "base/str.h"
#include <keratin/train.h>

typedef struct krti_progbar {
    int64_t target;                              /* steps; KRT_NONE: unknown */
    int verbose;                                 /* 1: a line that moves; 2: one line at the end */
    double start, last_update, after_first_step; /* seconds; the last is 0 while there was none */
    size_t width;                                /* of what is on the terminal */
} krti_progbar;

krti_progbar krti_progbar_begin(int64_t target, int verbose, double now);
/* What to print when `current` steps are done; maybe nothing. `is_last` ends the line. */
krt_status krti_progbar_update(krti_progbar *p, int64_t current, const krt_logs *logs, bool is_last,
                               double now, krti_str *out);

#endif
