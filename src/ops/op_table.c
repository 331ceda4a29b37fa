/* The table of every op this build knows. Order says nothing. */
#include "ops/op.h"

const krti_op *const krti_ops[] = {
    &krti_op_input,
    &krti_op_variable,
    &krti_op_constant,
#define X(name) &krti_op_##name,
    KRTI_UNARY(X) KRTI_UNARY_PARAMS(X) KRTI_BINARY(X) KRTI_COMPARE(X)
#undef X
#define X(name) &krti_op_reduce_##name,
            KRTI_REDUCE(X)
#undef X
        & krti_op_where,
    &krti_op_cast,
    &krti_op_argmax,
    &krti_op_argmin,
    &krti_op_cumsum,
    &krti_op_sort,
    &krti_op_reshape,
    &krti_op_transpose,
    &krti_op_concat,
    &krti_op_slice,
    &krti_op_pad,
    &krti_op_tile,
    &krti_op_repeat,
    &krti_op_broadcast_to,
    &krti_op_gather,
    &krti_op_one_hot,
    &krti_op_matmul,
    &krti_op_conv,
    &krti_op_conv_transpose,
    &krti_op_max_pool,
    &krti_op_avg_pool,
    &krti_op_adaptive_avg_pool,
    &krti_op_adaptive_max_pool,
    &krti_op_batch_norm,
    &krti_op_layer_norm,
    &krti_op_softmax,
    &krti_op_log_softmax,
    &krti_op_resize,
    &krti_op_scale_shift,
    &krti_op_expand_depthwise,
    NULL,
};
