/* From graph to plan: what is run, in which order, by which kernels, in which memory.
 *
 *   krti_rewrite()  fuse.c     dead code, identities, BatchNormalization folded, bias, residual and
 *                              activation fused, padding merged
 *   krti_fuse_expansions()     pairs of convolutions that one kernel computes
 *                   fuse_expand.c
 *   krti_schedule() schedule.c the order of nodes
 *   krti_fuse_groups()         groups of elementwise operations become one step
 *                   fuse_groups.c
 *   krti_compile()  plan.c     kernels picked and prepared (static.c evaluates and packs weights),
 *                   memory.c   one arena from lifetimes
 *   krti_exec       run.c      a loop over steps
 *
 * A plan is immutable and shared; each run has an krti_exec of its own. A plan with updates (a step
 * of training) writes the variables' own memory, so one run of it goes at a time. */
#ifndef KRTI_OPS_PLAN_H
#define KRTI_OPS_PLAN_H

#include "base/map.h"
#include "ops/kernel.h"

/* Weights in the forms kernels want, shared by the plans of one model. */
typedef struct krti_packs krti_packs;
krt_status krti_packs_new(krt_ctx *k, krti_packs **out);
void krti_packs_free(krti_packs *p);

typedef enum krti_slot_kind {
    KRTI_SLOT_ARENA = 0,
    KRTI_SLOT_STATIC,
    KRTI_SLOT_INPUT,
    KRTI_SLOT_STATE
} krti_slot_kind;

/* Where a value's bytes are. Views share the slot of what they view. */
typedef struct krti_slot {
    krti_slot_kind kind;
    size_t size_bytes, offset; /* arena */
    const void *data;          /* static */
    const krt_tensor *state;   /* the variable that is read, or read and written */
    bool is_written;           /* by this plan */
    int input;                 /* which */
    int first, last;           /* steps between which it is alive */
} krti_slot;

typedef struct krti_plan {
    krt_ctx *k;
    krti_graph *graph; /* owned */
    krti_packs *packs; /* its own, when it was given none */
    krti_step *steps;
    int num_steps;
    krti_slot *slots;
    int num_slots;
    int *slot_of; /* by node id * KRTI_MAX_OUT + output index */
    size_t arena_bytes;
    int threads;
} krti_plan;

/* Rewrites in place. What training changes (an update, or variables_change) is no constant: nothing
 * made of it is folded or packed, so a training step's BatchNormalization stays one. */
krt_status krti_rewrite(krti_graph *g);

/* schedule.c: the nodes to run, inputs before users; `order` has room for every node. */
krt_status krti_schedule(krti_graph *g, krti_node **order, int *num_order);
/* What a view looks at in the end. */
const krt_value *krti_behind_views(const krt_value *v);

/* Makes one node of a pointwise convolution and the depthwise convolution that alone reads it,
 * where `has_kernel` says that one is computed fast. `order` is the schedule: nodes that compute
 * nothing any more leave it. */
typedef bool (*krti_has_kernel)(void *user, const krti_node *n);
krt_status krti_fuse_expansions(krti_graph *g, krti_node **order, int *num_order,
                                krti_has_kernel has_kernel, void *user);

/* Makes one node of each group of elementwise operations; the schedule must be made again. */
krt_status krti_fuse_groups(krti_graph *g, krti_node **order, int num_order,
                            krti_has_kernel has_kernel, void *user);

/* The value that stands for v after rewriting. */
krt_value *krti_resolve(krt_value *v);
/* Lets every user of a value read what stands for it. */
void krti_resolve_all(krti_graph *g);

/* Compiles a graph with known shapes. Takes the graph, also on failure. `k` must be the context
 * of the caller's thread; it stays with the plan. packs NULL: the plan keeps its own. */
typedef struct krti_compile_args {
    int threads;      /* 0: one a processor */
    const char *only; /* NULL, or "native", "onednn", "reference": kernels of that name alone (the
                         reference kernels still do what those cannot); for tests and bench */
} krti_compile_args;
krt_status krti_compile(krt_ctx *k, krti_plan **out, krti_graph *graph, krti_packs *packs,
                        const krti_compile_args *args);
void krti_plan_free(krti_plan *p);

/* memory.c: offsets for arena slots and for each step's scratch; sets arena_bytes. */
krt_status krti_plan_memory(krti_plan *p);

/* One caller's memory for a plan. */
typedef struct krti_exec krti_exec;
krt_status krti_exec_new(krt_ctx *k, krti_exec **out, const krti_plan *plan);
void krti_exec_free(krti_exec *e);
/* Lets the run write other tensors than the variables the plan updates: `of` gives one for each. NULL: out
 * of memory. */
typedef const krt_tensor *(*krti_state_fn)(void *user, const krt_tensor *variable);
krt_status krti_exec_own_states(krti_exec *e, krti_state_fn of, void *user);
/* Binds the inputs in the graph's order and runs every step. Allocates nothing. Fails: what an op's
 * check fails with, before the steps behind it. */
krt_status krti_exec_run(krti_exec *e, const void *const *inputs);
const void *krti_exec_output(const krti_exec *e, size_t i);

/* Sets how many threads parallel regions of the calling thread use from now on. */
void krti_use_threads(int threads);

/* A table of steps with kernel names, shapes and the fewest milliseconds of `repeats` tries. */
krt_status krti_exec_profile(krti_exec *e, const void *const *inputs, int repeats, krti_str *out);

#endif
