/* A group of elementwise operations that runs as one step: krti_op_fused, made by the compiler only
 * (fuse_groups.c). Its program is a list of operations over numbered values: first the inputs, then
 * each operation's result. What is between them never leaves the cache.
 *
 * All results have one size; an input is as large, or repeats: element i of the group sees element
 * i / repeat % period of it. A bool is 1 or 0 inside a group, whatever its place in memory. */
#ifndef KRTI_OPS_FUSED_H
#define KRTI_OPS_FUSED_H

#include "ops/op.h"

enum { KRTI_FUSED_MAX_IN = 28, KRTI_FUSED_MAX_OPS = 64 };

typedef struct krti_fused_input {
    int64_t repeat, period; /* 1 and the group's size: an input of its own for every element */
} krti_fused_input;

typedef struct krti_fused_op {
    const krti_op *op;
    double a, b, c; /* parameters of a function */
    int in[3];      /* numbers of values; -1: none */
    bool is_bool;   /* what it gives */
} krti_fused_op;

typedef struct krti_fused {
    int64_t size;
    int num_in, num_ops, num_out;
    krti_fused_input in[KRTI_FUSED_MAX_IN];
    krti_fused_op ops[KRTI_FUSED_MAX_OPS];
    int out[KRTI_MAX_OUT]; /* numbers of values */
    krt_dtype out_dtype[KRTI_MAX_OUT];
    krt_shape out_shape[KRTI_MAX_OUT];
} krti_fused;

/* How an input of this shape is seen from a result of that shape; false where it takes more than
 * the two numbers. */
bool krti_fused_see(krt_shape in, krt_shape out, krti_fused_input *see);

#endif
