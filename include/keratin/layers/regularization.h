/** @file regularization.h Keras: keras.layers, the regularization package. See ../layers.h. */
#ifndef KERATIN_LAYERS_REGULARIZATION_H
#define KERATIN_LAYERS_REGULARIZATION_H

#include "../sys/layer_class.h"

#endif
