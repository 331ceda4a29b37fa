/* State: variables that a run reads and writes. See graph.h; plan.c places them.
 *
 * A step of training is one graph: forward, backward, and what every variable holds afterwards.
 * Reading a variable always gives what it held before the run. */
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

/* A value of its own, where a variable's old one must outlive the variable's. */
const krti_op krti_op_copy = {
    .name = "copy", .min_in = 1, .max_in = 1, .infer = krti_infer_same, .reference = krti_ref_copy};

/* The value, then the variable, whose memory is the output's. Made by the compiler, one an update. */
const krti_op krti_op_assign = {.name = "assign",
                                .min_in = 2,
                                .max_in = 2,
                                .infer = krti_infer_same,
                                .reference = krti_ref_assign};

krt_status krti_assign(krti_graph *g, krt_value *variable, krt_value *value)
{
    krti_update *u = NULL;

    if (variable == NULL || value == NULL)
        return g->status;
    KRTI_ASSERT(variable->node->op == &krti_op_variable);
    if (!krt_shape_equal(variable->shape, value->shape) || variable->dtype != value->dtype)
        return INFER_FAIL(g, "a variable of %s %s cannot become %s %s",
                          krt_dtype_name(variable->dtype), krti_shape_text(variable->shape).s,
                          krt_dtype_name(value->dtype), krti_shape_text(value->shape).s);
    for (size_t i = 0; i < g->num_updates; i++)
        if (g->updates[i].variable == variable)
            u = &g->updates[i];
    if (u == NULL) {
        const krt_status st = krti_grow(g->k, &g->updates, &g->updates_capacity, g->num_updates + 1,
                                        sizeof *g->updates);

        if (st != KRT_OK)
            return g->status = st;
        u = &g->updates[g->num_updates++];
    }
    *u = (krti_update){variable, value};
    variable->node->is_state = true;
    return g->status;
}

krt_value *krti_current(krti_graph *g, krt_value *variable)
{
    if (variable == NULL || !variable->node->is_state)
        return variable;
    for (size_t i = 0; i < g->num_updates; i++)
        if (g->updates[i].variable == variable)
            return g->updates[i].value;
    return variable;
}
