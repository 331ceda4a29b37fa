/* What a load did, as a list that outlives the load. Public face: <keratin/saving.h>. */
#ifndef KRTI_SAVING_REPORT_H
#define KRTI_SAVING_REPORT_H

#include "base/arena.h"
#include <keratin/saving.h>

struct krt_report {
    krti_owned owned;
    krti_arena arena; /* the texts */
    krt_report_entry *entries;
    size_t n, capacity;
};

krt_status krti_report_new(krt_ctx *k, krt_report **out);
/* Texts are copied; either may be NULL. No shape: rank -1. */
krt_status krti_report_add(krt_report *r, krt_outcome outcome, const char *path, const char *entry,
                           krt_shape expected, krt_shape found);
/* Says which optimizer variable an array that is listed already has filled. */
krt_status krti_report_restored(krt_report *r, const char *entry, const char *path,
                                krt_shape expected);

#endif
