/* The graph as arrays of nodes, edges and attributes, read and written. See object_graph.h. */
#include "formats/object_graph.h"

#include "formats/protobuf.h"

void krti_object_graph_init(krti_object_graph *g, krt_ctx *k)
{
    *g = (krti_object_graph){.k = k, .arena = KRTI_ARENA_INIT(k)};
}

void krti_object_graph_free(krti_object_graph *g)
{
    krti_free(g->k, g->nodes);
    krti_free(g->k, g->edges);
    krti_free(g->k, g->attributes);
    krti_free(g->k, g->slots);
    krti_arena_free(&g->arena);
}

/* ------------------------------------------------------------------------------- building */

/* Text, terminated; the empty one takes no memory. */
static krt_status keep_text(krti_object_graph *g, const char *text, size_t size, const char **out)
{
    *out = "";
    if (size == 0)
        return KRT_OK;
    *out = krti_arena_strndup(&g->arena, text, size);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

krt_status krti_object_graph_add_node(krti_object_graph *g, uint32_t *node)
{
    const uint32_t none = KRTI_NO_NODE;
    krt_status st = KRT_OK;

    TRY(krti_grow(g->k, &g->nodes, &g->node_capacity, (size_t)g->num_nodes + 1, sizeof *g->nodes));
    *node = g->num_nodes++;
    g->nodes[*node] = (krti_graph_node){none, none, none, none, none, none, none, false};

done:
    return st;
}

/* Puts entry `at` at the end of a chain; *next is the last entry's link. */
static void chain(uint32_t *first, uint32_t *last, uint32_t *next, uint32_t at)
{
    if (*first == KRTI_NO_NODE)
        *first = at;
    else
        *next = at;
    *last = at;
}

static krt_status add_edge(krti_object_graph *g, uint32_t from, const krti_graph_edge *edge)
{
    krti_graph_node *n = &g->nodes[from];
    krt_status st = KRT_OK;

    TRY(krti_grow(g->k, &g->edges, &g->edge_capacity, (size_t)g->num_edges + 1, sizeof *g->edges));
    g->edges[g->num_edges] = *edge;
    g->edges[g->num_edges].next = KRTI_NO_NODE;
    if (strcmp(edge->name, "_iterations") == 0 || strcmp(edge->name, "iter") == 0)
        n->has_iterations = true;
    chain(&n->edges, &n->last_edge, n->edges != KRTI_NO_NODE ? &g->edges[n->last_edge].next : NULL,
          g->num_edges++);

done:
    return st;
}

static krt_status add_attribute(krti_object_graph *g, uint32_t node, const krti_graph_attribute *a)
{
    krti_graph_node *n = &g->nodes[node];
    krt_status st = KRT_OK;

    TRY(krti_grow(g->k, &g->attributes, &g->attribute_capacity, (size_t)g->num_attributes + 1,
                  sizeof *g->attributes));
    g->attributes[g->num_attributes] = *a;
    g->attributes[g->num_attributes].next = KRTI_NO_NODE;
    if (n->variable == KRTI_NO_NODE && strcmp(a->name, KRTI_VARIABLE_VALUE) == 0)
        n->variable = g->num_attributes;
    chain(&n->attributes, &n->last_attribute,
          n->attributes != KRTI_NO_NODE ? &g->attributes[n->last_attribute].next : NULL,
          g->num_attributes++);

done:
    return st;
}

static krt_status add_slot(krti_object_graph *g, uint32_t node, const krti_graph_slot *slot)
{
    krti_graph_node *n = &g->nodes[node];
    krt_status st = KRT_OK;

    TRY(krti_grow(g->k, &g->slots, &g->slot_capacity, (size_t)g->num_slots + 1, sizeof *g->slots));
    g->slots[g->num_slots] = *slot;
    g->slots[g->num_slots].next = KRTI_NO_NODE;
    n->has_iterations = true;
    chain(&n->slots, &n->last_slot, n->slots != KRTI_NO_NODE ? &g->slots[n->last_slot].next : NULL,
          g->num_slots++);

done:
    return st;
}

krt_status krti_object_graph_add_edge(krti_object_graph *g, uint32_t from, const char *name,
                                      uint32_t to)
{
    krti_graph_edge edge = {.node = to};
    krt_status st = KRT_OK;

    TRY(keep_text(g, name, strlen(name), &edge.name));
    TRY(add_edge(g, from, &edge));

done:
    return st;
}

krt_status krti_object_graph_add_attribute(krti_object_graph *g, uint32_t node, const char *name,
                                           const char *full_name, const char *key)
{
    krti_graph_attribute a = {0};
    krt_status st = KRT_OK;

    TRY(keep_text(g, name, strlen(name), &a.name));
    TRY(keep_text(g, full_name, strlen(full_name), &a.full_name));
    TRY(keep_text(g, key, strlen(key), &a.key));
    TRY(add_attribute(g, node, &a));

done:
    return st;
}

uint32_t krti_object_graph_child(const krti_object_graph *g, uint32_t node, const char *name)
{
    for (uint32_t e = g->nodes[node].edges; e != KRTI_NO_NODE; e = g->edges[e].next)
        if (strcmp(g->edges[e].name, name) == 0)
            return g->edges[e].node;
    return KRTI_NO_NODE;
}

const krti_graph_attribute *krti_object_graph_variable(const krti_object_graph *g, uint32_t node)
{
    const uint32_t a = g->nodes[node].variable;

    return a != KRTI_NO_NODE ? &g->attributes[a] : NULL;
}

krt_status krti_object_graph_escape(krti_str *s, const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        if (*p == '.')
            krti_str_add(s, "..");
        else if (*p == '/')
            krti_str_add(s, ".S");
        else
            krti_str_add_n(s, p, 1);
    return s->status;
}

/* ------------------------------------------------------------------------------- reading */

static krt_status fail_damaged(krti_object_graph *g, const char *what)
{
    return krti_fail(g->k, KRT_E_CORRUPT, KRTI_OBJECT_GRAPH_KEY, "the checkpoint's object graph %s",
                     what);
}

static krt_status read_text(krti_object_graph *g, const krti_pb_field *f, const char **out)
{
    if (memchr(f->size > 0 ? f->data : (const unsigned char *)"", '\0', f->size) != NULL)
        return fail_damaged(g, "has a name with a zero in it");
    return keep_text(g, (const char *)f->data, f->size, out);
}

/* A node's number; every one is checked once all nodes are known. */
static uint32_t read_node_id(const krti_pb_field *f)
{
    return f->value < KRTI_NO_NODE ? (uint32_t)f->value : KRTI_NO_NODE;
}

static krt_status read_edge(krti_object_graph *g, uint32_t node, krti_pb message)
{
    krti_graph_edge edge = {.name = ""};
    krti_pb_field f;
    krt_status st = KRT_OK;

    while (krti_pb_next(&message, &f)) {
        if (krti_pb_is(&f, 1, KRTI_PB_VARINT))
            edge.node = read_node_id(&f);
        else if (krti_pb_is(&f, 2, KRTI_PB_BYTES))
            TRY(read_text(g, &f, &edge.name));
    }
    TRY(message.is_bad ? fail_damaged(g, "is damaged") : add_edge(g, node, &edge));

done:
    return st;
}

static krt_status read_attribute(krti_object_graph *g, uint32_t node, krti_pb message)
{
    krti_graph_attribute a = {.name = "", .full_name = "", .key = ""};
    krti_pb_field f;
    krt_status st = KRT_OK;

    while (krti_pb_next(&message, &f)) {
        const char **texts[] = {NULL, &a.name, &a.full_name, &a.key};

        if (f.type == KRTI_PB_BYTES && f.number < KRTI_COUNT(texts))
            TRY(read_text(g, &f, texts[f.number]));
    }
    TRY(message.is_bad ? fail_damaged(g, "is damaged") : add_attribute(g, node, &a));

done:
    return st;
}

static krt_status read_slot(krti_object_graph *g, uint32_t node, krti_pb message)
{
    krti_graph_slot slot = {.name = ""};
    krti_pb_field f;
    krt_status st = KRT_OK;

    while (krti_pb_next(&message, &f)) {
        if (krti_pb_is(&f, 1, KRTI_PB_VARINT))
            slot.original = read_node_id(&f);
        else if (krti_pb_is(&f, 2, KRTI_PB_BYTES))
            TRY(read_text(g, &f, &slot.name));
        else if (krti_pb_is(&f, 3, KRTI_PB_VARINT))
            slot.node = read_node_id(&f);
    }
    TRY(message.is_bad ? fail_damaged(g, "is damaged") : add_slot(g, node, &slot));

done:
    return st;
}

static krt_status read_node(krti_object_graph *g, krti_pb message)
{
    static krt_status (*const readers[])(krti_object_graph *, uint32_t, krti_pb) = {
        [1] = read_edge, [2] = read_attribute, [3] = read_slot};
    krti_pb_field f;
    uint32_t node = 0;
    krt_status st = KRT_OK;

    TRY(krti_object_graph_add_node(g, &node));
    while (krti_pb_next(&message, &f))
        if (f.type == KRTI_PB_BYTES && f.number < KRTI_COUNT(readers))
            TRY(readers[f.number](g, node, krti_pb_inner(&f)));
    if (message.is_bad)
        TRY(fail_damaged(g, "is damaged"));

done:
    return st;
}

static krt_status check_numbers(krti_object_graph *g)
{
    bool good = g->num_nodes > 0;

    for (uint32_t i = 0; i < g->num_edges; i++)
        good = good && g->edges[i].node < g->num_nodes;
    for (uint32_t i = 0; i < g->num_slots; i++)
        good = good && g->slots[i].node < g->num_nodes && g->slots[i].original < g->num_nodes;
    return good ? KRT_OK : fail_damaged(g, "refers to nodes that it does not have");
}

krt_status krti_object_graph_read(krti_object_graph *g, const void *data, size_t size)
{
    krti_pb message = krti_pb_open(data, size);
    krti_pb_field f;
    krt_status st = KRT_OK;

    if (size > KRTI_NO_NODE - 1) /* so that every number fits */
        return fail_damaged(g, "takes more than 4 GB");
    while (krti_pb_next(&message, &f))
        if (krti_pb_is(&f, 1, KRTI_PB_BYTES))
            TRY(read_node(g, krti_pb_inner(&f)));
    if (message.is_bad)
        TRY(fail_damaged(g, "is damaged"));
    TRY(check_numbers(g));

done:
    return st;
}

/* ------------------------------------------------------------------------------- writing */

static void put_edges(krti_str *s, const krti_object_graph *g, const krti_graph_node *n)
{
    for (uint32_t i = n->edges; i != KRTI_NO_NODE; i = g->edges[i].next) {
        krti_str edge = KRTI_STR_INIT(s->k);

        krti_pb_put_number(&edge, 1, g->edges[i].node);
        krti_pb_put_text(&edge, 2, g->edges[i].name);
        krti_pb_put_message(s, 1, &edge);
        krti_str_free(&edge);
    }
}

static void put_attributes(krti_str *s, const krti_object_graph *g, const krti_graph_node *n)
{
    for (uint32_t i = n->attributes; i != KRTI_NO_NODE; i = g->attributes[i].next) {
        krti_str attribute = KRTI_STR_INIT(s->k);

        krti_pb_put_text(&attribute, 1, g->attributes[i].name);
        krti_pb_put_text(&attribute, 2, g->attributes[i].full_name);
        krti_pb_put_text(&attribute, 3, g->attributes[i].key);
        krti_pb_put_message(s, 2, &attribute);
        krti_str_free(&attribute);
    }
}

static void put_slots(krti_str *s, const krti_object_graph *g, const krti_graph_node *n)
{
    for (uint32_t i = n->slots; i != KRTI_NO_NODE; i = g->slots[i].next) {
        krti_str slot = KRTI_STR_INIT(s->k);

        krti_pb_put_number(&slot, 1, g->slots[i].original);
        krti_pb_put_text(&slot, 2, g->slots[i].name);
        krti_pb_put_number(&slot, 3, g->slots[i].node);
        krti_pb_put_message(s, 3, &slot);
        krti_str_free(&slot);
    }
}

/* By node: whether it or something below it has a value. Edges may go in circles, so this goes round
 * until nothing changes; a wrong "no" would make TensorFlow drop values silently. */
static void find_values(const krti_object_graph *g, bool *has_values)
{
    bool changed = true;

    for (uint32_t i = 0; i < g->num_nodes; i++)
        has_values[i] = g->nodes[i].attributes != KRTI_NO_NODE || g->nodes[i].slots != KRTI_NO_NODE;
    while (changed) {
        changed = false;
        for (uint32_t i = g->num_nodes; i-- > 0;)
            for (uint32_t e = g->nodes[i].edges; e != KRTI_NO_NODE && !has_values[i];
                 e = g->edges[e].next)
                changed |= has_values[i] = has_values[g->edges[e].node];
    }
}

krt_status krti_object_graph_put(krti_str *s, const krti_object_graph *g)
{
    bool *has_values = krti_array(g->k, g->num_nodes, sizeof *has_values);
    krt_status st = has_values != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        find_values(g, has_values);
    for (uint32_t i = 0; st == KRT_OK && i < g->num_nodes; i++) {
        krti_str node = KRTI_STR_INIT(g->k);

        put_edges(&node, g, &g->nodes[i]);
        put_attributes(&node, g, &g->nodes[i]);
        put_slots(&node, g, &g->nodes[i]);
        krti_pb_put_bytes(&node, 5, "\x08\x01", has_values[i] ? 2 : 0); /* BoolValue */
        krti_pb_put_message(s, 1, &node);
        st = node.status != KRT_OK ? node.status : s->status;
        krti_str_free(&node);
    }
    krti_free(g->k, has_values);
    return st;
}
