/** @file convolutional.h Keras: keras.layers, the convolutional package. See ../layers.h. */
#ifndef KERATIN_LAYERS_CONVOLUTIONAL_H
#define KERATIN_LAYERS_CONVOLUTIONAL_H

#include "../sys/layer_class.h"

#endif
