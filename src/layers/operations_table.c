/* The table of operations: one layer class each, of the package "keras.ops". See
 * operations_list.h, which holds the lists, and operations.c, which runs an entry. */
#include "layers/operations.h"
#include "layers/operations_list.h"
#include "layers/operations_run.h"

/* clang-format off */
#define ENTRY(class_name, in_package, parameters, function)                      \
    static const krti_operation class_name##_entry = {                           \
        .base = {.struct_size = sizeof(krt_layer_class),                         \
                 .package = in_package,                                          \
                 .name = #class_name,                                            \
                 .call = krti_operation_call,                                    \
                 .flags = KRT_LAYER_OPERATION},                                  \
        .params = parameters,                                                    \
        function,                                                                \
    };
/* clang-format on */
#define X(name, fn) ENTRY(name, "keras.ops", "x", .unary = krti_##fn)
KRTI_OPERATIONS_UNARY(X)
#undef X
#define X(name, fn) ENTRY(name, "keras.ops", "x1 x2", .binary = krti_##fn)
KRTI_OPERATIONS_BINARY(X)
#undef X
#define X(name, fn) ENTRY(name, "keras.ops", "x", .reduce = krti_##fn)
KRTI_OPERATIONS_REDUCE(X)
#undef X
#define X(name, params, fn) ENTRY(name, "keras.ops", params, .one = krti_operation_##fn)
KRTI_OPERATIONS_ONE(X)
#undef X
#define X(name, params, fn) ENTRY(name, "keras.ops", params, .many = krti_operation_##fn)
KRTI_OPERATIONS_MANY(X)
#undef X
#define X(name, params, fn) ENTRY(name, NULL, params, .one = krti_operation_##fn)
KRTI_OPERATIONS_TENSORFLOW(X)
#undef X
ENTRY(squared_difference, NULL, "x1 x2", .binary = krti_squared_difference)
ENTRY(split_sizes, NULL, "x", .many = krti_operation_split_sizes)

/* tf.keras's layers that hold an operation each, and what an unknown one becomes. */
/* clang-format off */
#define HOLDER(class_name, in_package, more)    \
    {                                           \
        .struct_size = sizeof(krt_layer_class), \
        .package = in_package,                  \
        .name = class_name,                     \
        .call = krti_operation_call,            \
        .flags = KRT_LAYER_OPERATION | (more),  \
    }
/* clang-format on */
static const krt_layer_class lambda_class = HOLDER("TFOpLambda", NULL, 0);
static const krt_layer_class slicing_class = HOLDER("SlicingOpLambda", NULL, 0);
static const krt_layer_class unknown_class = HOLDER("Operation", "keras.ops", 0);
static const krti_class node_class = {
    .base = HOLDER("TensorFlowOpLayer", NULL, KRTI_LAYER_HOOKS),
    .name_prefix = "tf_op_layer_", /* tf.keras puts it there whenever it reads one */
};

/* clang-format off */
const krt_layer_class *const krti_classes_operations[] = {
#define X(name, ...) &name##_entry.base,
    KRTI_OPERATIONS_UNARY(X)
    KRTI_OPERATIONS_BINARY(X)
    KRTI_OPERATIONS_REDUCE(X)
    KRTI_OPERATIONS_ONE(X)
    KRTI_OPERATIONS_MANY(X)
    KRTI_OPERATIONS_TENSORFLOW(X)
#undef X
    &squared_difference_entry.base,
    &split_sizes_entry.base,
    &lambda_class,
    &slicing_class,
    &node_class.base,
    &unknown_class,
    NULL,
};
/* clang-format on */

const krti_operation *krti_operation_find(const char *class_name)
{
    for (const krt_layer_class *const *c = krti_classes_operations; *c != &lambda_class; c++)
        if (strcmp((*c)->name, class_name) == 0)
            return (const krti_operation *)(const void *)*c;
    return NULL;
}

const krt_layer_class *krti_operation_holder(const char *class_name)
{
    const krt_layer_class *const holders[] = {&lambda_class, &slicing_class, &node_class.base};

    for (size_t i = 0; i < KRTI_COUNT(holders); i++)
        if (strcmp(holders[i]->name, class_name) == 0)
            return holders[i];
    return &unknown_class;
}

const char *krti_operation_module(const char *class_name)
{
    static const char *const others[][2] = {
        {"Cast", "core"},
        {"StopGradient", "core"},
        {"Slice", "core"},
        {"Unstack", "core"},
        {"Scatter", "core"},
        {"TopK", "math"},
        {"Logsumexp", "math"},
        {"Rsqrt", "math"},
        {"Erf", "math"},
        {"Erfinv", "math"},
        {"Norm", "linalg"},
        {"Resize", "image"},
        {"RGBToGrayscale", "image"},
        {"OneHot", "nn"},
        {"MultiHot", "nn"},
        {"Softmax", "nn"},
        {"LogSoftmax", "nn"},
        {"MaxPool", "nn"},
        {"AveragePool", "nn"},
        {"Conv", "nn"},
        {"DepthwiseConv", "nn"},
        {"SeparableConv", "nn"},
        {"ConvTranspose", "nn"},
        {"Moments", "nn"},
        {"Normalize", "nn"},
        {"BatchNorm", "nn"},
        {"LayerNorm", "nn"},
        {"RMSNorm", "nn"},
        {"DotProductAttention", "nn"},
    };
    static const char *const functions[] = {
        "Relu",        "Relu6",      "Sigmoid",  "SparseSigmoid", "Softplus",   "Softsign",
        "SoftShrink",  "SparsePlus", "Silu",     "Squareplus",    "LogSigmoid", "LeakyRelu",
        "HardSigmoid", "HardSilu",   "Elu",      "Selu",          "Gelu",       "Celu",
        "Glu",         "TanhShrink", "HardTanh", "HardShrink",    "Threshold",  "Sparsemax"};

    for (size_t i = 0; i < KRTI_COUNT(others); i++)
        if (strcmp(others[i][0], class_name) == 0)
            return others[i][1];
    return krti_is_one_of(class_name, functions, KRTI_COUNT(functions)) ? "nn" : "numpy";
}
