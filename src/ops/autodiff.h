/* Gradients on the graph, in reverse mode. Keras: tf.GradientTape, jax.grad.
 *
 * krti_gradients() walks back from a loss and adds, node by node, what each operation's rule (its
 * `vjp`) says. The result is more graph, compiled like the rest. Where Keras's backends differ at a
 * corner, TensorFlow is followed: docs/design/ops.md, "Gradients". */
#ifndef KRTI_OPS_AUTODIFF_H
#define KRTI_OPS_AUTODIFF_H

#include "ops/op.h"

/* The gradient of sum(loss) for each of the n values, which may stand anywhere before it. NULL in
 * grads: no path leads there. Every shape must be known. Fails: what the graph fails with. */
krt_status krti_gradients(krti_graph *g, krt_value *loss, krt_value *const *wrt, size_t n,
                          krt_value **grads);

/* x, through which no gradient flows. */
krt_value *krti_stop_gradient(krti_graph *g, krt_value *x);

/* --- losses from logits (op_loss.c) ---------------------------------------------------------- */
/* Crossentropy of softmax(logits) over the last axis, which it drops. labels: of the logits' shape,
 * each row adding up to 1. The gradient is softmax(logits) - labels, as TensorFlow has it. */
krt_value *krti_softmax_crossentropy(krti_graph *g, krt_value *logits, krt_value *labels);
/* labels: integers of the logits' shape without the last axis. One out of range gives NaN. */
krt_value *krti_sparse_softmax_crossentropy(krti_graph *g, krt_value *logits, krt_value *labels);

/* --- what training uses and inference does not (op_grad.c) ----------------------------------- */
/* Batch normalization by the batch's own mean and (biased) variance along `axis`, which it also
 * gives; gamma, beta, mean and variance may be NULL. */
krt_value *krti_batch_norm_train(krti_graph *g, krt_value *x, krt_value *gamma, krt_value *beta,
                                 int axis, double epsilon, krt_value **mean, krt_value **variance);

/* The gradient of a convolution for its input, of shape `x`, and for its kernel, of shape `kernel`;
 * dy is the result's. */
krt_value *krti_conv_grad_input(krti_graph *g, krt_value *dy, krt_value *kernel, krt_shape x,
                                const krti_window *w);
krt_value *krti_conv_grad_kernel(krti_graph *g, krt_value *x, krt_value *dy, krt_shape kernel,
                                 const krti_window *w);

/* --- for rules ------------------------------------------------------------------------------- */
/* dv summed over the axes along which a value of `shape` was repeated. */
krt_value *krti_unbroadcast(krti_graph *g, krt_value *dv, krt_shape shape);
krt_value *krti_zero_like(krti_graph *g, const krt_value *v); /* a scalar */

/* One a differentiable op; those of steps and tests are not defined, their entries say NULL. */
#define X(name) void krti_vjp_##name(krti_vjp *v);
KRTI_UNARY(X)
KRTI_UNARY_PARAMS(X)
KRTI_BINARY(X)
X(where)
X(cast)
X(reduce_sum)
X(reduce_mean)
X(reduce_prod)
X(reduce_max)
X(reduce_min)
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
X(matmul)
X(conv)
X(conv_transpose)
X(conv_grad_input)
X(conv_grad_kernel)
X(max_pool)
X(avg_pool)
X(adaptive_avg_pool)
X(adaptive_max_pool)
X(batch_norm)
X(batch_norm_train)
X(layer_norm)
X(softmax)
X(log_softmax)
X(resize)
X(rnn)
X(softmax_crossentropy)
X(sparse_softmax_crossentropy)
#undef X

#endif
