/* TrackableObjectGraph: how a TensorFlow checkpoint's tensors hang together as the objects of a Python
 * program. Nodes are objects, edges are attribute names, a variable's node names the key of its tensor.
 * The graph may have cycles and several names for one node. TensorFlow:
 * core/protobuf/trackable_object_graph.proto. Page: docs/formats/tf_checkpoint.md. */
#ifndef KRTI_FORMATS_OBJECT_GRAPH_H
#define KRTI_FORMATS_OBJECT_GRAPH_H

#include "base/arena.h"
#include "base/str.h"

/* Lists are chained by index; this ends them, and stands for "no node". */
#define KRTI_NO_NODE          UINT32_MAX

#define KRTI_OBJECT_GRAPH_KEY "_CHECKPOINTABLE_OBJECT_GRAPH"
#define KRTI_VARIABLE_VALUE   "VARIABLE_VALUE"

typedef struct krti_graph_edge {
    const char *name;
    uint32_t node, next;
} krti_graph_edge;

typedef struct krti_graph_attribute {
    const char *name, *full_name, *key;
    uint32_t next;
} krti_graph_attribute;

/* A slot of an optimizer: the node it stands in is the optimizer's. */
typedef struct krti_graph_slot {
    const char *name;
    uint32_t original, node, next;
} krti_graph_slot;

typedef struct krti_graph_node {
    uint32_t edges, last_edge; /* the first and the last of each chain */
    uint32_t attributes, last_attribute;
    uint32_t slots, last_slot;
    uint32_t variable;   /* its attribute that is a variable's value */
    bool has_iterations; /* has slots, or a child as only optimizers have it */
} krti_graph_node;

typedef struct krti_object_graph {
    krt_ctx *k;
    krti_arena arena; /* texts */
    krti_graph_node *nodes;
    uint32_t num_nodes;
    krti_graph_edge *edges;
    uint32_t num_edges;
    krti_graph_attribute *attributes;
    uint32_t num_attributes;
    krti_graph_slot *slots;
    uint32_t num_slots;
    size_t node_capacity, edge_capacity, attribute_capacity, slot_capacity;
} krti_object_graph;

void krti_object_graph_init(krti_object_graph *g, krt_ctx *k);
void krti_object_graph_free(krti_object_graph *g);

/* Adds what a serialized graph holds; node 0 is the root. Fails: E_CORRUPT, E_NOMEM. */
krt_status krti_object_graph_read(krti_object_graph *g, const void *data, size_t size);
/* Appends the serialized graph, has_checkpoint_values included. */
krt_status krti_object_graph_put(krti_str *s, const krti_object_graph *g);

/* Building. Texts are copied. */
krt_status krti_object_graph_add_node(krti_object_graph *g, uint32_t *node);
krt_status krti_object_graph_add_edge(krti_object_graph *g, uint32_t from, const char *name,
                                      uint32_t to);
krt_status krti_object_graph_add_attribute(krti_object_graph *g, uint32_t node, const char *name,
                                           const char *full_name, const char *key);

/* The child of this name, KRTI_NO_NODE when there is none. */
uint32_t krti_object_graph_child(const krti_object_graph *g, uint32_t node, const char *name);
/* A variable's attribute; NULL when the node is no variable. */
const krti_graph_attribute *krti_object_graph_variable(const krti_object_graph *g, uint32_t node);

/* Appends a local name as keys spell it: "." is "..", "/" is ".S". */
krt_status krti_object_graph_escape(krti_str *s, const char *name);

#endif
