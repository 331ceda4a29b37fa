/* The order in which nodes run. See plan.h.
 *
 * Depth first from what is wanted, inputs before users, which keeps lifetimes short. Where a
 * variable is updated, what reads its old value should run before the update is computed, so that
 * it can be computed in place; these wishes are kept where they close no circle, and plan.c looks
 * which of them were. Updates are visited from the last to the first, as gradients come. */
#include "ops/plan.h"

typedef struct edge {
    krti_node *reader;
    int next; /* -1: the last */
} edge;

typedef struct scheduler {
    krti_graph *g;
    krti_node **order;
    int num_order;
    unsigned char *state; /* by node id: 1 being visited, 2 placed */
    krti_node **stack;
    krti_node **search; /* of closes_circle(), with the stamps of the nodes it has seen */
    int *seen, stamp;
    int *variable_of; /* by value: the variable it is the new value of, as a node id, or -1 */
    int *first_edge;  /* by node id: of a variable, its readers; -1: none */
    edge *edges;
} scheduler;

const krt_value *krti_behind_views(const krt_value *v)
{
    while ((v->node->op->flags & KRTI_OP_VIEW) && !v->node->is_static)
        v = v->node->in[0];
    return v;
}

/* Whether a node waits for one that is being visited: to visit it now would close a circle. */
static bool closes_circle(scheduler *s, krti_node *from)
{
    int top = 0;

    s->stamp++;
    s->search[top++] = from;
    s->seen[from->id] = s->stamp;
    while (top > 0) {
        const krti_node *n = s->search[--top];

        if (s->state[n->id] == 1)
            return true;
        for (int i = 0; i < n->num_in && s->state[n->id] == 0; i++) {
            krti_node *in = n->in[i] != NULL ? n->in[i]->node : NULL;

            if (in == NULL || in->is_static || s->seen[in->id] == s->stamp)
                continue;
            s->seen[in->id] = s->stamp;
            s->search[top++] = in;
        }
    }
    return false;
}

/* The next node that has to come before n, NULL when all have. */
static krti_node *next_before(scheduler *s, const krti_node *n)
{
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] != NULL && !n->in[i]->node->is_static && s->state[n->in[i]->node->id] == 0)
            return n->in[i]->node;
    for (int i = 0; i < n->num_out; i++) {
        const int variable = s->variable_of[n->id * KRTI_MAX_OUT + i];

        for (int e = variable >= 0 ? s->first_edge[variable] : -1; e >= 0; e = s->edges[e].next)
            if (s->state[s->edges[e].reader->id] == 0 && !closes_circle(s, s->edges[e].reader))
                return s->edges[e].reader;
    }
    return NULL;
}

static void visit(scheduler *s, krti_node *root)
{
    size_t top = 0;

    if (root->is_static || s->state[root->id] != 0)
        return;
    s->stack[top++] = root;
    while (top > 0) {
        krti_node *n = s->stack[top - 1];

        s->state[n->id] = 1;
        krti_node *before = next_before(s, n);
        if (before != NULL) {
            s->stack[top++] = before;
            continue;
        }
        top--;
        s->state[n->id] = 2;
        s->order[s->num_order++] = n;
    }
}

static void visit_all(scheduler *s)
{
    const krti_graph *g = s->g;

    memset(s->state, 0, g->num_nodes + 1);
    s->num_order = 0;
    for (size_t i = 0; i < g->num_outputs; i++)
        visit(s, g->outputs[i]->node);
    for (size_t i = g->num_updates; i-- > 0;)
        visit(s, g->updates[i].value->node);
}

/* Who reads which variable, of the nodes that run at all. */
static krt_status find_readers(scheduler *s)
{
    const krti_graph *g = s->g;
    size_t num_inputs = 0;
    int num_edges = 0;

    for (int i = 0; i < s->num_order; i++)
        num_inputs += (size_t)s->order[i]->num_in;
    s->edges = krti_array(g->k, num_inputs + 1, sizeof *s->edges);
    if (s->edges == NULL)
        return KRT_E_NOMEM;
    for (int i = 0; i < s->num_order; i++)
        for (int j = 0; j < s->order[i]->num_in; j++) {
            const krt_value *v = s->order[i]->in[j];
            const krti_node *root = v != NULL ? krti_behind_views(v)->node : NULL;

            if (root == NULL || !root->is_state)
                continue;
            s->edges[num_edges] = (edge){s->order[i], s->first_edge[root->id]};
            s->first_edge[root->id] = num_edges++;
        }
    for (size_t i = 0; i < g->num_updates; i++) {
        const krt_value *v = krti_behind_views(g->updates[i].value);

        s->variable_of[v->node->id * KRTI_MAX_OUT + v->index] = g->updates[i].variable->node->id;
    }
    return KRT_OK;
}

krt_status krti_schedule(krti_graph *g, krti_node **order, int *num_order)
{
    const size_t n = g->num_nodes + 1;
    scheduler s = {.g = g, .order = order};
    krt_status st = KRT_OK;

    s.state = krti_array(g->k, n, sizeof *s.state);
    s.stack = krti_array(g->k, n, sizeof *s.stack);
    s.search = krti_array(g->k, n, sizeof *s.search);
    s.seen = krti_array(g->k, n, sizeof *s.seen);
    s.variable_of = krti_array(g->k, n * KRTI_MAX_OUT, sizeof *s.variable_of);
    s.first_edge = krti_array(g->k, n, sizeof *s.first_edge);
    if (s.state == NULL || s.stack == NULL || s.search == NULL || s.seen == NULL ||
        s.variable_of == NULL || s.first_edge == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < n; i++)
        s.first_edge[i] = -1;
    for (size_t i = 0; i < n * KRTI_MAX_OUT; i++)
        s.variable_of[i] = -1;
    visit_all(&s);
    if (g->num_updates > 0) {
        TRY(find_readers(&s));
        visit_all(&s);
    }
    *num_order = s.num_order;

done:
    krti_free(g->k, s.state);
    krti_free(g->k, s.stack);
    krti_free(g->k, s.search);
    krti_free(g->k, s.seen);
    krti_free(g->k, s.variable_of);
    krti_free(g->k, s.first_edge);
    krti_free(g->k, s.edges);
    return st;
}
