/* Matrix products. See linalg.inc. */
#include "ops/reference/reference.h"

enum { STRIP = 64 };

/* Loops over pairs of matrices, strides counted in matrices; false when there are none. */
static bool matmul_batches(krti_loops *l, krt_shape a, krt_shape b, krt_shape y)
{
    int64_t strides[3][KRT_MAX_RANK];

    a.rank -= 2;
    b.rank -= 2;
    y.rank -= 2;
    krti_broadcast_strides(a, y, strides[0]);
    krti_broadcast_strides(b, y, strides[1]);
    krti_strides(y, strides[2]);
    krti_loops_init(l, y.rank, y.dim, 3, strides);
    return !krti_loops_empty(l);
}

#define TEMPLATE "ops/reference/linalg.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

void krti_ref_matmul(const krti_node *n, const krti_view *in, krti_view *out)
{
    if (out->dtype == KRT_FLOAT64)
        matmul_f64(n, in, out);
    else
        matmul_f32(n, in, out);
}
