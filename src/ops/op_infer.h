/* What the infer rules of every op file share: broadcasting, dtype rules, and shapes in sentences.
 *
 * An infer rule either sets the node's outputs through krti_infer_set() or fails with one sentence
 * that shows the shapes as Keras prints them. */
#ifndef KRTI_OPS_OP_INFER_H
#define KRTI_OPS_OP_INFER_H

#include "ops/op.h"

/* A shape as text, by value, so that one sentence can show several: krti_shape_text(s).s */
typedef struct krti_text {
    char s[160];
} krti_text;
krti_text krti_shape_text(krt_shape s);

/* Fails the graph and yields its status. */
#define INFER_FAIL(g, ...) (krti_graph_fail((g), KRT_E_INVALID, __VA_ARGS__), (g)->status)

static inline krt_status krti_infer_set(krti_node *n, krt_dtype dtype, krt_shape shape)
{
    n->out[0].dtype = dtype;
    n->out[0].shape = shape;
    return KRT_OK;
}

/* The output is like the first input. */
krt_status krti_infer_same(krti_graph *g, krti_node *n);
/* Every present input has the first one's dtype, and that is float32 or float64. */
krt_status krti_infer_floats(krti_graph *g, const krti_node *n);
/* Every present input has the first one's dtype, any but float16 and bfloat16. */
krt_status krti_infer_one_dtype(krti_graph *g, const krti_node *n);

/* For ops with KRTI_OP_FUSES: sets the output and checks bias and residual against it. */
krt_status krti_infer_fused(krti_graph *g, krti_node *n, krt_shape out);

/* NumPy's rule; an unknown dimension goes with everything and gives way to what is known. */
bool krti_shape_broadcast(krt_shape a, krt_shape b, krt_shape *out);
/* Whether two dimensions may be equal. */
bool krti_dim_match(int64_t a, int64_t b);

/* The float dtype Keras computes in for an input of this dtype. */
krt_dtype krti_float_dtype(krt_dtype dtype);
/* x cast to that dtype. NULL in, NULL out. */
krt_value *krti_to_float(krti_graph *g, krt_value *x);

#endif
