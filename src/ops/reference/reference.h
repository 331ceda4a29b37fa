/* The reference kernels: plain loops over row-major buffers, in float32 and float64, and in the
 * integer dtypes where an op makes sense for them.
 *
 * They are the truth the fast kernels are tested against and what runs where no fast kernel fits,
 * so they are written to be read: sums are kept in double, the innermost loop runs over contiguous
 * memory, nothing allocates. Each dtype is one inclusion of a template file (*.inc). */
#ifndef KRTI_OPS_REFERENCE_REFERENCE_H
#define KRTI_OPS_REFERENCE_REFERENCE_H

#include "ops/op.h"

#define X(name) void krti_ref_##name(const krti_node *n, const krti_view *in, krti_view *out);
KRTI_UNARY(X)
KRTI_UNARY_PARAMS(X)
KRTI_BINARY(X)
KRTI_COMPARE(X)
X(where)
X(cast)
X(reduce_sum)
X(reduce_mean)
X(reduce_prod)
X(reduce_max)
X(reduce_min)
X(reduce_any)
X(reduce_all)
X(argmax)
X(argmin)
X(cumsum)
X(sort)
X(reshape)
X(transpose)
X(concat)
X(slice)
X(pad)
X(tile)
X(repeat)
X(broadcast_to)
X(gather)
X(one_hot)
X(matmul)
X(conv)
X(conv_transpose)
X(expand_depthwise)
X(max_pool)
X(avg_pool)
X(adaptive_avg_pool)
X(adaptive_max_pool)
X(batch_norm)
X(layer_norm)
X(softmax)
X(log_softmax)
X(resize)
X(random_uniform)
X(random_normal)
X(random_bernoulli)
X(stop_gradient)
X(copy)
X(assign)
X(softmax_crossentropy)
X(sparse_softmax_crossentropy)
X(batch_norm_train)
X(batch_norm_grad)
X(layer_norm_grad)
X(softmax_grad)
X(relu_grad)
X(conv_grad_input)
X(conv_grad_kernel)
X(max_pool_grad)
X(avg_pool_grad)
X(adaptive_max_pool_grad)
X(adaptive_avg_pool_grad)
X(slice_grad)
X(pad_grad)
X(gather_grad)
X(sort_grad)
X(resize_grad)
X(rnn)
X(rnn_grad)
X(lookup)
X(vectorize)
X(hash)
X(cross)
#undef X

/* One table row a dtype; NULL where the op is not defined for it. */
enum { KRTI_NUM_DTYPES = KRT_STRING + 1 };

/* Nested loops over up to KRTI_LOOP_BUFFERS buffers of one common shape. Strides count elements;
 * 0 repeats. Dimensions of one and dimensions that every buffer runs through in one go are merged,
 * so that the last loop is as long as it can be. */
enum { KRTI_LOOP_BUFFERS = 4 };
typedef struct krti_loops {
    int rank; /* at least 1 */
    int num;
    int64_t dim[KRT_MAX_RANK];
    int64_t stride[KRTI_LOOP_BUFFERS][KRT_MAX_RANK];
    int64_t index[KRT_MAX_RANK];       /* of all but the last dimension */
    int64_t offset[KRTI_LOOP_BUFFERS]; /* where the current last loop starts */
} krti_loops;

/* Row-major strides. */
void krti_strides(krt_shape s, int64_t *stride);
/* Strides of a buffer of shape s seen as `as`: 0 where it repeats. */
void krti_broadcast_strides(krt_shape s, krt_shape as, int64_t *stride);
/* Starts loops over `dim`; strides[b] has one entry a dimension. */
void krti_loops_init(krti_loops *l, int rank, const int64_t *dim, int num,
                     int64_t (*strides)[KRT_MAX_RANK]);
/* To the next last loop; false at the end. */
bool krti_loops_next(krti_loops *l);
/* Whether there is nothing to do at all. */
bool krti_loops_empty(const krti_loops *l);

/* outer * axis * inner: a shape split at one axis. */
typedef struct krti_split {
    int64_t outer, axis, inner;
} krti_split;
krti_split krti_split_at(krt_shape s, int axis);

/* An index of any integer dtype; what does not fit int64 is out of range anyway. */
int64_t krti_index_at(const krti_view *v, int64_t i);

/* Copies one element of 1, 2, 4 or 8 bytes `n` times over different strides. */
void krti_copy_run(void *dst, int64_t dst_stride, const void *src, int64_t src_stride, int64_t n,
                   size_t size);

#endif
