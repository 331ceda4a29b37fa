/* Pairs of convolutions that are one step: the pointwise convolution that widens an image and the
 * depthwise convolution that alone reads what it makes, as in the blocks of MobileNetV2,
 * EfficientNet and their kin. What lies between them is the largest value of such models; computed
 * strip by strip it never leaves the cache.
 *
 * Unlike the rules of fuse.c this one is no gain in itself, so it asks for a kernel first, and it
 * runs on the schedule, where every reader of a value is known. */
#include "ops/plan.h"

static bool has_input(const krti_node *n, int i)
{
    return i < n->num_in && n->in[i] != NULL;
}

static bool is_plain_conv(const krti_node *n)
{
    return n->op == &krti_op_conv && n->attrs.window.rank == 2 && n->out[0].dtype == KRT_FLOAT32 &&
           n->in[1]->node->is_static && !has_input(n, 3) &&
           (!has_input(n, 2) || n->in[2]->node->is_static);
}

static bool is_pointwise(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    bool simple = w->groups == 1;

    for (int i = 0; i < w->rank; i++)
        simple =
            simple && w->size[i] == 1 && w->stride[i] == 1 && w->before[i] == 0 && w->after[i] == 0;
    return simple;
}

/* One filter a channel. */
static bool is_depthwise(const krti_node *n)
{
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;
    const int64_t channels = x.dim[x.rank - 1];

    return n->attrs.window.groups == channels && y.dim[y.rank - 1] == channels;
}

/* The depthwise node becomes both; `in` has room for six. */
static void become_both(krti_node *n, const krti_node *first, krt_value **in)
{
    const krti_window window = n->attrs.window;

    in[0] = first->in[0];
    in[1] = n->in[1];
    in[2] = has_input(n, 2) ? n->in[2] : NULL;
    in[3] = NULL;
    in[4] = first->in[1];
    in[5] = has_input(first, 2) ? first->in[2] : NULL;
    n->op = &krti_op_expand_depthwise;
    n->in = in;
    n->num_in = 6;
    memset(&n->attrs, 0, sizeof n->attrs);
    n->attrs.expand.window = window;
    n->attrs.expand.activation = first->activation;
}

/* How many times each node's results are read. */
static int *count_readers(const krti_graph *g, krti_node *const *order, int num_order)
{
    int *readers = krti_array(g->k, g->num_nodes + 1, sizeof *readers);

    if (readers == NULL)
        return NULL;
    for (int i = 0; i < num_order; i++)
        for (int j = 0; j < order[i]->num_in; j++)
            if (order[i]->in[j] != NULL)
                readers[order[i]->in[j]->node->id]++;
    for (size_t i = 0; i < g->num_outputs; i++)
        readers[g->outputs[i]->node->id]++;
    for (size_t i = 0; i < g->num_updates; i++)
        readers[g->updates[i].value->node->id]++;
    return readers;
}

krt_status krti_fuse_expansions(krti_graph *g, krti_node **order, int *num_order,
                                krti_has_kernel has_kernel, void *user)
{
    int *readers = count_readers(g, order, *num_order);
    krt_status st = KRT_OK;
    int left = 0;

    if (readers == NULL)
        return KRT_E_NOMEM;
    for (int i = 0; i < *num_order; i++) {
        krti_node *n = order[i];

        if (!is_plain_conv(n) || !is_depthwise(n))
            continue;
        krti_node *first = n->in[0]->node;
        if (readers[first->id] != 1 || !is_plain_conv(first) || !is_pointwise(first))
            continue;
        const krti_node before = *n;
        krt_value **in = krti_arena_array(&g->arena, 6, sizeof *in);
        if (in == NULL)
            TRY(KRT_E_NOMEM);
        become_both(n, first, in);
        if (has_kernel(user, n))
            readers[first->id] = -1; /* nobody needs it any more */
        else
            *n = before;
    }
    for (int i = 0; i < *num_order; i++)
        if (readers[order[i]->id] >= 0)
            order[left++] = order[i];
    *num_order = left;

done:
    krti_free(g->k, readers);
    return st;
}
