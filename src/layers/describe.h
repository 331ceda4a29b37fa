/* What layers of several files say in the same words while they build and describe themselves. */
#ifndef KRTI_LAYERS_DESCRIBE_H
#define KRTI_LAYERS_DESCRIBE_H

#include "layers/config.h"
#include "layers/layer.h"
#include "tensor/tensor.h"

/* Input i as float32: narrower and wider floats and integers are cast, what Keras does by its
 * compute dtype and its rules of promotion. */
krt_value *krti_float_input(krt_call *c, size_t i);

/* The same for a value; floats that are float32 already, and NULL, stay. */
krt_value *krti_as_float32(krti_graph *g, krt_value *x);

/* Input i with floats as float32 and everything else as it is: Keras's autocast. */
krt_value *krti_cast_input(krt_call *c, size_t i);

/* The layer wants `wanted` inputs and was called on `found`. */
krt_status krti_fail_inputs(const krt_layer *l, size_t wanted, size_t found);

/* 1 / sqrt(x + epsilon) */
krt_value *krti_rsqrt_above(krti_graph *g, krt_value *x, double epsilon);

/* The call of a class that is known so that it can be refused by name. */
krt_status krti_unsupported_call(const krt_layer *l, const void *args, krt_call *c);

/* An argument of the call: by its name, or by its position when that came as a tensor or literal;
 * *given says whether it was there and not None. Fails through the graph. */
krt_value *krti_call_argument(krt_call *c, const char *name, size_t position, bool *given);

/* A switch among them: whether it is True. */
bool krti_call_flag(const krt_call *c, const char *name, size_t position);

/* The mask of the first input: the argument `mask` of the call, else the one that travels with the
 * input, else NULL. */
krt_value *krti_call_mask(krt_call *c, size_t position);

/* A penalty on a value of this shape as it counts for one sample: divided by the batch's size. */
krt_value *krti_a_sample(krti_graph *g, krt_value *penalty, krt_shape shape);

/* (batch, time, rest...) to (batch * time, rest...) and back, for what treats all steps alike. */
krt_value *krti_fold_time(krti_graph *g, krt_value *x);
krt_value *krti_unfold_time(krti_graph *g, krt_value *y, int64_t batch, int64_t time);

/* Classes whose code is a file of its own, for the tables of their package. */
extern const krti_class krti_class_einsum_dense;

#endif
