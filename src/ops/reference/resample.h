/* Resizing one axis, as weights: out[i] = sum over j < span of weight[i * span + j] * in[start[i] + j].
 * start[i] + span never passes the end of the input. Made once, when the shape is known, so that
 * no kernel computes a filter, and all of them use the same. */
#ifndef KRTI_OPS_REFERENCE_RESAMPLE_H
#define KRTI_OPS_REFERENCE_RESAMPLE_H

#include "ops/graph.h"

typedef struct krti_resample {
    int64_t size; /* of the output */
    int64_t span;
    const int64_t *start;
    const float *weight;
} krti_resample;

/* in and out are at least 1. In the arena; E_NOMEM is the only failure. */
krt_status krti_resample_make(krti_arena *a, int64_t in, int64_t out, krti_interpolation method,
                              bool antialias, const krti_resample **result);

#endif
