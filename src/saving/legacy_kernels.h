/* Kernels as older Keras laid them out: which axes go where. */
#ifndef KRTI_SAVING_LEGACY_KERNELS_H
#define KRTI_SAVING_LEGACY_KERNELS_H

#include "saving/match.h"

/* What must be done with an array of a file of this generation before it is the variable. */
krti_turn krti_legacy_turn(const krt_variable *v, krt_shape found, int generation, bool is_theano);
/* The shape an array has when that is done: that of the variable, if it fits at all. */
krt_shape krti_turned_shape(const krti_turn *turn, krt_shape found, const krt_variable *v);

#endif
