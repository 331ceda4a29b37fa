/* The order, depth and connections of a Functional's operations. Keras: ops/function.py map_graph().
 *
 * Keras lists operations by their distance from the outputs, and among equals in the order in which
 * a walk back from the outputs first meets them. A file may list them otherwise. What no output
 * needs is not part of the model, except its inputs. */
#include "models/summary.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------- calls */

typedef struct named_call {
    const krt_layer *layer;
    int call;
    size_t node;
} named_call;

static int compare_layers(const krt_layer *a, const krt_layer *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static int compare_calls(const void *a, const void *b)
{
    const named_call *const x = a, *const y = b;
    const int by_layer = compare_layers(x->layer, y->layer);

    if (by_layer != 0)
        return by_layer;
    return x->call != y->call ? (x->call > y->call ? 1 : -1) : (x->node > y->node ? 1 : -1);
}

krt_status krti_calls_init(krti_calls *c, const krt_model *m, krti_arena *a)
{
    krt_ctx *k = m->base.owned.k;
    named_call *calls = krti_array(k, m->num_nodes + 1, sizeof *calls);

    *c = (krti_calls){.m = m};
    c->order = calls != NULL ? krti_arena_array(a, m->num_nodes + 1, sizeof *c->order) : NULL;
    if (c->order == NULL) {
        krti_free(k, calls);
        return KRT_E_NOMEM;
    }
    for (size_t i = 0; i < m->num_nodes; i++)
        calls[i] = (named_call){m->nodes[i].layer, m->nodes[i].call, i};
    qsort(calls, m->num_nodes, sizeof *calls, compare_calls);
    for (size_t i = 0; i < m->num_nodes; i++)
        c->order[i] = calls[i].node;
    krti_free(k, calls);
    return KRT_OK;
}

const size_t *krti_calls_of(const krti_calls *c, const krt_layer *layer, size_t *n)
{
    const krti_model_node *const nodes = c->m->nodes;
    size_t low = 0, high = c->order != NULL ? c->m->num_nodes : 0;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (compare_layers(nodes[c->order[middle]].layer, layer) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*n = 0; c->order != NULL && low + *n < c->m->num_nodes;)
        if (nodes[c->order[low + *n]].layer == layer)
            *n += 1;
        else
            break;
    return *n > 0 ? c->order + low : NULL;
}

/* ------------------------------------------------------------------------------- inputs of nodes */

typedef struct collecting {
    krti_arena *arena;
    const krti_model_node *node;
    krti_ref *refs;
    size_t n;
} collecting;

typedef struct item {
    const char *key;
    const krti_conf *value;
} item;

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const item *)a)->key, ((const item *)b)->key);
}

static krt_status collect(collecting *c, const krti_conf *tree, int depth);

static krt_status collect_dict(collecting *c, const krti_conf *dict, int depth)
{
    const size_t n = krti_conf_num(dict);
    item *const items = krti_arena_array(c->arena, n + 1, sizeof *items);
    krt_status st = items != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        items[i] = (item){krti_conf_key_at(dict, i), krti_conf_at(dict, i)};
    if (st == KRT_OK)
        qsort(items, n, sizeof *items, compare_keys);
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = collect(c, items[i].value, depth + 1);
    return st;
}

static krt_status collect(collecting *c, const krti_conf *tree, int depth)
{
    const int64_t value = krti_conf_get_int(tree, "__value__", -1);
    krt_status st = KRT_OK;

    if (depth > KRTI_LAYER_MAX_DEPTH || c->n == c->node->num_refs)
        return KRT_OK;
    if (value >= 0 && (size_t)value < c->node->num_refs)
        c->refs[c->n++] = c->node->refs[value];
    else if (krti_conf_is(tree, KRTI_CONF_DICT))
        st = collect_dict(c, tree, depth);
    else
        for (size_t i = 0; st == KRT_OK && i < krti_conf_num(tree); i++)
            st = collect(c, krti_conf_at(tree, i), depth + 1);
    return st;
}

/* Keras flattens the arguments of a call, dictionaries by sorted keys. */
static krt_status find_inputs(krti_wiring *w, krti_arena *a)
{
    const krt_model *const m = w->calls.m;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < m->num_nodes; i++) {
        collecting c = {.arena = a, .node = &m->nodes[i]};

        w->inputs[i] = c.node->refs;
        w->num_inputs[i] = c.node->num_refs;
        if (c.node->args == NULL && c.node->kwargs == NULL)
            continue;
        c.refs = krti_arena_array(a, c.node->num_refs + 1, sizeof *c.refs);
        if (c.refs == NULL)
            TRY(KRT_E_NOMEM);
        TRY(collect(&c, c.node->args, 0));
        TRY(collect(&c, c.node->kwargs, 0));
        w->inputs[i] = c.refs;
        w->num_inputs[i] = c.n;
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- walking */

/* What is known of the operation that a node calls. It stands with the operation's first call. */
typedef struct operation {
    krt_layer *layer;
    int64_t depth, index; /* -1: not yet */
    size_t order;
} operation;

typedef struct walk {
    krti_wiring *w;
    const krt_model *m;
    operation *operations; /* by first call */
    size_t *first;         /* by node: the first call of its operation */
    int64_t *depth;        /* by node; -1: not yet */
    size_t *done, num_done;
    size_t *stack, *next_input, top; /* nodes entered, and how far each is */
    unsigned char *is_entered;
    int64_t num_indices;
    size_t num_found;
} walk;

static void enter(walk *s, size_t node)
{
    operation *const o = &s->operations[s->first[node]];

    if (o->index < 0)
        o->index = s->num_indices++;
    s->is_entered[node] = 1;
    s->next_input[s->top] = 0;
    s->stack[s->top++] = node;
}

/* Inputs before what uses them. Nodes are sorted: none needs itself. */
static void walk_back(walk *s, size_t root)
{
    if (s->is_entered[root] == 0)
        enter(s, root);
    while (s->top > 0) {
        const size_t node = s->stack[s->top - 1];
        size_t *const next = &s->next_input[s->top - 1];

        if (*next == s->w->num_inputs[node]) {
            s->top--;
            s->done[s->num_done++] = node;
            continue;
        }
        const size_t input = (size_t)s->w->inputs[node][(*next)++].node;
        if (s->is_entered[input] == 0)
            enter(s, input);
    }
}

static void find_operation(walk *s, size_t node, int64_t depth)
{
    operation *const o = &s->operations[s->first[node]];

    if (o->depth < 0)
        o->order = s->num_found++;
    o->depth = depth;
    s->depth[node] = depth;
    s->w->is_relevant[node] = true;
}

static void find_depths(walk *s)
{
    for (size_t i = s->num_done; i-- > 0;) {
        const size_t node = s->done[i];
        const int64_t of_operation = s->operations[s->first[node]].depth;
        int64_t depth = s->depth[node] > 0 ? s->depth[node] : 0;

        depth = of_operation > depth ? of_operation : depth;
        find_operation(s, node, depth);
        for (size_t j = 0; j < s->w->num_inputs[node]; j++) {
            int64_t *const d = &s->depth[s->w->inputs[node][j].node];

            *d = *d > depth + 1 ? *d : depth + 1;
        }
    }
    for (size_t i = 0; i < s->m->num_inputs; i++)
        if (s->operations[s->first[i]].depth < 0)
            find_operation(s, i, 0); /* an input that nothing needs; its index stays -1 */
}

/* ------------------------------------------------------------------------------- results */

static int compare_operations(const void *a, const void *b)
{
    const operation *const x = a, *const y = b;

    if (x->depth != y->depth)
        return x->depth > y->depth ? -1 : 1;
    if (x->index != y->index)
        return x->index > y->index ? 1 : -1;
    return x->order > y->order ? 1 : -1;
}

/* Sorts the operations in place: the walk is over. */
static krt_status list_operations(walk *s, krti_arena *a)
{
    krti_wiring *const w = s->w;
    size_t n = 0;

    for (size_t i = 0; i < s->m->num_nodes; i++)
        if (s->operations[i].layer != NULL && s->operations[i].depth >= 0)
            s->operations[n++] = s->operations[i];
    if (n > 0)
        qsort(s->operations, n, sizeof *s->operations, compare_operations);
    w->operations = krti_arena_array(a, n + 1, sizeof(krt_layer *));
    if (w->operations == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        w->operations[i] = s->operations[i].layer;
    w->num_operations = n;
    return KRT_OK;
}

/* One node at each depth, each with one input at most, and no layer twice. */
static krt_status find_chain(walk *s, krti_arena *a)
{
    krti_wiring *const w = s->w;
    bool *const has_node = krti_arena_array(a, s->m->num_nodes + 1, sizeof *has_node);
    bool *const has_call = krti_arena_array(a, s->m->num_nodes + 1, sizeof *has_call);

    if (has_node == NULL || has_call == NULL)
        return KRT_E_NOMEM;
    w->is_chain = true;
    for (size_t i = 0; i < s->m->num_nodes; i++) {
        const krt_layer_class *const cls = s->m->nodes[i].layer->cls;

        if (!w->is_relevant[i])
            continue;
        if (has_node[s->depth[i]] || w->num_inputs[i] > 1)
            w->is_chain = false;
        has_node[s->depth[i]] = true;
        if (has_call[s->first[i]] && (cls == NULL || (cls->flags & KRT_LAYER_OPERATION) == 0))
            w->is_chain = false;
        has_call[s->first[i]] = true;
    }
    return KRT_OK;
}

static krt_status alloc_walk(walk *s, krti_arena *a)
{
    const size_t n = s->m->num_nodes + 1;

    s->w->inputs = krti_arena_array(a, n, sizeof *s->w->inputs);
    s->w->num_inputs = krti_arena_array(a, n, sizeof *s->w->num_inputs);
    s->w->is_relevant = krti_arena_array(a, n, sizeof *s->w->is_relevant);
    s->operations = krti_arena_array(a, n, sizeof *s->operations);
    s->first = krti_arena_array(a, n, sizeof *s->first);
    s->depth = krti_arena_array(a, n, sizeof *s->depth);
    s->done = krti_arena_array(a, n, sizeof *s->done);
    s->stack = krti_arena_array(a, n, sizeof *s->stack);
    s->next_input = krti_arena_array(a, n, sizeof *s->next_input);
    s->is_entered = krti_arena_array(a, n, 1);
    return s->is_entered != NULL && s->next_input != NULL && s->stack != NULL && s->done != NULL &&
                   s->depth != NULL && s->first != NULL && s->operations != NULL &&
                   s->w->is_relevant != NULL && s->w->num_inputs != NULL && s->w->inputs != NULL
               ? KRT_OK
               : KRT_E_NOMEM;
}

krt_status krti_wiring_init(krti_wiring *w, const krt_model *m, krti_arena *a)
{
    walk s = {.w = w, .m = m};
    size_t first = 0;
    krt_status st = KRT_OK;

    *w = (krti_wiring){0};
    TRY(krti_calls_init(&w->calls, m, a));
    TRY(alloc_walk(&s, a));
    TRY(find_inputs(w, a));
    for (size_t i = 0; i < m->num_nodes; i++) {
        const size_t node = w->calls.order[i];

        if (i == 0 || m->nodes[node].layer != m->nodes[first].layer)
            first = node;
        s.first[node] = first;
        s.depth[node] = -1;
        s.operations[node] = (operation){.depth = -1, .index = -1};
        s.operations[first].layer = m->nodes[first].layer;
    }
    for (size_t i = 0; i < m->num_outputs; i++)
        walk_back(&s, (size_t)m->outputs[i].node);
    find_depths(&s);
    TRY(find_chain(&s, a));
    TRY(list_operations(&s, a));

done:
    return st;
}
