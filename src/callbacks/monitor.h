/* What callbacks watch, and whether it got better. Keras: callbacks/monitor_callback.py. */
#ifndef KRTI_CALLBACKS_MONITOR_H
#define KRTI_CALLBACKS_MONITOR_H

#include "callbacks/stock.h"

typedef struct krti_monitor {
    const char *name;
    bool is_max;
    double best; /* NAN and has_best false: nothing yet */
    bool has_best;
    double min_delta;
} krti_monitor;

typedef struct krti_monitor_args {
    const char *class_name, *monitor, *mode;
    double baseline; /* NAN: none */
    double min_delta;
} krti_monitor_args;

/* At the beginning of fit(): the name is one that will be reported, and better is up or down.
 * Fails: E_INVALID, naming what there will be. */
krt_status krti_monitor_init(krti_monitor *m, const krti_stock_head *head,
                             const krti_monitor_args *args);
/* The value in the logs; false, and a warning as Keras has it, when there is none: validation is not
 * done after every epoch. `who`: "Early stopping conditioned on metric". */
bool krti_monitor_read(const krti_monitor *m, const char *who, krt_ctx *k, const krt_logs *logs,
                       double *value);
/* Whether `value` is better than `best`, by min_delta; anything is better than nothing. */
bool krti_monitor_is_better(const krti_monitor *m, double value, bool has_best, double best);

/* A line for standard output, at once. */
void krti_callback_print(const char *line);

#endif
