/* Normalization and softmax; see norm.inc. */
#include "ops/reference/reference.h"

enum { STRIP = 64 };

#define TEMPLATE "ops/reference/norm.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

#define BOTH(NAME)                                                                \
    void krti_ref_##NAME(const krti_node *n, const krti_view *in, krti_view *out) \
    {                                                                             \
        if (out->dtype == KRT_FLOAT64)                                            \
            NAME##_f64(n, in, out);                                               \
        else                                                                      \
            NAME##_f32(n, in, out);                                               \
    }
BOTH(batch_norm)
BOTH(layer_norm)
BOTH(softmax)
BOTH(log_softmax)
BOTH(batch_norm_train)
BOTH(batch_norm_grad)
BOTH(layer_norm_grad)
BOTH(softmax_grad)
BOTH(relu_grad)
BOTH(softmax_crossentropy)
BOTH(sparse_softmax_crossentropy)
