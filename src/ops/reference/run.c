/* Running one node by its reference kernel, with what is fused behind it. */
#include "ops/reference/reference.h"

/* y += x, or y += x repeated along the last axis. */
#define ADD(T)                                              \
    do {                                                    \
        const T *from = x->data;                            \
        T *to = y->data;                                    \
                                                            \
        for (int64_t row = 0; row < size; row += period)    \
            for (int64_t i = 0; i < period; i++)            \
                to[row + i] += from[i + (whole ? row : 0)]; \
    } while (0)

static void add_to(krti_view *y, const krti_view *x, bool whole)
{
    const int64_t size = krt_shape_size(y->shape);
    const int64_t period = y->shape.rank > 0 ? y->shape.dim[y->shape.rank - 1] : 1;

    if (size == 0)
        return;
    if (y->dtype == KRT_FLOAT64)
        ADD(double);
    else
        ADD(float);
}

/* An activation is an op: it runs as a node of its own would, in place. */
static void activate(krti_activation f, krti_view *y)
{
    const krti_node node = {.op = f.op, .attrs = {.scalar = {.a = f.a, .b = f.b, .c = f.c}}};
    const krti_view in = *y;

    f.op->reference(&node, &in, y);
}

void krti_reference_run(const krti_node *n, const krti_view *in, krti_view *out)
{
    n->op->reference(n, in, out);
    if ((n->op->flags & KRTI_OP_FUSES) == 0)
        return;
    if (n->num_in > 2 && in[2].data != NULL)
        add_to(&out[0], &in[2], false);
    if (n->num_in > 3 && in[3].data != NULL)
        add_to(&out[0], &in[3], true);
    if (n->activation.op != NULL)
        activate(n->activation, &out[0]);
}

float krti_activation_apply(krti_activation f, float x)
{
    krti_view view = {.data = &x, .dtype = KRT_FLOAT32, .shape = {.rank = 0}};

    if (f.op != NULL)
        activate(f, &view);
    return x;
}
