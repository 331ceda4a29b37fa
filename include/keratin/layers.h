/**
 * @file layers.h
 * Every layer as an args struct and a macro with Keras's names, order and defaults.
 *
 * Required arguments go by position as they do in Keras; the rest by name:
 *
 *     krt_add(m, KRT_CONV2D(32, { 3, 3 }, .activation = "relu", .padding = "same"));
 *
 * An argument macro lives to the end of its block; the library copies what it keeps. The macros
 * are C; C++ and other languages fill the structs. Each struct begins with `spec` and ends with
 * `name` and `trainable`, which every layer has.
 */
#ifndef KERATIN_LAYERS_H
#define KERATIN_LAYERS_H

#include "layers/initializers.h"
#include "layers/core.h"
#include "layers/activation.h"
#include "layers/convolutional.h"
#include "layers/pooling.h"
#include "layers/normalization.h"
#include "layers/merging.h"
#include "layers/reshaping.h"
#include "layers/regularization.h"
#include "layers/regularizers.h"
#include "layers/preprocessing.h"
#include "layers/attention.h"
#include "layers/rnn.h"
#include "layers/wrappers.h"
#include "layers/applications.h"

#endif
