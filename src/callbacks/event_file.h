/* TensorBoard's event files, written. TensorFlow: core/util/events_writer.cc, and the summary ops of
 * TensorBoard's plugins scalar, histogram and text. */
#ifndef KRTI_CALLBACKS_EVENT_FILE_H
#define KRTI_CALLBACKS_EVENT_FILE_H

#include "callbacks/files.h"

typedef struct krti_events {
    krti_log_file file;
    krti_str record, event; /* being put together */
} krti_events;

/* Makes DIR and a file of a new name in it, with the record that says what it is. */
krt_status krti_events_open(krt_ctx *k, krti_events *e, const char *dir);
krt_status krti_events_close(krti_events *e);

/* One event each, written at once. */
krt_status krti_events_scalar(krti_events *e, const char *tag, int64_t step, float value);
krt_status krti_events_histogram(krti_events *e, const char *tag, int64_t step, const float *x,
                                 size_t n);
/* Keras's conceptual graph: the model's JSON. */
krt_status krti_events_graph(krti_events *e, const char *tag, int64_t step, const char *json);

enum { KRTI_HISTOGRAM_BUCKETS = 30 };
/* Rows (left edge, right edge, count): equal widths from the least to the greatest value. */
void krti_histogram(double rows[KRTI_HISTOGRAM_BUCKETS][3], const float *x, size_t n);

/* The event without the frame, for tests. */
krt_status krti_event_scalar(krti_str *s, double wall_time, const char *tag, int64_t step,
                             float value);

#endif
