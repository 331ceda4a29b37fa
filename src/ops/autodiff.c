/* Reverse mode: see autodiff.h. */
#include "ops/autodiff.h"

#include "ops/op_infer.h"

typedef struct differ {
    krti_graph *g;
    size_t num_nodes;  /* of the graph before */
    bool *varies;      /* by node id: depends on what is differentiated for */
    bool *flows;       /* by node id: the loss depends on it */
    krt_value **grads; /* by node id * KRTI_MAX_OUT + output index */
    bool *wanted;      /* scratch, one an input of the node in hand */
    krt_value **dx;
} differ;

static krt_value **grad_of(differ *d, const krt_value *v)
{
    return &d->grads[v->node->id * KRTI_MAX_OUT + v->index];
}

krt_value *krti_zero_like(krti_graph *g, const krt_value *v)
{
    return krti_scalar_like(g, v, 0);
}

krt_value *krti_unbroadcast(krti_graph *g, krt_value *dv, krt_shape shape)
{
    int axes[KRT_MAX_RANK], n = 0;

    if (dv == NULL || krt_shape_equal(dv->shape, shape))
        return dv;
    const int more = dv->shape.rank - shape.rank;
    for (int i = 0; i < dv->shape.rank; i++)
        if (i < more || (shape.dim[i - more] == 1 && dv->shape.dim[i] != 1))
            axes[n++] = i;
    return krti_reshape(g, n > 0 ? krti_reduce_sum(g, dv, axes, n, true) : dv, shape);
}

/* Which nodes lie between the values and the loss. Inputs come before users. */
static void mark(differ *d, const krt_value *loss, krt_value *const *wrt, size_t n)
{
    krti_node *const *nodes = d->g->nodes;

    for (size_t i = 0; i < n; i++)
        if (wrt[i] != NULL)
            d->varies[wrt[i]->node->id] = true;
    for (size_t i = 0; i < d->num_nodes; i++)
        for (int j = 0; j < nodes[i]->num_in; j++)
            if (nodes[i]->in[j] != NULL && d->varies[nodes[i]->in[j]->node->id])
                d->varies[i] = true;
    d->flows[loss->node->id] = true;
    for (size_t i = d->num_nodes; i-- > 0;)
        for (int j = 0; d->flows[i] && j < nodes[i]->num_in; j++)
            if (nodes[i]->in[j] != NULL)
                d->flows[nodes[i]->in[j]->node->id] = true;
}

static void accumulate(differ *d, krti_node *n)
{
    for (int i = 0; i < n->num_in; i++) {
        krt_value *dx = d->dx[i];

        if (dx == NULL || !d->wanted[i])
            continue;
        KRTI_ASSERT(krt_shape_equal(dx->shape, n->in[i]->shape) && dx->dtype == n->in[i]->dtype);
        krt_value **sum = grad_of(d, n->in[i]);
        *sum = *sum != NULL ? krti_add(d->g, *sum, dx) : dx;
    }
}

static krt_status step_back(differ *d, krti_node *n)
{
    krti_graph *g = d->g;
    krt_value *const *dy = &d->grads[n->id * KRTI_MAX_OUT];
    bool any = false;

    for (int i = 0; i < n->num_out; i++)
        any = any || dy[i] != NULL;
    if (!any || n->op->vjp == NULL)
        return KRT_OK;
    for (int i = 0; i < n->num_in; i++) {
        const krt_value *in = n->in[i];

        d->dx[i] = NULL;
        d->wanted[i] = in != NULL && d->varies[in->node->id] && krti_dtype_is_float(in->dtype);
    }
    g->scope = n->scope;
    n->op->vjp(&(krti_vjp){.g = g, .n = n, .dy = dy, .dx = d->dx, .wanted = d->wanted});
    if (g->status == KRT_OK)
        accumulate(d, n);
    return g->status;
}

static krt_status check(krti_graph *g, const krt_value *loss)
{
    if (g->status != KRT_OK || loss == NULL)
        return g->status;
    if (!krti_dtype_is_float(loss->dtype))
        return INFER_FAIL(g, "the gradient of a loss in %s", krt_dtype_name(loss->dtype));
    if (!krti_shape_known(loss->shape))
        return INFER_FAIL(g, "the gradient of a loss of unknown shape %s",
                          krti_shape_text(loss->shape).s);
    return KRT_OK;
}

static krt_status differ_init(differ *d, krti_graph *g)
{
    const size_t n = g->num_nodes;
    size_t widest = 1;

    for (size_t i = 0; i < n; i++)
        if ((size_t)g->nodes[i]->num_in > widest)
            widest = (size_t)g->nodes[i]->num_in;
    *d = (differ){.g = g, .num_nodes = n};
    d->varies = krti_array(g->k, n, sizeof *d->varies);
    d->flows = krti_array(g->k, n, sizeof *d->flows);
    d->grads = krti_array(g->k, n * KRTI_MAX_OUT, sizeof *d->grads);
    d->wanted = krti_array(g->k, widest, sizeof *d->wanted);
    d->dx = krti_array(g->k, widest, sizeof *d->dx);
    return d->varies != NULL && d->flows != NULL && d->grads != NULL && d->wanted != NULL &&
                   d->dx != NULL
               ? KRT_OK
               : KRT_E_NOMEM;
}

krt_status krti_gradients(krti_graph *g, krt_value *loss, krt_value *const *wrt, size_t n,
                          krt_value **grads)
{
    const char *scope = g->scope;
    differ d = {.g = g};
    krt_status st = check(g, loss);

    for (size_t i = 0; i < n; i++)
        grads[i] = NULL;
    if (st != KRT_OK || loss == NULL)
        return st;
    TRY(differ_init(&d, g));
    mark(&d, loss, wrt, n);
    *grad_of(&d, loss) = krti_broadcast_to(g, krti_scalar_of(g, loss->dtype, 1), loss->shape);
    for (size_t i = (size_t)loss->node->id + 1; i-- > 0;)
        if (d.varies[i] && d.flows[i])
            TRY(step_back(&d, g->nodes[i]));
    for (size_t i = 0; i < n; i++)
        grads[i] = wrt[i] != NULL ? *grad_of(&d, wrt[i]) : NULL;

done:
    g->scope = scope;
    krti_free(g->k, d.varies);
    krti_free(g->k, d.flows);
    krti_free(g->k, d.grads);
    krti_free(g->k, d.wanted);
    krti_free(g->k, d.dx);
    return st;
}
