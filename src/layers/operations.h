/* Operation nodes: what a Functional config holds beside layers.
 *
 * x + y and keras.ops.relu(x) on symbolic tensors leave an object each in "layers": in Keras 3 one
 * of module keras.src.ops.*, whose class name may be that of a layer ("Add"); in tf.keras a layer
 * of the class TFOpLambda, SlicingOpLambda or, older, TensorFlowOpLayer. All become a krt_layer of
 * a class of the operation table (operations_table.c) with KRT_LAYER_OPERATION set. Its constructor
 * arguments lie in the config, what it was called with in the node. Keras: ops/operation.py. */
#ifndef KRTI_LAYERS_OPERATIONS_H
#define KRTI_LAYERS_OPERATIONS_H

#include "layers/layer.h"

/* Every operation class, NULL at the end; for `describe`. */
extern const krt_layer_class *const krti_classes_operations[];

bool krti_is_operation(const krti_conf *object);
/* One of tf.keras's three, for which Keras 3 has no class. NULL: allowed. */
bool krti_is_tf_operation(const char *class_name);
/* The module of keras.ops that holds a class of Keras 3: "numpy", "nn", "core", ... */
const char *krti_operation_module(const char *class_name);
/* The object must outlive the layer. An operation nobody knows succeeds with `unsupported` set.
 * Owns: *out belongs to the context. Fails: E_FORMAT, E_NOMEM. */
krt_status krti_operation_from_conf(krt_ctx *k, krt_layer **out, const krti_conf *object);
bool krti_operation_is_slice(const krt_layer *l); /* keras.ops.slice */

#endif
