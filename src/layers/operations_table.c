/* The table of operations: one layer class each, of the package "keras.ops". See
 * operations_list.h, which holds the lists, and operations.c, which runs an entry. */
#include "layers/operations_list.h"
#include "layers/operations_run.h"

/* clang-format off */
#define ENTRY(class_name, parameters, function)                                  \
    static const krti_operation class_name##_entry = {                           \
        .own = {.base = {.struct_size = sizeof(krt_layer_class),                 \
                         .package = "keras.ops",                                 \
                         .name = #class_name,                                    \
                         .call = krti_operation_call,                            \
                         .flags = KRTI_LAYER_OWN | KRT_LAYER_OPERATION},         \
                .from_conf = krti_operation_from_object},                        \
        .params = parameters,                                                    \
        function,                                                                \
    };
/* clang-format on */
#define X(name, fn) ENTRY(name, "x", .unary = krti_##fn)
KRTI_OPERATIONS_UNARY(X)
#undef X
#define X(name, fn) ENTRY(name, "x1 x2", .binary = krti_##fn)
KRTI_OPERATIONS_BINARY(X)
#undef X
#define X(name, fn) ENTRY(name, "x", .reduce = krti_##fn)
KRTI_OPERATIONS_REDUCE(X)
#undef X
#define X(name, params, fn) ENTRY(name, params, .one = krti_operation_##fn)
KRTI_OPERATIONS_ONE(X)
#undef X
#define X(name, params, fn) ENTRY(name, params, .many = krti_operation_##fn)
KRTI_OPERATIONS_MANY(X)
#undef X

/* tf.keras's layers that hold an operation each, and what an unknown one becomes. */
#define HOLDER(id, class_name, keras_package)                    \
    static const krti_own_class id = {                           \
        .base = {.struct_size = sizeof(krt_layer_class),         \
                 .package = keras_package,                       \
                 .name = class_name,                             \
                 .call = krti_operation_call,                    \
                 .flags = KRTI_LAYER_OWN | KRT_LAYER_OPERATION}, \
        .from_conf = krti_operation_from_object,                 \
    };
HOLDER(lambda_class, "TFOpLambda", NULL)
HOLDER(slicing_class, "SlicingOpLambda", NULL)
HOLDER(node_class, "TensorFlowOpLayer", NULL)
HOLDER(unknown_class, "Operation", "keras.ops")

const krt_layer_class *const krti_classes_operations[] = {
#define X(name, ...) &name##_entry.own.base,
    KRTI_OPERATIONS_UNARY(X) KRTI_OPERATIONS_BINARY(X) KRTI_OPERATIONS_REDUCE(X)
            KRTI_OPERATIONS_ONE(X) KRTI_OPERATIONS_MANY(X)
#undef X
        & lambda_class.base,
    &slicing_class.base, &node_class.base, &unknown_class.base, NULL};

const krti_operation *krti_operation_find(const char *class_name)
{
    for (const krt_layer_class *const *c = krti_classes_operations; *c != &lambda_class.base; c++)
        if (strcmp((*c)->name, class_name) == 0)
            return (const krti_operation *)(const void *)*c;
    return NULL;
}

const krt_layer_class *krti_operation_holder(const char *class_name)
{
    const krti_own_class *const holders[] = {&lambda_class, &slicing_class, &node_class};

    for (size_t i = 0; i < KRTI_COUNT(holders); i++)
        if (strcmp(holders[i]->base.name, class_name) == 0)
            return &holders[i]->base;
    return &unknown_class.base;
}
