/* File names with fields, "cp-{epoch:04d}-{val_loss:.2f}.keras": Python's str.format() for whole
 * numbers and floats. */
#ifndef KRTI_CALLBACKS_TEMPLATE_H
#define KRTI_CALLBACKS_TEMPLATE_H

#include "base/str.h"
#include <keratin/train.h>

/* What a template may name: epoch, batch when not KRT_NONE, and the logs. A log may hide the two. */
typedef struct krti_template_values {
    int64_t epoch, batch;
    const krt_logs *logs;
} krti_template_values;

/* Appends the text. Fails: E_INVALID in Keras's words, "Failed to format this callback filepath:
 * \"...\". Reason: 'x'", and what there is instead. */
krt_status krti_template_format(krt_ctx *k, krti_str *out, const char *template,
                                const krti_template_values *values);
/* The same with nothing but names, before there are values: every name that the template uses must be
 * epoch, batch, or one of these. */
krt_status krti_template_check(krt_ctx *k, const char *template, const krt_logs *names,
                               bool has_batch);

#endif
