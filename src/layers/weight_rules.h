/* Regularizers and constraints: what is said about one weight beside how it starts. Keras:
 * regularizers/regularizers.py, constraints/constraints.py.
 *
 * A layer's arguments hold them under the weight's name ("kernel_regularizer"), so they are found by
 * name and no layer needs to hand them on. */
#ifndef KRTI_LAYERS_WEIGHT_RULES_H
#define KRTI_LAYERS_WEIGHT_RULES_H

#include "layers/layer.h"
#include <keratin/layers/regularizers.h>

/* What the layer's arguments say about this weight; NULL: nothing. */
const krt_spec *krti_variable_regularizer(const krt_variable *v);
const krt_spec *krti_variable_constraint(const krt_variable *v);

/* The penalty, a scalar; the weight as it may be. Fail through the graph: E_UNKNOWN_CLASS, E_INVALID. */
krt_value *krti_regularize(krti_graph *g, krt_layer *owner, const krt_spec *regularizer,
                           krt_value *x);
krt_value *krti_constrain(krti_graph *g, krt_layer *owner, const krt_spec *constraint,
                          krt_value *x);

/* Both kinds as classes without build and call: "L2", "l2", "MaxNorm", "max_norm"; NULL: unknown. */
const krt_layer_class *krti_weight_rule_find(const char *name);
const krt_layer_class *krti_weight_rule_at(size_t i); /* NULL past the last */

#endif
