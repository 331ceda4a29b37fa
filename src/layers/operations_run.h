/* Between the operation table and what makes and runs its entries. */
#ifndef KRTI_LAYERS_OPERATIONS_RUN_H
#define KRTI_LAYERS_OPERATIONS_RUN_H

#include "layers/operations_args.h"

/* `call` of every entry. */
krt_status krti_operation_call(const krt_layer *l, const void *args, krt_call *c);
/* The class of a layer whose operation lies elsewhere, "TFOpLambda", or is unknown. */
const krt_layer_class *krti_operation_holder(const char *class_name);

/* What an operation layer keeps; its `args`. */
typedef struct krti_operation_node {
    krt_spec spec;
    const krti_operation *operation; /* NULL: unknown */
    const char *params;              /* the operation's own, or TensorFlow's names for them */
    const krti_conf *config;         /* constructor arguments; NULL: none */
    /* Of a TensorFlowOpLayer: attributes, and constants by place among the inputs, {"1": 2.0}. */
    const krti_conf *attrs, *constants;
} krti_operation_node;

/* What a TensorFlow NodeDef says: the op's name, which `node` keeps, and the attributes as a flat
 * dict in the arena. Fails: E_FORMAT. */
krt_status krti_node_def_read(krti_arena *a, const krti_conf *node, const char **op,
                              krti_conf **attrs);

#endif
