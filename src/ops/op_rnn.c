/* Recurrence: a cell that goes over time with its state. Kernels: reference/rnn.c, native/rnn.c.
 *
 * What does not depend on the state, the product of all inputs with the kernel, is an ordinary product
 * before it. So this operation is left with one product a step, and with what a step keeps for the
 * way back: its results are the state after each step, the gates, and what the cell has besides
 * (LSTM: c; GRU: the product by the state that the reset gate scales). A step that is masked leaves
 * the state as it was. The gradient goes back over time in an operation of its own and gives what
 * flows into the inputs and the first state; the weights' gradients are products over all steps at
 * once. Keras: layers/rnn, backend/.../rnn.py. */
#include "ops/autodiff.h"
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

static const struct cell {
    const char *name;
    int gates;
    int num_out; /* h; the gates; c or the GRU's product */
} cells[] = {
    [KRTI_RNN_SIMPLE] = {"a simple cell", 1, 1},
    [KRTI_RNN_LSTM] = {"an LSTM cell", 4, 3},
    [KRTI_RNN_GRU] = {"a GRU cell", 3, 3},
    [KRTI_RNN_GRU_BEFORE] = {"a GRU cell", 3, 2},
};

int krti_rnn_gates(krti_rnn_cell cell)
{
    return cells[cell].gates;
}

/* ------------------------------------------------------------------------------- forward */

static bool fits(const krt_value *v, krt_shape shape)
{
    if (v == NULL)
        return true;
    if (v->shape.rank != shape.rank)
        return false;
    for (int i = 0; i < shape.rank; i++)
        if (!krti_dim_match(v->shape.dim[i], shape.dim[i]))
            return false;
    return true;
}

static krt_status check(krti_graph *g, const krti_node *n)
{
    const struct cell *cell = &cells[n->attrs.rnn.kind.cell];
    krt_value *const *in = n->in;
    const krt_shape x = in[KRTI_RNN_X]->shape, kernel = in[KRTI_RNN_KERNEL]->shape;

    if (x.rank != 3 || kernel.rank != 2 || kernel.dim[1] != kernel.dim[0] * cell->gates ||
        !krti_dim_match(x.dim[2], kernel.dim[1]))
        return INFER_FAIL(g, "%s over %s with a recurrent kernel of %s", cell->name,
                          krti_shape_text(x).s, krti_shape_text(kernel).s);
    if (!fits(in[KRTI_RNN_BIAS], KRT_SHAPE(kernel.dim[1])))
        return INFER_FAIL(g, "%s of %lld units with a bias of %s", cell->name,
                          (long long)kernel.dim[0], krti_shape_text(in[KRTI_RNN_BIAS]->shape).s);
    for (int i = KRTI_RNN_H; i <= KRTI_RNN_C; i++)
        if (!fits(in[i], KRT_SHAPE(x.dim[0], kernel.dim[0])))
            return INFER_FAIL(g, "%s of %lld units over %s with a state of %s", cell->name,
                              (long long)kernel.dim[0], krti_shape_text(x).s,
                              krti_shape_text(in[i]->shape).s);
    if (!fits(in[KRTI_RNN_MASK], KRT_SHAPE(x.dim[0], x.dim[1])))
        return INFER_FAIL(g, "%s over %s with a mask of %s", cell->name, krti_shape_text(x).s,
                          krti_shape_text(in[KRTI_RNN_MASK]->shape).s);
    return KRT_OK;
}

static krt_status infer_rnn(krti_graph *g, krti_node *n)
{
    const struct cell *cell = &cells[n->attrs.rnn.kind.cell];
    const krt_dtype dtype = n->in[KRTI_RNN_X]->dtype;
    const krt_status st = check(g, n);
    krt_shape shape = n->in[KRTI_RNN_X]->shape;

    if (st != KRT_OK)
        return st;
    if (dtype != KRT_FLOAT32 && dtype != KRT_FLOAT64)
        return INFER_FAIL(g, "rnn takes float32 or float64, found %s", krt_dtype_name(dtype));
    shape.dim[2] = n->in[KRTI_RNN_KERNEL]->shape.dim[1];
    n->out[1].shape = shape;
    shape.dim[2] = n->in[KRTI_RNN_KERNEL]->shape.dim[0];
    n->out[0].shape = n->out[2].shape = shape;
    n->num_out = cell->num_out;
    for (int i = 0; i < n->num_out; i++)
        n->out[i].dtype = dtype;
    return KRT_OK;
}

/* A product a step, as many for each. */
static double flops_rnn(const krti_node *n)
{
    const krt_shape kernel = n->in[n->op == &krti_op_rnn ? KRTI_RNN_KERNEL : 0]->shape;
    const int64_t size = krt_shape_size(n->out[0].shape);

    if (size == KRT_NONE)
        return 0;
    return 2.0 * (double)kernel.dim[0] * (double)kernel.dim[1] * (double)size /
           (double)n->out[0].shape.dim[2];
}

const krti_op krti_op_rnn = {.name = "rnn",
                             .min_in = 2,
                             .max_in = KRTI_RNN_IN,
                             .num_out = 3,
                             .infer = infer_rnn,
                             .reference = krti_ref_rnn,
                             .vjp = krti_vjp_rnn,
                             .flops = flops_rnn};

krt_value *krti_rnn(krti_graph *g, krt_value *const in[KRTI_RNN_IN], krti_rnn_kind kind,
                    krt_value **carry)
{
    const krti_attrs attrs = {.rnn = {kind}};
    krt_value *all[KRTI_RNN_IN] = {krti_to_float(g, in[KRTI_RNN_X])};

    for (int i = 1; i < KRTI_RNN_IN && all[0] != NULL; i++)
        all[i] = krti_cast(g, in[i], i == KRTI_RNN_MASK ? KRT_BOOL : all[0]->dtype);
    krti_node *const n = krti_graph_add(g, &krti_op_rnn, all, KRTI_RNN_IN, &attrs);
    if (carry != NULL)
        *carry = n != NULL && kind.cell == KRTI_RNN_LSTM ? &n->out[2] : NULL;
    return n != NULL ? &n->out[0] : NULL;
}

/* ------------------------------------------------------------------------------- backward */

/* The kernel, h after each step, the gates and what else was kept, the first h and c, the mask, and what
 * flows into h and c; out come the gradients of the projected inputs and of the first h and c. */
static krt_status infer_rnn_grad(krti_graph *g, krti_node *n)
{
    const krt_shape kernel = n->in[0]->shape;
    krt_shape shape = n->in[1]->shape;

    if (!krti_shape_known(shape))
        return INFER_FAIL(g, "rnn_grad of the unknown shape %s", krti_shape_text(shape).s);
    n->out[1].shape = n->out[2].shape = KRT_SHAPE(shape.dim[0], shape.dim[2]);
    shape.dim[2] = kernel.dim[1];
    n->num_out = n->attrs.rnn.kind.cell == KRTI_RNN_LSTM ? 3 : 2;
    for (int i = 0; i < n->num_out; i++)
        n->out[i].dtype = n->in[1]->dtype;
    n->out[0].shape = shape;
    return KRT_OK;
}

const krti_op krti_op_rnn_grad = {.name = "rnn_grad",
                                  .min_in = 2,
                                  .max_in = KRTI_RNN_GRAD_IN,
                                  .num_out = 3,
                                  .infer = infer_rnn_grad,
                                  .reference = krti_ref_rnn_grad,
                                  .flops = flops_rnn};

/* Columns from..to of the last axis. */
static krt_value *columns(krti_graph *g, krt_value *x, int64_t from, int64_t to)
{
    return krti_slice_axis(g, x, -1, from, to, 1);
}

static krt_value *rows_of(krti_graph *g, krt_value *x)
{
    return x != NULL ? krti_reshape(g, x, KRT_SHAPE(-1, x->shape.dim[2])) : NULL;
}

/* h before each step, (batch, steps, units). */
static krt_value *states_before(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const y = &v->n->out[0];
    krt_value *first = v->n->in[KRTI_RNN_H];
    const krt_shape shape = KRT_SHAPE(y->shape.dim[0], 1, y->shape.dim[2]);

    first = first != NULL ? krti_reshape(g, first, shape)
                          : krti_broadcast_to(g, krti_zero_like(g, y), shape);
    krt_value *const both[] = {first, krti_slice_axis(g, y, 1, 0, y->shape.dim[1] - 1, 1)};
    return krti_concat(g, both, 2, 1);
}

/* The gradient of what was added to the product by the state: that of a GRU's last gate came through its
 * reset gate. */
static krt_value *product_dx(krti_vjp *v, krt_value *dx)
{
    const int64_t units = v->n->in[KRTI_RNN_KERNEL]->shape.dim[0];

    if (v->n->attrs.rnn.kind.cell != KRTI_RNN_GRU)
        return dx;
    krt_value *const reset = columns(v->g, &v->n->out[1], units, 2 * units);
    krt_value *const last = krti_multiply(v->g, columns(v->g, dx, 2 * units, 3 * units), reset);
    krt_value *const both[] = {columns(v->g, dx, 0, 2 * units), last};
    return krti_concat(v->g, both, 2, -1);
}

static krt_value *kernel_dx(krti_vjp *v, krt_value *dx)
{
    krti_graph *const g = v->g;
    const int64_t units = v->n->in[KRTI_RNN_KERNEL]->shape.dim[0];
    krt_value *const before = states_before(v);

    if (v->n->attrs.rnn.kind.cell != KRTI_RNN_GRU_BEFORE)
        return krti_matmul(g, rows_of(g, before), rows_of(g, product_dx(v, dx)), true, false, NULL);
    krt_value *const reset = columns(g, &v->n->out[1], units, 2 * units);
    krt_value *const scaled = krti_multiply(g, reset, before);
    krt_value *const parts[] = {
        krti_matmul(g, rows_of(g, before), rows_of(g, columns(g, dx, 0, 2 * units)), true, false,
                    NULL),
        krti_matmul(g, rows_of(g, scaled), rows_of(g, columns(g, dx, 2 * units, 3 * units)), true,
                    false, NULL)};
    return krti_concat(g, parts, 2, -1);
}

void krti_vjp_rnn(krti_vjp *v)
{
    krti_node *const n = v->n;
    const bool is_lstm = n->attrs.rnn.kind.cell == KRTI_RNN_LSTM;
    krt_value *const in[KRTI_RNN_GRAD_IN] = {
        [KRTI_RNN_GRAD_KERNEL] = n->in[KRTI_RNN_KERNEL],
        [KRTI_RNN_GRAD_Y] = &n->out[0],
        [KRTI_RNN_GRAD_GATES] = n->num_out > 1 ? &n->out[1] : NULL,
        [KRTI_RNN_GRAD_KEPT] = n->num_out > 2 ? &n->out[2] : NULL,
        [KRTI_RNN_GRAD_H] = n->in[KRTI_RNN_H],
        [KRTI_RNN_GRAD_C] = n->in[KRTI_RNN_C],
        [KRTI_RNN_GRAD_MASK] = n->in[KRTI_RNN_MASK],
        [KRTI_RNN_GRAD_DY] = v->dy[0],
        [KRTI_RNN_GRAD_DC] = is_lstm ? v->dy[2] : NULL};
    krti_node *const back =
        krti_graph_add(v->g, &krti_op_rnn_grad, in, KRTI_RNN_GRAD_IN, &n->attrs);

    if (back == NULL)
        return;
    v->dx[KRTI_RNN_X] = &back->out[0];
    v->dx[KRTI_RNN_H] = &back->out[1];
    v->dx[KRTI_RNN_C] = is_lstm ? &back->out[2] : NULL;
    if (v->wanted[KRTI_RNN_KERNEL])
        v->dx[KRTI_RNN_KERNEL] = kernel_dx(v, &back->out[0]);
    if (v->wanted[KRTI_RNN_BIAS])
        v->dx[KRTI_RNN_BIAS] =
            krti_reduce_sum(v->g, product_dx(v, &back->out[0]), (int[]){0, 1}, 2, false);
}
