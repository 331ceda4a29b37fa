/* The arguments of one operation node, whichever generation of Keras wrote it.
 *
 * An operation's function asks for them by Keras 3's names: krti_opcall_tensor(o, "x"),
 * krti_opcall_ints(o, "axis", ...). Where the value lies, the reader finds: among the call's
 * keywords, at its place in the parameter list, or in the config. Failure sticks to the graph, as
 * everywhere. */
#ifndef KRTI_LAYERS_OPERATIONS_ARGS_H
#define KRTI_LAYERS_OPERATIONS_ARGS_H

#include "layers/layer.h"

/* Parameters in the order of the call, separated by blanks: "x1 x2". In tf.keras's functions one
 * may have another name than Keras's, several other names, and another default, a JSON number, a
 * word or null: "logits=x axis?-1", "axis|squeeze_dims=axis". A star takes every positional
 * argument left: "*xs". */
typedef struct krti_opcall {
    krt_call *c;
    krti_graph *g;
    const struct krti_operation *operation;
    const char *params;
    const krti_conf *args, *kwargs; /* the node's; NULL: the inputs in order */
    const krti_conf *config;        /* constructor arguments; NULL: none */
} krti_opcall;

/* One operation: a layer class with what describes it behind. Exactly one function is set. */
typedef struct krti_operation {
    krt_layer_class base;
    const char *params;
    krt_value *(*unary)(krti_graph *g, krt_value *x);
    krt_value *(*binary)(krti_graph *g, krt_value *a, krt_value *b);
    krt_value *(*reduce)(krti_graph *g, krt_value *x, const int *axes, int n, bool keepdims);
    krt_value *(*one)(const krti_opcall *o);  /* one output */
    krt_status (*many)(const krti_opcall *o); /* sets the outputs itself */
} krti_operation;

/* The argument as it is written; NULL when it is absent or null. */
const krti_conf *krti_opcall_find(const krti_opcall *o, const char *name);
/* The number of positional arguments a starred parameter takes, and the i-th. A list in the first
 * place stands for its items: ([a, b], axis) and (a, b, axis) are the same. */
size_t krti_opcall_num(const krti_opcall *o, const char *name);
const krti_conf *krti_opcall_at(const krti_opcall *o, const char *name, size_t i);

/* A required value; fails through the graph when it is absent. */
krt_value *krti_opcall_tensor(const krti_opcall *o, const char *name);
krt_value *krti_opcall_optional(const krti_opcall *o, const char *name); /* NULL: absent */
/* Two values that meet: a bare number takes the dtype Keras gives it beside the other one. */
void krti_opcall_pair(const krti_opcall *o, const char *a_name, const char *b_name, krt_value **a,
                      krt_value **b);
/* A bare number or list becomes a constant beside `like` (which may be NULL). */
krt_value *krti_opcall_value(const krti_opcall *o, const krti_conf *arg, const krt_value *like);

bool krti_opcall_bool(const krti_opcall *o, const char *name, bool fallback);
int64_t krti_opcall_int(const krti_opcall *o, const char *name, int64_t fallback);
double krti_opcall_float(const krti_opcall *o, const char *name, double fallback);
const char *krti_opcall_text(const krti_opcall *o, const char *name, const char *fallback);
krt_dtype krti_opcall_dtype(const krti_opcall *o, const char *name, krt_dtype fallback);
/* A number or a list of them, tensors with a known value included; unknown dimensions are
 * KRT_NONE. Returns how many, 0 when absent, -1 after a failure. */
int krti_opcall_ints(const krti_opcall *o, const char *name, int64_t *out, int max);
/* The same for axes, which are few and small. */
int krti_opcall_axes(const krti_opcall *o, const char *name, int *out);
/* One axis of a value of this rank, counted from the front; -1 after a failure. */
int krti_opcall_axis(const krti_opcall *o, const char *name, int64_t fallback, int rank);

/* Records a failure of the node; returns NULL. */
krt_value *krti_opcall_fail(const krti_opcall *o, krt_status status, const char *format, ...)
    KRTI_PRINTF(3, 4);

/* The integers of a value known while tracing: constants, shapes, and what is computed of them
 * (operations_known.c). Returns how many, -1 when they are not known. */
int krti_known_ints(const krt_value *v, int64_t *out, int max);
/* The shape of x as such a value: int32 (rank,). An unknown dimension is INT32_MIN. */
krt_value *krti_known_shape(krti_graph *g, const krt_value *x);

/* The entry of the table, by Keras's class name; NULL: none. */
const krti_operation *krti_operation_find(const char *class_name);
/* A TensorFlow function ("math.reduce_mean"), or the op of an older node ("RealDiv"): the operation
 * and its parameters' names there. NULL: none. */
const krti_operation *krti_operation_of_function(const char *function, const char **params);
const krti_operation *krti_operation_of_node_def(const char *op, const char **params);

#endif
