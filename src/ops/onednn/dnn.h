/* What this folder's kernels share: oneDNN's C API in one spelling for versions 2 and 3, and a step
 * that is one primitive. The only folder that includes oneapi/dnnl. */
#ifndef KRTI_OPS_ONEDNN_DNN_H
#define KRTI_OPS_ONEDNN_DNN_H

#include "ops/kernel.h"

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t dnn_md_ref;
#else
typedef const dnnl_memory_desc_t *dnn_md_ref;
#endif

enum { DNN_MAX_DIMS = 6, DNN_MAX_ARGS = 8 };

/* A memory descriptor we made. */
typedef struct dnn_md {
    dnnl_memory_desc_t md; /* version 3: a handle, freed by dnn_md_free() */
} dnn_md;

/* Float32 with explicit strides, or any layout when strides is NULL. */
bool dnn_md_make(dnn_md *out, int n, const dnnl_dim_t *dims, const dnnl_dim_t *strides);
void dnn_md_free(dnn_md *md);
dnn_md_ref dnn_md_ref_of(const dnn_md *md);

typedef enum dnn_source { DNN_INPUT, DNN_OUTPUT, DNN_SCRATCHPAD, DNN_PACKED } dnn_source;

typedef struct dnn_arg {
    int id; /* DNNL_ARG_SRC, ... */
    dnn_source source;
    int index;          /* of the step's input */
    const void *packed; /* DNN_PACKED */
    dnn_md_ref md;      /* owned by the primitive descriptor */
} dnn_arg;

/* A step's state: one primitive and where its arguments come from. */
typedef struct dnn_step {
    dnnl_engine_t engine;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    int num_args;
    dnn_arg args[DNN_MAX_ARGS];
    int sum_input; /* the residual, which must lie in the output before; -1: none */
    size_t sum_bytes;
    krti_activation after; /* an activation oneDNN does not know, applied behind */
    size_t after_count;
} dnn_step;

/* Fails with E_UNSUPPORTED and oneDNN's words when `status` is not success. */
krt_status dnn_check(krti_build *b, const krti_step *s, dnnl_status_t status, const char *what);

/* The state, with its engine. */
krt_status dnn_step_new(krti_build *b, krti_step *s, dnn_step **out);
/* Makes the primitive from d->pd and adds the scratchpad argument. */
krt_status dnn_step_finish(krti_build *b, krti_step *s, dnn_step *d);
void dnn_step_add(dnn_step *d, int id, dnn_source source, int index, const void *packed,
                  dnn_md_ref md);

/* Attributes for the node's fused tail: user scratchpad, the residual as a sum, the activation where
 * oneDNN has it (else it is left in d->after). */
krt_status dnn_attr_make(krti_build *b, const krti_step *s, dnn_step *d,
                         dnnl_primitive_attr_t *out);

/* Packs a static input from the plain layout `from` into `to`, or uses it where it lies when both
 * are the same. */
krt_status dnn_pack(krti_build *b, krti_step *s, dnn_step *d, int input, dnn_md_ref from,
                    dnn_md_ref to, const void **out);

/* The kernel table's functions for a dnn_step. */
void dnn_release(krt_ctx *k, krti_step *s);
krt_status dnn_run_begin(krt_ctx *k, const krti_step *s, void *const *ptr, void *scratch,
                         void **run_state);
void dnn_run(const krti_step *s, void *const *ptr, void *scratch, void *run_state);
void dnn_run_end(krt_ctx *k, void *run_state);
#define DNN_STEP_FUNCTIONS \
    .release = dnn_release, .run = dnn_run, .run_begin = dnn_run_begin, .run_end = dnn_run_end

/* Of a kernel's may_alias: a fused residual, input 3, may lie where the output will. */
#define DNN_RESIDUAL (1u << 3)

/* Row-major strides of dims given in memory order; perm[i] is the memory axis of logical axis i. */
void dnn_strides(dnnl_dim_t *strides, int n, const dnnl_dim_t *dims, const int *memory_order);

#endif
