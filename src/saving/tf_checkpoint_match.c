/* Binding a checkpoint's graph to a model, as TensorFlow does: from the root along edges of one name
 * on both sides; an object keeps the first node it is bound to. See tf_checkpoint.h.
 *
 * Our side is made up while it is walked: a layer's children are its variables and inner layers, a
 * model's are its layers, layer_with_weights-K and layer-N to tf.keras, lists to Keras 3. Variables
 * that no edge leads to are looked up by the name beside each key, which finds models that Keras 3
 * exported. */
#include "saving/named_arrays.h"
#include "saving/tf_checkpoint.h"

enum { MAX_DEPTH = 64 };

typedef struct binding {
    krt_ctx *k;
    krti_store *store;
    krt_model *model;
    const krti_tf_checkpoint *c;
    bool *has_values; /* by node: a weight can be reached */
    krti_map *layers; /* bound already */
    krti_map *arrays; /* variable -> index of its array + 1 */
    uint32_t root;    /* the node that the model was bound to */
} binding;

/* ------------------------------------------------------------------------------- values below */

/* The nodes from which an edge leads to each node, in one array behind each other. */
typedef struct reversed {
    uint32_t *first, *from;
} reversed;

static krt_status reverse_edges(krt_ctx *k, const krti_object_graph *g, reversed *r)
{
    r->first = krti_array(k, (size_t)g->num_nodes + 2, sizeof *r->first);
    r->from = krti_array(k, (size_t)g->num_edges + 1, sizeof *r->from);
    if (r->first == NULL || r->from == NULL)
        return KRT_E_NOMEM;
    for (uint32_t i = 0; i < g->num_edges; i++)
        r->first[g->edges[i].node + 2]++;
    for (uint32_t i = 2; i < g->num_nodes + 2; i++)
        r->first[i] += r->first[i - 1];
    for (uint32_t n = 0; n < g->num_nodes; n++)
        for (uint32_t i = g->nodes[n].edges; i != KRTI_NO_NODE; i = g->edges[i].next)
            r->from[r->first[g->edges[i].node + 1]++] = n;
    return KRT_OK;
}

static bool is_weight(const binding *b, uint32_t node)
{
    const krti_store *s = b->store;
    const size_t array = b->c->arrays[node];

    return array > 0 && s->objects[s->arrays[array - 1].object].role == KRTI_ROLE_WEIGHT;
}

/* From the weights against the edges. */
static krt_status find_values(binding *b)
{
    krt_ctx *k = b->k;
    const krti_object_graph *g = &b->c->graph;
    reversed r = {0};
    uint32_t *queue = krti_array(k, g->num_nodes, sizeof *queue);
    uint32_t n = 0;
    krt_status st = queue != NULL ? reverse_edges(k, g, &r) : KRT_E_NOMEM;

    b->has_values = krti_array(k, g->num_nodes, sizeof *b->has_values);
    if (b->has_values == NULL)
        st = KRT_E_NOMEM;
    for (uint32_t i = 0; st == KRT_OK && i < g->num_nodes; i++)
        if (is_weight(b, i)) {
            b->has_values[i] = true;
            queue[n++] = i;
        }
    for (uint32_t at = 0; st == KRT_OK && at < n; at++)
        for (uint32_t i = r.first[queue[at]]; i < r.first[queue[at] + 1]; i++)
            if (!b->has_values[r.from[i]]) {
                b->has_values[r.from[i]] = true;
                queue[n++] = r.from[i];
            }
    krti_free(k, queue);
    krti_free(k, r.first);
    krti_free(k, r.from);
    return st;
}

/* ------------------------------------------------------------------------------- children */

/* The children of a node by name. */
static krt_status map_children(const binding *b, uint32_t node, krti_map **out)
{
    const krti_object_graph *g = &b->c->graph;
    krt_status st = KRT_OK;

    *out = krti_map_new(b->k);
    if (*out == NULL)
        return KRT_E_NOMEM;
    for (uint32_t i = g->nodes[node].edges; st == KRT_OK && i != KRTI_NO_NODE; i = g->edges[i].next)
        if (!krti_map_has(*out, g->edges[i].name))
            st = krti_map_set(*out, g->edges[i].name, (void *)((uintptr_t)g->edges[i].node + 1));
    return st;
}

static uint32_t child_of(const krti_map *children, const char *name)
{
    const uintptr_t found = (uintptr_t)krti_map_get(children, name);

    return found > 0 ? (uint32_t)(found - 1) : KRTI_NO_NODE;
}

/* An attribute under its name, or private, or no longer private: Keras 3 has _kernel where tf.keras has
 * kernel, and query_dense for _query_dense. Few were renamed altogether. */
static uint32_t attribute_of(const krti_map *children, const char *name)
{
    static const char *const renamed[][2] = {{"kernel", "depthwise_kernel"},
                                             {"depthwise_kernel", "kernel"},
                                             {"mean", "adapt_mean"},
                                             {"variance", "adapt_variance"}};
    char private_name[128];
    uint32_t node = child_of(children, name);

    snprintf(private_name, sizeof private_name, "_%s", name);
    if (node == KRTI_NO_NODE)
        node = child_of(children, private_name);
    if (node == KRTI_NO_NODE && name[0] == '_')
        node = child_of(children, name + 1);
    for (size_t i = 0; node == KRTI_NO_NODE && i < KRTI_COUNT(renamed); i++)
        if (strcmp(name, renamed[i][0]) == 0)
            node = child_of(children, renamed[i][1]);
    return node;
}

/* ------------------------------------------------------------------------------- binding */

static krt_status bind_layer(binding *b, krt_layer *l, uint32_t node, int depth);

static krt_status bind_variable(binding *b, krt_variable *v, uint32_t node)
{
    char key[24];

    snprintf(key, sizeof key, "%p", (void *)v);
    if (!is_weight(b, node) || krti_map_has(b->arrays, key))
        return KRT_OK;
    return krti_map_set(b->arrays, key, (void *)b->c->arrays[node]);
}

/* A list's k-th element that holds weights belongs to the k-th layer that has some: that does not
 * depend on how operations and inputs are counted. */
static krt_status bind_list(binding *b, krt_model *m, uint32_t list, int depth)
{
    const krti_object_graph *g = &b->c->graph;
    uint32_t i = g->nodes[list].edges;
    krt_status st = KRT_OK;

    for (size_t n = 0; st == KRT_OK && n < m->num_layers; n++) {
        if (krt_layer_num_weights(m->layers[n]) == 0)
            continue;
        while (i != KRTI_NO_NODE && !b->has_values[g->edges[i].node])
            i = g->edges[i].next;
        if (i == KRTI_NO_NODE)
            break;
        st = bind_layer(b, m->layers[n], g->edges[i].node, depth);
        i = g->edges[i].next;
    }
    return st;
}

/* Keras 3: _operations of a Functional, the same one step down for a Sequential. */
static uint32_t list_of(const binding *b, const krti_map *children)
{
    static const char *const lists[] = {"_operations", "_layers", "layers"};
    const uint32_t functional = child_of(children, "_functional");
    uint32_t list = KRTI_NO_NODE;

    for (size_t i = 0; list == KRTI_NO_NODE && i < KRTI_COUNT(lists); i++) {
        list = child_of(children, lists[i]);
        if (list == KRTI_NO_NODE && functional != KRTI_NO_NODE)
            list = krti_object_graph_child(&b->c->graph, functional, lists[i]);
        if (list != KRTI_NO_NODE && !b->has_values[list])
            list = KRTI_NO_NODE;
    }
    return list;
}

static krt_status bind_model(binding *b, krt_model *m, const krti_map *children, int depth)
{
    size_t with_weights = 0;
    char name[48];
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < m->num_layers; i++) {
        uint32_t node = KRTI_NO_NODE;

        if (krt_layer_num_weights(m->layers[i]) > 0) {
            snprintf(name, sizeof name, "layer_with_weights-%zu", with_weights++);
            node = child_of(children, name);
        }
        snprintf(name, sizeof name, "layer-%zu", i);
        if (node == KRTI_NO_NODE)
            node = child_of(children, name);
        if (node != KRTI_NO_NODE)
            st = bind_layer(b, m->layers[i], node, depth);
    }
    const uint32_t list = list_of(b, children);
    return st == KRT_OK && list != KRTI_NO_NODE ? bind_list(b, m, list, depth) : st;
}

/* An inner layer; one in a list by its number there. */
static krt_status bind_inner(binding *b, const krt_layer *l, size_t index, const krti_map *children,
                             int depth)
{
    const krti_inner *inner = &l->inner[index];
    uint32_t node = attribute_of(children, inner->attribute);
    size_t place = 0;
    char name[24];

    for (size_t i = 0; i < index; i++)
        place += l->inner[i].in_list && strcmp(l->inner[i].attribute, inner->attribute) == 0;
    if (inner->in_list && node != KRTI_NO_NODE) {
        snprintf(name, sizeof name, "%zu", place);
        node = krti_object_graph_child(&b->c->graph, node, name);
    }
    return node != KRTI_NO_NODE ? bind_layer(b, inner->layer, node, depth) : KRT_OK;
}

static krt_status bind_layer(binding *b, krt_layer *l, uint32_t node, int depth)
{
    krt_model *model = krti_model_of(l);
    krti_map *children = NULL;
    char key[24];
    krt_status st = KRT_OK;

    snprintf(key, sizeof key, "%p", (void *)l);
    if (depth > MAX_DEPTH || krti_map_has(b->layers, key) || !b->has_values[node])
        return KRT_OK;
    TRY(krti_map_set(b->layers, key, b));
    TRY(map_children(b, node, &children));
    for (size_t i = 0; i < l->num_variables; i++) {
        const uint32_t child = attribute_of(children, l->variables[i]->name);

        if (child != KRTI_NO_NODE)
            TRY(bind_variable(b, l->variables[i], child));
    }
    if (model != NULL)
        TRY(bind_model(b, model, children, depth + 1));
    for (size_t i = 0; model == NULL && i < l->num_inner; i++)
        TRY(bind_inner(b, l, i, children, depth + 1));

done:
    krti_map_free(children);
    return st;
}

static krt_status bind_at(binding *b, uint32_t node)
{
    b->root = node;
    krti_map_free(b->layers);
    b->layers = krti_map_new(b->k);
    return b->layers != NULL ? bind_layer(b, &b->model->base, node, 0) : KRT_E_NOMEM;
}

/* The root is the model, or one of its children is: tf.train.Checkpoint(model=model). */
static krt_status bind_root(binding *b)
{
    const krti_object_graph *g = &b->c->graph;
    krt_status st = bind_at(b, 0);

    for (uint32_t i = g->nodes[0].edges;
         st == KRT_OK && i != KRTI_NO_NODE && krti_map_num(b->arrays) == 0; i = g->edges[i].next)
        if (g->edges[i].node != 0 && b->has_values[g->edges[i].node])
            st = bind_at(b, g->edges[i].node);
    if (krti_map_num(b->arrays) == 0)
        b->root = 0;
    return st;
}

/* ------------------------------------------------------------------------------- names */

typedef struct naming {
    binding *b;
    krti_names names;
} naming;

static krt_status name_variable(void *user, krt_variable *v)
{
    naming *n = user;
    const size_t array = krti_names_find(&n->names, v);
    char key[24];

    snprintf(key, sizeof key, "%p", (void *)v);
    if (array == SIZE_MAX || krti_map_has(n->b->arrays, key))
        return KRT_OK;
    return krti_map_set(n->b->arrays, key, (void *)(array + 1));
}

/* Binds the variables that are still without an array, where the checkpoint's name of exactly one
 * tensor says so. */
static krt_status bind_by_name(binding *b)
{
    const krti_object_graph *g = &b->c->graph;
    naming n = {.b = b};
    krt_status st = krti_names_init(&n.names, b->k);

    for (uint32_t i = 0; st == KRT_OK && i < g->num_nodes; i++)
        if (is_weight(b, i) && krti_object_graph_variable(g, i) != NULL)
            st = krti_names_add(&n.names, krti_object_graph_variable(g, i)->full_name,
                                b->c->arrays[i] - 1);
    if (st == KRT_OK)
        st = krti_layer_each_variable(&b->model->base, name_variable, &n);
    krti_names_free(&n.names);
    return st;
}

/* ------------------------------------------------------------------------------- all */

/* What lies beside the model that was bound is none of its business. */
static krt_status leave_others(const binding *b, krti_match *m)
{
    const krti_object_graph *g = &b->c->graph;
    bool *reached = krti_array(m->k, g->num_nodes, sizeof *reached);
    uint32_t *queue = krti_array(m->k, g->num_nodes, sizeof *queue);
    uint32_t n = 0;
    krt_status st = reached != NULL && queue != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && b->root != 0) {
        reached[b->root] = true;
        queue[n++] = b->root;
        for (uint32_t at = 0; at < n; at++)
            for (uint32_t i = g->nodes[queue[at]].edges; i != KRTI_NO_NODE; i = g->edges[i].next)
                if (!reached[g->edges[i].node]) {
                    reached[g->edges[i].node] = true;
                    queue[n++] = g->edges[i].node;
                }
        for (uint32_t i = 0; st == KRT_OK && i < g->num_nodes; i++)
            if (!reached[i] && is_weight(b, i) && !m->taken[b->c->arrays[i] - 1])
                st = krti_match_skip_array(m, KRT_UNEXPECTED, b->c->arrays[i] - 1);
    }
    krti_free(m->k, reached);
    krti_free(m->k, queue);
    return st;
}

static size_t array_of(void *user, const krt_variable *v)
{
    const binding *b = user;
    char key[24];

    snprintf(key, sizeof key, "%p", (const void *)v);
    return (size_t)(uintptr_t)krti_map_get(b->arrays, key) - 1;
}

static krt_status bind(binding *b, krti_store *s, krt_model *m)
{
    krt_status st = KRT_OK;

    *b = (binding){
        .k = s->k, .store = s, .model = m, .c = s->checkpoint, .arrays = krti_map_new(s->k)};
    if (b->arrays == NULL)
        return KRT_E_NOMEM;
    TRY(find_values(b));
    TRY(bind_root(b));
    TRY(bind_by_name(b));

done:
    return st;
}

static void unbind(binding *b)
{
    krti_free(b->k, b->has_values);
    krti_map_free(b->layers);
    krti_map_free(b->arrays);
}

krt_status krti_tf_checkpoint_match(krti_match *m)
{
    binding b;
    krt_status st = bind(&b, m->store, m->model);

    if (st == KRT_OK)
        st = krti_names_pair(m, array_of, &b);
    if (st == KRT_OK)
        st = leave_others(&b, m);
    unbind(&b);
    return st;
}

krt_status krti_tf_checkpoint_nodes(krti_store *s, krt_model *m, krt_variable *const *variables,
                                    size_t n, uint32_t *nodes, uint32_t *root)
{
    uint32_t *of_arrays = krti_array(s->k, s->num_arrays, sizeof *of_arrays); /* + 1; 0: none */
    binding b;
    krt_status st = bind(&b, s, m);

    if (of_arrays == NULL)
        st = KRT_E_NOMEM;
    for (uint32_t j = st == KRT_OK ? b.c->graph.num_nodes : 0; j-- > 0;)
        if (b.c->arrays[j] > 0)
            of_arrays[b.c->arrays[j] - 1] = j + 1;
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        const size_t array = array_of(&b, variables[i]);

        nodes[i] = array != SIZE_MAX && of_arrays[array] > 0 ? of_arrays[array] - 1 : KRTI_NO_NODE;
    }
    *root = b.root;
    unbind(&b);
    krti_free(s->k, of_arrays);
    return st;
}
