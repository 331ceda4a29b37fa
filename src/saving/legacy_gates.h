/* The weights of recurrent cells as older Keras stored them. */
#ifndef KRTI_SAVING_LEGACY_GATES_H
#define KRTI_SAVING_LEGACY_GATES_H

#include "saving/match.h"

/* Gates of an LSTM or GRU cell; 0: another layer, or a cell without gates. */
int krti_legacy_gates(const krt_layer *l);
/* Keras 1: three arrays a gate, LSTM's in the order i, c, f, o. Sets the arrays that make up the i-th of a
 * list of variables (kernel, recurrent kernel and bias, cell after cell), counted from the first. */
void krti_legacy_split_gates(const krt_variable *v, size_t i, krti_turn *turn);
/* CuDNNLSTM and CuDNNGRU: whether a cell's weights are theirs, told by its bias. */
bool krti_legacy_is_cudnn(const krt_layer *cell, krt_shape bias);
/* The shape of such an array once it is the variable; another one's stays. */
krt_shape krti_legacy_cudnn_shape(const krt_variable *v, krt_shape found);
/* Makes an array of theirs the variable's. */
krt_status krti_legacy_from_cudnn(const krt_variable *v, krt_tensor **t);

#endif
