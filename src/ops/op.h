/* The op table's entry: everything the compiler, the differentiator and the tests know of an op.
 *
 * One op is one `const krti_op` in an op_*.c file. The reference kernel is plain loops over
 * row-major buffers: the truth the fast kernels are tested against, and what runs when none fits.
 * Fast kernels register beside it (kernel.h). */
#ifndef KRTI_OPS_OP_H
#define KRTI_OPS_OP_H

#include "ops/graph.h"

/* A buffer at run time: row major unless a kernel said otherwise. */
typedef struct krti_view {
    void *data;
    krt_dtype dtype;
    krt_shape shape;
} krti_view;

typedef enum krti_op_flags {
    KRTI_OP_ELEMENTWISE = 1, /* one float in, one out, same place: may be fused and run in place */
    KRTI_OP_VIEW = 2,        /* the output is the first input's bytes under another shape */
    KRTI_OP_LEAF = 4,        /* input, variable, constant */
    KRTI_OP_FUSES = 8,       /* in[2] bias, in[3] residual and node->activation are honoured */
    KRTI_OP_BROADCASTS = 16, /* binary elementwise */
    KRTI_OP_TEXTS = 32       /* takes KRT_STRING, which no other does */
} krti_op_flags;

/* One node on the way back. `dy` holds a value an output, NULL where nothing flows; the rule sets
 * dx[i] for every wanted input it has a gradient for, of that input's shape and dtype. A failure
 * sticks to the graph. */
typedef struct krti_vjp {
    krti_graph *g;
    krti_node *n;
    krt_value *const *dy;
    krt_value **dx;
    const bool *wanted;
} krti_vjp;
typedef void (*krti_vjp_fn)(krti_vjp *v);

struct krti_op {
    const char *name;
    int min_in, max_in; /* inputs below min_in may not be NULL; max_in -1: any number */
    int num_out;        /* at most; 0: one */
    unsigned flags;
    /* Sets dtype and shape of every output (there may be fewer than num_out) and may normalize the
     * attributes. */
    krt_status (*infer)(krti_graph *g, krti_node *n);
    /* in[i].data is NULL for an absent optional input. Never fails: infer has checked. Of a fusing
     * op it computes the op alone; krti_reference_run() adds what is fused behind. */
    void (*reference)(const krti_node *n, const krti_view *in, krti_view *out);
    /* Floating-point operations of one run; NULL: one an output element. */
    double (*flops)(const krti_node *n);
    /* NULL: no gradient flows through (integers, comparisons, steps). */
    krti_vjp_fn vjp;
    /* What a run could not do with these values, looked for behind each; NULL: nothing. */
    krt_status (*check)(krt_ctx *k, const krti_node *n, const krti_view *in, const krti_view *out);
};

extern const krti_op krti_op_input, krti_op_variable, krti_op_constant;
extern const krti_op krti_op_where, krti_op_cast;
extern const krti_op krti_op_argmax, krti_op_argmin, krti_op_cumsum, krti_op_sort;
extern const krti_op krti_op_reshape, krti_op_transpose, krti_op_concat, krti_op_slice, krti_op_pad;
extern const krti_op krti_op_tile, krti_op_repeat, krti_op_broadcast_to, krti_op_gather;
extern const krti_op krti_op_one_hot;
extern const krti_op krti_op_matmul;
extern const krti_op krti_op_conv, krti_op_conv_transpose, krti_op_max_pool, krti_op_avg_pool;
extern const krti_op krti_op_adaptive_avg_pool, krti_op_adaptive_max_pool, krti_op_batch_norm;
/* Losses that see logits, and what only gradients use (op_grad.c, op_loss.c). */
extern const krti_op krti_op_stop_gradient, krti_op_copy, krti_op_assign;
extern const krti_op krti_op_random_uniform, krti_op_random_normal;
extern const krti_op krti_op_random_bernoulli;
extern const krti_op krti_op_softmax_crossentropy, krti_op_sparse_softmax_crossentropy;
extern const krti_op krti_op_batch_norm_train, krti_op_batch_norm_grad, krti_op_layer_norm_grad;
extern const krti_op krti_op_softmax_grad, krti_op_relu_grad;
extern const krti_op krti_op_conv_grad_input, krti_op_conv_grad_kernel;
extern const krti_op krti_op_max_pool_grad, krti_op_avg_pool_grad;
extern const krti_op krti_op_adaptive_max_pool_grad, krti_op_adaptive_avg_pool_grad;
extern const krti_op krti_op_slice_grad, krti_op_pad_grad, krti_op_gather_grad;
extern const krti_op krti_op_sort_grad, krti_op_resize_grad;
extern const krti_op krti_op_rnn, krti_op_rnn_grad;
/* What krti_op_rnn_grad takes, which only its rule makes (op_rnn.c). */
enum {
    KRTI_RNN_GRAD_KERNEL,
    KRTI_RNN_GRAD_Y,
    KRTI_RNN_GRAD_GATES,
    KRTI_RNN_GRAD_KEPT,
    KRTI_RNN_GRAD_H,
    KRTI_RNN_GRAD_C,
    KRTI_RNN_GRAD_MASK,
    KRTI_RNN_GRAD_DY,
    KRTI_RNN_GRAD_DC,
    KRTI_RNN_GRAD_IN
};
extern const krti_op krti_op_lookup, krti_op_vectorize, krti_op_hash, krti_op_cross;
/* Made by the compiler only. */
extern const krti_op krti_op_scale_shift, krti_op_expand_depthwise, krti_op_fused;
extern const krti_op krti_op_moments, krti_op_norm_sums;
extern const krti_op krti_op_layer_norm, krti_op_softmax, krti_op_log_softmax, krti_op_resize;

/* Every op of this build, for the tests and `describe`; NULL-terminated. */
extern const krti_op *const krti_ops[];

/* Numbers of multiply-adds and the like, from the entry's rule or one an element. */
double krti_node_flops(const krti_node *n);

/* Runs one node by its reference kernel over plain buffers, fused bias, residual and activation
 * included. Used by constant folding, by the fallback kernel, and by the tests. */
void krti_reference_run(const krti_node *n, const krti_view *in, krti_view *out);

/* One element through a fusable activation, in float. */
float krti_activation_apply(krti_activation f, float x);

static inline bool krti_is(const krt_value *v, const krti_op *op)
{
    return v != NULL && v->node->op == op;
}

#endif
