/* Kernels: how a step of a plan is computed. The table is tried in order: native, oneDNN, then the
 * reference loops, which do everything; the first that supports the node in hand gets it.
 *
 * A kernel is prepared once a plan and run by many threads at once, so what it writes at run time
 * is its outputs, its scratch and its per-run state, nothing else. Every value is row major with
 * channels last; a kernel that wants its weights otherwise packs them (krti_build_pack). */
#ifndef KRTI_OPS_KERNEL_H
#define KRTI_OPS_KERNEL_H

#include "ops/op.h"

typedef struct krti_step krti_step;
typedef struct krti_build krti_build;

typedef struct krti_kernel {
    const char *name; /* "native_gemm", for profiles and tests */
    const krti_op *op;
    unsigned may_alias; /* bit i: the output may lie where input i lay, if that dies here */
    /* For kernels with several outputs, in place of may_alias; NULL: that. */
    bool (*may_write_over)(const krti_node *n, int out, int in);
    bool (*supports)(const krti_node *n, int threads);
    /* Packs static inputs, sets step->state, scratch_bytes and which inputs need no buffer. */
    krt_status (*prepare)(krti_build *b, krti_step *s);
    void (*release)(krt_ctx *k, krti_step *s);
    /* `ptr` is indexed by slot (step->in, step->out); `scratch` has scratch_bytes, aligned to 64. */
    void (*run)(const krti_step *s, void *const *ptr, void *scratch, void *run_state);
    /* State of one run, when the kernel needs any. */
    krt_status (*run_begin)(krt_ctx *k, const krti_step *s, void *const *ptr, void *scratch,
                            void **run_state);
    void (*run_end)(krt_ctx *k, void *run_state);
} krti_kernel;

enum { KRTI_NO_SLOT = -1 };

struct krti_step {
    const krti_kernel *kernel;
    const krti_node *node;
    int num_in, num_out;
    int *in; /* slots; KRTI_NO_SLOT for absent inputs and those the kernel packed */
    int out[KRTI_MAX_OUT];
    void *state; /* the kernel's */
    size_t scratch_bytes, scratch_offset;
    int threads;
};

/* What prepare may ask for. */
struct krti_build {
    krt_ctx *k;
    struct krti_plan *plan;
    struct krti_packs *packs;
    int threads;
};

/* The value of a static input in plain layout, evaluated once and kept for the life of the packs;
 * a variable's own bytes when it is one. NULL: failed (recorded). */
const void *krti_build_static(krti_build *b, const krt_value *v);

/* The value of a static input in a form of the kernel's own, filled once and shared by every plan
 * that asks with the same key (which must say everything the form depends on). */
typedef struct krti_pack_form {
    const char *key;
    size_t size_bytes;
    void (*fill)(void *dst, const void *src, void *user); /* src: plain layout */
    void *user;
} krti_pack_form;
krt_status krti_build_pack(krti_build *b, const krt_value *v, const krti_pack_form *form,
                           const void **out);

extern const krti_kernel *const krti_kernels_native[]; /* NULL-terminated */
extern const krti_kernel *const krti_kernels_onednn[];
extern const krti_kernel krti_kernel_reference; /* op NULL: any */

#endif
